//! What a core does, turn after turn: it looks at its word, at who stops, and at who wants its contexts.

use crate::world::{Core, Domain, World};
use domains::ledger::CoreState;
use domains::life::Phase;
use hotplug::transfer;
use shuttle::sync::atomic::Ordering::SeqCst;
use smp::core_id::CoreId;

impl World {
    /// One turn.
    pub fn turn(&self, core: &Core) {
        if core.silent.load(SeqCst) {
            return;
        }
        core.mailbox.take();
        match self.state(core.id) {
            CoreState::Owned(owner) => self.serve(core.id, &self.domains[owner.index()], false),
            CoreState::Asked(owner, _) => self.serve(core.id, &self.domains[owner.index()], true),
            CoreState::Idle => self.take_in(),
            _ => {}
        }
    }

    fn serve(&self, core: CoreId, domain: &Domain, asked: bool) {
        let seats = domain.seats.lock().unwrap().clone();
        for context in (0..seats.len()).filter(|context| seats[*context].core == Some(core)) {
            match domain.life.enter() {
                Phase::Loading => {
                    if !domain.life.loaded() {
                        self.leave(domain, context, core);
                    }
                }
                Phase::Running => self.step(core, domain, context),
                Phase::Stopping | Phase::Ended => self.leave(domain, context, core),
            }
        }
        if domain.life.now().phase == Phase::Running {
            if asked { self.depart(core, domain) } else { self.spread(core, domain) }
        }
    }

    /// The core was ordered away: its contexts go on on another of their domain's, and it is its heir's.
    fn depart(&self, core: CoreId, domain: &Domain) {
        let leaving = {
            let mut seats = domain.seats.lock().unwrap();
            let refuge = self
                .cores
                .iter()
                .map(|other| other.id)
                .find(|other| *other != core && self.state(*other) == CoreState::Owned(domain.id));
            let mut crowd = seats.iter_mut().filter(|seat| seat.core == Some(core)).peekable();
            if crowd.peek().is_some() && refuge.is_none() {
                return;
            }
            crowd.for_each(|seat| (seat.core, seat.wanted) = (refuge, None));
            transfer::begin(&self.ledger(), core, domain.id)
        };
        if let Some(leaving) = leaving {
            self.count("cores that were ordered away");
            self.hand_over(core, leaving);
        }
    }

    /// A core without a context wants one that shares another core; and contexts that are wanted go.
    fn spread(&self, core: CoreId, domain: &Domain) {
        let mut seats = domain.seats.lock().unwrap();
        let on = |seats: &[crate::world::Seat], core| seats.iter().filter(|seat| seat.core == Some(core)).count();
        if on(&seats, core) == 0 {
            let crowded = (0..seats.len()).find(|n| {
                let seat = seats[*n];
                seat.wanted.is_none() && seat.core.is_some_and(|at| on(&seats, at) > 1)
            });
            if let Some(context) = crowded {
                seats[context].wanted = Some(core);
            }
            return;
        }
        for context in (0..seats.len()).filter(|n| seats[*n].core == Some(core)).collect::<Vec<_>>() {
            if let Some(to) = seats[context].wanted.take()
                && on(&seats, core) > 1
                && self.state(to) == CoreState::Owned(domain.id)
            {
                seats[context].core = Some(to);
                self.count("contexts that spread");
            }
        }
    }

    /// A core is idle: a domain that waits for one starts.
    fn take_in(&self) {
        for domain in self.members() {
            if domain.homeless.load(SeqCst) && domain.homeless.swap(false, SeqCst) {
                self.find_home(domain);
            }
        }
    }
}
