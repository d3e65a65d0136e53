//! Cores change hands: the kernel's side of `hotplug::transfer` and `hotplug::placement`.
//!
//! An order is noted in the core's [`Errand`] by whoever gives it; everything else happens on the core itself. Locks: a
//! domain's placement, then its control port, then what the vGIC has.

use crate::arch::context::{self, Context};
use crate::arch::core_local::CoreLocal;
use crate::arch::timer;
use crate::boot;
use crate::domain::{self, Domain, post, post_to};
use crate::schedule;
use crate::takeover::{self, ticks};
use crate::trace::{self, About};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use domains::control::{Answer, Request, Said, Wish};
use domains::ledger::{CoreEvent, Heir, Quota};
use domains::{DomainId, psci::AffinityState};
use hotplug::placement::refuge;
use hotplug::transfer::{self, Leaving, Quotas, Reason};
use log::info;
use smp::core_id::CoreId;
use smp::mailbox::Requests;
use smp::run_queue::{Priority, Slot};
use smp::trace::Event;

/// A guest that was busy is asked again after this part of a second.
const RETRIES_PER_SECOND: u64 = 10;
/// Times that a context looks for a core to go on on, while others take away what it finds.
const TRIES: usize = 8;

/// The steps of a [`Event::CoreMove`] record.
#[derive(Clone, Copy)]
pub enum Step {
    /// The guest is asked.
    Asked = 1,
    /// It is busy.
    Busy = 2,
    /// It refused.
    Refused = 3,
    /// It did not answer in time.
    Deadline = 4,
    /// The core is clean.
    Taken = 5,
    /// It is its heir's.
    Given = 6,
    /// It stays.
    Cancelled = 7,
    /// It could not be done.
    Failed = 8,
}

/// How far an errand is, in its word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    None = 0,
    Ordered = 1 << 24,
    Asked = 2 << 24,
    Busy = 3 << 24,
    Refused = 4 << 24,
    GoOff = 5 << 24,
}

/// The bits of a [`Stage`].
const STAGE: u32 = 0xff << 24;

/// What was ordered for a core: of one that a domain owns under the domain's placement lock, before it is posted to the
/// core; of others by whoever finds nothing noted. Who hears the guest's answer changes the stage.
#[derive(Debug, Default)]
pub struct Errand {
    /// The stage, and the order's number with [`REPORT`]: one word, so that nobody ends another's order. Who reads it
    /// (Acquire) finds the terms that were stored before it (Release).
    word: AtomicU32,
    give_up: AtomicBool,
    /// When the core is taken, in ticks; 0: at once.
    deadline: AtomicU64,
    /// When a busy guest is asked again; 0: it was not busy (own).
    retry: AtomicU64,
}

/// Somebody waits for a line about the order's end.
const REPORT: u32 = 1 << 16;

/// Who ordered, and how patient he is.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The order's number, if its end is to be reported.
    pub order: Option<u16>,
    /// Milliseconds that the domain is asked for.
    pub within_ms: u32,
    /// It keeps the core afterwards.
    pub give_up: bool,
}

impl Terms {
    fn order(self) -> u32 {
        self.order.map_or(0, |order| u32::from(order) | REPORT)
    }
}

impl Errand {
    fn stage_is(&self, stage: Stage) -> bool {
        self.word.load(Acquire) & STAGE == stage as u32
    }

    /// Notes the number of an order whose end is to be reported. False: another one is not over yet.
    pub fn expect_report(&self, terms: Terms) -> bool {
        self.note(terms, Stage::None)
    }

    /// The core is to go off as soon as it finds itself idle. False: another order for it is not over yet.
    pub fn go_off(&self, terms: Terms) -> bool {
        self.note(terms, Stage::GoOff)
    }

    fn note(&self, terms: Terms, stage: Stage) -> bool {
        self.word.compare_exchange(0, terms.order() | stage as u32, AcqRel, Relaxed).is_ok()
    }

