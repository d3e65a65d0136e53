//! The line monitor: orders arrive as lines on the kernel's console, and are answered in its log (`hotplug::order` has
//! the syntax). Orders of domains that may manage cores come by hypercall.

use crate::arch::core_local::CoreLocal;
use crate::boot::{self, kernel};
use crate::domain::{self, Domain, post};
use crate::transfer::{self, Terms, name_of};
use crate::{govern, power, takeover};
use domains::DomainId;
use domains::control::Typed;
use domains::ledger::{CoreEvent, CoreState, Heir, Quota};
use domains::life::Phase;
use domains::protocol::{EndKind, hypercall};
use domains::psci::{AffinityState, PsciError};
use hotplug::order::{Line, Move, Order, Party, Patience};
use hotplug::transfer::{Reason, check, obstacle};
use log::info;
use smp::core_id::CoreId;
use smp::core_set::CoreSet;
use smp::lock::SpinLock;
use smp::mailbox::Requests;

/// The longest line.
const LINE: usize = 120;

/// What was typed of a line; a line that is too long is no order.
static TYPED: SpinLock<Typed<LINE>> = SpinLock::new(Typed::new());

const HELP: [&str; 10] = [
    "cores | domains | help",
    "move CORES FROM TO [within MS] [or give-up]   FROM: a domain or pool; TO: also off",
    "fold CORES   take them at once, to the pool; their contexts share what is left",
    "unfold DOMAIN   give it idle cores until each of its contexts has its own",
    "off CORES [within MS] | on CORES",
    "set DOMAIN N [within MS]   grant it N cores",
    "cancel CORES   end what was asked for them",
    "stop DOMAIN | governor on|off",
    "groups | failover GROUP | fail DOMAIN FAULT [on promotion]",
    "CORES: 3 or 2-5,7; a leading `dry` only checks; a leading #N numbers the reply",
];

/// A byte was typed.
pub fn typed(core: &'static CoreLocal, byte: u8) {
    let Some(line) = TYPED.lock().push(byte) else { return };
    let too_long = Some(Line { id: 0, dry: false, order: None });
    if let Some(line) = line.as_deref().map_or(too_long, Line::parse) {
        carry_out(core, &line);
    }
}

/// Why an order is refused, and which core that is about.
struct Refusal(Option<CoreId>, Reason);

impl From<Reason> for Refusal {
    fn from(why: Reason) -> Self {
        Self(None, why)
    }
}

fn carry_out(core: &'static CoreLocal, line: &Line<'_>) {
    let id = line.id;
    match line.order.ok_or(Refusal::from(Reason::Syntax)).and_then(|order| obey(core, line, order)) {
        Err(Refusal(Some(core), why)) => {
            info!(target: "order", "id={id} refused core={core} reason={why} ({})", why.text())
        }
        Err(Refusal(None, why)) => info!(target: "order", "id={id} refused reason={why} ({})", why.text()),
        Ok(None) => info!(target: "order", "id={id} end"),
        Ok(Some(cores)) if line.dry => info!(target: "order", "id={id} would cores={cores}"),
        Ok(Some(_)) => {} // said before the first of them could be done
    }
}

/// Does what is ordered, or begins to; how many cores that is about, if it is about cores.
fn obey(core: &'static CoreLocal, line: &Line<'_>, order: Order<'_>) -> Result<Option<usize>, Refusal> {
    let (id, dry) = (line.id, line.dry);
    match order {
        Order::Help => HELP.iter().for_each(|text| info!(target: "order", "id={id} {text}")),
        Order::Cores => show_cores(id),
        Order::Domains => domain::all().iter().for_each(|domain| show_domain(id, domain)),
        Order::Move(order) => return move_cores(core, line, &order).map(Some),
        Order::Unfold(name) => {
            let domain = named(name)?;
            let folded = domain.placement.lock().folded;
            return give(core, line, domain, folded).map(Some);
        }
        Order::Set { domain, count, patience } => return set(core, line, domain, count, patience).map(Some),
        Order::Cancel(cores) => cancel(core, cores, dry)?,
        Order::Stop(name) => {
            let domain = named(name)?;
            if !dry {
                domain.stop(core, EndKind::Failed);
            }
        }
        Order::Governor(on) if dry || govern::switch(on) => {}
        Order::Governor(_) => return Err(Reason::NotRunning.into()),
        Order::Groups => takeover::show(id),
        Order::Failover(group) => takeover::order(core, group, dry)?,
        Order::Fail { domain, fault, on_promotion } => takeover::fail(core, named(domain)?, fault, on_promotion, dry)?,
    }
    Ok(None)
}

