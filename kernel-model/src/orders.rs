//! Orders, as they are typed, and what becomes of them: every one is answered, and every accepted core of it exactly once.

use crate::history::{count, count_in, note, violation};
use crate::ledger::CoreState;
use crate::random::Random;
use crate::{boot, simulation, teams};
use log::{LevelFilter, Log, Metadata, Record};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// One order.
#[derive(Debug, Default)]
struct Open {
    text: String,
    accepted: Option<usize>,
    /// The core that its domain refused last.
    refused: Option<usize>,
    /// Cores whose end was reported.
    ended: BTreeSet<usize>,
}

thread_local! {
    static OPEN: RefCell<BTreeMap<u32, Open>> = const { RefCell::new(BTreeMap::new()) };
    static NEXT: Cell<u32> = const { Cell::new(1) };
    static ENDS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The accepted order that is under way for a core alone, if it says how long it waits, in microseconds.
pub fn patience(core: usize) -> Option<u64> {
    OPEN.with(|open| {
        let open = open.borrow();
        let mut about = open.values().filter(|order| order.accepted.is_some() && !order.ended.contains(&core));
        let order = about.next().filter(|_| about.next().is_none())?;
        let mut words = order.text.split(' ').skip(1);
        let (cores, within) = match words.next()? {
            "move" => (words.next()?, words.nth(3)?),
            "off" => (words.next()?, words.nth(1)?),
            _ => return None,
        };
        let is_within = order.text.contains(" within ") && cores.parse() == Ok(core);
        within.parse().ok().filter(|_| is_within).map(|milliseconds: u64| milliseconds * 1000)
    })
}

/// Whether the guest was heard to refuse to give up the core.
pub fn was_refused(core: usize) -> bool {
    OPEN.with(|open| open.borrow().values().any(|order| order.refused == Some(core)))
}

/// Types an order; its number.
pub fn give(text: &str) -> u32 {
    let id = NEXT.replace(if NEXT.get() == 0xffff { 1 } else { NEXT.get() + 1 });
    let line = format!("#{id} {text}");
    note(|| format!("order: {line}"));
    count_in("orders", text.trim_start_matches("dry ").split(' ').next().unwrap_or_default());
    OPEN.with(|open| open.borrow_mut().insert(id, Open { text: line.clone(), ..Open::default() }));
    let _ = simulation::with(0, |hardware| hardware.uart.extend(line.bytes().chain([b'\n'])));
    id
}

/// No order is left.
pub fn when_quiet() {
    OPEN.with(|open| {
        // What a core has to do that answers nobody is done by nobody, unless it is found.
        let lost = (0..boot::peek().cores().len()).filter(|core| teams::is_lost(*core)).count();
        let left = |order: &Open| order.accepted.is_none_or(|cores| cores.saturating_sub(order.ended.len()) > lost);
        if let Some((_, order)) = open.borrow().iter().find(|(_, order)| left(order)) {
            let (accepted, ended) = (order.accepted, &order.ended);
            violation(&format!("`{}` was never answered: accepted {accepted:?}, ended {ended:?}", order.text));
        }
    });
}

/// How orders ended, in order: `7 core=3 done to=pool`.
pub fn ends() -> Vec<String> {
    ENDS.with(|ends| ends.borrow().clone())
}

/// Listens to the kernel's log.
pub fn listen() {
    static LISTENER: Listener = Listener;
    if log::set_logger(&LISTENER).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

struct Listener;

impl Log for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        note(|| format!("log {}: {text}", record.target()));
        if record.target() == "order" {
            hear(&text);
        }
        // Others may go on while a line goes out.
        simulation::step();
    }

    fn flush(&self) {}
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split(' ').find_map(|word| word.strip_prefix(key))
}

