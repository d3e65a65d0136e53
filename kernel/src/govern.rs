//! The governor's tick, on the first core: sees what domains need, asks `hotplug::governor`, moves the cores.

use crate::arch::context::Context;
use crate::arch::core_local::CoreLocal;
use crate::arch::timer;
use crate::boot::{self, kernel};
use crate::domain::{self, Domain};
use crate::trace::{self, About};
use crate::transfer::{self, Terms};
use crate::{power, schedule, takeover};
use arrayvec::ArrayVec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use domains::ledger::{CoreState, Heir};
use domains::life::Phase;
use domains::manifest::GovernorSpec;
use domains::protocol::MAX_DOMAINS;
use domains::psci::AffinityState;
use hotplug::governor::{Decision, Demand, Governor};
use smp::core_id::CoreId;
use smp::core_set::CoreSet;
use smp::lock::SpinLock;
use smp::trace::Event;
use spin::Once;

static GOVERNOR: Once<SpinLock<Governor>> = Once::new();
static PERIOD: AtomicU64 = AtomicU64::new(0);
static ACTIVE: AtomicBool = AtomicBool::new(false);
/// When the next tick is due, a period after the last one.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Starts the governor, on the first core.
pub fn start(core: &CoreLocal, spec: GovernorSpec) {
    PERIOD.store((timer::frequency() / 1000).wrapping_mul(u64::from(spec.period_ms)), Relaxed);
    NEXT.store(timer::now().wrapping_add(PERIOD.load(Relaxed)), Relaxed);
    GOVERNOR.call_once(|| SpinLock::new(Governor::new(spec)));
    switch(true);
    schedule::update_alarm(core);
}

/// Switches it on or off; it looks at loads either way. False: the manifest has none.
pub fn switch(on: bool) -> bool {
    ACTIVE.store(on, Relaxed);
    GOVERNOR.get().is_some()
}

/// When the core has to call [`tick`]; 0: never.
pub fn alarm(core: &CoreLocal) -> u64 {
    if core.id.index() == 0 && PERIOD.load(Relaxed) != 0 { NEXT.load(Relaxed) } else { 0 }
}

/// A period may be over.
pub fn tick(core: &'static CoreLocal, now: u64) {
    let due = NEXT.load(Relaxed);
    if let Some(governor) = GOVERNOR.get().filter(|_| alarm(core) != 0 && now >= due) {
        decide(core, now, governor);
    }
}

#[inline(never)] // its frame is large, and not to lie below all that a timer may lead to
fn decide(core: &'static CoreLocal, now: u64, governor: &SpinLock<Governor>) {
    let period = PERIOD.load(Relaxed);
    let due = NEXT.swap(now.wrapping_add(period), Relaxed);
    let period = now.saturating_sub(due).wrapping_add(period).max(1);
    let (demands, spare) = look(now, period);
    for demand in &demands {
        let (load, owned) = (u64::from(demand.busy_permille), u64::from(demand.owned));
        trace::record(core, Event::Load, About::Domain(demand.domain.index()), load, owned);
    }
    if ACTIVE.load(Relaxed) {
        for decision in governor.lock().decide(&demands, spare) {
            carry_out(core, &decision, &demands);
        }
    }
}

