//! `kernel/src/takeover.rs`, and the end of a domain's life as in `kernel/src/domain.rs`.

use crate::world::{Domain, FAULTS, Fault, Flaw, HEARTBEAT, PATIENCE, SILENCE, START, WITHIN, World};
use domains::ledger::{CoreEvent, CoreState, Heir};
use domains::life::{Left, Phase};
use domains::manifest::{GroupAction, GroupError, Role};
use domains::protocol::EndKind;
use failover::group::{Beat, Moment, NotBegun, State};
use hotplug::transfer::{self, Leaving};
use shuttle::sync::atomic::Ordering::SeqCst;
use smp::core_id::CoreId;
use smp::mailbox::Requests;

impl World {
    /// A context of the domain calls `HEARTBEAT`: what it is, and since when.
    pub fn beat(&self, domain: &Domain) -> Moment {
        let muted = domain.ailment.load(SeqCst) == Fault::Mute as u8;
        if !muted && domain.health.beat(|| self.now() + HEARTBEAT) {
            let (beat, now) = self.group.beat(domain.index);
            if beat == Beat::Serves {
                self.count("primaries that began to serve");
                self.restart_waiting();
            }
            return now;
        }
        self.group.now()
    }

    /// The domain failed.
    pub fn failed(&self, domain: &Domain, error: GroupError, kind: EndKind) {
        let role = self.group.now().role(domain.index);
        let column = match role {
            Role::Standby => 1,
            Role::Promoted => 2,
            Role::Primary | Role::None => 0,
        };
        let mut action = self.action(error, column);
        if action == GroupAction::Ignore {
            self.count("errors that are ignored");
            return domain.health.arm(Some(self.now() + HEARTBEAT));
        }
        if role == Role::Standby {
            self.group.gone(domain.index);
        } else if action != GroupAction::Stop {
            let mut begun = self.group.begin(domain.index, action != GroupAction::TakeOver);
            if begun == Err(NotBegun::NoStandby) {
                action = GroupAction::Restart;
                begun = self.group.begin(domain.index, true);
            }
            if begun.is_err() {
                return self.count("errors that somebody else had seen to");
            }
        }
        self.count(format!("errors: {} of a {}: {}", error.name(), role.name(), action.name()));
        self.tell(|| format!("of {}", domain.index));
        domain.after.store(action as u32, SeqCst);
        self.stop(domain, kind);
        if self.has(Flaw::Early) {
            self.promote(domain);
        }
    }

    /// Stops a domain. The cores of its contexts see it by themselves.
    fn stop(&self, domain: &Domain, kind: EndKind) {
        self.tell(|| format!("stop {}", domain.index));
        // Whatever it stops for: one of its cores may not answer.
        domain.patience.store(self.now() + PATIENCE, SeqCst);
        if !domain.life.stop(kind) {
            return self.count("stops of what did not run");
        }
        if domain.homeless.swap(false, SeqCst) {
            self.leave_life(domain, None);
        }
    }

    /// Somebody held the domain's life, or a context left: its core.
    pub fn leave_life(&self, domain: &Domain, core: Option<CoreId>) {
        if let Left::Last(kind) = domain.life.leave() {
            self.finish(domain, kind, core);
        }
    }

    /// Nothing of the domain runs any more.
    fn finish(&self, domain: &Domain, kind: EndKind, core: Option<CoreId>) {
        self.tell(|| format!("nothing of {} is left", domain.index));
        domain.health.arm(None);
        domain.patience.store(0, SeqCst);
        if !self.has(Flaw::NoRevocation) {
            domain.may_write.store(false, SeqCst);
        }
        let restarts = self.may_restart(domain, kind);
        // One that ends of itself, or has to, ends its group.
        let heir = if restarts || self.is_fenced(domain) { self.promote(domain) } else { None };
        self.release(domain, core, heir, restarts);
        if let Some(heir) = heir {
            // It is told; and may have a fault in store.
            self.inject(heir, heir.on_promotion.swap(0, SeqCst));
        }
        match (restarts, heir) {
            (true, Some(_)) => self.wait(domain),
            (true, None) => self.start_again(domain),
            (false, _) => self.end(domain, kind),
        }
    }

