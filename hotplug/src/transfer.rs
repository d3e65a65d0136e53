//! A core changes hands: one transaction, whose whole state is the core's word in the ledger and the two domains' quotas.
//!
//! ```text
//!            ask                      guest gave it up, or deadline           clean
//! Owned(d) ───────▶ Asked(d, heir) ────────────────────────────▶ Releasing ───────────▶ heir's
//!    ▲  │               │                                           │   │
//!    │  └───────────────┼──── taken at once: ask and begin ─────────┘   │
//!    └──────────────────┴───── cancel, keep (nowhere to fold to) ───────┘
//! ```
//!
//! Whoever orders it makes the first step, the core itself all others: its own timer is the deadline, it takes its
//! contexts away, and it cleans itself. Several transactions on different cores share nothing but quotas. Invariants:
//! - A core is in at most one transaction: of several who ask, one changes the word.
//! - The quotas are changed before the word, and changed back if that did not work, so that no order of orders leaves a
//!   domain below its minimum or takes it above its maximum. Once a transaction is over, they count it.
//! - From `Asked` on the heir is fixed. An heir that ended meanwhile does not get the core: it is the pool's then. The
//!   core learns that in [`finish`], for which it holds the heir's life (`domains::life`), so that the heir either sees
//!   the core when it ends, or does not get it.

use domains::DomainId;
use domains::ledger::{CoreEvent, CoreState, Heir, Ledger, LedgerError, Quota};
use smp::core_id::CoreId;

#[cfg(test)]
#[cfg(not(loom))]
mod tests;

smp::named! {
    /// Why an order cannot be carried out, or was not.
    pub enum Reason {
        /// The line cannot be read.
        Syntax = 1 "syntax" "no such order; `help` lists them",
        /// The machine has no such core.
        UnknownCore = 2 "unknown-core" "the machine has no such core",
        /// There is no such domain.
        UnknownDomain = 3 "unknown-domain" "there is no domain of that name",
        /// The core belongs to somebody else.
        NotOwner = 4 "not-owner" "the core is not theirs",
        /// Another order for the core is under way.
        Busy = 5 "busy" "another order for the core is under way; `cancel` ends it",
        /// The core has failed.
        FailedCore = 6 "failed-core" "the core has failed",
        /// The domain would own fewer cores than its minimum, or none.
        BelowMin = 7 "below-min" "the domain needs it: its minimum, or its last core",
        /// The domain would own more cores than its maximum.
        AboveMax = 8 "above-max" "the domain has as many cores as it may",
        /// No core can be had.
        NoIdleCore = 9 "no-idle-core" "no core is idle, or off and not held",
        /// The domain does not run.
        NotRunning = 10 "not-running" "the domain does not run",
        /// Another order ended it.
        Cancelled = 11 "cancelled" "it was cancelled",
        /// The domain refused, and was to be left alone then.
        Refused = 12 "refused" "the domain refused",
        /// The domain did not answer in time, and was to be left alone then.
        Timeout = 13 "timeout" "the domain did not answer in time",
        /// The domain that was to get the core ended.
        ReceiverStopped = 14 "receiver-stopped" "the domain that was to get it ended: the core is idle",
        /// The domain has no other core that its contexts could go on on.
        NoOtherCore = 15 "no-other-core" "the domain has no other core to go on on",
        /// The core did not wake: it has failed.
        Lost = 16 "lost" "the core did not wake, and has failed",
        /// The machine's first core stays on.
        FirstCore = 17 "first-core" "the machine's first core stays on: it takes the console's interrupts",
        /// Nobody is asked for the core.
        NotAsked = 18 "not-asked" "nobody is asked for it",
        /// There is no such group.
        UnknownGroup = 19 "unknown-group" "there is no group of that name",
        /// No standby is ready.
        NoStandby = 20 "no-standby" "no standby of the group is ready to take over",
        /// A standby runs on the core, too.
        Shared = 21 "shared" "a standby runs on the core, too",
    }
}

/// Where the domains' quotas are.
pub trait Quotas {
    /// The quota of a domain.
    fn quota(&self, domain: DomainId) -> Option<&Quota>;
}

/// A core that its domain is giving up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// Who had it.
    pub domain: DomainId,
    /// Who gets it.
    pub heir: Heir,
    /// It was asked for; otherwise its domain gives it up by itself.
    pub asked: bool,
}

/// Why a core in this state cannot be asked for, or claimed.
pub fn obstacle(state: CoreState) -> Reason {
    match state {
        CoreState::Asked(..) | CoreState::Releasing(..) | CoreState::Waking(_) => Reason::Busy,
        CoreState::Failed => Reason::FailedCore,
        CoreState::Owned(_) | CoreState::Idle | CoreState::Off { .. } => Reason::NotOwner,
    }
}

/// Whether `core` could be asked of `owner` for `heir` now; nothing changes.
///
/// # Errors
/// As [`ask`].
pub fn check(
    ledger: &Ledger<'_>,
    quotas: &impl Quotas,
    core: CoreId,
    owner: DomainId,
    heir: Heir,
) -> Result<(), Reason> {
    check_owner(ledger, core, owner)?;
    let receiver = receiver(quotas, heir)?;
    let quota = quotas.quota(owner).ok_or(Reason::UnknownDomain)?;
    if !quota.can_ask() {
        return Err(Reason::BelowMin);
    }
    if receiver.is_some_and(|receiver| !receiver.can_expect()) { Err(Reason::AboveMax) } else { Ok(()) }
}