/// What each domain has and needs, and how many cores nobody has.
fn look(now: u64, period: u64) -> (ArrayVec<Demand, MAX_DOMAINS>, u32) {
    // Of each domain: how long its cores were idle, how many it owns, and whether that is about to change.
    let mut seen = [(0u64, 0u32, false); MAX_DOMAINS];
    let mut spare = 0u32;
    for (id, record) in kernel().ledger.cores() {
        match record.state {
            CoreState::Idle | CoreState::Off { held: false } => spare = spare.wrapping_add(1),
            CoreState::Owned(owner) => {
                let ticks = boot::core(id).map_or(0, |core| core.power.idle_since_last_look(now));
                if let Some((idle, owned, _)) = seen.get_mut(owner.index()) {
                    *idle = idle.wrapping_add(ticks.min(period));
                    *owned = owned.wrapping_add(1);
                }
            }
            CoreState::Asked(domain, _) | CoreState::Waking(Heir::Domain(domain)) => {
                seen.get_mut(domain.index()).into_iter().for_each(|(.., changing)| *changing = true);
            }
            _ => {}
        }
    }
    let demand = |domain: &&'static Domain| {
        let (idle, owned, changing) = seen.get(domain.id.index()).copied().unwrap_or_default();
        let whole = period.wrapping_mul(u64::from(owned.max(1)));
        let busy = whole.saturating_sub(idle).wrapping_mul(1000).checked_div(whole).unwrap_or(0);
        // What waits for a core that wakes has one, and so has what is asked to leave one: both are not folded.
        let on = |context: &&Context| {
            context.power.affinity_info() != AffinityState::Off && context.seat.now().is_some_and(|id| domain.owns(id))
        };
        let contexts = domain.contexts().len() as u32;
        let contexts_on = domain.contexts().iter().filter(on).count() as u32;
        let changes = changing || contexts_on < owned.min(contexts);
        let patience = takeover::ticks(domain.spec.deadline_ms).checked_div(PERIOD.load(Relaxed)).unwrap_or(0);
        Demand {
            domain: domain.id,
            priority: domain.spec.priority as u8,
            owned,
            min: domain.quota.min,
            max: domain.quota.max,
            contexts_on,
            contexts,
            busy_permille: if owned == 0 { 0 } else { busy as u32 },
            denied: domain.denied.swap(0, Relaxed),
            running: domain.life.now().phase == Phase::Running,
            changing: if changes { patience as u32 } else { 0 },
        }
    };
    (domain::all().iter().map(demand).collect(), spare)
}

fn carry_out(core: &'static CoreLocal, decision: &Decision, demands: &[Demand]) {
    let (from, to) = (decision.from.and_then(domain::by_id), decision.to.and_then(domain::by_id));
    let (domain, kind, moved) = match (from, to) {
        (None, None) => return,
        (None, Some(to)) => (to, 1, give(core, to)),
        (Some(from), _) => {
            let (heir, domain, kind) = to.map_or((Heir::Pool, from, 2), |to| (Heir::Domain(to.id), to, 1));
            let terms = Terms { order: None, within_ms: from.spec.deadline_ms, give_up: false };
            (domain, kind, last_cores(from).find(|id| transfer::order(core, *id, from, heir, terms).is_ok()))
        }
    };
    let load = demands.iter().find(|demand| demand.domain == domain.id).map_or(0, |demand| demand.busy_permille);
    let kind = if moved.is_some() { kind } else { 3 };
    let b = kind | (decision.reason as u64) << 8 | u64::from(load) << 16;
    let about = About::Domain(domain.id.index());
    trace::record(core, Event::Governor, about, moved.map_or(0xffff, |id| id.index() as u64), b);
}

/// The cores in that state.
pub fn cores_that_are(wanted: CoreState) -> impl Iterator<Item = CoreId> {
    kernel().ledger.cores().filter(move |(_, record)| record.state == wanted).map(|(id, _)| id)
}

/// Gives a domain a core that nobody has.
pub fn give(core: &'static CoreLocal, to: &'static Domain) -> Option<CoreId> {
    if let Some(id) = cores_that_are(CoreState::Idle).find(|id| transfer::give(core, *id, to).is_ok()) {
        return Some(id);
    }
    let id = cores_that_are(CoreState::Off { held: false }).next()?;
    to.quota.expect_some().ok()?;
    power::wake(core, CoreSet::from_iter([id]), Heir::Domain(to.id));
    Some(id)
}

/// The domain's cores in the order in which it can do without them: those without a context, then its last contexts'.
pub fn last_cores(domain: &'static Domain) -> impl Iterator<Item = CoreId> {
    let spare = domain.placement.lock().spare;
    spare.iter().chain(domain.seats().rev())
}
