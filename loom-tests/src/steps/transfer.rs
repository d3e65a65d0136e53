//! `kernel/src/transfer.rs`.

use super::{Context, Core, Domain, EARLY, LATE, LATER, Machine, Now, PRIORITY};
use domains::ledger::{CoreEvent, CoreState, Heir};
use hotplug::placement::{Placement, refuge};
use hotplug::transfer::{self, Leaving, Reason};
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use loom::sync::atomic::{AtomicBool, AtomicU32};
use smp::core_id::CoreId;
use smp::mailbox::Requests;
use smp::run_queue::Slot;

/// Times that a context looks for a core to go on on.
const TRIES: usize = 8;

/// How far an errand is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    None = 0,
    Ordered = 1 << 24,
    Asked = 2 << 24,
    GoOff = 5 << 24,
}

const STAGE: u32 = 0xff << 24;

/// What was ordered for a core.
pub struct Errand {
    /// The stage, and the number of an order whose end is to be reported, or 0.
    word: AtomicU32,
    give_up: AtomicBool,
    deadline: AtomicU32,
}

/// Who ordered, and how patient he is.
#[derive(Clone, Copy)]
pub struct Terms {
    /// The order's number.
    pub order: u32,
    pub deadline: Now,
    pub give_up: bool,
}

impl Terms {
    /// At once.
    pub fn now(order: u32) -> Self {
        Self { order, deadline: EARLY, give_up: false }
    }

    /// The domain is asked first; until [`LATER`].
    pub fn ask(order: u32) -> Self {
        Self { order, deadline: LATER, give_up: false }
    }

    /// The domain is asked first; until [`LATE`], and keeps the core then.
    pub fn ask_only(order: u32) -> Self {
        Self { order, deadline: LATE, give_up: true }
    }

    /// The domain is asked first; until [`LATE`].
    pub fn ask_shortly(order: u32) -> Self {
        Self { order, deadline: LATE, give_up: false }
    }
}

impl Errand {
    pub fn new() -> Self {
        Self { word: AtomicU32::new(0), give_up: AtomicBool::new(false), deadline: AtomicU32::new(EARLY) }
    }

    fn stage_is(&self, stage: Stage) -> bool {
        self.word.load(Acquire) & STAGE == stage as u32
    }

    /// Notes the number of an order whose end is to be reported. False: another one is not over yet.
    pub fn expect_report(&self, order: u32) -> bool {
        self.note(order, Stage::None)
    }

    /// The core is to go off as soon as it finds itself idle. False: another order for it is not over yet.
    fn go_off(&self, order: u32) -> bool {
        self.note(order, Stage::GoOff)
    }

    fn note(&self, order: u32, stage: Stage) -> bool {
        self.word.compare_exchange(0, order | stage as u32, AcqRel, Relaxed).is_ok()
    }

    /// The order whose end is to be reported, once. Before another can be given for the core.
    pub(super) fn take_order(&self) -> u32 {
        self.word.swap(0, AcqRel) & !STAGE
    }

    /// The same, if the core is to go off.
    pub(super) fn take_if_off(&self) -> Option<u32> {
        let word = self.word.load(Acquire);
        let is_off = word & STAGE == Stage::GoOff as u32;
        (is_off && self.word.compare_exchange(word, 0, AcqRel, Relaxed).is_ok()).then_some(word & !STAGE)
    }

    fn begin(&self, terms: Terms) -> u32 {
        self.give_up.store(terms.give_up, Relaxed);
        self.deadline.store(terms.deadline, Relaxed);
        self.word.swap(terms.order | Stage::Ordered as u32, AcqRel) & !STAGE
    }

    /// Changes the stage, if it still is `from`: whether it was.
    fn moves_on(&self, from: Stage, to: Stage) -> bool {
        let word = self.word.load(Acquire);
        let (seen, next) = (word & STAGE, word & !STAGE | to as u32);
        seen == from as u32 && self.word.compare_exchange(word, next, AcqRel, Relaxed).is_ok()
    }

    fn clear_stage(&self) {
        self.word.fetch_and(!STAGE, AcqRel);
    }

    fn alarm(&self) -> u32 {
        let deadline = self.deadline.load(Relaxed);
        if self.stage_is(Stage::Asked) { deadline } else { 0 }
    }
}

/// Whether a context may join others on a core.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Crowd {
    Any,
    Alone,
}

/// Whether a core is to be taken from its domain now, or, if it `stays`, to be left to it.
fn is_time(core: &Core, now: Now, stays: bool) -> bool {
    let over = now >= core.errand.deadline.load(Relaxed) || core.queue.attached() == 0;
    over && core.errand.give_up.load(Relaxed) == stays
}

impl Context {
    fn want(&self, core: CoreId) -> bool {
        let word = core.index() as u32 + 1;
        self.wanted.compare_exchange(0, word, AcqRel, Relaxed).is_ok()
    }

    pub(super) fn take_wanted(&self) -> Option<CoreId> {
        if self.wanted.load(Relaxed) == 0 {
            return None;
        }
        CoreId::new((self.wanted.swap(0, AcqRel) as usize).checked_sub(1)?)
    }
}

