//! Who owns which core: one word a core, changed by compare-and-swap only.
//!
//! ```text
//!            wake                came up                claim
//!   Off ───────────▶ Waking(heir) ───────▶ Idle ────────────▶ Owned(domain) ◀──────┐
//!    ▲                    │                │ ▲                 │   ▲  │ ask         │ keep
//!    ├────────────────────┼────────────────┘ │        cancel   │   │  ▼             │
//!    │     switch off     │ came up          │            ┌────┼── Asked(domain, heir)
//!    │                    ▼                  │ pool       │    │      │             │
//!    │                  Owned(heir) ◀────────┼────────────┘    ▼      ▼             │
//!    └───────────────────────────────────────┴──────── Releasing(domain, heir) ─────┘
//! ```
//!
//! and from every state but Off to Failed, which is final. When a core is clean of the domain that had it, it becomes
//! its heir's at once: nobody sees it in the pool in between. Everything else that says who runs where
//! follows from this word. It counts its changes (`generation`), so that two looks at it show
//! whether it changed in between, even if it changed back.
//!
//! Every change is an AcqRel exchange: the owner of a core finds what the previous owner left when
//! it released it (Acquire), and a core that reads that it was given to a domain finds what the
//! giver prepared (Release).

use crate::DomainId;
use crossbeam_utils::CachePadded;
use smp::core_id::CoreId;
use smp::sync::atomic::AtomicU64;
use smp::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

mod quota;
mod record;
#[cfg(test)]
mod tests;

pub use quota::{Quota, QuotaCounts, QuotaReached};
pub use record::{CoreEvent, CoreRecord, CoreState, Heir, step};

/// Why a change did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerError {
    /// The machine has no such core.
    UnknownCore,
    /// It is in this state, in which that cannot happen to it.
    Refused(CoreState),
}

/// One core's word; by default of one that is off.
#[derive(Debug, Default)]
pub struct LedgerWord(CachePadded<AtomicU64>);

/// The words of all cores of the machine, in the order of their ids.
#[derive(Clone, Copy, Debug)]
pub struct Ledger<'a>(pub &'a [LedgerWord]);

impl Ledger<'_> {
    /// Takes some core out of the pool for the domain: `preferred` if it is idle, which costs one
    /// look, else the next one after it. `None`: every core was seen not to be idle, though not all at the same moment.
    pub fn claim_any(&self, domain: DomainId, preferred: CoreId) -> Option<CoreId> {
        let mut cores = (preferred.index()..self.0.len()).chain(0..preferred.index()).filter_map(CoreId::new);
        cores.find(|core| self.change(*core, CoreEvent::Claim(domain)).is_ok())
    }

    /// The domain gives up the core, which is cleaned now; who gets it, and whether it was asked for. `None`: it is not the
    /// domain's.
    #[inline]
    pub fn leave(&self, core: CoreId, domain: DomainId) -> Option<(Heir, bool)> {
        let (before, _) = self.change_bits(core, CoreEvent::BeginRelease(domain)).ok()?;
        record::leaving(before)
    }

    /// The core as it is.
    pub fn read(&self, core: CoreId) -> Option<CoreRecord> {
        let word = self.0.get(core.index())?;
        Some(CoreRecord::from_bits(word.0.load(Acquire)))
    }

    /// Every core, each as it is when it is looked at.
    pub fn cores(&self) -> impl Iterator<Item = (CoreId, CoreRecord)> {
        (0..self.0.len()).filter_map(CoreId::new).filter_map(|core| Some((core, self.read(core)?)))
    }

    /// Whether the core is in exactly this state.
    #[inline]
    pub fn is(&self, core: CoreId, state: CoreState) -> bool {
        self.trace(core) == Some(state.to_trace())
    }

    /// The core's state, as a trace record carries it ([`CoreState::to_trace`]).
    #[inline]
    pub fn trace(&self, core: CoreId) -> Option<u64> {
        Some(self.0.get(core.index())?.0.load(Acquire) & record::STATE)
    }

    /// The domain that owns the core and is not asked for it.
    #[inline]
    pub fn owned(&self, core: CoreId) -> Option<DomainId> {
        record::owner(self.trace(core)?, record::code::OWNED)
    }

    /// The domain that is asked for the core.
    #[inline]
    pub fn asked(&self, core: CoreId) -> Option<DomainId> {
        record::owner(self.trace(core)?, record::code::ASKED)
    }

    /// Makes one thing happen to a core, if it still is as it was seen, and that can happen to it: whether it did.
    #[inline]
    pub fn change_if(&self, core: CoreId, seen: CoreRecord, event: CoreEvent) -> bool {
        let seen = seen.to_bits();
        let Some((word, after)) = self.0.get(core.index()).zip(record::after(seen, event)) else { return false };
        word.0.compare_exchange(seen, after, AcqRel, Relaxed).is_ok()
    }

    /// Makes one thing happen to a core, if it can: of several who try, one succeeds. The record after it.
    ///
    /// # Errors
    /// See [`LedgerError`].
    #[inline(always)]
    pub fn change(&self, core: CoreId, event: CoreEvent) -> Result<CoreRecord, LedgerError> {
        self.change_bits(core, event).map(|(_, after)| CoreRecord::from_bits(after))
    }

    /// [`change`](Self::change), with the words before and after as they are.
    #[inline(always)]
    fn change_bits(&self, core: CoreId, event: CoreEvent) -> Result<(u64, u64), LedgerError> {
        let word = self.0.get(core.index()).ok_or(LedgerError::UnknownCore)?;
        let refused = |bits| LedgerError::Refused(CoreRecord::from_bits(bits).state);
        // Relaxed: the exchange compares what was read.
        let mut seen = word.0.load(Relaxed);
        loop {
            let after = record::after(seen, event).ok_or_else(|| refused(seen))?;
            match word.0.compare_exchange(seen, after, AcqRel, Relaxed) {
                Ok(_) => return Ok((seen, after)),
                Err(other) => seen = other,
            }
        }
    }
}
