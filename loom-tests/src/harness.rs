//! Runs a model and counts its executions.

use std::{
    io::{Write, stdout},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How much of a model's state space is explored.
#[derive(Clone, Copy, Debug)]
pub enum Depth {
    /// Every execution.
    Exhaustive,
    /// Executions with at most so many preemptions (switches away from a thread that could have gone on).
    Preemptions(usize),
}

/// Accesses in one execution, far more than any has: beyond, loom takes it for one without end.
const BRANCHES: usize = 10_000;

/// Explores a model, prints `loom: NAME: COUNT executions`, and fails if there were fewer than `minimum`: then it is no
/// longer the model that it was.
pub fn explore(name: &str, depth: Depth, minimum: usize, model: impl Fn() + Send + Sync + 'static) {
    // Not loom's atomic: it counts across executions.
    let executions = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&executions);
    let mut builder = loom::model::Builder::new();
    builder.max_branches = BRANCHES;
    builder.preemption_bound = match depth {
        Depth::Exhaustive => None,
        Depth::Preemptions(bound) => Some(bound),
    };
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let executions = executions.load(Ordering::Relaxed);
    // Not `println!`: the count is to be seen of tests that pass, too.
    writeln!(stdout(), "loom: {name}: {executions} executions").unwrap();
    assert!(executions >= minimum, "{name}: {executions} executions, {minimum} expected");
}

/// A place where loom is made to try both orders of two threads.
///
/// loom remembers only the last access to an atomic. When a writer loads a word itself before it stores to it, that load
/// hides an earlier load by a reader, and loom does not see that the store could have come first. A relaxed
/// read-modify-write of a word that is there for nothing else is a race that loom does see, and orders no other access.
#[derive(Debug, Default)]
pub struct Crossing(loom::sync::atomic::AtomicUsize);

impl Crossing {
    /// Goes before or after each of the others' passes.
    pub fn pass(&self) {
        self.0.fetch_add(1, loom::sync::atomic::Ordering::Relaxed);
    }
}