impl Machine {
    /// Says how the order for a core ended.
    pub fn report(&self, id: CoreId, end: Result<Heir, Reason>) {
        self.report_order(self.cores[id.index()].errand.take_order(), end);
    }

    pub(super) fn report_order(&self, order: u32, end: Result<Heir, Reason>) {
        if order != 0 {
            self.reports.lock().unwrap().push((order, end));
        }
    }

    /// Orders that `domain` gives up the core `id` for `heir`.
    pub fn order(&self, id: CoreId, domain: &Domain, heir: Heir, terms: Terms) -> Result<(), Reason> {
        self.crossing.pass();
        let before = {
            let _placement = domain.placement.lock();
            transfer::ask(&self.ledger(), self, id, domain.id, heir)?;
            self.cores[id.index()].errand.begin(terms)
        };
        self.report_order(before, Err(Reason::Busy));
        self.post(id, Requests::ERRAND);
        Ok(())
    }

    /// Orders an idle core off. False: another order for it is not over yet.
    pub fn order_off(&self, id: CoreId, order: u32) -> bool {
        let noted = self.cores[id.index()].errand.go_off(order);
        if noted {
            self.crossing.pass();
            self.ordered_off(&self.cores[id.index()]);
            self.post(id, Requests::ERRAND);
        }
        noted
    }

    /// Ends what was ordered for a core: its domain keeps it.
    pub fn cancel(&self, id: CoreId, why: Reason) -> Result<(), Reason> {
        self.cancel_if(id, why, || true)
    }

    /// The same, if `still` holds when no other order can be noted.
    fn cancel_if(&self, id: CoreId, why: Reason, still: impl FnOnce() -> bool) -> Result<(), Reason> {
        self.crossing.pass();
        let owner = self.ledger().read(id).unwrap().state.owner().ok_or(Reason::NotOwner)?;
        let domain = &self.domains[owner.index()];
        let order = {
            let _placement = domain.placement.lock();
            if !still() {
                return Err(Reason::Busy);
            }
            transfer::cancel(&self.ledger(), self, id)?;
            self.cores[id.index()].errand.take_order()
        };
        self.report_order(order, Err(why));
        self.post(id, Requests::ERRAND);
        Ok(())
    }

    /// The core was posted an errand, or it is time to look at it.
    pub fn attend_errand(&self, core: &Core, now: Now) {
        // The stage first: with it come the terms. Without one the order is being noted, and is posted then.
        if !core.errand.stage_is(Stage::None)
            && let CoreState::Asked(owner, _) = self.state_of(core.id)
        {
            self.progress(core, &self.domains[owner.index()], now);
        }
        core.set_alarm(core.errand.alarm());
    }

    fn progress(&self, core: &Core, domain: &Domain, now: Now) {
        let stays = core.errand.give_up.load(Relaxed);
        if !is_time(core, now, stays) {
            core.errand.moves_on(Stage::Ordered, Stage::Asked);
        } else if stays {
            let _ = self.cancel_if(core.id, Reason::Timeout, || is_time(core, now, true));
        } else {
            self.take(core, domain, now);
        }
    }

    fn take(&self, core: &Core, domain: &Domain, now: Now) {
        self.crossing.pass();
        let leaving = {
            let mut placement = domain.placement.lock();
            // It may have been cancelled since, or ordered anew.
            if !matches!(self.state_of(core.id), CoreState::Asked(..)) || !is_time(core, now, false) {
                return;
            }
            core.errand.clear_stage();
            placement.spare.remove(core.id);
            transfer::begin(&self.ledger(), core.id, domain.id)
        };
        let Some(leaving) = leaving else { return };
        for (slot, id) in core.queue.entries() {
            let context = self.context(id);
            let found = (0..TRIES).any(|_| {
                let to = self.find_refuge(core, domain, context);
                to.is_some_and(|to| self.migrate(core, slot, context, to, Crowd::Any))
            });
            if !found {
                transfer::keep(&self.ledger(), self, core.id, leaving);
                return self.report(core.id, Err(Reason::NoOtherCore));
            }
        }
        self.hand_over(core, core.id, leaving);
    }

    fn find_refuge(&self, core: &Core, domain: &Domain, context: &Context) -> Option<CoreId> {
        if let Some(spare) = self.spare(domain, &domain.placement.lock()) {
            return Some(spare);
        }
        let seat = |index: usize| domain.contexts.get(index)?.seat.now();
        let crowd = |id: CoreId| {
            let state = self.state_of(id);
            (id != core.id && state == CoreState::Owned(domain.id)).then_some(self.cores[id.index()].queue.attached())
        };
        refuge(context.index, domain.contexts.len(), seat, crowd)
    }

    /// A core of the domain that nobody is taking and that has no context.
    pub(super) fn spare(&self, domain: &Domain, placement: &Placement) -> Option<CoreId> {
        placement.spare.iter().find(|id| self.state_of(*id) == CoreState::Owned(domain.id))
    }