fn hear(text: &str) {
    let Some(id) = value(text, "id=").and_then(|id| id.parse().ok()) else { return };
    // `end`, `accepted cores=2`, `core=3 done to=pool`; words of the help are none of these.
    let mut words = text.split(' ').skip(1);
    let kind = match (words.next(), words.next()) {
        (Some("end"), None) => Some("end"),
        (Some(word @ ("refused" | "accepted" | "would")), Some(_)) => Some(word),
        (Some(core), Some(word @ ("done" | "failed"))) if core.starts_with("core=") => Some(word),
        _ => None,
    };
    let reason = || value(text, "reason=").unwrap_or_default().to_owned();
    OPEN.with(|open| {
        let mut open = open.borrow_mut();
        let Some(order) = open.get_mut(&id) else {
            match kind {
                Some(_) => violation(&format!("a line about an order that is over: {text}")),
                None => return,
            }
        };
        if value(text, "answer=") == Some("refused") {
            order.refused = value(text, "core=").and_then(|core| core.parse().ok());
        }
        let is_over = match kind {
            Some("refused") => {
                count_in("refused", &reason());
                end(text);
                order.accepted.is_none() || violation(&format!("refused after it was accepted: {text}"))
            }
            Some("accepted") => {
                let cores = value(text, "cores=").and_then(|cores| cores.parse().ok());
                if order.accepted.replace(cores.unwrap_or(usize::MAX)).is_some() {
                    violation(&format!("accepted twice: {text}"));
                }
                cores == Some(0)
            }
            Some(word @ ("done" | "failed")) => {
                if word == "done" {
                    let folded = value(text, "folded=").unwrap_or("0");
                    count_in("done", if folded == "0" { "clean" } else { "folded" });
                } else {
                    count_in("failed", &reason());
                }
                let core = value(text, "core=").and_then(|core| core.parse().ok()).unwrap_or(usize::MAX);
                end(text);
                if !order.ended.insert(core) {
                    violation(&format!("reported twice: {text}"));
                }
                let Some(accepted) = order.accepted else { violation(&format!("not accepted before: {text}")) };
                order.ended.len() == accepted
            }
            Some("end" | "would") => {
                count(if kind == Some("would") { "dry" } else { "answered at once" });
                order.accepted.is_none() || violation(&format!("it was accepted before: {text}"))
            }
            _ => false,
        };
        if is_over {
            open.remove(&id);
        }
    });
}

fn end(text: &str) {
    let text = text.trim_start_matches("id=");
    let text = text.split(" (").next().unwrap_or(text).trim().to_owned();
    ENDS.with(|ends| ends.borrow_mut().push(text));
}

/// What orders are drawn from.
pub struct Sight {
    /// The cores' states.
    pub cores: Vec<CoreState>,
    /// The domains' names.
    pub domains: Vec<String>,
    /// The groups' names, and their members'.
    pub groups: Vec<(String, Vec<String>)>,
}

impl Sight {
    fn core(&self, random: &mut Random) -> usize {
        match random.below(40) {
            0 => self.cores.len(),
            _ => random.below(self.cores.len()),
        }
    }

    /// A core in such a state, mostly.
    fn core_that(&self, random: &mut Random, is: impl Fn(CoreState) -> bool) -> usize {
        let fitting: Vec<usize> = (0..self.cores.len()).filter(|core| is(self.cores[*core])).collect();
        match random.pick(&fitting) {
            Some(core) if random.percent(85) => *core,
            _ => self.core(random),
        }
    }

    /// Some cores, mostly in such a state.
    fn some(&self, random: &mut Random, is: impl Fn(CoreState) -> bool) -> String {
        let cores = self.cores.len();
        // No more than a line has room for.
        let fitting = (0..cores).filter(|core| is(self.cores[*core])).take(24);
        let all: Vec<String> = fitting.map(|core| core.to_string()).collect();
        match random.below(12) {
            10.. if !all.is_empty() => all.join(","),
            0..6 => self.core_that(random, is).to_string(),
            6..8 => format!("{},{}", self.core_that(random, &is), self.core_that(random, &is)),
            8 => format!("{}-{}", random.below(cores / 2), cores / 2 + random.below(cores.div_ceil(2))),
            _ => format!("1-{}", cores - 1),
        }
    }