    /// The order that is to be reported, once; nothing is noted any more. Before the step that ends it: the next order
    /// may come right after that.
    pub fn take_order(&self) -> u32 {
        self.word.swap(0, AcqRel) & !STAGE
    }

    /// The same, if the core is to go off.
    pub fn take_if_off(&self) -> Option<u32> {
        let word = self.word.load(Acquire);
        let is_off = word & STAGE == Stage::GoOff as u32;
        (is_off && self.word.compare_exchange(word, 0, AcqRel, Relaxed).is_ok()).then_some(word & !STAGE)
    }

    /// Notes an order for a core that a domain owns; answers the one before, if that was to go off and is too late.
    fn begin(&self, terms: Terms) -> u32 {
        let deadline = if terms.within_ms == 0 { 0 } else { timer::now().wrapping_add(ticks(terms.within_ms)) };
        self.give_up.store(terms.give_up, Relaxed);
        self.deadline.store(deadline, Relaxed);
        self.retry.store(0, Relaxed);
        self.word.swap(terms.order() | Stage::Ordered as u32, AcqRel) & !STAGE
    }

    /// Changes the stage, if it still is `from`: whether it was.
    fn moves_on(&self, from: Stage, to: Stage) -> bool {
        let word = self.word.load(Acquire);
        let (seen, next) = (word & STAGE, word & !STAGE | to as u32);
        seen == from as u32 && self.word.compare_exchange(word, next, AcqRel, Relaxed).is_ok()
    }

    /// The guest is asked no more. Whether it was.
    fn clear_stage(&self) -> bool {
        self.word.fetch_and(!STAGE, AcqRel) & STAGE == Stage::Asked as u32
    }

    /// When the core has to look at it again; 0: never.
    pub fn alarm(&self) -> u64 {
        let deadline = self.deadline.load(Relaxed);
        match self.word.load(Acquire) & STAGE {
            stage if stage == Stage::Asked as u32 => deadline,
            stage if stage == Stage::Busy as u32 => deadline.min(self.retry.load(Relaxed)),
            _ => 0,
        }
    }
}

/// All domains' quotas.
pub struct AllQuotas;

/// The same, with one of them in hand: an order's is used more than once.
struct QuotaOf<'a>(&'a Domain);

impl Quotas for QuotaOf<'_> {
    fn quota(&self, domain: DomainId) -> Option<&Quota> {
        if domain == self.0.id { Some(&self.0.quota) } else { AllQuotas.quota(domain) }
    }
}

impl Quotas for AllQuotas {
    fn quota(&self, domain: DomainId) -> Option<&Quota> {
        domain::by_id(domain).map(|domain| &domain.quota)
    }
}

fn step(core: &CoreLocal, id: CoreId, step: Step) {
    step_of(core, core.kernel().core(id).map_or(0, |target| target.errand.word.load(Relaxed)), id, step);
}

fn step_of(core: &CoreLocal, order: u32, id: CoreId, step: Step) {
    let a = id.index() as u64 | u64::from(order & 0xffff) << 16;
    trace::record(core, Event::CoreMove, About::Machine, a, step as u64);
}

/// The domain's core does not answer: it has failed. Called with the domain's placement locked.
pub fn lose(core: &CoreLocal, lost: &CoreLocal, owner: DomainId) {
    transfer::fail(&core.kernel().ledger, &AllQuotas, lost.id, owner);
    takeover::resign(core, lost);
    domain::trace_owner(core, lost.id);
    report(lost.id, 0, Err(Reason::FailedCore));
}

/// Says how the order for a core ended, to whoever waits for that.
pub fn report(id: CoreId, folded: usize, end: Result<Heir, Reason>) {
    if let Some(target) = boot::core(id) {
        report_as(target.errand.take_order(), id, folded, end);
    }
}

/// The same for an order that was [taken](Errand::take_order) before.
pub fn report_as(order: u32, id: CoreId, folded: usize, end: Result<Heir, Reason>) {
    if order & REPORT != 0 {
        say(order & 0xffff, id, folded, end);
    }
}

