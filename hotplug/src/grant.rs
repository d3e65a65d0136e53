//! How a domain gets a core that nobody has: quota and ledger change together, or not at all.

use domains::DomainId;
use domains::ledger::{CoreEvent, CoreState, Heir, Ledger, Quota};
use smp::core_id::CoreId;

#[cfg(test)]
mod tests;

/// Why a domain gets no core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCore {
    /// It holds as many as it may.
    Quota,
    /// No core is idle, or off and not held.
    Pool,
}

/// A core that is the domain's now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It was idle.
    Idle(CoreId),
    /// It is off, and the caller's to switch on.
    Off(CoreId),
}

/// Claims a core for the domain `to`: `near` if that is idle, else any that is idle, else one that is off. `beyond`: also
/// beyond its grant.
///
/// # Errors
/// See [`NoCore`]; the domain owns no more then than before.
pub fn claim(ledger: &Ledger<'_>, quota: &Quota, to: DomainId, near: CoreId, beyond: bool) -> Result<Claimed, NoCore> {
    quota.take(beyond).map_err(|_| NoCore::Quota)?;
    if let Some(core) = ledger.claim_any(to, near) {
        return Ok(Claimed::Idle(core));
    }
    let off = ledger.cores().filter(|(_, record)| record.state == CoreState::Off { held: false });
    let woken = off.map(|(core, _)| core).find(|core| ledger.change(*core, CoreEvent::Wake(Heir::Domain(to))).is_ok());
    woken.map(Claimed::Off).ok_or_else(|| {
        quota.give_back();
        NoCore::Pool
    })
}