    fn domain(&self, random: &mut Random) -> String {
        match random.below(60) {
            0 => "nobody".to_owned(),
            _ => random.pick(&self.domains).cloned().unwrap_or_default(),
        }
    }

    fn party(&self, random: &mut Random) -> String {
        match random.below(10) {
            0..3 => "pool".to_owned(),
            3..5 => "off".to_owned(),
            _ => self.domain(random),
        }
    }

    /// Whether a core's domain can do without it.
    fn is_dispensable(&self, state: CoreState) -> bool {
        matches!(state, CoreState::Owned(_)) && self.cores.iter().filter(|other| **other == state).count() > 1
    }

    fn owner(&self, core: usize) -> String {
        let owner = self.cores.get(core).and_then(|state| state.owner());
        owner.and_then(|owner| self.domains.get(owner.index()).cloned()).unwrap_or("pool".to_owned())
    }

    /// Some fault.
    pub fn fault(&self, random: &mut Random) -> String {
        const KINDS: [&str; 11] =
            ["hang", "hang", "livelock", "crash", "crash", "wild-store", "panic", "silent", "mute", "reset", "reset"];
        let Some((group, members)) = random.pick(&self.groups) else { return "groups".to_owned() };
        match random.below(20) {
            0 => "groups".to_owned(),
            1..5 => format!("failover {group}"),
            _ => {
                let member = random.pick(members).cloned().unwrap_or_default();
                let when = if random.percent(25) { " on promotion" } else { "" };
                // A core that is lost does not come back.
                let kinds = KINDS.iter().filter(|kind| **kind != "silent" || random.percent(15));
                let kinds: Vec<_> = kinds.collect();
                format!("fail {member} {}{when}", random.pick(&kinds).map_or("", |kind| kind))
            }
        }
    }

    /// Some order.
    pub fn order(&self, random: &mut Random) -> String {
        let patience = |random: &mut Random| {
            let within = [" within 0", " within 1", " within 20", " within 300", "", "", ""][random.below(7)];
            let give_up = if random.percent(30) { " or give-up" } else { "" };
            format!("{within}{give_up}")
        };
        let off = |state| matches!(state, CoreState::Off { .. });
        let free = |state| off(state) || state == CoreState::Idle;
        let taken = |state| self.is_dispensable(state);
        let dry = if random.percent(2) { "dry " } else { "" };
        let order = match random.below(100) {
            0..28 => {
                // Most moves name whom the core belongs to.
                let which = self.core_that(random, |state| taken(state) || free(state));
                format!("move {which} {} {}{}", self.owner(which), self.party(random), patience(random))
            }
            28..36 => {
                let (which, from) = (self.some(random, taken), self.domain(random));
                format!("move {which} {from} {}{}", self.party(random), patience(random))
            }
            36..46 => format!("fold {}", self.some(random, taken)),
            46..54 => format!("unfold {}", self.domain(random)),
            54..66 => format!("off {}{}", self.some(random, |state| taken(state) || free(state)), patience(random)),
            66..76 => format!("on {}", self.some(random, off)),
            76..84 => format!("set {} {}{}", self.domain(random), random.below(6), patience(random)),
            84..92 => format!("cancel {}", self.some(random, |state| matches!(state, CoreState::Asked(..)))),
            92 if random.percent(40) => format!("stop {}", self.domain(random)),
            93..95 => format!("governor {}", ["on", "off"][random.below(2)]),
            95..98 => ["cores", "domains", "help"][random.below(3)].to_owned(),
            _ => ["x", "move 3", "off x", "set a b c", "move 1 a b within", "reboot"][random.below(6)].to_owned(),
        };
        format!("{dry}{order}")
    }
}