    fn is_fenced(&self, domain: &Domain) -> bool {
        let now = self.group.now();
        now.primary == domain.index && matches!(now.state, State::Fencing | State::Renewing)
    }

    fn may_restart(&self, domain: &Domain, kind: EndKind) -> bool {
        let action = domain.after.swap(GroupAction::Restart as u32, SeqCst);
        let failed = matches!(kind, EndKind::Fault | EndKind::Reset);
        let wanted = failed && action != GroupAction::Stop as u32 && !self.has_ended();
        let allowed = wanted && domain.limit.allow(self.now(), self.restarts_max, WITHIN);
        if wanted && !allowed {
            self.count("members that restarted too often");
        }
        allowed
    }

    /// Passes the group on, if the domain was its primary: to whom, if that is another.
    fn promote(&self, domain: &Domain) -> Option<&Domain> {
        let fenced = self.is_fenced(domain);
        if self.has(Flaw::OnlyBegun) && !fenced {
            return None;
        }
        let next = self.group.promote(domain.index)?;
        if !fenced {
            self.count("takeovers from what was chosen while it stopped");
        }
        if next.primary == domain.index {
            self.count("primaries that begin anew");
            return None;
        }
        self.count("takeovers");
        let heir = &self.domains[usize::from(next.primary)];
        // Its life is held: it is not fenced meanwhile, and left with what it is given here.
        let held = heir.life.join().is_ok();
        if held {
            heir.may_write.store(true, SeqCst);
            self.leave_life(heir, None);
        } else {
            self.count("new primaries that had stopped");
        }
        Some(heir)
    }

    /// The domain's cores: one is for its next life, the others are its heir's, or the pool's.
    fn release(&self, domain: &Domain, last: Option<CoreId>, heir: Option<&Domain>, restarts: bool) {
        let cores: Vec<CoreId> = self.owned(domain).collect();
        let keeps = |id: &CoreId| restarts && self.state(*id) == CoreState::Owned(domain.id);
        let kept = last.filter(keeps).or_else(|| cores.iter().copied().find(keeps));
        for id in cores.into_iter().filter(|id| Some(*id) != kept) {
            let leaving = {
                let _seats = domain.seats.lock().unwrap();
                match heir {
                    Some(heir) => transfer::bequeath(&self.ledger(), self, id, domain.id, heir.id),
                    None => transfer::begin(&self.ledger(), id, domain.id),
                }
            };
            if let Some(leaving) = leaving {
                self.hand_over(id, leaving);
            }
        }
    }

    fn owned(&self, domain: &Domain) -> impl Iterator<Item = CoreId> {
        self.cores.iter().map(|core| core.id).filter(|id| self.state(*id).owner() == Some(domain.id))
    }

    /// A core on which nothing of its old domain is left goes to its heir.
    pub fn hand_over(&self, id: CoreId, leaving: Leaving) {
        let heir = match leaving.heir {
            Heir::Domain(heir) => self.domains.get(heir.index()),
            Heir::Pool | Heir::Off => None,
        };
        let held = heir.filter(|heir| heir.life.join().is_ok());
        let inherits = transfer::finish(&self.ledger(), self, id, leaving, held.is_some());
        self.count(if inherits { "cores that went to their heir" } else { "cores whose heir had stopped" });
        if let Some(heir) = held {
            self.leave_life(heir, None);
        }
    }

    /// The domain, which runs nowhere, begins anew as soon as the new primary serves.
    fn wait(&self, domain: &Domain) {
        domain.waits.store(true, SeqCst);
        match self.group.now().state {
            State::Serving => self.restart_waiting(),
            State::Over => self.end_waiting(),
            _ => {}
        }
    }

