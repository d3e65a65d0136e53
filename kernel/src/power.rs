//! Idle cores go off, and come back when they are wanted.
//!
//! A core goes off by itself: the ledger word, changed from idle to off by compare-and-swap, decides between it and
//! whoever claims it at that moment. Who wants a core that is off changes the word to waking, for its heir, and asks the
//! firmware; the word then is that core's to change. Many are woken in a tree: whoever wakes a core hands it one half of
//! the cores that are still to be woken for the same heir.
//!
//! Whoever wakes cores looks after a time whether they came. One that did not has failed: the word says so before it could
//! come after all, it then finds that and goes off again, and what it was to wake is woken by who found out.

use crate::arch::core_local::CoreLocal;
use crate::arch::sysreg::yield_now;
use crate::arch::{gic, timer};
use crate::boot::{self, kernel, machine};
use crate::domain;
use crate::platform::firmware;
use crate::trace::{self, About};
use crate::{govern, schedule, takeover, transfer};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use domains::ledger::{CoreEvent, CoreState, Heir};
use hotplug::idle::IdlePolicy;
use hotplug::transfer::Reason;
use log::error;
use smccc::psci::error::Error;
use smp::core_id::CoreId;
use smp::core_set::CoreSet;
use smp::lock::SpinLock;
use smp::mailbox::Requests;
use smp::trace::Event;
use spin::Once;

/// Ticks that a core has to be off for, so that going off was worth it; not set: idle cores stay on.
static BREAK_EVEN: Once<u64> = Once::new();

/// How often the firmware is asked again to wake a core that is on its way down.
const TRIES: usize = 100_000;

/// What a core keeps for its going off and waking.
#[derive(Debug, Default)]
pub struct Power {
    /// Ticks that it was idle (own), and since when it is; 0: it is not (own).
    idle_ticks: AtomicU64,
    idle_since: AtomicU64,
    /// What the governor has seen of both.
    idle_seen: AtomicU64,
    /// Since when it waits in the pool; 0: it does not (own).
    pooled_since: AtomicU64,
    /// When it went off (own).
    off_since: AtomicU64,
    /// When it was asked to wake, by who did; 0: its word may say that it wakes, and the firmware is still to be asked.
    woken_at: AtomicU64,
    /// Whether it has been up before (own).
    was_up: AtomicBool,
    /// When it looks whether those that it woke have come; 0: it woke none (own).
    pub watch: AtomicU64,
    /// The cores that it wakes first; by who woke it.
    to_wake: SpinLock<CoreSet>,
    policy: SpinLock<Option<IdlePolicy>>,
}

impl Power {
    /// Ticks that the core was idle since this was last called, by the governor.
    pub fn idle_since_last_look(&self, now: u64) -> u64 {
        let since = self.idle_since.load(Relaxed);
        let lasting = if since == 0 { 0 } else { now.saturating_sub(since) };
        let ticks = self.idle_ticks.load(Relaxed).wrapping_add(lasting);
        ticks.saturating_sub(self.idle_seen.swap(ticks, Relaxed))
    }

    /// The core waits from now on.
    pub fn begin_idle(&self, now: u64) {
        self.idle_since.store(now, Relaxed);
    }

    /// The core goes on.
    pub fn end_idle(&self) {
        let since = self.idle_since.swap(0, Relaxed);
        let ticks = timer::now().saturating_sub(since);
        self.idle_ticks.store(self.idle_ticks.load(Relaxed).wrapping_add(ticks), Relaxed);
    }
}

/// Idle cores go off from now on, if they are likely to stay off for so many microseconds.
pub fn set_break_even(core: &CoreLocal, microseconds: u32) {
    BREAK_EVEN.call_once(|| u64::from(microseconds).wrapping_mul(timer::frequency()) / 1_000_000);
    govern::cores_that_are(CoreState::Idle).for_each(|id| domain::post(core, id, Requests::ERRAND));
}

