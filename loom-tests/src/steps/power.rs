//! `kernel/src/power.rs`.

use super::{Core, Machine, Now};
use domains::ledger::{CoreEvent, CoreState, Heir};
use hotplug::transfer::Reason;
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use loom::sync::atomic::fence;
use loom::thread;
use smp::core_id::CoreId;
use smp::core_set::CoreSet;

/// How long a core may take to come.
const PATIENCE: Now = 1;

impl Machine {
    /// This core has nothing to run, and has waited long enough. True: it is off.
    pub fn idle(&self, core: &Core) -> bool {
        self.idle_ordered(core) || self.switch_off(core)
    }

    /// This core has nothing to run. True: it is off, as it was ordered or was given up.
    pub fn idle_ordered(&self, core: &Core) -> bool {
        self.crossing.pass();
        // Before the word: once it says off, another order can be given for the core.
        if let Some(order) = core.errand.take_if_off() {
            let off = self.ledger().change(core.id, CoreEvent::SwitchOff { held: true });
            self.report_order(order, off.map(|_| Heir::Off).map_err(|_| Reason::Busy));
        }
        let off = matches!(self.state_of(core.id), CoreState::Off { .. } | CoreState::Failed);
        if off {
            self.go_off(core);
        }
        off
    }

    fn switch_off(&self, core: &Core) -> bool {
        let off = self.ledger().change(core.id, CoreEvent::SwitchOff { held: false }).is_ok();
        if off {
            self.ordered_off(core);
            self.go_off(core);
        }
        off
    }

    /// Answers an order to go off that came when the core was about to do so by itself, or was just claimed. Called by
    /// who ordered it, after that, and by the core, after its word has changed.
    pub(super) fn ordered_off(&self, target: &Core) {
        fence(SeqCst);
        if self.state_of(target.id) != CoreState::Idle
            && let Some(order) = target.errand.take_if_off()
        {
            let held = self.ledger().change(target.id, CoreEvent::Hold(true));
            self.report_order(order, held.map(|_| Heir::Off).map_err(|_| Reason::Busy));
        }
    }

    fn go_off(&self, core: &Core) {
        self.crossing.pass();
        core.on.swap(false, Release);
    }

    /// The firmware's CPU_ON. False: ALREADY_ON.
    fn firmware_on(&self, id: CoreId) -> bool {
        let on = self.cores[id.index()].on.compare_exchange(false, true, AcqRel, Acquire).is_ok();
        if on {
            self.started.lock().unwrap().push(id.index());
        }
        on
    }

    /// The cores that the firmware has switched on and that have not run yet.
    pub fn take_started(&self) -> Vec<usize> {
        std::mem::take(&mut self.started.lock().unwrap())
    }

    /// First thing on a core that was woken.
    pub fn woke(&self, core: &Core, now: Now) {
        // The heir first: who finds that the core has failed, before it got here, takes the others over.
        if let CoreState::Waking(heir) = self.state_of(core.id) {
            let rest = std::mem::take(&mut *core.to_wake.lock());
            self.wake(rest, heir, now);
        }
    }

    /// This core, which was woken, is up: it is its heir's. False: it was given up.
    pub fn came_up(&self, core: &Core) -> bool {
        self.crossing.pass();
        // Before the word, so that who wakes it next, and who watches that, finds it.
        core.woken_at.store(0, Relaxed);
        let Ok(record) = self.ledger().change(core.id, CoreEvent::CameUp) else { return false };
        match record.state.owner() {
            Some(domain) => self.arrive(core, &self.domains[domain.index()]),
            None => {
                self.report(core.id, Ok(Heir::Pool));
                self.start_waiting(core);
            }
        }
        true
    }

    /// Wakes cores that are off, for the heir, whose quota expects them.
    pub fn wake(&self, mut cores: CoreSet, heir: Heir, now: Now) {
        self.crossing.pass();
        while let Some(id) = cores.pop() {
            let rest = cores.split();
            let word = self.ledger().change(id, CoreEvent::Wake(heir)).map_err(|_| Reason::Busy);
            let woken = word.and_then(|_| self.switch_on(id, rest, now));
            if let Err(why) = woken {
                self.unexpect(heir);
                self.report(id, Err(why));
                for id in rest.iter() {
                    cores.insert(id);
                }
            }
        }
    }

    fn unexpect(&self, heir: Heir) {
        if let Heir::Domain(domain) = heir {
            self.domains[domain.index()].quota.unexpect(true);
        }
    }

    /// Asks the firmware to switch on a core whose word says that it wakes.
    pub(super) fn switch_on(&self, id: CoreId, rest: CoreSet, now: Now) -> Result<(), Reason> {
        self.cores[id.index()].woken_at.store(now, Relaxed);
        *self.cores[id.index()].to_wake.lock() = rest;
        // Its word says off before the firmware knows.
        while !self.firmware_on(id) && self.is_waking(id) {
            thread::yield_now();
        }
        Ok(())
    }

    fn is_waking(&self, id: CoreId) -> bool {
        matches!(self.state_of(id), CoreState::Waking(_))
    }

    /// It is time to see whether the cores have come that were woken.
    pub fn watch(&self, core: &Core, now: Now) {
        self.crossing.pass();
        for (id, record) in self.ledger().cores() {
            let woken_at = self.cores[id.index()].woken_at.load(Relaxed);
            if let CoreState::Waking(heir) = record.state
                && woken_at != 0
                && now >= woken_at + PATIENCE
                && self.ledger().change_if(id, record, CoreEvent::Fail)
            {
                self.give_up(core, id, heir, now);
            }
        }
    }

    /// A core was lost: what it was to do is done without it.
    pub(super) fn give_up(&self, core: &Core, id: CoreId, heir: Heir, now: Now) {
        self.crossing.pass();
        let target = &self.cores[id.index()];
        let rest = std::mem::take(&mut *target.to_wake.lock());
        let mut contexts = target.queue.entries();
        match contexts.next() {
            Some((slot, context)) => self.abandon(core, target, slot, self.context(context)),
            None => self.unexpect(heir),
        }
        self.report(id, Err(Reason::Lost));
        self.wake(rest, heir, now);
    }

    /// The first Rust code of a core that the firmware has switched on, up to its first context; one that was given up
    /// goes off again.
    pub fn secondary_main(&self, core: &Core, now: Now) {
        self.woke(core, now);
        if self.came_up(core) {
            self.resume(core, now);
        } else {
            self.go_off(core);
        }
    }
}