#[inline(never)] // hardly ever, and large
fn say(order: u32, id: CoreId, folded: usize, end: Result<Heir, Reason>) {
    match end {
        Ok(heir) => info!(target: "order", "id={order} core={id} done to={} folded={folded}", name_of(heir)),
        Err(why) => info!(target: "order", "id={order} core={id} failed reason={why} ({})", why.text()),
    }
}

/// The word for an heir.
pub fn name_of(heir: Heir) -> &'static str {
    match heir {
        Heir::Pool => "pool",
        Heir::Off => "off",
        Heir::Domain(id) => domain::by_id(id).map_or("", |domain| domain.spec.name),
    }
}

/// Orders that `domain` gives up the core `id` for `heir`.
///
/// # Errors
/// Nothing has changed, for the reason given.
pub fn order(core: &CoreLocal, id: CoreId, domain: &'static Domain, heir: Heir, terms: Terms) -> Result<(), Reason> {
    let target = core.kernel().core(id).ok_or(Reason::UnknownCore)?;
    {
        let _placement = domain.placement.lock();
        if target.lodger.load(Relaxed) != 0 {
            return Err(Reason::Shared);
        }
        transfer::ask(&core.kernel().ledger, &QuotaOf(domain), id, domain.id, heir)?;
        let before = target.errand.begin(terms);
        report_as(before, id, 0, Err(Reason::Busy));
    }
    if terms.within_ms != 0 {
        domain::trace_owner(core, id); // otherwise it is its heir's at once
    }
    post_to(core, target, Requests::ERRAND);
    Ok(())
}

/// Ends what was ordered for a core: its domain keeps it, if `still` holds when no other order can be noted.
///
/// # Errors
/// See [`transfer::cancel`].
pub fn cancel(core: &'static CoreLocal, id: CoreId, why: Reason, still: impl FnOnce() -> bool) -> Result<(), Reason> {
    let owner = core.kernel().ledger.read(id).ok_or(Reason::UnknownCore)?.state.owner().ok_or(Reason::NotOwner)?;
    let domain = domain::by_id(owner).ok_or(Reason::UnknownDomain)?;
    let target = core.kernel().core(id).ok_or(Reason::UnknownCore)?;
    let placement = domain.placement.lock();
    still().then_some(()).ok_or(Reason::Busy)?;
    transfer::cancel(&core.kernel().ledger, &AllQuotas, id)?;
    step(core, id, Step::Cancelled);
    let order = target.errand.take_order();
    // What wanted to go there while it was asked for stayed where it was.
    let unfolds = placement.folded > 0 && target.queue.attached() == 0;
    drop(placement);
    withdraw(core, domain, target);
    domain::trace_owner(core, id);
    report_as(order, id, 0, Err(why));
    post(core, id, Requests::ERRAND);
    if unfolds {
        welcome_again(core, id, domain);
    }
    Ok(())
}

/// The contexts on `target` are asked for nothing any more.
fn withdraw(core: &CoreLocal, domain: &Domain, target: &CoreLocal) {
    let contexts = target.queue.entries().filter_map(|(_, id)| domain::context(id));
    domain.tell(core, |control| contexts.for_each(|context| control.withdraw(context.index)));
}

/// This core was posted an errand.
pub fn attend(core: &'static CoreLocal) {
    core.asked.store(0, Relaxed);
    // A core that was taken, and guards no group, has nothing to look at again; `hand_over` saw to the rest.
    if !look(core) || !core.errand.stage_is(Stage::None) || takeover::guards(core) != 0 {
        schedule::update_alarm(core);
    }
}

/// Looks at its errand; whether there was one.
pub fn look(core: &'static CoreLocal) -> bool {
    let asked = || core.kernel().ledger.asked(core.id).and_then(domain::by_id);
    let domain = if core.errand.stage_is(Stage::None) { None } else { asked() };
    domain.inspect(|domain| progress(core, domain)).is_some()
}