/// This core has nothing to run. Switches it off if that is its lot or worth it; otherwise answers when that is to be
/// looked at again.
pub fn idle(core: &'static CoreLocal) -> Option<u64> {
    let power = &core.power;
    if let Some(order) = core.errand.take_if_off() {
        let off = core.kernel().ledger.change(core.id, CoreEvent::SwitchOff { held: true });
        transfer::report_as(order, core.id, 0, off.map(|_| Heir::Off).map_err(|_| Reason::Busy));
        if off.is_ok() {
            // Also when it is wanted again by now: whoever wants it waits until it is off.
            switched_off(core);
            return None;
        }
    }
    let word = core.kernel().ledger.trace(core.id);
    if word != Some(CoreState::Idle.to_trace()) {
        power.pooled_since.store(0, Relaxed);
        // Whoever wakes it waits until it is off. Held off is what it mostly is, and not to be decoded.
        let state = || word.and_then(CoreState::from_trace);
        let held = word == Some(CoreState::Off { held: true }.to_trace());
        if held || matches!(state(), Some(CoreState::Off { .. } | CoreState::Waking(_) | CoreState::Failed)) {
            go_off(core);
        }
        return None;
    }
    let break_even = *BREAK_EVEN.get()?;
    let now = timer::now();
    if power.pooled_since.load(Relaxed) == 0 {
        power.pooled_since.store(now, Relaxed);
    }
    // The first core takes the console's interrupts; one that woke others waits for them, and one that guards a group for who stops there.
    if core.id.index() == 0 || power.watch.load(Relaxed) != 0 || takeover::is_guard(core) {
        return None;
    }
    let wait = power.policy.lock().get_or_insert_with(|| IdlePolicy::new(break_even)).wait();
    let due = power.pooled_since.load(Relaxed).saturating_add(wait);
    if now < due {
        return Some(due);
    }
    if kernel().ledger.change(core.id, CoreEvent::SwitchOff { held: false }).is_ok() {
        switched_off(core);
    }
    None
}

/// This core's ledger word says off by now.
fn switched_off(core: &'static CoreLocal) {
    core.power.pooled_since.store(0, Relaxed);
    domain::trace_owner(core, core.id);
    ordered_off(core);
    go_off(core);
}

/// Answers an order to go off that came when the core was about to do so by itself, or was just claimed. Called by who
/// ordered it, after that, and by the core, after its word has changed: one of them sees the other.
pub fn ordered_off(target: &CoreLocal) {
    fence(Ordering::SeqCst);
    if !target.kernel().ledger.is(target.id, CoreState::Idle)
        && let Some(order) = target.errand.take_if_off()
    {
        let held = target.kernel().ledger.change(target.id, CoreEvent::Hold(true));
        transfer::report_as(order, target.id, 0, held.map(|_| Heir::Off).map_err(|_| Reason::Busy));
    }
}

/// This core was in the pool and is wanted.
pub fn leave_pool(core: &CoreLocal) {
    if let Some(order) = core.errand.take_if_off() {
        transfer::report_as(order, core.id, 0, Err(Reason::Busy));
    }
    let since = core.power.pooled_since.swap(0, Relaxed);
    if since != 0
        && let Some(policy) = core.power.policy.lock().as_mut()
    {
        policy.idled(timer::now().saturating_sub(since));
    }
}

/// Switches this core off; its ledger word and the trace say so already. Comes back only if the firmware refuses.
fn go_off(core: &'static CoreLocal) {
    core.power.off_since.store(timer::now(), Relaxed);
    // Due while the core is off, it might leave an interrupt behind that nothing ends: QEMU's reset lowers no line.
    schedule::set_timer(core, None);
    takeover::resign(core, core);
    gic::stop_core(core);
    let why = firmware::core_off(core.kernel().machine.conduit);
    error!(target: "power", "core={} does not go off: PSCI CPU_OFF says {why:?}", core.id);
    let _ = gic::start_core(&machine().gic, core);
    let ledger = &kernel().ledger;
    let _ = ledger.change(core.id, CoreEvent::Hold(false));
    let _ = ledger.change(core.id, CoreEvent::Wake(Heir::Pool));
    came_up(core);
}

/// First thing on a core that was woken: wakes those that it was told to. False: this is its first time.
pub fn woke(core: &'static CoreLocal) -> bool {
    if !core.power.was_up.swap(true, Relaxed) {
        return false;
    }
    core.begin_anew();
    let rest = core::mem::take(&mut *core.power.to_wake.lock());
    if !rest.is_empty()
        && let Some(CoreState::Waking(heir)) = kernel().ledger.read(core.id).map(|record| record.state)
    {
        wake(core, rest, heir);
    }
    true
}

/// This core, which was woken, is up: it is its heir's.
pub fn came_up(core: &'static CoreLocal) {
    core.power.woken_at.store(0, Relaxed);
    let order = core.errand.take_order();
    let Ok(record) = kernel().ledger.change(core.id, CoreEvent::CameUp) else {
        return transfer::report_as(order, core.id, 0, Err(Reason::Lost)); // `idle` sees what it is
    };
    let off = timer::now().saturating_sub(core.power.off_since.load(Relaxed));
    if let Some(policy) = core.power.policy.lock().as_mut() {
        policy.slept(off);
    }
    domain::trace_owner(core, core.id);
    match record.state.owner().and_then(domain::by_id) {
        Some(domain) => transfer::arrive(core, domain, order),
        None => {
            transfer::report_as(order, core.id, 0, Ok(Heir::Pool));
            domain::start_waiting(core);
        }
    }
}

