//! Which context runs on a core.
//!
//! A core with one context takes no tick: WFI is not trapped there and EL2's timer is off. With
//! several, the most urgent ready one runs; equals take turns by time slice, and a context that
//! waits gives the core away (WFI traps), to be woken by an interrupt or by its timers, whose
//! deadlines EL2's timer stands in for while it is not loaded.

use crate::arch::context::{Context, Registers};
use crate::arch::core_local::CoreLocal;
use crate::arch::exception::{self, WaitTrap};
use crate::arch::sysreg::wait_for_interrupt;
use crate::arch::timer;
use crate::trace::{self, About};
use crate::{checkpoint, domain, exits, govern, loader, power, takeover, transfer};
use core::sync::atomic::Ordering::Relaxed;
use domains::life::Phase;
use domains::protocol::EndKind;
use hotplug::start::{Begin, begin};
use log::{error, info};
use smp::mailbox::Requests;
use smp::run_queue::{SLOTS, Slot};
use smp::trace::Event;

/// Time slice of equals: 10 ms.
const SLICES_PER_SECOND: u64 = 100;

/// Runs contexts on this core from now on.
pub extern "C" fn run(core: &'static CoreLocal) -> ! {
    exception::enter(resume(core))
}

/// Looks into the mailbox, finds the context to run, waiting for one if need be, and loads it.
pub fn resume(core: &'static CoreLocal) -> *const Registers {
    let mut after = Slot::FIRST;
    loop {
        attend(core);
        let current = core.current();
        let turn_over = core.turn_over.load(Relaxed);
        core.turn_over.store(false, Relaxed);
        let first = current.map_or(after, |(slot, _)| if turn_over { slot.after() } else { slot });
        match core.queue.pick(first) {
            Some((slot, id)) => {
                if let Some((_, loaded)) = current.filter(|(at, _)| *at == slot) {
                    if loaded.fault.load(Relaxed) != 0 && !takeover::strike(core, slot, loaded) {
                        continue;
                    }
                    update_timer(core, slot);
                    return loaded.registers();
                }
                let Some(context) = domain::context(id) else {
                    core.queue.detach(slot);
                    continue;
                };
                if switch(core, slot, context) {
                    if context.fault.load(Relaxed) != 0 || !core.mailbox.is_empty() {
                        continue; // it is found there the next time
                    }
                    update_timer(core, slot);
                    return context.registers();
                }
                after = slot.after();
            }
            None => idle(core),
        }
    }
}

/// Waits for an interrupt, with nothing to run.
fn idle(core: &'static CoreLocal) {
    let due = power::idle(core);
    core.power.begin_idle(timer::now());
    arm_for_sleepers(core, due);
    wait_for_interrupt();
    core.power.end_idle();
    exits::take_interrupts(core);
}

/// Carries out what other cores asked for, and this core meanwhile of itself: no guest is entered over a message, as
/// nobody rings for the next one then.
fn attend(core: &'static CoreLocal) {
    while !core.mailbox.is_empty() {
        attend_to(core, core.mailbox.take());
    }
}

fn attend_to(core: &'static CoreLocal, requests: Requests) {
    if let Some((slot, context)) = core.current()
        && requests == Requests::KICK
        && core.queue.attached() == 1
        && core.queue.is_ready(slot)
    {
        context.refresh_interrupts(core); // by far the most frequent case
        return;
    }
    if requests == Requests::ERRAND {
        return transfer::attend(core);
    }
    // What arrived is ready, and found by `pick`.
    let look = requests.intersects(Requests::KICK | Requests::STOP);
    for (slot, id) in core.queue.entries().take(if look { SLOTS } else { 0 }) {
        let Some(context) = domain::context(id) else { continue };
        let stops = || context.domain.life.now().phase == Phase::Stopping && context.seat.now() == Some(core.id);
        if requests.contains(Requests::STOP) && stops() {
            domain::leave(core, slot, context);
        } else {
            wake_if_pending(core, slot, context);
        }
    }
    if requests.contains(Requests::PAUSE) {
        checkpoint::attend(core);
    }
    if requests.contains(Requests::MIGRATE) {
        transfer::send_away(core);
    }
    if requests.contains(Requests::ERRAND) {
        transfer::attend(core);
    }
}

/// A context that waits goes on when it has an interrupt to take.
fn wake_if_pending(core: &CoreLocal, slot: Slot, context: &Context) {
    if context.has_interrupt(core) || context.fault.load(Relaxed) != 0 {
        wake(core, slot, context);
    }
}

/// A context of this core can go on.
fn wake(core: &CoreLocal, slot: Slot, context: &Context) {
    core.queue.wake(slot);
    if !is_loaded(core, slot) {
        context.count_stolen_from_now();
    }
}

fn is_loaded(core: &CoreLocal, slot: Slot) -> bool {
    core.current().is_some_and(|(loaded, _)| loaded == slot)
}

/// The running context waits for an interrupt: its core may run others meanwhile.
pub fn wait(core: &CoreLocal) {
    if let Some((slot, context)) = core.current() {
        core.queue.sleep(slot);
        // What became pending before `sleep` woke nobody.
        wake_if_pending(core, slot, context);
    }
}

/// The running context lets its equals go first, as it waits for one of them.
pub fn give_way(core: &CoreLocal) {
    core.turn_over.store(true, Relaxed);
}

/// Puts `context` into this core in place of what is loaded. False: it is not to run.
#[inline(never)] // its frame is large, and not to lie below all that `resume` calls
fn switch(core: &'static CoreLocal, slot: Slot, context: &'static Context) -> bool {
    if let Some((before, loaded)) = core.current() {
        loaded.unload(core);
        core.set_current(None);
        if core.queue.is_ready(before) {
            loaded.count_stolen_from_now();
        }
    }
    power::leave_pool(core);
    core.slice_end.store(0, Relaxed);
    if !prepare(core, slot, context) {
        return false;
    }
    context.load(core);
    core.set_current(Some((slot, context)));
    takeover::guard(core, context);
    true
}