    fn restart_waiting(&self) {
        for domain in self.members().iter().filter(|domain| domain.waits.swap(false, SeqCst)) {
            self.start_again(domain);
        }
    }

    fn end_waiting(&self) {
        for domain in self.members().iter().filter(|domain| domain.waits.swap(false, SeqCst)) {
            self.over(domain, EndKind::Off);
        }
    }

    /// The domain, which runs nowhere, begins anew.
    fn start_again(&self, domain: &Domain) {
        domain.ailment.store(0, SeqCst);
        domain.memory.iter().for_each(|memory| *memory.lock().unwrap() = Default::default());
        domain.quota.restart(domain.quota.min);
        // Nobody can stop it before `restart`, so nobody takes back what it is given here.
        domain.may_write.store(self.group.now().role(domain.index) != Role::Standby, SeqCst);
        domain.health.arm(Some(self.now() + START));
        domain.life.restart();
        self.count("restarts");
        // Who ended the group, or began to fence this member again, stops it; or that is seen here.
        let now = self.group.gone(domain.index);
        if !self.has(Flaw::NoLook) && now.stops(domain.index) {
            self.count("restarts of what was to stop");
            domain.life.stop(if now.state == State::Over { EndKind::Off } else { EndKind::Reset });
            return self.leave_life(domain, None);
        }
        self.find_home(domain);
    }

    /// Puts the first context on a core of the domain's, or an idle one; or it waits for one.
    pub fn find_home(&self, domain: &Domain) {
        let spare = self.owned(domain).find(|id| self.state(*id) == CoreState::Owned(domain.id));
        let home = spare.or_else(|| {
            domain.quota.take(true).ok()?;
            let claimed = self.ledger().claim_any(domain.id, self.cores[0].id);
            if claimed.is_none() {
                domain.quota.give_back();
            }
            claimed
        });
        {
            let mut seats = domain.seats.lock().unwrap();
            // It may have been ordered away since.
            if let Some(home) = home.filter(|home| self.state(*home).owner() == Some(domain.id)) {
                seats[0].core = Some(home);
                return;
            }
        }
        self.count("starts that waited for a core");
        domain.homeless.store(true, SeqCst);
        if domain.life.now().phase == Phase::Stopping && domain.homeless.swap(false, SeqCst) {
            self.leave_life(domain, None);
        }
    }

    /// The domain is over; with its primary the group is.
    fn end(&self, domain: &Domain, kind: EndKind) {
        self.group.gone(domain.index);
        let ends = self.group.end(domain.index);
        self.over(domain, kind);
        if ends {
            self.count("groups that ended");
            self.end_waiting();
            let others = self.members().iter().filter(|other| other.index != domain.index);
            others.for_each(|other| self.stop(other, EndKind::Off));
        }
    }

    fn over(&self, domain: &Domain, kind: EndKind) {
        self.count("members that ended");
        domain.life.end(kind);
        for id in self.owned(domain).collect::<Vec<_>>() {
            if let Some(leaving) = transfer::begin(&self.ledger(), id, domain.id) {
                self.hand_over(id, leaving);
            }
        }
    }

    /// A guard looks whether cores answer: other contexts of a domain may beat while one is on a core that does not.
    pub fn listen(&self) {
        for core in &self.cores {
            let owner = self.state(core.id).owner().filter(|owner| owner.index() < self.members);
            let Some(owner) = owner else { continue };
            let now = self.now();
            if core.mailbox.is_empty() {
                core.posted_at.store(now, SeqCst);
                let _ = core.mailbox.post(Requests::KICK);
            } else if now > core.posted_at.load(SeqCst) + SILENCE {
                core.posted_at.store(now, SeqCst);
                let domain = &self.domains[owner.index()];
                if domain.life.now().phase == Phase::Running {
                    if !core.silent.load(SeqCst) {
                        self.count("cores found silent that were slow");
                    }
                    self.failed(domain, GroupError::Silent, EndKind::Fault);
                }
            }
        }
    }

