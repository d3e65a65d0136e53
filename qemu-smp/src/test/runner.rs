//! Runs the cases of a suite, two at a time where they allow it, a line for each.

use std::io::{IsTerminal, stderr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use indicatif::ProgressBar;

use super::{Case, CaseResult, Lane};
use crate::interrupt;
use crate::ui::{Ui, say};

/// Cases that run at once. Emulated machines keep a host core busy each.
const WORKERS: usize = 2;

/// Tests of a suite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that passed.
    pub passed: usize,
    /// Those that failed.
    pub failed: usize,
}

/// Runs them all, unless somebody interrupts.
pub fn run(suite: &str, cases: Vec<Case>, ui: Ui) -> Tally {
    let (shared, alone): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(|case| case.lane == Lane::Shared);
    let board = Board::new(suite, ui);
    work(&shared, WORKERS, &board);
    work(&alone, 1, &board);
    board.finish()
}

fn work(cases: &[Case], workers: usize, board: &Board) {
    let next = AtomicUsize::new(0);
    // QEMU dies with the thread that started it: cases run on threads that wait for it.
    thread::scope(|scope| {
        for _ in 0..workers.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if interrupt::requested() {
                        return;
                    }
                    board.started(&case.name);
                    let started = Instant::now();
                    let result = (case.run)();
                    board.ended(&case.name, &result, started);
                }
            });
        }
    });
}

/// What is shown, and counted.
struct Board {
    suite: String,
    state: Mutex<State>,
    bar: Option<ProgressBar>,
}

#[derive(Default)]
struct State {
    running: Vec<String>,
    tally: Tally,
}

impl Board {
    fn new(suite: &str, ui: Ui) -> Self {
        Self { suite: suite.to_owned(), state: Mutex::default(), bar: stderr().is_terminal().then(|| ui.spinner()) }
    }

    fn started(&self, name: &str) {
        self.update(|state| state.running.push(name.to_owned()));
    }

    fn ended(&self, name: &str, result: &CaseResult, started: Instant) {
        let word = if result.failed == 0 { "ok    " } else { "FAILED" };
        let (suite, seconds) = (&self.suite, started.elapsed().as_secs_f64());
        let note = match result.note.as_str() {
            "" => String::new(),
            note => format!("  {note}"),
        };
        let print = || {
            say(format_args!("{word} {suite}/{name}  {seconds:.1} s{note}"));
            if result.failed > 0 {
                let output = result.output.trim_end().replace('\n', "\n       ");
                say(format_args!("       {output}"));
            }
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
        self.update(|state| {
            state.running.retain(|running| running != name);
            state.tally.passed += result.passed;
            state.tally.failed += result.failed;
        });
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        // A panic elsewhere does not make the counts wrong.
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        change(&mut state);
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {}", self.suite, state.running.join(", ")));
        }
    }

    fn finish(self) -> Tally {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let state = self.state.into_inner();
        state.unwrap_or_else(|poisoned| poisoned.into_inner()).tally
    }
}