/// Wakes cores that are off, for the heir, whose quota expects them. Each says itself that it has come; for those that
/// are not off any more, or do not come, it is said here.
pub fn wake(core: &'static CoreLocal, mut cores: CoreSet, heir: Heir) {
    while let Some(id) = cores.pop() {
        let rest = cores.split();
        let Some(target) = boot::core(id) else { continue };
        let word = kernel().ledger.change(id, CoreEvent::Wake(heir)).map_err(|_| Reason::Busy);
        let woken = word.and_then(|_| switch_on(core, target, rest));
        if let Err(why) = woken {
            unexpect(heir);
            transfer::report(id, 0, Err(why));
            // What it was to wake is this core's again.
            rest.iter().for_each(|id| cores.insert(id));
        }
    }
}

/// A core does not come for its heir, who was told to expect it.
fn unexpect(heir: Heir) {
    let domain = if let Heir::Domain(id) = heir { domain::by_id(id) } else { None };
    domain.into_iter().for_each(|domain| domain.quota.unexpect(false));
}

/// Asks the firmware to switch on a core whose word says that it wakes; it is to wake `rest` first.
///
/// # Errors
/// The firmware refuses: the core has failed, and `rest` was not handed to it.
pub fn switch_on(core: &'static CoreLocal, target: &CoreLocal, rest: CoreSet) -> Result<(), Reason> {
    let now = timer::now();
    domain::trace_owner(core, target.id);
    // In this order: whoever finds that it is late takes over what it was to wake.
    *target.power.to_wake.lock() = rest;
    target.power.woken_at.store(now, Relaxed);
    let mut answer = boot::switch_on(target);
    // Its word says off before the firmware knows.
    let mut tries = 0..TRIES;
    while let Err(Error::AlreadyOn | Error::OnPending) = answer
        && is_waking(target.id)
        && tries.next().is_some()
    {
        yield_now();
        answer = boot::switch_on(target);
    }
    if let Err(why) = answer
        && is_waking(target.id)
    {
        error!(target: "power", "core={} does not wake: PSCI CPU_ON says {why:?}", target.id);
        let _ = kernel().ledger.change(target.id, CoreEvent::Fail);
        domain::trace_owner(core, target.id);
        *target.power.to_wake.lock() = CoreSet::default();
        return Err(Reason::Lost);
    }
    core.power.watch.store(now.wrapping_add(patience()), Relaxed);
    schedule::update_alarm(core);
    Ok(())
}

/// Whether a core was woken, and has not come yet.
pub fn is_waking(id: CoreId) -> bool {
    kernel().ledger.read(id).is_some_and(|record| matches!(record.state, CoreState::Waking(_)))
}

/// How long cores may take to wake: a second, and more on machines that emulate many on few.
pub fn patience() -> u64 {
    const PER_CORE: u64 = 50; // parts of a second
    let share = timer::frequency() / PER_CORE;
    timer::frequency().wrapping_add(share.wrapping_mul(kernel().machine.cores.len() as u64))
}

/// It is time to see whether the cores have come that this one woke, or another did.
pub fn watch(core: &'static CoreLocal, now: u64) {
    let at = core.power.watch.load(Relaxed);
    if at == 0 || now < at {
        return;
    }
    core.power.watch.store(0, Relaxed);
    for (id, record) in kernel().ledger.cores() {
        let (CoreState::Waking(heir), Some(target)) = (record.state, boot::core(id)) else { continue };
        let woken_at = Some(target.power.woken_at.load(Relaxed)).filter(|at| *at != 0);
        let due = woken_at.unwrap_or(now).wrapping_add(patience());
        if now < due {
            core.power.watch.store(due, Relaxed); // somebody asked later
        } else if kernel().ledger.change_if(id, record, CoreEvent::Fail) {
            give_up(core, target, heir);
        }
    }
}

/// A core was lost: what it was to do is done without it.
pub fn give_up(core: &'static CoreLocal, target: &'static CoreLocal, heir: Heir) {
    error!(target: "power", "core={} did not wake in time, and is left out", target.id);
    trace::record(core, Event::CoreFailed, About::Machine, target.id.index() as u64, 0);
    let rest = core::mem::take(&mut *target.power.to_wake.lock());
    // It was woken by a CPU_ON, or by an order.
    let context = target.queue.entries().find_map(|(_, id)| domain::context(id));
    if !context.is_some_and(|context| domain::abandon(core, target, context, false)) {
        unexpect(heir);
    }
    transfer::report(target.id, 0, Err(Reason::Lost));
    wake(core, rest, heir);
}
