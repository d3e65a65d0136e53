//! Who owns which core: one word a core, changed by compare-and-swap only.
//!
//! ```text
//!   Off ──▶ Waking ──▶ Idle ◀──▶ Owned(domain) ──▶ Releasing(domain) ──▶ Idle
//! ```
//!
//! and from every state but Off to Failed, which is final. Everything else that says who runs where
//! follows from this word. It counts its changes (`generation`), so that two looks at it show
//! whether it changed in between, even if it changed back.
//!
//! Every change is an AcqRel exchange: the owner of a core finds what the previous owner left when
//! it released it (Acquire), and a core that reads that it was given to a domain finds what the
//! giver prepared (Release).

use crate::DomainId;
use crossbeam_utils::CachePadded;
use smp::const_unless_loom;
use smp::core_id::CoreId;
use smp::sync::atomic::AtomicU64;
use smp::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

mod quota;
mod record;
#[cfg(test)]
mod tests;

pub use quota::{Quota, QuotaReached};
pub use record::{CoreEvent, CoreRecord, CoreState, step};

/// Why a change did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerError {
    /// The machine has no such core.
    UnknownCore,
    /// It is in this state, in which that cannot happen to it.
    Refused(CoreState),
}

/// No core that could be claimed was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoIdleCore;

/// One core's word.
#[derive(Debug, Default)]
pub struct LedgerWord(CachePadded<AtomicU64>);

impl LedgerWord {
    const_unless_loom! {
        /// A core that is off.
        pub fn new() -> Self {
            Self(CachePadded::new(AtomicU64::new(0)))
        }
    }
}

/// The words of all cores of the machine, in the order of their ids.
#[derive(Clone, Copy, Debug)]
pub struct Ledger<'a>(pub &'a [LedgerWord]);

impl Ledger<'_> {
    /// The core is asked to start.
    pub fn wake(&self, core: CoreId) -> Result<CoreRecord, LedgerError> {
        self.change(core, CoreEvent::Wake)
    }

    /// The core, which asked, is in the pool.
    pub fn came_up(&self, core: CoreId) -> Result<CoreRecord, LedgerError> {
        self.change(core, CoreEvent::CameUp)
    }

    /// Takes the core out of the pool for the domain. Of several who try, one succeeds.
    pub fn claim(&self, core: CoreId, domain: DomainId) -> Result<CoreRecord, LedgerError> {
        self.change(core, CoreEvent::Claim(domain))
    }

    /// Takes some core out of the pool for the domain: `preferred` if it is idle, which costs one
    /// look, else the next one after it.
    ///
    /// # Errors
    /// Every core was seen not to be idle, though not all at the same moment.
    pub fn claim_any(&self, domain: DomainId, preferred: CoreId) -> Result<CoreId, NoIdleCore> {
        let cores = (preferred.index()..self.0.len()).chain(0..preferred.index());
        cores.filter_map(CoreId::new).find(|core| self.claim(*core, domain).is_ok()).ok_or(NoIdleCore)
    }

    /// The domain gives up the core, which is cleaned now.
    pub fn begin_release(&self, core: CoreId, domain: DomainId) -> Result<CoreRecord, LedgerError> {
        self.change(core, CoreEvent::BeginRelease(domain))
    }

    /// The core is clean of the domain and back in the pool.
    pub fn finish_release(&self, core: CoreId, domain: DomainId) -> Result<CoreRecord, LedgerError> {
        self.change(core, CoreEvent::FinishRelease(domain))
    }

    /// The core is given up.
    pub fn fail(&self, core: CoreId) -> Result<CoreRecord, LedgerError> {
        self.change(core, CoreEvent::Fail)
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

    /// The record after the change.
    fn change(&self, core: CoreId, event: CoreEvent) -> Result<CoreRecord, LedgerError> {
        let word = self.0.get(core.index()).ok_or(LedgerError::UnknownCore)?;
        let after = |bits| CoreRecord::from_bits(bits).after(event);
        // Relaxed: the exchange compares what was read.
        match word.0.fetch_update(AcqRel, Relaxed, |bits| after(bits).ok().map(CoreRecord::to_bits)) {
            Ok(before) | Err(before) => after(before).map_err(LedgerError::Refused),
        }
    }
}
