//! Whether a domain lives: the time until which it has to give the next sign of that.
//!
//! One word: `OFF`, a deadline in ticks, or `EXPIRED`. A heartbeat moves the deadline; any core that finds it passed may
//! declare it expired. Invariants:
//! - A deadline expires once: of several detectors one learns that it did.
//! - A heartbeat that comes after that changes nothing, and a detector that read the deadline before a heartbeat cannot
//!   expire it after that: both change the word that they saw.
//! - Of several heartbeats at once the latest counts: a slow one does not take back what another one moved.

use smp::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[cfg(all(test, not(loom)))]
mod tests;

/// A domain's deadline; by default nothing is expected. All accesses are Relaxed: the word guards no other data.
#[derive(Debug, Default)]
pub struct Health(AtomicU64);

const OFF: u64 = 0;
const EXPIRED: u64 = 1;
/// The first time that is one.
const FIRST: u64 = 2;

impl Health {
    /// The first sign is due at this time, or there is no hurry.
    pub fn arm(&self, deadline: Option<u64>) {
        // Not a plain store: loom would let a detector's exchange miss it.
        self.0.swap(deadline.map_or(OFF, |at| at.max(FIRST)), Relaxed);
    }

    /// A sign: the next one is due at `deadline`. False: it comes too late.
    pub fn beat(&self, deadline: impl Fn() -> u64) -> bool {
        // The clock is read anew after each look: what another context has moved meanwhile is not moved back.
        let moved = |seen| (seen != EXPIRED).then(|| deadline().max(FIRST));
        self.0.fetch_update(Relaxed, Relaxed, moved).is_ok()
    }

    /// When the next sign is due, if one is expected.
    pub fn due(&self) -> Option<u64> {
        Some(self.0.load(Relaxed)).filter(|at| *at > EXPIRED)
    }

    /// The deadline has passed, if it is one and has. True: the caller is the one who sees to it.
    pub fn expire(&self, now: u64) -> bool {
        let due = self.due().filter(|at| *at <= now);
        due.is_some_and(|seen| self.0.compare_exchange(seen, EXPIRED, Relaxed, Relaxed).is_ok())
    }
}