/// Brings a context that was handed to this core to its first instruction, if it is new here.
fn prepare(core: &'static CoreLocal, slot: Slot, context: &'static Context) -> bool {
    let domain = context.domain;
    match domain.life.enter() {
        Phase::Loading => {
            let loaded = loader::step(core, domain);
            if matches!(loaded, Ok(false)) {
                takeover::loads(domain);
                // Whoever shares the core goes on meanwhile.
                arm_for_sleepers(core, None);
                exits::take_interrupts(core);
                return false;
            }
            takeover::begin(core, domain);
            let start = match loaded.and_then(|_| loader::load(core, domain)) {
                Ok(start) => start,
                Err(why) => {
                    error!(target: "domain", "name={} cannot be loaded: {why}", domain.spec.name);
                    domain.stop(core, EndKind::Failed);
                    return false;
                }
            };
            let _ = context.power.begin();
            context.reset(start.address, start.context_id);
            if domain.life.loaded() {
                let (boots, about) = (domain.life.now().boots, About::Domain(domain.id.index()));
                info!(target: "domain", "name={} starts boots={boots}", domain.spec.name);
                trace::record(core, Event::DomainStart, about, boots.into(), core.id.index() as u64);
                return true;
            }
        }
        Phase::Running => {
            let begun = begin(&core.queue, slot, &context.power);
            if let Begin::At(entry) = begun {
                context.reset(entry.address, entry.context_id);
            }
            return begun != Begin::NotYet;
        }
        Phase::Stopping | Phase::Ended => {}
    }
    domain::leave(core, slot, context);
    false
}

/// Sets traps and EL2's timer for the context in `slot`, which is about to run.
fn update_timer(core: &CoreLocal, slot: Slot) {
    let shared = core.queue.attached() > 1;
    if core.shared.load(Relaxed) != shared {
        core.shared.store(shared, Relaxed);
        core.slice_end.store(0, Relaxed); // of the last time that it was shared
        exception::trap_waits(if shared { WaitTrap::On } else { WaitTrap::Off });
    }
    if !shared {
        let alarm = core.alarm.load(Relaxed);
        if alarm != 0 || core.timer_on.load(Relaxed) {
            set_timer(core, Some(alarm).filter(|at| *at != 0));
        }
        return;
    }
    let mut slice = None;
    if core.queue.contenders(slot) {
        if core.slice_end.load(Relaxed) == 0 {
            core.slice_end.store(timer::now().wrapping_add(timer::frequency() / SLICES_PER_SECOND), Relaxed);
        }
        slice = Some(core.slice_end.load(Relaxed));
    } else {
        core.slice_end.store(0, Relaxed);
    }
    arm_for_sleepers(core, slice);
}

/// Arms EL2's timer, or switches it off.
pub fn set_timer(core: &CoreLocal, deadline: Option<u64>) {
    core.timer_on.store(deadline.is_some(), Relaxed);
    timer::set_deadline(deadline);
}

/// Arms EL2's timer for the earliest of `due`, the core's alarm, and the timers of contexts that sleep and are not
/// loaded. What is ready needs no waking: its timer, long due, would fire for ever.
fn arm_for_sleepers(core: &CoreLocal, due: Option<u64>) {
    let sleeper = if core.queue.has_sleepers() { first_deadline(core) } else { None };
    let alarm = Some(core.alarm.load(Relaxed)).filter(|at| *at != 0);
    set_timer(core, sleeper.into_iter().chain(due).chain(alarm).min());
}

#[inline(never)]
fn first_deadline(core: &CoreLocal) -> Option<u64> {
    let loaded = core.current().map(|(slot, _)| slot);
    let sleepers = core.queue.sleepers().filter(|(slot, _)| Some(*slot) != loaded);
    let sleepers = sleepers.filter_map(|(_, id)| domain::context(id));
    // What hangs stays asleep, however long that is due.
    let sleepers = sleepers.filter(|context| context.fault.load(Relaxed) == 0);
    sleepers.filter_map(Context::timer_deadline).min()
}

/// Finds out when EL2's timer is due next for something other than contexts.
#[inline]
pub fn update_alarm(core: &CoreLocal) {
    let alarms = [core.errand.alarm(), core.power.watch.load(Relaxed), govern::alarm(core), takeover::alarm(core)];
    core.alarm.store(alarms.into_iter().filter(|at| *at != 0).min().unwrap_or(0), Relaxed);
}

/// EL2's timer fired: contexts whose timers are due go on, a time slice may be over, and so may what the core was waiting
/// for otherwise.
pub fn timer_fired(core: &'static CoreLocal) {
    set_timer(core, None);
    let now = timer::now();
    for (slot, id) in core.queue.entries() {
        let Some(context) = domain::context(id) else { continue };
        if !is_loaded(core, slot) && context.timer_deadline().is_some_and(|at| at <= now) {
            wake(core, slot, context);
        }
    }
    let slice_end = core.slice_end.load(Relaxed);
    if slice_end != 0 && now >= slice_end {
        core.slice_end.store(0, Relaxed);
        core.turn_over.store(true, Relaxed);
    }
    let alarm = core.alarm.load(Relaxed);
    if alarm != 0 && now >= alarm {
        transfer::look(core);
        power::watch(core, now);
        govern::tick(core, now);
        takeover::watch(core, now);
        update_alarm(core);
    }
}