/// Whether this core is to be taken from its domain now, or, if it `stays`, to be left to it.
fn is_time(core: &CoreLocal, now: u64, stays: bool) -> bool {
    let errand = &core.errand;
    let over = errand.stage_is(Stage::Refused) || now >= errand.deadline.load(Relaxed) || core.queue.attached() == 0;
    over && errand.give_up.load(Relaxed) == stays
}

fn progress(core: &'static CoreLocal, domain: &'static Domain) {
    let (errand, now) = (&core.errand, timer::now());
    let (retry, stays) = (errand.retry.load(Relaxed), errand.give_up.load(Relaxed));
    if is_time(core, now, stays) {
        let refused = errand.stage_is(Stage::Refused);
        if refused {
            step(core, core.id, Step::Refused);
            answered(core, Answer::Refused);
        } else if errand.stage_is(Stage::Asked) || errand.stage_is(Stage::Busy) {
            step(core, core.id, Step::Deadline);
        }
        if stays {
            let why = if refused { Reason::Refused } else { Reason::Timeout };
            let _ = cancel(core, core.id, why, || is_time(core, now, true));
        } else {
            take(core, domain, now);
        }
    } else if errand.stage_is(Stage::Busy) && retry == 0 {
        step(core, core.id, Step::Busy);
        answered(core, Answer::Busy);
        errand.retry.store(now.wrapping_add(timer::frequency() / RETRIES_PER_SECOND), Relaxed);
    } else if errand.moves_on(Stage::Ordered, Stage::Asked)
        || (now >= retry && errand.moves_on(Stage::Busy, Stage::Asked))
    {
        errand.retry.store(0, Relaxed);
        step(core, core.id, Step::Asked);
        for context in core.queue.entries().filter_map(|(_, id)| domain::context(id)) {
            let order = errand.word.load(Relaxed);
            if order & REPORT != 0 {
                info!(target: "order", "id={} core={} asked context={}", order & 0xffff, core.id, context.index);
            }
            domain.tell(core, |control| control.ask(Request { wish: Wish::Offline, context: context.index }));
            domain.notify(core);
        }
    }
}

fn answered(core: &CoreLocal, answer: Answer) {
    let order = core.errand.word.load(Relaxed);
    if order & REPORT != 0 {
        info!(target: "order", "id={} core={} answer={answer}", order & 0xffff, core.id);
    }
}

/// The guest's answer to a request, or that it is there.
pub fn said(core: &CoreLocal, domain: &'static Domain, said: Said) {
    // What was asked of the guest on `target` stands like this now, if no answer came before.
    let note = |target: &CoreLocal, stage| {
        if target.errand.moves_on(Stage::Asked, stage) {
            post(core, target.id, Requests::ERRAND);
        }
    };
    match said {
        Said::Answer(answer, Request { wish: Wish::Offline, context }) => {
            let stage = match answer {
                Answer::Done => return, // its CPU_OFF said so
                Answer::Busy => Stage::Busy,
                Answer::Refused => Stage::Refused,
            };
            let seat = domain.contexts().get(usize::from(context)).and_then(|context| context.seat.now());
            seat.and_then(boot::core).into_iter().for_each(|target| note(target, stage));
        }
        Said::Answer(Answer::Refused, Request { wish: Wish::Online, context }) => {
            info!(target: "order", "domain={} refused online context={context}", domain.spec.name);
        }
        Said::Answer(..) => {}
        Said::Ready => {
            // What it was asked before it listened is asked again.
            domain.seats().filter_map(boot::core).for_each(|target| note(target, Stage::Ordered));
            let spare = domain.placement.lock().spare.count();
            domain.control.lock().forget_offers();
            takeover::announce(core, domain);
            for _ in 0..spare {
                offer(core, domain);
            }
        }
    }
}

