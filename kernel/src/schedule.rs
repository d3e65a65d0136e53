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
use crate::{domain, exits, loader};
use core::sync::atomic::Ordering::Relaxed;
use domains::life::Phase;
use domains::protocol::EndKind;
use hotplug::start::{Begin, begin};
use log::{error, info};
use smp::mailbox::Requests;
use smp::run_queue::Slot;
use smp::trace::Event;

/// Time slice of equals: 10 ms.
const SLICES_PER_SECOND: u64 = 100;

/// Runs contexts on this core from now on.
pub extern "C" fn run(core: &'static CoreLocal) -> ! {
    exception::enter(resume(core))
}

/// Looks into the mailbox, finds the context to run, waiting for one if need be, and loads it.
pub fn resume(core: &'static CoreLocal) -> *const Registers {
    loop {
        attend(core);
        let current = core.current();
        match core.queue.pick(current.map(|(slot, _)| slot)) {
            Some((slot, id)) => {
                if let Some((_, loaded)) = current.filter(|(at, _)| *at == slot) {
                    update_timer(core, slot);
                    return loaded.registers();
                }
                let Some(context) = domain::context(id) else {
                    core.queue.detach(slot);
                    continue;
                };
                if switch(core, slot, context) {
                    update_timer(core, slot);
                    return context.registers();
                }
            }
            None => {
                arm_for_sleepers(core, None);
                wait_for_interrupt();
                exits::take_interrupts(core);
            }
        }
    }
}

/// Carries out what other cores asked for.
fn attend(core: &'static CoreLocal) {
    if core.mailbox.is_empty() {
        return;
    }
    let requests = core.mailbox.take();
    if let Some((slot, context)) = core.current()
        && requests == Requests::KICK
        && core.queue.attached() == 1
        && core.queue.is_ready(slot)
    {
        context.refresh_interrupts(core); // by far the most frequent case
        return;
    }
    for (slot, id) in core.queue.entries() {
        let Some(context) = domain::context(id) else { continue };
        let stops = || context.domain.life.now().phase == Phase::Stopping && context.core() == Some(core.id);
        if requests.contains(Requests::STOP) && stops() {
            domain::leave(core, slot, context);
        } else {
            wake_if_pending(core, slot, context);
        }
    }
}

/// A context that waits goes on when it has an interrupt to take.
fn wake_if_pending(core: &CoreLocal, slot: Slot, context: &Context) {
    if context.has_interrupt(core) {
        core.queue.wake(slot);
    }
}

/// The running context waits for an interrupt: its core may run others meanwhile.
pub fn wait(core: &CoreLocal) {
    if let Some((slot, context)) = core.current() {
        core.queue.sleep(slot);
        // What became pending before `sleep` woke nobody.
        wake_if_pending(core, slot, context);
    }
}

/// Puts `context` into this core in place of what is loaded. False: it is not to run.
#[inline(never)] // its frame is large, and not to lie below all that `resume` calls
fn switch(core: &'static CoreLocal, slot: Slot, context: &'static Context) -> bool {
    if let Some((_, loaded)) = core.current() {
        loaded.unload(core);
        core.set_current(None);
    }
    if !prepare(core, slot, context) {
        return false;
    }
    context.load(core);
    core.set_current(Some((slot, context)));
    true
}

/// Brings a context that was handed to this core to its first instruction, if it is new here.
fn prepare(core: &'static CoreLocal, slot: Slot, context: &'static Context) -> bool {
    let domain = context.domain;
    match domain.life.enter() {
        Phase::Loading => {
            let start = match loader::load(core, domain) {
                Ok(start) => start,
                Err(why) => {
                    error!(target: "domain", "name={} cannot be loaded: {}", domain.spec.name, why.text());
                    domain.stop(core, EndKind::Failed);
                    return false;
                }
            };
            let _ = context.power.begin();
            context.reset(start.entry, start.device_tree);
            if domain.life.loaded() {
                let boots = domain.life.now().boots;
                info!(target: "domain", "name={} starts boots={boots}", domain.spec.name);
                trace::record(
                    core,
                    Event::DomainStart,
                    About::Domain(domain.id.index()),
                    u64::from(boots),
                    core.id.index() as u64,
                );
                return true;
            }
            domain::leave(core, slot, context);
            false
        }
        Phase::Running => match begin(&core.queue, slot, &context.power) {
            Begin::At(entry) => {
                context.reset(entry.address, entry.context_id);
                true
            }
            Begin::GoOn => true,
            Begin::NotYet => false,
        },
        Phase::Stopping | Phase::Ended => {
            domain::leave(core, slot, context);
            false
        }
    }
}

/// Sets traps and EL2's timer for the context in `slot`, which is about to run.
fn update_timer(core: &CoreLocal, slot: Slot) {
    let shared = core.queue.attached() > 1;
    if core.shared.load(Relaxed) != shared {
        core.shared.store(shared, Relaxed);
        exception::set_traps(if shared { WaitTrap::On } else { WaitTrap::Off });
        timer::set_deadline(None);
    }
    if !shared {
        return;
    }
    let slice = core.queue.contenders(slot).then(|| timer::now().wrapping_add(timer::frequency() / SLICES_PER_SECOND));
    arm_for_sleepers(core, slice);
}

/// Arms EL2's timer for the earliest of `slice` and the timers of contexts that sleep and are not
/// loaded. What is ready needs no waking: its timer, long due, would fire for ever.
fn arm_for_sleepers(core: &CoreLocal, slice: Option<u64>) {
    let loaded = core.current().map(|(slot, _)| slot);
    let sleepers = core.queue.entries().filter(|(slot, _)| Some(*slot) != loaded && !core.queue.is_ready(*slot));
    let deadlines = sleepers.filter_map(|(_, id)| domain::context(id)?.timer_deadline());
    timer::set_deadline(deadlines.chain(slice).min());
}

/// EL2's timer fired: contexts whose timers are due go on.
pub fn timer_fired(core: &CoreLocal) {
    timer::set_deadline(None);
    let now = timer::now();
    for (slot, id) in core.queue.entries() {
        let due = domain::context(id).and_then(Context::timer_deadline).is_some_and(|at| at <= now);
        if due {
            core.queue.wake(slot);
        }
    }
}
