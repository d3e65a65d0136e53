//! Which of a domain's contexts are on which of its cores.
//!
//! A context has one [`Seat`], the core whose run queue holds it. A domain's [`Placement`] counts the rest; it lies
//! behind a lock of that domain, and whoever seats a context, or takes a core from the domain, holds the lock. So a
//! context is never seated on a core that is leaving, and the core that leaves sees every context that it has to send
//! elsewhere. Invariants, whenever the lock is free:
//! - `spare` are the domain's cores on which no context is seated, and which nobody is taking from it.
//! - `folded` is the number of seated contexts beyond the first on each core. While it is not 0, no core is spare for
//!   long: whoever makes a core the domain's has a folded context sent there.
//!
//! A seat changes hands on the core that is left: it saves the context, seats it, then wakes it on the other core.
//! Whoever has an interrupt for a context changes the context first and looks for its seat then; whoever seats it writes
//! the seat first and looks at the context then. Both put a fence between, so that one of them sees the other.

use smp::core_id::CoreId;
use smp::core_set::CoreSet;
use smp::sync::atomic::{AtomicU32, Ordering, fence};

#[cfg(test)]
#[cfg(not(loom))]
mod tests;

/// Where a context is; by default nowhere.
#[derive(Debug, Default)]
pub struct Seat(AtomicU32);

impl Seat {
    /// The core on which the context is, for those who changed something that it has to see.
    pub fn find(&self) -> Option<CoreId> {
        fence(Ordering::SeqCst);
        self.now()
    }

    /// The core on which the context was last seen.
    pub fn now(&self) -> Option<CoreId> {
        CoreId::new((self.0.load(Ordering::Acquire) as usize).checked_sub(1)?)
    }

    /// Puts the context on `core`, or on none; the caller wakes it there afterwards.
    pub fn set(&self, core: Option<CoreId>) {
        let word = core.map_or(0, |core| core.index().wrapping_add(1));
        self.0.store(word as u32, Ordering::Release);
        fence(Ordering::SeqCst);
    }
}

/// How a domain's contexts fill its cores; by default it has neither.
#[derive(Debug, Default)]
pub struct Placement {
    /// Cores without a context.
    pub spare: CoreSet,
    /// Contexts that share a core with another.
    pub folded: usize,
}

impl Placement {
    /// A context was seated on `core`, where `others` were already.
    pub fn seated(&mut self, core: CoreId, others: usize) {
        self.spare.remove(core);
        self.folded = self.folded.saturating_add(usize::from(others > 0));
    }

    /// A context left a core, on which `others` stay.
    pub fn left(&mut self, others: usize) {
        self.folded = self.folded.saturating_sub(usize::from(others > 0));
    }
}

/// Where the context with that `index`, of `contexts`, goes on when its core is taken: on the core of one of the next
/// contexts, the least crowded of those. `seat` says where a context is, `crowd` how many are on a core, or `None` if it
/// cannot be used. At most [`LOOKS`] usable cores are compared, so that the cost does not grow with the domain.
pub fn refuge(
    index: usize,
    contexts: usize,
    seat: impl Fn(usize) -> Option<CoreId>,
    crowd: impl Fn(CoreId) -> Option<usize>,
) -> Option<CoreId> {
    let usable = |next| seat(next).and_then(|core| Some((crowd(core)?, core)));
    let mut best: Option<(usize, CoreId)> = None;
    for (crowd, core) in (index.wrapping_add(1)..contexts).chain(0..index).filter_map(usable).take(LOOKS) {
        // The first of equals, so that contexts that are folded one after the other spread.
        if best.is_none_or(|(least, _)| crowd < least) {
            best = Some((crowd, core));
        }
        if crowd <= 1 {
            break; // none is better than alone on its core
        }
    }
    best.map(|(_, core)| core)
}

/// Cores that [`refuge`] compares.
pub const LOOKS: usize = 2;
