//! Whether a domain lives: the time until which it has to give the next sign of that.
//!
//! One word: `OFF`, a deadline in ticks, or `EXPIRED`. A heartbeat moves the deadline; any core that finds it passed may
//! declare it expired. One that comes late itself, or cannot tell yet whether who should have beaten had time to run, puts it
//! off instead; the word has how often that was done, and whether the last who did found all well, which is a warning.
//! Invariants:
//! - A deadline expires once: of several detectors one learns that it did.
//! - It is put off [`MOST_OFTEN`] times at most between two heartbeats, each time by one detector that saw it passed.
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
/// The bits of a deadline, which at 1 GHz last for 36 years; whether it was a warning to put it off; and one of how often.
const TIME: u64 = WARNED - 1;
const WARNED: u64 = 1 << 60;
const ONCE: u64 = 1 << 61;

/// How often a deadline is put off.
pub const MOST_OFTEN: u64 = u64::MAX / ONCE;

impl Health {
    /// The first sign is due at this time, or there is no hurry.
    pub fn arm(&self, deadline: Option<u64>) {
        // Not a plain store: loom would let a detector's exchange miss it.
        self.0.swap(deadline.map_or(OFF, word), Relaxed);
    }

    /// A sign: the next one is due at `deadline`. False: it comes too late.
    pub fn beat(&self, deadline: impl Fn() -> u64) -> bool {
        // The clock is read anew after each look: what another context has moved meanwhile is not moved back.
        let moved = |seen| (seen != EXPIRED).then(|| word(deadline()));
        self.0.fetch_update(Relaxed, Relaxed, moved).is_ok()
    }

    /// When the next sign is due, if one is expected.
    pub fn due(&self) -> Option<u64> {
        Some(self.0.load(Relaxed) & TIME).filter(|at| *at > EXPIRED)
    }

    /// The deadline has passed, if it is one and has. True: the caller is the one who sees to it. It may put the deadline
    /// off, unless that was done too often: `put_off` learns whether there was a warning, and says until when, and whether
    /// this is one.
    pub fn expire(&self, now: u64, put_off: impl FnOnce(bool) -> Option<(u64, bool)>) -> bool {
        let seen = self.0.load(Relaxed);
        if seen & TIME <= EXPIRED || now < seen & TIME {
            return false;
        }
        let times = seen / ONCE;
        let put_off = if times < MOST_OFTEN { put_off(seen & WARNED != 0) } else { None };
        let next = put_off.map_or(EXPIRED, |(at, warns)| {
            word(at) | times.wrapping_add(1).wrapping_mul(ONCE) | if warns { WARNED } else { 0 }
        });
        self.0.compare_exchange(seen, next, Relaxed, Relaxed).is_ok() && next == EXPIRED
    }
}

/// A deadline that was not put off.
fn word(at: u64) -> u64 {
    (at & TIME).max(FIRST)
}