/// Asks the domain to take one more of its CPUs on-line.
fn offer(core: &CoreLocal, domain: &Domain) {
    let contexts = domain.contexts();
    let off = |index: u16| {
        let context = contexts.get(usize::from(index));
        context.is_some_and(|context| context.power.affinity_info() == AffinityState::Off)
    };
    domain.tell(core, |control| control.offer(contexts.len(), off));
    domain.notify(core);
}

/// Takes this core from its domain, whose contexts here go on on others of its cores.
fn take(core: &'static CoreLocal, domain: &'static Domain, now: u64) {
    let mut placement = domain.placement.lock();
    // The order may have been cancelled meanwhile, and another one noted, which is looked at then.
    if core.kernel().ledger.asked(core.id).is_none() || !is_time(core, now, false) {
        return;
    }
    core.errand.clear_stage();
    placement.spare.remove(core.id);
    let spare = !placement.spare.is_empty();
    let Some(leaving) = transfer::begin(&core.kernel().ledger, core.id, domain.id) else { return };
    drop(placement);
    if core.errand.deadline.load(Relaxed) != 0 {
        withdraw(core, domain, core);
    }
    let mut folded = 0usize;
    for (slot, id) in core.queue.entries() {
        let Some(context) = domain::context(id) else { continue };
        let found = (0..TRIES).any(|_| {
            let to = find_refuge(core, domain, context, spare);
            to.is_some_and(|to| migrate(core, slot, context, to, Crowd::Any))
        });
        if !found {
            return keep(core, leaving, folded);
        }
        folded = folded.wrapping_add(1);
    }
    if folded == 0 {
        domain.control.lock().forget_offers(); // one of them is for this core
    }
    context::clean(core);
    core.holds.store(0, Relaxed);
    hand_over(core, core.id, leaving, folded);
}

/// This core stays with the domain that it was leaving, as that has no other.
pub fn keep(core: &CoreLocal, leaving: Leaving, folded: usize) {
    if leaving.asked {
        step(core, core.id, Step::Failed);
    }
    // Before the core can be asked for again.
    let order = core.errand.take_order();
    transfer::keep(&core.kernel().ledger, &AllQuotas, core.id, leaving);
    domain::trace_owner(core, core.id);
    report_as(order, core.id, folded, Err(Reason::NoOtherCore));
}

/// Where a context of this core goes on: on a core that its domain has to `spare`, or on another context's.
fn find_refuge(core: &CoreLocal, domain: &Domain, context: &Context, spare: bool) -> Option<CoreId> {
    let spare = if spare { domain.placement.lock().spare.iter().find(|id| domain.owns(*id)) } else { None };
    if spare.is_some() {
        return spare;
    }
    let contexts = domain.contexts();
    let seat = |index: usize| contexts.get(index)?.seat.now();
    let crowd = |id: CoreId| {
        let usable = id != core.id && domain.owns(id);
        usable.then_some(core.kernel().core(id)?.queue.attached())
    };
    refuge(usize::from(context.index), contexts.len(), seat, crowd)
}

/// Whether a context may join others on a core.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crowd {
    Any,
    Alone,
}

/// Sends a context of this core to another core of its domain. False: that is not its domain's to use, and the context
/// stays.
fn migrate(core: &'static CoreLocal, slot: Slot, context: &'static Context, to: CoreId, crowd: Crowd) -> bool {
    let (domain, Some(target)) = (context.domain, core.kernel().core(to)) else { return false };
    if core.current().is_some_and(|(_, loaded)| core::ptr::eq(loaded, context)) {
        context.unload(core);
        core.set_current(None);
    }
    context.count_stolen_from_now();
    let (taken, better) = {
        let mut placement = domain.placement.lock();
        let others = target.residents();
        let suits = crowd == Crowd::Any || (others == 0 && core.residents() > 1);
        if !suits || !domain.owns(to) {
            return false;
        }
        // Its seat first: should it be picked at once, that is where it is.
        context.seat.set(Some(to));
        let Ok(taken) = target.queue.attach(context.id, Priority(domain.spec.priority as u8)) else {
            context.seat.set(Some(core.id));
            return false;
        };
        core.queue.detach(slot);
        placement.left(core.residents());
        placement.seated(to, others);
        // One that came to the domain meanwhile.
        let look = others > 0 && !placement.spare.is_empty();
        (taken, if look { placement.spare.iter().find(|id| domain.owns(*id)) } else { None })
    };
    target.queue.wake(taken);
    let a = u64::from(context.index) | (core.id.index() as u64) << 16;
    trace::record(core, Event::ContextMove, About::Context(context), a, to.index() as u64);
    post_to(core, target, Requests::ARRIVAL);
    disappoint(core, context);
    if let Some(id) = better {
        welcome_again(core, id, domain);
    }
    true
}

