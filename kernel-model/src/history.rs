//! What happened in this world: counts, and the last steps for whoever has to find out why a check failed.

use crate::{simulation, teams};
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

/// Steps that are shown.
const SHOWN: usize = 50;

#[derive(Default)]
struct History {
    counts: RefCell<BTreeMap<&'static str, BTreeMap<String, u64>>>,
    steps: RefCell<VecDeque<(u64, Option<usize>, String)>>,
    moves: Cell<u64>,
    all: Cell<Option<bool>>,
}

thread_local! {
    static HISTORY: History = History::default();
}

/// A core changed hands, went off or came up.
pub fn count_move() {
    HISTORY.with(|history| history.moves.set(history.moves.get() + 1));
}

/// So many cores did.
pub fn moves() -> u64 {
    HISTORY.with(|history| history.moves.get())
}

/// One more of these.
pub fn count(what: &'static str) {
    count_in(what, "");
}

/// One more of these, of that kind.
pub fn count_in(what: &'static str, kind: &str) {
    HISTORY.with(|history| {
        let mut counts = history.counts.borrow_mut();
        let kinds = counts.entry(what).or_default();
        match kinds.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(kinds.insert(kind.to_owned(), 1)),
        }
    });
}

/// Notes a step. With `CORRAL_MODEL_TRACE` in the environment each is printed, too.
pub fn note(text: impl FnOnce() -> String) {
    HISTORY.with(|history| {
        let step = (simulation::now(), simulation::this(), text());
        let all = history.all.get().unwrap_or_else(|| std::env::var_os("CORRAL_MODEL_TRACE").is_some());
        history.all.set(Some(all));
        if all {
            eprintln!("{}", shown(&step));
        }
        let mut steps = history.steps.borrow_mut();
        if steps.len() == SHOWN {
            steps.pop_front();
        }
        steps.push_back(step);
    });
}

fn shown((time, core, text): &(u64, Option<usize>, String)) -> String {
    let core = core.map_or("-".to_owned(), |core| core.to_string());
    format!("{time:>9} us  core {core}: {text}")
}

/// The world ended well.
pub fn finish() -> ! {
    println!("{}", outcome(None));
    std::process::exit(0)
}

/// The world ended because something happened that must not.
pub fn violation(what: &str) -> ! {
    println!("{}", outcome(Some(what)));
    std::process::exit(1)
}

fn outcome(violation: Option<&str>) -> Value {
    HISTORY.with(|history| {
        let mut counts = Map::new();
        for (what, kinds) in history.counts.borrow().iter() {
            let plain = kinds.get("").map(|count| json!(count));
            counts.insert((*what).to_owned(), plain.unwrap_or_else(|| json!(kinds)));
        }
        let steps: Vec<String> = history.steps.borrow().iter().map(shown).collect();
        let (moves, faults) = (history.moves.get(), teams::faults());
        let mut outcome = json!({ "moves": moves, "faults": faults, "steps": simulation::steps(), "counts": counts });
        if let (Some(what), Some(fields)) = (violation, outcome.as_object_mut()) {
            fields.insert("violation".to_owned(), json!(what));
            fields.insert("history".to_owned(), json!(steps));
        }
        outcome
    })
}
