//! `kernel/src/domain.rs` and CPU_ON.

use super::{Context, Core, Domain, ENTRY, LATE, Machine, PRIORITY};
use domains::ledger::{CoreState, Heir};
use domains::life::{Left, Phase};
use domains::protocol::EndKind;
use domains::psci::PsciError;
use hotplug::grant::{self, Claimed, NoCore};
use hotplug::placement::Placement;
use hotplug::transfer::{self, Leaving, Reason};
use loom::sync::atomic::Ordering::{AcqRel, Acquire, SeqCst};
use loom::sync::atomic::fence;
use smp::core_id::CoreId;
use smp::core_set::CoreSet;
use smp::mailbox::Requests;
use smp::run_queue::Slot;

impl Domain {
    fn reset(&self) {
        for context in &self.contexts {
            context.power.reset();
            context.take_wanted();
        }
        self.quota.restart(self.start);
    }

    fn bit(&self) -> u32 {
        1 << self.id.index()
    }
}

impl Machine {
    /// Stops the domain, wherever its contexts run.
    pub fn stop(&self, domain: &Domain, kind: EndKind) {
        if !domain.life.stop(kind) {
            return;
        }
        for context in &domain.contexts {
            if let Some(holder) = context.seat.find() {
                self.post(holder, Requests::STOP);
            }
        }
    }

    /// CPU_ON, as `kernel/src/exits/call.rs`; by a context of the domain.
    pub fn cpu_on(&self, core: &Core, context: &Context) -> Result<(), PsciError> {
        self.crossing.pass();
        let domain = self.domain_of(context);
        let ticket = context.power.request_on()?;
        domain.life.join().map_err(|_| PsciError::Denied)?;
        if self.place(core, context, || ticket.publish(ENTRY)).is_err() {
            let _ = domain.life.leave();
            return Err(PsciError::Denied);
        }
        Ok(())
    }

    /// CPU_OFF by the guest that the core has loaded.
    pub fn cpu_off(&self, core: &Core) {
        if let Some((slot, context)) = core.current() {
            self.leave(core, slot, self.context(context));
        }
    }

    /// Finds a core for one more context of a domain and hands the context over to it.
    fn place(&self, core: &Core, context: &Context, publish: impl FnOnce()) -> Result<(), NoCore> {
        self.crossing.pass();
        let domain = self.domain_of(context);
        let mut placement = domain.placement.lock();
        let mut off = false;
        let id = match self.spare(domain, &placement) {
            Some(id) => id,
            None => match grant::claim(&self.ledger(), &domain.quota, domain.id, core.id, domain.takes_idle)? {
                Claimed::Idle(id) => id,
                Claimed::Off(id) => {
                    off = true;
                    id
                }
            },
        };
        self.seat(&mut placement, context, id, publish);
        drop(placement);
        if !off {
            self.post(id, Requests::KICK);
        } else if self.switch_on(id, CoreSet::default(), LATE).is_err() {
            self.give_up(core, id, Heir::Domain(domain.id), LATE);
        }
        Ok(())
    }

    fn seat(&self, placement: &mut Placement, context: &Context, id: CoreId, publish: impl FnOnce()) {
        let target = &self.cores[id.index()];
        let others = target.queue.attached();
        let slot = target.queue.attach(context.id(), PRIORITY).unwrap();
        publish();
        context.seat.set(Some(id));
        placement.seated(id, others);
        target.queue.wake(slot);
    }

    /// Hands a domain's first context to a core.
    pub fn start_domain(&self, core: &Core, domain: &Domain, leaving: Option<Leaving>) {
        self.crossing.pass();
        let first = &domain.contexts[0];
        let Ok(ticket) = first.power.request_on() else { return };
        let mut ticket = Some(ticket);
        let mut publish = || {
            if let Some(ticket) = ticket.take() {
                ticket.publish(ENTRY);
            }
        };
        let stays = leaving.is_some_and(|leaving| leaving.heir == Heir::Pool);
        let placed = if stays { Err(NoCore::Pool) } else { self.place(core, first, &mut publish) };
        if placed.is_ok() {
            if let Some(leaving) = leaving {
                self.hand_over(core, core.id, leaving);
            }
            return;
        }
        let Some(leaving) = leaving else {
            drop(ticket);
            if self.waiting.fetch_or(domain.bit(), AcqRel) & domain.bit() == 0 {
                self.start_waiting(core);
            }
            return;
        };
        transfer::keep(&self.ledger(), self, core.id, leaving);
        if !stays {
            self.report(core.id, Err(Reason::NoOtherCore));
        }
        self.seat(&mut domain.placement.lock(), first, core.id, publish);
        self.post(core.id, Requests::KICK);
    }