fn cancel(core: &'static CoreLocal, cores: CoreSet, dry: bool) -> Result<(), Refusal> {
    if let Some(id) = cores.iter().find(|id| kernel().ledger.asked(*id).is_none()) {
        let known = kernel().ledger.read(id).is_some();
        return Err(Refusal(Some(id), if known { Reason::NotAsked } else { Reason::UnknownCore }));
    }
    for id in cores.iter().filter(|_| !dry) {
        // If it was given up meanwhile, its own order says so.
        let _ = transfer::cancel(core, id, Reason::Cancelled, || true);
    }
    Ok(())
}

fn named(name: &str) -> Result<&'static Domain, Reason> {
    domain::all().iter().copied().find(|domain| domain.spec.name == name).ok_or(Reason::UnknownDomain)
}

fn show_cores(id: u16) {
    for (core, record) in kernel().ledger.cores() {
        let contexts = boot::core(core).map_or(0, |core| core.queue.attached());
        let owner = record.state.owner().map_or("-", |owner| name_of(Heir::Domain(owner)));
        let (state, heir) = match record.state {
            CoreState::Off { held } => ("off", if held { "held" } else { "-" }),
            CoreState::Waking(heir) => ("waking", name_of(heir)),
            CoreState::Idle => ("idle", "-"),
            CoreState::Owned(_) => ("owned", "-"),
            CoreState::Asked(_, heir) => ("asked", name_of(heir)),
            CoreState::Releasing(_, heir) => ("releasing", name_of(heir)),
            CoreState::Failed => ("failed", "-"),
        };
        info!(target: "order", "id={id} core={core} state={state} domain={owner} heir={heir} contexts={contexts}");
    }
}

fn show_domain(id: u16, domain: &Domain) {
    let (now, counts) = (domain.life.now(), domain.quota.counts());
    let on = domain.contexts().iter().filter(|context| context.power.affinity_info() != AffinityState::Off).count();
    let (min, max, name) = (domain.quota.min, domain.quota.max, domain.spec.name);
    info!(
        target: "order",
        "id={id} domain={name} phase={} cores={} granted={} min={min} max={max} contexts-on={on} boots={}",
        now.phase, counts.owned, counts.granted, now.boots
    );
}

