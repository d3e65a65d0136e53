//! Who looks after the groups of which a core has failed.
//!
//! Such a group is *diminished*: it may be left with no core but its last member's, and nobody would find that this one
//! fails. One core, the *warden*, looks after all of them: one that was idle, or the machine's first, which never goes off
//! (should that fail, no operator is heard either).
//!
//! One word: the diminished groups, and the warden. Transitions:
//! - [`diminish`](Wardens::diminish) adds a group and makes a core the warden, whoever it was. Then it looks whether that
//!   core is on, and if not, does as that would.
//! - [`leave`](Wardens::leave), by who made a core's ledger word say that it is off, or has failed, after that: if it is the
//!   warden, the first core is.
//!
//! Either tells whom it has made the warden. Invariants, when nobody is amid a call:
//! - If a group is diminished, the warden is on. Who appoints writes this word and then reads the core's; who takes a core away
//!   writes its word and then reads this one. With a fence in between one of them sees the other.
//! - It was told after the last group was added, by who made this word what it is: a core that takes that message finds all.

use smp::core_id::CoreId;
use smp::sync::atomic::Ordering::{Relaxed, SeqCst};
use smp::sync::atomic::{AtomicU64, fence};

#[cfg(all(test, not(loom)))]
mod tests;

/// A bit for each diminished group | the warden << 32; by default there are none. All accesses are Relaxed: the fences
/// order them against the ledger's, and the word guards no other data.
#[derive(Debug, Default)]
pub struct Wardens(AtomicU64);

impl Wardens {
    /// The warden, and the bits of the groups that it looks after.
    pub fn now(&self) -> (CoreId, u32) {
        parts(self.0.load(Relaxed))
    }

    /// The bits of the groups that this core looks after as the warden.
    #[inline]
    pub fn of(&self, core: CoreId) -> u32 {
        let word = self.0.load(Relaxed);
        if word as u32 != 0 && word >> 32 == core.index() as u64 { word as u32 } else { 0 }
    }

    /// A core of the group with this bit has failed: `core` is the warden, if its ledger word says that it `is_on`; no
    /// will do, too, of one that is.
    pub fn diminish(&self, group: u32, core: CoreId, is_on: impl FnOnce() -> bool, tell: impl FnOnce(CoreId)) {
        let appoint = |seen| Some((core.index() as u64) << 32 | u64::from(parts(seen).1 | group));
        let _ = self.0.fetch_update(Relaxed, Relaxed, appoint);
        fence(SeqCst);
        if is_on() { tell(core) } else { self.leave(core, tell) }
    }

    /// The core is not on any more, as its ledger word says.
    pub fn leave(&self, core: CoreId, tell: impl FnOnce(CoreId)) {
        fence(SeqCst);
        let resign = |seen| (seen >> 32 == core.index() as u64).then_some(u64::from(parts(seen).1));
        if self.0.fetch_update(Relaxed, Relaxed, resign).is_ok() {
            tell(CoreId::FIRST);
        }
    }
}

fn parts(word: u64) -> (CoreId, u32) {
    (CoreId::new((word >> 32) as usize).unwrap_or(CoreId::FIRST), word as u32)
}
