//! Models of `domains::life`.

use crate::harness::{Crossing, Depth, explore};
use domains::{
    life::{Left, Life, Phase},
    protocol::EndKind,
};
use loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// A running domain with its first context, and room for a second.
struct Domain {
    life: Life,
    /// The second context's core + 1, as `Context::core` in the kernel; 0: none.
    core: AtomicUsize,
    /// What a context's core writes without a lock.
    state: [UnsafeCell<u32>; 2],
    crossing: Crossing,
}

// SAFETY: loom checks every access to `state`.
unsafe impl Sync for Domain {}
// SAFETY: plain data.
unsafe impl Send for Domain {}

impl Domain {
    fn running() -> Arc<Self> {
        let domain = Self {
            life: Life::new(),
            core: AtomicUsize::new(0),
            state: [UnsafeCell::new(0), UnsafeCell::new(0)],
            crossing: Crossing::default(),
        };
        assert!(domain.life.loaded());
        Arc::new(domain)
    }

    fn touch(&self, context: usize) {
        // SAFETY: loom checks that nobody else does so at the same time.
        self.state[context].with_mut(|state| unsafe { *state += 1 });
    }

    /// A context leaves; the last one cleans up after all.
    fn leave(&self, context: usize) -> bool {
        self.touch(context);
        let last = matches!(self.life.leave(), Left::Last(_));
        if last {
            self.touch(0);
            self.touch(1);
        }
        last
    }
}

/// CPU_ON against a stop: a context that joined is either seen by who stops the domain, or sees
/// the stop itself before its first instruction. None runs on unnoticed.
#[test]
fn a_context_that_joins_cannot_miss_the_stop() {
    explore("life-join-stop", Depth::Exhaustive, 8, || {
        let domain = Domain::running();
        let starter = {
            let domain = Arc::clone(&domain);
            thread::spawn(move || {
                domain.crossing.pass();
                if domain.life.join().is_err() {
                    return false;
                }
                domain.core.store(2, Relaxed);
                domain.life.enter() == Phase::Running
            })
        };
        domain.crossing.pass();
        assert!(domain.life.stop(EndKind::Off));
        let seen = domain.core.load(Relaxed) != 0;
        let runs = starter.join().unwrap();
        assert!(!runs || seen, "a context runs in a domain that stops, and nobody knows");
    });
}

/// All contexts leave at once: one of them is the last, and has everybody's state for itself.
#[test]
fn one_leaves_last_and_owns_what_the_others_left() {
    explore("life-leave", Depth::Exhaustive, 4, || {
        let domain = Domain::running();
        domain.life.join().unwrap();
        assert!(domain.life.stop(EndKind::Reset));
        let other = {
            let domain = Arc::clone(&domain);
            thread::spawn(move || domain.leave(1))
        };
        let last = [domain.leave(0), other.join().unwrap()];
        assert_eq!(last.iter().filter(|last| **last).count(), 1);
    });
}

/// Two contexts break a rule at once: one stop counts.
#[test]
fn two_stops_are_one() {
    explore("life-two-stops", Depth::Exhaustive, 2, || {
        let domain = Domain::running();
        let other = {
            let domain = Arc::clone(&domain);
            thread::spawn(move || domain.life.stop(EndKind::Fault))
        };
        let first = domain.life.stop(EndKind::Off);
        let second = other.join().unwrap();
        assert!(first != second);
        let kind = if first { EndKind::Off } else { EndKind::Fault };
        assert_eq!(domain.life.now().kind, kind);
    });
}

/// A stop while the last but one context goes off by itself: the domain ends once, and whoever
/// leaves last knows a reason.
#[test]
fn a_stop_and_a_cpu_off_end_the_domain_once() {
    explore("life-stop-off", Depth::Exhaustive, 10, || {
        let domain = Domain::running();
        domain.life.join().unwrap();
        let other = {
            let domain = Arc::clone(&domain);
            thread::spawn(move || domain.leave(1))
        };
        let stopped = domain.life.stop(EndKind::Fault);
        let last = [domain.leave(0), other.join().unwrap()];
        assert_eq!(last.iter().filter(|last| **last).count(), 1);
        assert!(stopped);
        assert_eq!(domain.life.now().kind, EndKind::Fault);
    });
}