/// What one core of an order needs.
#[derive(Clone, Copy)]
enum Way {
    /// Its domain is to give it up.
    Ask(&'static Domain),
    /// It is idle and gets this owner.
    Give(&'static Domain),
    /// It is idle and goes off.
    GoOff,
    /// It is off and wakes, for this domain or the pool.
    Wake(Option<&'static Domain>),
    /// It is off already, and is held off from now on.
    Hold,
}

fn move_cores(core: &'static CoreLocal, line: &Line<'_>, order: &Move<'_>) -> Result<usize, Refusal> {
    let heir = match order.to {
        Party::Pool => Heir::Pool,
        Party::Off => Heir::Off,
        Party::Domain(name) => Heir::Domain(named(name)?.id),
    };
    if let Some(Party::Domain(from)) = order.from {
        named(from)?;
    }
    for id in order.cores.iter() {
        way(id, order.from, heir).map_err(|why| Refusal(Some(id), why))?;
    }
    if !line.dry {
        // What follows is about these cores. From here on one that cannot go on is reported by itself.
        let id = line.id;
        info!(target: "order", "id={id} accepted cores={}", order.cores.count());
        let mut to_wake = CoreSet::default();
        for core_id in order.cores.iter() {
            match begin(core, core_id, (order.from, heir), Some(id), order.patience, &mut to_wake) {
                Ok(true) => info!(target: "order", "id={id} core={core_id} done to={} folded=0", name_of(heir)),
                Ok(false) => {} // it says so itself
                Err(why) => info!(target: "order", "id={id} core={core_id} failed reason={why} ({})", why.text()),
            }
        }
        power::wake(core, to_wake, heir);
    }
    Ok(order.cores.count())
}

/// How a core gets to its heir, or why it cannot.
fn way(id: CoreId, from: Option<Party<'_>>, heir: Heir) -> Result<Way, Reason> {
    let state = kernel().ledger.read(id).ok_or(Reason::UnknownCore)?.state;
    let owner = state.owner().and_then(domain::by_id);
    let fits = match from {
        None => true,
        Some(Party::Domain(name)) => owner.is_some_and(|owner| owner.spec.name == name),
        Some(Party::Pool) => owner.is_none(),
        Some(Party::Off) => !matches!(state, CoreState::Idle | CoreState::Owned(_)),
    };
    if heir == Heir::Off && id.index() == 0 {
        return Err(Reason::FirstCore);
    }
    match (state, heir) {
        (CoreState::Failed, _) => Err(Reason::FailedCore),
        _ if !fits => Err(Reason::NotOwner),
        (CoreState::Owned(owner), _) => {
            check(&kernel().ledger, &transfer::AllQuotas, id, owner, heir)?;
            if boot::core(id).is_some_and(|core| takeover::lodger(core).is_some()) {
                return Err(Reason::Shared);
            }
            receiver_runs(heir)?;
            domain::by_id(owner).map(Way::Ask).ok_or(Reason::UnknownDomain)
        }
        (CoreState::Idle, Heir::Off) => Ok(Way::GoOff),
        (CoreState::Off { .. }, Heir::Off) => Ok(Way::Hold),
        (CoreState::Idle | CoreState::Off { .. }, Heir::Domain(heir)) => {
            receiver_runs(Heir::Domain(heir))?;
            let domain = domain::by_id(heir).ok_or(Reason::UnknownDomain)?;
            let way = if state == CoreState::Idle { Way::Give(domain) } else { Way::Wake(Some(domain)) };
            if domain.quota.can_expect_some() { Ok(way) } else { Err(Reason::AboveMax) }
        }
        (CoreState::Off { .. }, Heir::Pool) if from == Some(Party::Off) => Ok(Way::Wake(None)),
        _ => Err(obstacle(state)),
    }
}

fn receiver_runs(heir: Heir) -> Result<(), Reason> {
    let Heir::Domain(heir) = heir else { return Ok(()) };
    let runs = domain::by_id(heir).is_some_and(|heir| heir.life.now().phase == Phase::Running);
    if runs { Ok(()) } else { Err(Reason::NotRunning) }
}

/// Makes the first step for one core, unless that is to wake it, which the caller does. Whether it was the last one.
fn begin(
    core: &'static CoreLocal,
    id: CoreId,
    (from, heir): (Option<Party<'_>>, Heir),
    order: Option<u16>,
    patience: Patience,
    to_wake: &mut CoreSet,
) -> Result<bool, Reason> {
    let target = boot::core(id).ok_or(Reason::UnknownCore)?;
    let terms = |within_ms| Terms { order, within_ms, give_up: patience.give_up };
    match way(id, from, heir)? {
        Way::Ask(domain) => {
            let within = patience.within.unwrap_or(domain.spec.deadline_ms);
            transfer::order(core, id, domain, heir, terms(within)).map(|()| false)
        }
        Way::Give(domain) => transfer::give(core, id, domain).map(|()| true),
        Way::GoOff => {
            if !target.errand.go_off(terms(0)) {
                return Err(Reason::Busy);
            }
            power::ordered_off(target);
            post(core, id, Requests::ERRAND);
            Ok(false)
        }
        Way::Hold => kernel().ledger.change(id, CoreEvent::Hold(true)).map(|_| true).map_err(|_| Reason::Busy),
        Way::Wake(domain) => {
            let quota = domain.map(|domain| &domain.quota);
            quota.map_or(Ok(()), Quota::expect_some).map_err(|_| Reason::AboveMax)?;
            if !target.errand.expect_report(terms(0)) {
                quota.inspect(|quota| quota.unexpect(true));
                return Err(Reason::Busy);
            }
            let _ = kernel().ledger.change(id, CoreEvent::Hold(false));
            to_wake.insert(id);
            Ok(false)
        }
    }
}

fn give(core: &'static CoreLocal, line: &Line<'_>, to: &'static Domain, count: usize) -> Result<usize, Refusal> {
    let free = govern::cores_that_are(CoreState::Idle).chain(govern::cores_that_are(CoreState::Off { held: false }));
    let cores: CoreSet = free.take(count).collect();
    if cores.count() < count {
        return Err(Reason::NoIdleCore.into());
    }
    let to = Party::Domain(to.spec.name);
    move_cores(core, line, &Move { cores, from: Some(Party::Pool), to, patience: Patience::default() })
}

fn set(
    core: &'static CoreLocal,
    line: &Line<'_>,
    name: &str,
    count: u32,
    patience: Patience,
) -> Result<usize, Refusal> {
    let domain = named(name)?;
    let quota = &domain.quota;
    let counts = quota.counts();
    let owned = u32::from(counts.owned.saturating_sub(counts.leaving));
    if count < quota.min.max(1) {
        return Err(Reason::BelowMin.into());
    }
    if count > quota.max {
        return Err(Reason::AboveMax.into());
    }
    if count > owned {
        return give(core, line, domain, count.saturating_sub(owned) as usize);
    }
    let mut cores = CoreSet::default();
    for id in govern::last_cores(domain) {
        if cores.count() < owned.saturating_sub(count) as usize {
            cores.insert(id);
        }
    }
    let moved = move_cores(core, line, &Move { cores, from: None, to: Party::Pool, patience })?;
    if !line.dry {
        let _ = quota.set_granted(count);
    }
    Ok(moved)
}

/// An order of a domain that may manage cores.
///
/// # Errors
/// `InvalidParameters` for a core or target that does not exist, `Denied` for whatever else stands against it.
pub fn managed(core: &'static CoreLocal, id: u64, target: u64, deadline_ms: u64) -> Result<(), PsciError> {
    let number = |value: u64| usize::try_from(value).ok();
    let id = number(id).and_then(CoreId::new).ok_or(PsciError::InvalidParameters)?;
    let heir = match target {
        hypercall::TO_POOL => Heir::Pool,
        hypercall::TO_OFF => Heir::Off,
        index => {
            let heir = number(index).and_then(DomainId::new).filter(|heir| domain::by_id(*heir).is_some());
            Heir::Domain(heir.ok_or(PsciError::InvalidParameters)?)
        }
    };
    let within_ms = deadline_ms.min(u64::from(u32::MAX)) as u32;
    let first_off = heir == Heir::Off && id.index() == 0;
    let begun = match kernel().ledger.owned(id).filter(|_| !first_off).and_then(domain::by_id) {
        // By far the most frequent case.
        Some(domain) => receiver_runs(heir)
            .and_then(|()| transfer::order(core, id, domain, heir, Terms { order: None, within_ms, give_up: false })),
        None => begin_otherwise(core, id, heir, within_ms),
    };
    begun.map_err(|why| match why {
        Reason::UnknownCore => PsciError::InvalidParameters,
        _ => PsciError::Denied,
    })
}

#[inline(never)]
fn begin_otherwise(core: &'static CoreLocal, id: CoreId, heir: Heir, within_ms: u32) -> Result<(), Reason> {
    // A core that is off already is not the caller's to hold off.
    let state = kernel().ledger.read(id).map(|record| record.state);
    if heir == Heir::Off && matches!(state, Some(CoreState::Off { .. })) {
        return Err(Reason::NotOwner);
    }
    let patience = Patience { within: Some(within_ms), give_up: false };
    let mut to_wake = CoreSet::default();
    begin(core, id, (None, heir), None, patience, &mut to_wake)?;
    if !to_wake.is_empty() {
        power::wake(core, to_wake, heir);
    }
    Ok(())
}
