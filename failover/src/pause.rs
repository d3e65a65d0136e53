//! A domain stands still for a checkpoint: who gathers its contexts, and until when they wait.
//!
//! ```text
//!            begin(round)               commit                 end
//!   Running ──────────────▶ Gathering ─────────▶ Committing ─────────▶ Running
//!      ▲                        │ cancel, by whoever lost patience
//!      └────────────────────────┘
//! ```
//!
//! Rounds are never used twice, so a core that is late does not take one for another. Invariant: whoever waits in a round
//! does so until it is over, and once it is committed nobody can end it but the one who gathered.

use smp::sync::atomic::{AtomicU64, Ordering};

#[cfg(all(test, not(loom)))]
mod tests;

const RUNNING: u64 = 0;
const COMMITTING: u64 = 1;

/// Whether a domain stands still, and why; by default it runs.
#[derive(Debug, Default)]
pub struct Pause(AtomicU64);

impl Pause {
    fn change(&self, from: u64, to: u64) -> bool {
        // AcqRel: who gathered sees what those did that came, and those what was done when they go on.
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Begins a round, a number from 1 on. False: another one is not over.
    pub fn begin(&self, round: u64) -> bool {
        self.change(RUNNING, round << 1)
    }

    /// The round in which contexts are waited for.
    pub fn gathering(&self) -> Option<u64> {
        let word = self.0.load(Ordering::Acquire);
        (word != RUNNING && word & COMMITTING == 0).then_some(word >> 1)
    }

    /// All are there. False: somebody lost patience.
    pub fn commit(&self, round: u64) -> bool {
        self.change(round << 1, round << 1 | COMMITTING)
    }

    /// Ends a round that was not committed.
    pub fn cancel(&self, round: u64) {
        self.change(round << 1, RUNNING);
    }

    /// Ends the round that the caller committed.
    pub fn end(&self) {
        self.0.store(RUNNING, Ordering::Release);
    }

    /// The round is not over.
    pub fn holds(&self, round: u64) -> bool {
        self.0.load(Ordering::Acquire) >> 1 == round
    }
}
