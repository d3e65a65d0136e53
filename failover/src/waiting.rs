//! A member that begins anew as soon as a new primary serves, or ends with its group.
//!
//! Invariant: whoever waits is seen to once, by itself or by who changed the group's word. It notes that it waits and looks
//! at the word then; who makes the word say that a primary serves, or that the group is over, looks for who waits then. Both look
//! by exchange, so one comes after the other, and sees what that had done before; of two who see it, one ends the waiting.

use crate::group::{Group, Moment};
use smp::sync::atomic::AtomicBool;
use smp::sync::atomic::Ordering::{AcqRel, Relaxed};

#[cfg(all(test, not(loom)))]
mod tests;

/// Whether a member waits; by default it does not.
#[derive(Debug, Default)]
pub struct Waiting(AtomicBool);

impl Waiting {
    /// It waits from now on; the group as it is after that. If a primary serves by then, or the group is over, the caller
    /// [ends](Self::end) it itself.
    pub fn begin(&self, group: &Group) -> Moment {
        // An exchange although nobody asks what was there: who looked before has changed the group's word before that.
        self.0.swap(true, AcqRel);
        group.now()
    }

    /// It waits; a hint.
    pub fn is_on(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// It waits no more. True: the caller is the one who sees to it, and finds what who waits had done.
    pub fn end(&self) -> bool {
        self.0.swap(false, AcqRel)
    }
}