    /// A core is idle: a domain that waits for one to start on gets it.
    pub(super) fn start_waiting(&self, core: &Core) {
        self.crossing.pass();
        fence(SeqCst);
        let idle = || self.ledger().cores().any(|(_, record)| record.state == CoreState::Idle);
        let waiting = self.waiting.load(Acquire);
        for domain in self.domains.iter().filter(|domain| waiting & domain.bit() != 0) {
            let counts = domain.quota.counts();
            if idle()
                && counts.owned < counts.granted
                && self.waiting.fetch_and(!domain.bit(), AcqRel) & domain.bit() != 0
            {
                self.start_domain(core, domain, None);
            }
        }
    }

    /// A context leaves this core for good: its CPU went off, or its domain stops.
    pub fn leave(&self, core: &Core, slot: Slot, context: &Context) {
        self.crossing.pass();
        let domain = self.domain_of(context);
        if core.current().is_some_and(|(_, loaded)| loaded == context.id()) {
            context.touch();
            core.set_current(None);
        }
        let mut unfolds = false;
        let mut leaving = {
            let mut placement = domain.placement.lock();
            core.queue.detach(slot);
            context.seat.set(None);
            let others = core.queue.attached();
            placement.left(others);
            let owned = || self.state_of(core.id) == CoreState::Owned(domain.id);
            unfolds |= others == 0 && placement.folded > 0 && domain.life.now().phase == Phase::Running && owned();
            // What is fenced leaves all its cores at once.
            let stays = others == 0 && domain.heir.is_some() && domain.life.now().phase != Phase::Running && owned();
            if unfolds || stays {
                placement.spare.insert(core.id);
            }
            if others > 0 || unfolds || stays { None } else { transfer::begin(&self.ledger(), core.id, domain.id) }
        };
        if domain.life.now().phase == Phase::Running
            && let Some(leaving) = leaving.take()
        {
            self.hand_over(core, core.id, leaving);
        }
        self.disappoint(context);
        context.power.off();
        self.leave_life(core, domain, leaving);
        if unfolds && domain.life.join().is_ok() {
            self.welcome(core.id, domain);
            self.leave_life(core, domain, None);
        }
    }

    /// A context that waits on a core that was lost is off again.
    pub(super) fn abandon(&self, core: &Core, lost: &Core, slot: Slot, context: &Context) {
        let domain = self.domain_of(context);
        {
            let mut placement = domain.placement.lock();
            lost.queue.detach(slot);
            context.seat.set(None);
            placement.left(lost.queue.attached());
        }
        domain.quota.give_back();
        context.power.reset();
        self.leave_life(core, domain, None);
    }

    /// Somebody held the domain's life, and does so no more.
    pub(super) fn leave_life(&self, core: &Core, domain: &Domain, leaving: Option<Leaving>) {
        self.crossing.pass();
        match (domain.life.leave(), leaving) {
            (Left::Last(kind), leaving) => self.finish(core, domain, kind, leaving),
            (Left::Others, Some(leaving)) => self.hand_over(core, core.id, leaving),
            (Left::Others, None) => {}
        }
    }

    /// The domain runs nowhere any more: restart it, or count its end.
    fn finish(&self, core: &Core, domain: &Domain, kind: EndKind, leaving: Option<Leaving>) {
        self.crossing.pass();
        let spare = std::mem::take(&mut domain.placement.lock().spare);
        for id in spare.iter() {
            let leaving = {
                let _placement = domain.placement.lock();
                match domain.heir {
                    Some(heir) => transfer::bequeath(&self.ledger(), self, id, domain.id, heir),
                    None => transfer::begin(&self.ledger(), id, domain.id),
                }
            };
            if let Some(leaving) = leaving {
                self.hand_over(core, id, leaving);
            }
        }
        if domain.restarts {
            domain.reset();
            domain.life.restart();
            return self.start_domain(core, domain, leaving);
        }
        domain.life.end(kind);
        if let Some(leaving) = leaving {
            self.hand_over(core, core.id, leaving);
        }
    }
}
