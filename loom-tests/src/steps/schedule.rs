//! `kernel/src/schedule.rs` and the interrupts of `kernel/src/arch/context.rs`.

use super::{Context, Core, Machine, Now};
use domains::life::Phase;
use hotplug::start::{Begin, begin};
use hotplug::transfer::Reason;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use smp::mailbox::Requests;
use smp::run_queue::{SLOTS, Slot};

impl Context {
    /// Somebody has an interrupt for it, as `Redistributor::raise`; the caller kicks it afterwards.
    pub fn raise(&self) {
        self.pending.fetch_or(1, Release);
    }

    /// Whether an interrupt waits that no list register holds.
    pub fn is_pending(&self) -> bool {
        self.pending.load(Relaxed) != 0
    }

    /// The list registers are filled, as `Redistributor::lock_own` lets it: the guest has its interrupts.
    fn list_interrupts(&self) {
        if self.is_pending() {
            self.pending.fetch_and(0, Acquire);
        }
    }
}

impl Machine {
    /// An interrupt for a context: the change first, then the look for its seat.
    pub fn interrupt(&self, context: &Context) {
        self.crossing.pass();
        context.raise();
        self.crossing.pass();
        if let Some(holder) = context.seat.find() {
            self.post(holder, Requests::KICK);
        }
    }

    /// The core does what it was posted, and loads what is to run. False: nothing is.
    pub fn resume(&self, core: &Core, now: Now) -> bool {
        loop {
            self.crossing.pass();
            self.attend(core, now);
            let current = core.current();
            let Some((slot, id)) = core.queue.pick(current.map_or(Slot::FIRST, |(slot, _)| slot)) else { return false };
            if current.is_some_and(|(at, _)| at == slot) || self.switch(core, slot, self.context(id)) {
                return true;
            }
        }
    }

    fn attend(&self, core: &Core, now: Now) {
        while !core.mailbox.is_empty() {
            self.attend_to(core, core.mailbox.take(), now);
        }
    }

    fn attend_to(&self, core: &Core, requests: Requests, now: Now) {
        if let Some((slot, id)) = core.current()
            && requests == Requests::KICK
            && core.queue.attached() == 1
            && core.queue.is_ready(slot)
        {
            return self.context(id).list_interrupts();
        }
        if requests == Requests::ERRAND {
            return self.attend_errand(core, now);
        }
        // What arrived is ready, and found by `pick`.
        let look = requests.intersects(Requests::KICK | Requests::STOP);
        for (slot, id) in core.queue.entries().take(if look { SLOTS } else { 0 }) {
            let context = self.context(id);
            let stops =
                || self.domain_of(context).life.now().phase == Phase::Stopping && context.seat.now() == Some(core.id);
            if requests.contains(Requests::STOP) && stops() {
                self.leave(core, slot, context);
            } else if self.has_interrupt(core, slot, context) {
                core.queue.wake(slot);
            }
        }
        if requests.contains(Requests::MIGRATE) {
            self.send_away(core);
        }
        if requests.contains(Requests::ERRAND) {
            self.attend_errand(core, now);
        }
    }

    fn has_interrupt(&self, core: &Core, slot: Slot, context: &Context) -> bool {
        let pending = context.is_pending();
        if core.current().is_some_and(|(loaded, _)| loaded == slot) {
            context.list_interrupts();
        }
        pending
    }

    /// The guest that the core has loaded waits for an interrupt.
    pub fn wait(&self, core: &Core) {
        if let Some((slot, id)) = core.current() {
            core.queue.sleep(slot);
            if self.has_interrupt(core, slot, self.context(id)) {
                core.queue.wake(slot);
            }
        }
    }

    fn switch(&self, core: &Core, slot: Slot, context: &Context) -> bool {
        if let Some((_, loaded)) = core.current() {
            self.context(loaded).touch();
            core.set_current(None);
        }
        if let Some(order) = core.errand.take_if_off() {
            self.report_order(order, Err(Reason::Busy));
        }
        if !self.prepare(core, slot, context) {
            return false;
        }
        context.touch();
        context.list_interrupts();
        core.set_current(Some((slot, context.id())));
        true
    }

    fn prepare(&self, core: &Core, slot: Slot, context: &Context) -> bool {
        let domain = self.domain_of(context);
        match domain.life.enter() {
            Phase::Loading => {
                let _ = context.power.begin();
                if domain.life.loaded() {
                    return true;
                }
                self.leave(core, slot, context);
                false
            }
            Phase::Running => begin(&core.queue, slot, &context.power) != Begin::NotYet,
            Phase::Stopping | Phase::Ended => {
                self.leave(core, slot, context);
                false
            }
        }
    }

    /// EL2's timer fires after the deadline.
    pub fn timer_fired(&self, core: &Core, now: Now) {
        let alarm = core.alarm();
        if alarm != 0 && now >= alarm {
            self.attend_errand(core, now);
        }
    }
}
