//! A domain's life: which contexts take part in it, and who ends it.
//!
//! One word says it all, so that a context that joins and one that stops the domain cannot miss
//! each other:
//!
//! ```text
//!            loaded                stop(kind)              last leave, then
//! Loading ───────────► Running ───────────────► Stopping ──────┬──► Ended(kind)   (end)
//!    ▲                  │    ▲                                 │
//!    │                  └────┘ join, leave                     │
//!    └────────────────────────── restart ──────────────────────┘   (or resume: to Running)
//! ```
//!
//! Invariants
//! - `members` counts the contexts that hold a core. A context joins only a running domain, and
//!   its first context is a member from the start.
//! - Exactly one caller of [`Life::stop`] learns that it began the stop; the kind that it gave is
//!   the one that counts.
//! - Exactly one [`Life::leave`] is the last; it alone may [`restart`](Life::restart) or
//!   [`end`](Life::end), and nothing of the domain runs on any core by then.
//! - The last context that leaves a running domain (each of its CPUs went off by itself) ends it
//!   as [`EndKind::Off`]: nobody is left who could switch a CPU on.
//! - A core calls [`Life::enter`] before it first runs a context. It is a read-modify-write, so
//!   that it and `stop` are ordered: either it sees the stop, or the stopper sees on which core
//!   the context is.

use crate::protocol::EndKind;
use smp::sync::atomic::{AtomicU64, Ordering};

#[cfg(test)]
mod tests;

smp::named! {
    /// Where a domain stands.
    pub enum Phase {
        /// Its images are to be put into its memory by the core that holds its first context.
        Loading = 0 "loading",
        /// Its contexts run.
        Running = 1 "running",
        /// Its contexts leave their cores.
        Stopping = 2 "stopping",
        /// It is over.
        Ended = 3 "ended",
    }
}

/// What [`Life::leave`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Other contexts still hold cores, or the domain runs on.
    Others,
    /// None does: the caller ends or restarts the domain, which stops for this reason.
    Last(EndKind),
}

/// The domain does not run (any more): no context may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRunning;

/// A moment of a domain's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Where it stands.
    pub phase: Phase,
    /// Why it stops or ended; [`EndKind::Running`] before.
    pub kind: EndKind,
    /// Contexts that hold a core.
    pub members: u16,
    /// How often it was loaded.
    pub boots: u32,
}

impl Moment {
    /// The domain is to be loaded for the first time.
    const FIRST: Self = Self { phase: Phase::Loading, kind: EndKind::Running, members: 1, boots: 1 };

    const fn to_word(self) -> u64 {
        self.phase as u64 | (self.kind as u64) << 8 | (self.members as u64) << 16 | (self.boots as u64) << 32
    }

    fn from_word(word: u64) -> Self {
        let phase = Phase::from_code(word & 0xff).unwrap_or(Phase::Ended);
        let kind = EndKind::from_code(word >> 8 & 0xff).unwrap_or(EndKind::Running);
        Self { phase, kind, members: (word >> 16) as u16, boots: (word >> 32) as u32 }
    }
}

/// The life of one domain.
#[derive(Debug)]
pub struct Life(AtomicU64);

impl Life {
    /// A domain that is to be loaded for the first time, by the core of its first context.
    pub fn new() -> Self {
        Self(AtomicU64::new(Moment::FIRST.to_word()))
    }

    /// Where the domain stands now.
    pub fn now(&self) -> Moment {
        Moment::from_word(self.0.load(Ordering::Acquire))
    }

    /// Changes the word by `next`, which gives `None` where there is nothing to change; returns
    /// the moment before.
    fn change(&self, next: impl Fn(Moment) -> Option<Moment>) -> Option<Moment> {
        let next = |word| next(Moment::from_word(word)).map(Moment::to_word);
        // AcqRel: what a leaving core did to its context is seen by the core that leaves last.
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok().map(Moment::from_word)
    }

    /// The first context's core has loaded the images. False: the domain was stopped meanwhile.
    pub fn loaded(&self) -> bool {
        let running = |now: Moment| (now.phase == Phase::Loading).then_some(Moment { phase: Phase::Running, ..now });
        self.change(running).is_some()
    }

    /// One more context is to run.
    ///
    /// # Errors
    /// The domain does not run.
    pub fn join(&self) -> Result<(), NotRunning> {
        let joined = |now: Moment| {
            let members = now.members.checked_add(1)?;
            (now.phase == Phase::Running).then_some(Moment { members, ..now })
        };
        self.change(joined).map(|_| ()).ok_or(NotRunning)
    }

    /// Where the domain stands, for a core that is about to run one of its contexts for the first
    /// time.
    pub fn enter(&self) -> Phase {
        // A read-modify-write that changes nothing: see the module's last invariant.
        Moment::from_word(self.0.fetch_or(0, Ordering::AcqRel)).phase
    }

    /// Begins to stop the domain. True: it is for the caller to tell the cores of all its
    /// contexts. False: somebody else did, or it is over.
    pub fn stop(&self, kind: EndKind) -> bool {
        let stopping = |now: Moment| {
            let goes_on = matches!(now.phase, Phase::Loading | Phase::Running);
            goes_on.then_some(Moment { phase: Phase::Stopping, kind, ..now })
        };
        self.change(stopping).is_some()
    }

    /// A context has left its core for good.
    pub fn leave(&self) -> Left {
        let left = |now: Moment| {
            let members = now.members.checked_sub(1)?;
            Some(match (members, now.phase) {
                (0, Phase::Running | Phase::Loading) => {
                    Moment { phase: Phase::Stopping, kind: EndKind::Off, members, ..now }
                }
                _ => Moment { members, ..now },
            })
        };
        match self.change(left) {
            Some(Moment { members: 1, phase: Phase::Stopping, kind, .. }) => Left::Last(kind),
            Some(Moment { members: 1, phase: Phase::Running | Phase::Loading, .. }) => Left::Last(EndKind::Off),
            _ => Left::Others,
        }
    }

    /// By the core that left last: the domain is to be loaded again, with one member.
    pub fn restart(&self) {
        let _ = self.change(|now| Some(Moment { boots: now.boots.saturating_add(1), ..Moment::FIRST }));
    }

    /// By the core that left last: the domain goes on from a checkpoint, with the caller as a member until it leaves.
    pub fn resume(&self) {
        let resumed =
            |now: Moment| Moment { phase: Phase::Running, boots: now.boots.saturating_add(1), ..Moment::FIRST };
        let _ = self.change(|now| Some(resumed(now)));
    }

    /// By the core that left last: the domain is over, in this way.
    pub fn end(&self, kind: EndKind) {
        let _ = self.change(|now| Some(Moment { phase: Phase::Ended, kind, ..now }));
    }
}