/// If a core wanted this context, which is elsewhere now, or off, that looks for something else.
pub fn disappoint(core: &CoreLocal, context: &Context) {
    if let Some(id) = context.take_wanted() {
        welcome(core, id, context.domain);
    }
}

/// Contexts of this core that are wanted on others go there.
pub fn send_away(core: &'static CoreLocal) {
    for (slot, id) in core.queue.entries() {
        // If it fails, that core was given a context, or is asked for, or has left the domain, or the context has this one for
        // itself by now. Another core may have looked for a context meanwhile, and found this one taken.
        if let Some(context) = domain::context(id)
            && let Some(to) = context.take_wanted()
            && !migrate(core, slot, context, to, Crowd::Alone)
        {
            let domain = context.domain;
            let spare = domain.placement.lock().spare;
            let other = || spare.iter().find(|id| domain.owns(*id));
            if let Some(id) = Some(to).filter(|to| spare.contains(*to)).or_else(other) {
                welcome(core, id, domain);
            }
        }
    }
}

/// A core on which nothing of its old domain is left goes to its heir. `id` is this core, or one that waits.
pub fn hand_over(core: &'static CoreLocal, id: CoreId, leaving: Leaving, folded: usize) {
    let heir = if let Heir::Domain(heir) = leaving.heir { domain::by_id(heir) } else { None };
    let Some(target) = core.kernel().core(id) else { return };
    if target.errand.clear_stage() && leaving.asked {
        answered(target, Answer::Done);
    }
    if leaving.asked && target.errand.deadline.load(Relaxed) != 0 {
        step(core, id, Step::Taken); // otherwise it was ordered just now
    }
    let held = heir.filter(|heir| heir.life.join().is_ok());
    if held.is_none()
        && let Some(lodger) = takeover::lodger(target)
    {
        // That standby is not left on nobody's core.
        transfer::keep(&core.kernel().ledger, &AllQuotas, id, leaving);
        heir.into_iter().for_each(|heir| heir.quota.unexpect(true));
        if !inherit(core, id, leaving.domain, lodger)
            && let Some(leaving) = transfer::begin(&core.kernel().ledger, id, leaving.domain)
        {
            hand_over(core, id, leaving, folded);
        }
        return;
    }
    let order = target.errand.take_order();
    let inherits = transfer::finish(&core.kernel().ledger, &AllQuotas, id, leaving, held.is_some());
    domain::trace_owner(core, id);
    let end = if inherits { Ok(leaving.heir) } else { Err(Reason::ReceiverStopped) };
    step_of(core, order, id, if inherits { Step::Given } else { Step::Failed });
    if let Some(heir) = held {
        if inherits {
            welcome(core, id, heir);
        }
        domain::leave_life(core, heir, None);
    }
    report_as(order, id, folded, end);
    if id != core.id {
        // What a domain has now sleeps on until something comes to it.
        if held.is_none() {
            post(core, id, Requests::ERRAND);
        }
    } else if core.alarm.load(Relaxed) != 0 {
        schedule::update_alarm(core);
    }
    domain::start_waiting(core);
}