    /// Sends a context of this core to another core of its domain. False: that is not its domain's to use.
    pub fn migrate(&self, core: &Core, slot: Slot, context: &Context, to: CoreId, crowd: Crowd) -> bool {
        self.crossing.pass();
        let (domain, target) = (self.domain_of(context), &self.cores[to.index()]);
        if core.current().is_some_and(|(_, loaded)| loaded == context.id()) {
            context.touch();
            core.set_current(None);
        }
        let taken = {
            let mut placement = domain.placement.lock();
            let (state, others) = (self.state_of(to), target.queue.attached());
            let better = match crowd {
                // A core that was given meanwhile is looked for first.
                Crowd::Any => others == 0 || self.spare(domain, &placement).is_none(),
                Crowd::Alone => others == 0 && core.queue.attached() > 1,
            };
            if state != CoreState::Owned(domain.id) || !better {
                return false;
            }
            context.seat.set(Some(to));
            let Ok(taken) = target.queue.attach(context.id(), PRIORITY) else {
                context.seat.set(Some(core.id));
                return false;
            };
            core.queue.detach(slot);
            placement.left(core.queue.attached());
            placement.seated(to, others);
            taken
        };
        target.queue.wake(taken);
        self.post(to, Requests::ARRIVAL);
        self.disappoint(context);
        true
    }

    /// If a core wanted this context, which is elsewhere now, or off, that looks for something else.
    pub(super) fn disappoint(&self, context: &Context) {
        if let Some(id) = context.take_wanted() {
            self.welcome(id, self.domain_of(context));
        }
    }

    /// Contexts of this core that are wanted on others go there.
    pub(super) fn send_away(&self, core: &Core) {
        for (slot, id) in core.queue.entries() {
            let context = self.context(id);
            if let Some(to) = context.take_wanted() {
                self.migrate(core, slot, context, to, Crowd::Alone);
            }
        }
    }

    /// A core on which nothing of its old domain is left goes to its heir.
    pub(super) fn hand_over(&self, core: &Core, id: CoreId, leaving: Leaving) {
        self.crossing.pass();
        let heir = match leaving.heir {
            Heir::Domain(heir) => Some(&self.domains[heir.index()]),
            Heir::Pool | Heir::Off => None,
        };
        self.cores[id.index()].errand.clear_stage();
        let order = self.cores[id.index()].errand.take_order();
        let held = heir.filter(|heir| heir.life.join().is_ok());
        let inherits = transfer::finish(&self.ledger(), self, id, leaving, held.is_some());
        let end = if inherits { Ok(leaving.heir) } else { Err(Reason::ReceiverStopped) };
        if let Some(heir) = held {
            if inherits {
                self.welcome(id, heir);
            }
            self.leave_life(core, heir, None);
        }
        self.report_order(order, end);
        if id != core.id {
            self.post(id, Requests::ERRAND);
        }
        self.start_waiting(core);
    }

    /// The core `id` is the domain's now, and has no context. The caller holds the domain's life.
    pub(super) fn welcome(&self, id: CoreId, domain: &Domain) {
        self.crossing.pass();
        let folded = {
            let mut placement = domain.placement.lock();
            if self.cores[id.index()].queue.attached() > 0 || self.state_of(id).owner() != Some(domain.id) {
                return;
            }
            placement.spare.insert(id);
            placement.folded > 0
        };
        let crowded = |context: &&Context| {
            let crowd = context.seat.now().map_or(0, |core| self.cores[core.index()].queue.attached());
            crowd > 1 && context.want(id)
        };
        if let Some(context) = domain.contexts.iter().filter(|_| folded).find(crowded)
            && let Some(from) = context.seat.find()
        {
            self.post(from, Requests::MIGRATE);
        }
    }

    /// Makes an idle core `id` the domain's.
    pub fn give(&self, core: &Core, id: CoreId, domain: &Domain) -> Result<(), Reason> {
        self.crossing.pass();
        domain.life.join().map_err(|_| Reason::NotRunning)?;
        let given = domain.quota.expect_some().map_err(|_| Reason::AboveMax).and_then(|()| {
            self.ledger().change(id, CoreEvent::Claim(domain.id)).map_err(|_| {
                domain.quota.unexpect(true);
                Reason::Busy
            })
        });
        if given.is_ok() {
            domain.quota.arrived();
            self.welcome(id, domain);
        }
        self.leave_life(core, domain, None);
        given.map(|_| ())
    }

    /// This core woke for `domain`.
    pub(super) fn arrive(&self, core: &Core, domain: &Domain) {
        if core.queue.attached() > 0 {
            return;
        }
        if domain.life.join().is_ok() {
            domain.quota.arrived();
            self.welcome(core.id, domain);
            self.report(core.id, Ok(Heir::Domain(domain.id)));
            return self.leave_life(core, domain, None);
        }
        // It came, and leaves again.
        domain.quota.arrived();
        if let Some(leaving) = transfer::begin(&self.ledger(), core.id, domain.id) {
            self.hand_over(core, core.id, leaving);
        }
        self.report(core.id, Err(Reason::ReceiverStopped));
    }
}