fn check_owner(ledger: &Ledger<'_>, core: CoreId, domain: DomainId) -> Result<(), Reason> {
    let state = ledger.read(core).ok_or(Reason::UnknownCore)?.state;
    if state == CoreState::Owned(domain) { Ok(()) } else { Err(obstacle(state)) }
}

fn receiver(quotas: &impl Quotas, heir: Heir) -> Result<Option<&Quota>, Reason> {
    match heir {
        Heir::Domain(domain) => quotas.quota(domain).map(Some).ok_or(Reason::UnknownDomain),
        Heir::Pool | Heir::Off => Ok(None),
    }
}

/// Asks `owner` for `core`, for `heir`.
///
/// # Errors
/// Nothing has changed, for the reason given.
pub fn ask(ledger: &Ledger<'_>, quotas: &impl Quotas, core: CoreId, owner: DomainId, heir: Heir) -> Result<(), Reason> {
    // That the core is not the domain's counts before what is said of quotas.
    let reason = |why| check_owner(ledger, core, owner).err().unwrap_or(why);
    let receiver = receiver(quotas, heir).map_err(reason)?;
    let quota = quotas.quota(owner).ok_or_else(|| reason(Reason::UnknownDomain))?;
    quota.ask().map_err(|_| reason(Reason::BelowMin))?;
    if receiver.is_some_and(|receiver| receiver.expect().is_err()) {
        quota.keep();
        return Err(reason(Reason::AboveMax));
    }
    ledger.change(core, CoreEvent::Ask(owner, heir)).map(|_| ()).map_err(|why| {
        stays(quotas, owner, heir);
        match why {
            LedgerError::UnknownCore => Reason::UnknownCore,
            LedgerError::Refused(state) => obstacle(state),
        }
    })
}

/// The domain keeps the core that it was asked for; answers which domain that is.
///
/// # Errors
/// `UnknownCore`, or `NotAsked` (any more).
pub fn cancel(ledger: &Ledger<'_>, quotas: &impl Quotas, core: CoreId) -> Result<DomainId, Reason> {
    loop {
        let seen = ledger.read(core).ok_or(Reason::UnknownCore)?;
        let CoreState::Asked(domain, heir) = seen.state else { return Err(Reason::NotAsked) };
        if ledger.change_if(core, seen, CoreEvent::Cancel) {
            stays(quotas, domain, heir);
            return Ok(domain);
        }
    }
}

/// The core begins to leave its domain, whether that was asked for or not. `None`: it is not the domain's.
#[inline(always)]
pub fn begin(ledger: &Ledger<'_>, core: CoreId, domain: DomainId) -> Option<Leaving> {
    let (heir, asked) = ledger.leave(core, domain)?;
    Some(Leaving { domain, heir, asked })
}

/// As [`begin`], of a core that nobody asked for; `heir` gets it, if that may have one more.
pub fn bequeath(
    ledger: &Ledger<'_>,
    quotas: &impl Quotas,
    core: CoreId,
    domain: DomainId,
    heir: DomainId,
) -> Option<Leaving> {
    let to = Heir::Domain(heir);
    if let Some(receiver) = quotas.quota(heir).filter(|receiver| receiver.expect_some().is_ok()) {
        if ledger.change(core, CoreEvent::Bequeath(domain, to)).is_ok() {
            return Some(Leaving { domain, heir: to, asked: false });
        }
        receiver.unexpect(true);
    }
    begin(ledger, core, domain)
}

/// The domain's core has failed, whatever it was asked for.
pub fn fail(ledger: &Ledger<'_>, quotas: &impl Quotas, core: CoreId, domain: DomainId) {
    while let Some(seen) = ledger.read(core).filter(|seen| seen.state.owner() == Some(domain)) {
        if !ledger.change_if(core, seen, CoreEvent::Fail) {
            continue;
        }
        if let Some(quota) = quotas.quota(domain) {
            if let CoreState::Asked(..) = seen.state { quota.left() } else { quota.give_back() }
        }
        if let CoreState::Asked(_, heir) = seen.state
            && let Ok(Some(receiver)) = receiver(quotas, heir)
        {
            receiver.unexpect(true);
        }
        return;
    }
}

/// The core is clean: it is its heir's, if that is `there`, or else the pool's. A domain's life is held meanwhile.
/// Answers whether the heir got it.
pub fn finish(ledger: &Ledger<'_>, quotas: &impl Quotas, core: CoreId, leaving: Leaving, there: bool) -> bool {
    let Leaving { domain, heir, asked } = leaving;
    let receiver = receiver(quotas, heir).ok().flatten();
    let inherits = there || receiver.is_none();
    if let Some(receiver) = receiver {
        if inherits { receiver.arrived() } else { receiver.unexpect(true) }
    }
    if let Some(quota) = quotas.quota(domain) {
        if asked { quota.left() } else { quota.give_back() }
    }
    let end = if inherits { CoreEvent::FinishRelease(domain) } else { CoreEvent::Disinherit(domain) };
    ledger.change(core, end).is_ok() && inherits
}

/// The core does not leave its domain after all.
pub fn keep(ledger: &Ledger<'_>, quotas: &impl Quotas, core: CoreId, leaving: Leaving) {
    if ledger.change(core, CoreEvent::Keep(leaving.domain)).is_ok() && leaving.asked {
        stays(quotas, leaving.domain, leaving.heir);
    }
}

/// Undoes what [`ask`] did to the quotas.
fn stays(quotas: &impl Quotas, domain: DomainId, heir: Heir) {
    if let Some(quota) = quotas.quota(domain) {
        quota.keep();
    }
    if let Ok(Some(receiver)) = receiver(quotas, heir) {
        receiver.unexpect(false);
    }
}