/// A core of a domain that runs nowhere becomes that of the standby that lodges there. False: it does not any more.
pub fn inherit(core: &CoreLocal, id: CoreId, domain: DomainId, lodger: &Domain) -> bool {
    let Some(target) = core.kernel().core(id) else { return false };
    let ledger = &core.kernel().ledger;
    let heir = Heir::Domain(lodger.id);
    // Whoever leaves the core under this lock finds it either another's or its own.
    let mut placement = lodger.placement.lock();
    let stays = takeover::lodger(target).is_some_and(|now| now.id == lodger.id);
    if !stays || ledger.change(id, CoreEvent::Bequeath(domain, heir)).is_err() {
        return false;
    }
    target.lodger.store(0, Relaxed);
    placement.seated(id, 0);
    transfer::finish(ledger, &AllQuotas, id, Leaving { domain, heir, asked: false }, true);
    domain::trace_owner(core, id);
    step(core, id, Step::Given);
    true
}

/// The core `id` is the domain's now, and has no context: one that is folded goes there, or the guest is asked to use it.
/// The caller holds the domain's life.
pub fn welcome(core: &CoreLocal, id: CoreId, domain: &'static Domain) {
    let Some(target) = core.kernel().core(id) else { return };
    let mut placement = domain.placement.lock();
    if target.residents() > 0 || !domain.holds(id) {
        return;
    }
    placement.spare.insert(id);
    let folded = domain.owns(id) && placement.folded > 0;
    drop(placement);
    // Who lodges elsewhere stays there.
    let crowds = |core: &CoreLocal, context: &Context| core.residents() > 1 && !takeover::lodges(core, context);
    let crowded = |context: &&Context| {
        let seat = context.seat.now().and_then(boot::core);
        seat.is_some_and(|core| crowds(core, context)) && context.want(id)
    };
    match domain.contexts().iter().filter(|_| folded).find(crowded) {
        Some(context) => domain::post_to_holder(core, context, Requests::MIGRATE),
        None => offer(core, domain),
    }
}

/// The same of a core that the domain had before, for who does not hold its life.
pub fn welcome_again(core: &'static CoreLocal, id: CoreId, domain: &'static Domain) {
    if domain.life.join().is_ok() {
        welcome(core, id, domain);
        domain::leave_life(core, domain, None);
    }
}

/// Makes an idle core `id` the domain's.
///
/// # Errors
/// Nothing has changed, for the reason given.
pub fn give(core: &'static CoreLocal, id: CoreId, domain: &'static Domain) -> Result<(), Reason> {
    domain.life.join().map_err(|_| Reason::NotRunning)?;
    let given = domain.quota.expect_some().map_err(|_| Reason::AboveMax).and_then(|()| {
        core.kernel().ledger.change(id, CoreEvent::Claim(domain.id)).map_err(|_| {
            domain.quota.unexpect(false);
            Reason::Busy
        })
    });
    if given.is_ok() {
        domain.quota.arrived();
        domain::trace_owner(core, id);
        step(core, id, Step::Given);
        welcome(core, id, domain);
    }
    domain::leave_life(core, domain, None);
    given.map(|_| ())
}

/// This core woke for `domain`: because it was ordered to, or for a context that waits on it.
pub fn arrive(core: &'static CoreLocal, domain: &'static Domain, order: u32) {
    if core.queue.attached() > 0 {
        // A CPU_ON was faster than the order.
        return report_as(order, core.id, 0, Err(Reason::Busy));
    }
    if domain.life.join().is_ok() {
        domain.quota.arrived();
        welcome(core, core.id, domain);
        report_as(order, core.id, 0, Ok(Heir::Domain(domain.id)));
        return domain::leave_life(core, domain, None);
    }
    domain.quota.unexpect(true);
    let ledger = &core.kernel().ledger;
    if ledger.change(core.id, CoreEvent::BeginRelease(domain.id)).is_ok() {
        let _ = ledger.change(core.id, CoreEvent::FinishRelease(domain.id));
    }
    domain::trace_owner(core, core.id);
    domain::start_waiting(core);
    report_as(order, core.id, 0, Err(Reason::ReceiverStopped));
}
