//! How a domain gets a core out of the pool, and gives it back: quota and ledger change together,
//! or not at all.

use domains::DomainId;
use domains::ledger::{Ledger, Quota};
use smp::core_id::CoreId;

#[cfg(test)]
mod tests;

/// Why a domain gets no core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCore {
    /// It holds as many as it may.
    Quota,
    /// No core is idle.
    Pool,
    /// The core's run queue is full.
    Queue,
}

/// Claims an idle core for `domain`, `near` if that is idle.
///
/// # Errors
/// `Quota` or `Pool`; nothing has changed then.
pub fn claim(ledger: &Ledger<'_>, quota: &Quota, domain: DomainId, near: CoreId) -> Result<CoreId, NoCore> {
    quota.take().map_err(|_| NoCore::Quota)?;
    ledger.claim_any(domain, near).map_err(|_| {
        quota.give_back();
        NoCore::Pool
    })
}

/// Gives a core, which is clean, back to the pool. Does nothing to a core that the domain does not
/// own.
pub fn release(ledger: &Ledger<'_>, quota: &Quota, domain: DomainId, core: CoreId) {
    let released = ledger.begin_release(core, domain).and_then(|_| ledger.finish_release(core, domain));
    if released.is_ok() {
        quota.give_back();
    }
}