    /// A guard looks after the group.
    pub fn watch(&self) {
        self.listen();
        for domain in self.members() {
            let now = self.now();
            // Now and then the guard had no time itself.
            let late = self.draw(8) == 0;
            if domain.health.expire(now, |_| late.then_some((now + HEARTBEAT / 2, false))) {
                if domain.ailment.load(SeqCst) == 0 {
                    self.count("deadlines missed without such a fault");
                }
                self.failed(domain, GroupError::Heartbeat, EndKind::Fault);
            }
            let patience = domain.patience.load(SeqCst);
            let past = patience != 0 && now >= patience;
            if past && domain.patience.compare_exchange(patience, 0, SeqCst, SeqCst).is_ok() {
                self.give_up(domain);
            }
        }
    }

    /// Contexts of a domain that stops, and that have not left: their cores have failed.
    fn give_up(&self, domain: &Domain) {
        if domain.life.now().phase != Phase::Stopping {
            return;
        }
        for id in self.owned(domain).collect::<Vec<_>>() {
            let mut lost = Vec::new();
            {
                let mut seats = domain.seats.lock().unwrap();
                let Some(seen) = self.ledger().read(id) else { continue };
                let crowd = seats.iter_mut().filter(|seat| seat.core == Some(id));
                let crowd: Vec<_> = crowd.collect();
                if crowd.is_empty() || !self.fail_core(domain, id, seen) {
                    continue;
                }
                // What it may is cut off before its place is taken, and it does not come back.
                if !self.has(Flaw::NoRevocation) {
                    domain.may_write.store(false, SeqCst);
                }
                domain.after.store(GroupAction::Stop as u32, SeqCst);
                for seat in crowd {
                    *seat = Default::default();
                    lost.push(());
                }
            }
            let answers = !self.cores[id.index()].silent.load(SeqCst);
            self.count(if answers { "cores given up that would have answered" } else { "cores given up" });
            lost.iter().for_each(|()| self.leave_life(domain, None));
        }
    }

    /// The core's word says that it failed, and the quotas count it no more.
    fn fail_core(&self, domain: &Domain, id: CoreId, seen: domains::ledger::CoreRecord) -> bool {
        if seen.state.owner() != Some(domain.id) || !self.ledger().change_if(id, seen, CoreEvent::Fail) {
            return false;
        }
        match seen.state {
            CoreState::Asked(_, heir) => {
                domain.quota.left();
                if let Heir::Domain(heir) = heir {
                    self.domains[heir.index()].quota.unexpect(true);
                }
            }
            _ => domain.quota.give_back(),
        }
        true
    }

    /// A context leaves its core: once, even if that was given up meanwhile.
    pub fn leave(&self, domain: &Domain, context: usize, core: CoreId) {
        let there = {
            let mut seats = domain.seats.lock().unwrap();
            let there = seats[context].core == Some(core);
            if there {
                seats[context] = Default::default();
            }
            there
        };
        if there {
            self.leave_life(domain, Some(core));
        }
    }

    /// Puts a fault into a domain.
    pub fn inject(&self, domain: &Domain, fault: u8) {
        match FAULTS.into_iter().find(|known| *known as u8 == fault) {
            None => {}
            Some(Fault::Crash) => self.failed(domain, GroupError::Fault, EndKind::Fault),
            Some(Fault::Reset) => self.failed(domain, GroupError::Reset, EndKind::Reset),
            Some(Fault::Order) => {
                let primary = &self.domains[usize::from(self.group.now().primary)];
                self.failed(primary, GroupError::Order, EndKind::Reset);
            }
            Some(kind @ (Fault::Silent | Fault::Slow)) => {
                let seat = domain.seats.lock().unwrap()[0];
                if let Some(core) = seat.core.and_then(|core| self.cores.get(core.index())) {
                    let stops = if kind == Fault::Slow { &core.slow } else { &core.silent };
                    stops.store(true, SeqCst);
                }
            }
            Some(_) => domain.ailment.store(fault, SeqCst),
        }
    }
}
