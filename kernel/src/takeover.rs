//! Groups: who finds that a member failed, and how a standby takes its place.
//!
//! The group's word (`failover::group`) says who serves; this module does what it says.
//!
//! - **Detection.** A core on which a member's context sits *guards* the group: its timer is due at the members'
//!   next deadlines. Any guard may find one passed; the member's `Health` lets one of them act on it. The member's own
//!   cores look first, and a second time before they do: a core that was kept from running was perhaps to beat. All other
//!   errors come from whoever meets them: an exit, an operator.
//! - **Takeover.** Who begins it stops the old primary's contexts. The core that the last of them leaves goes on, in this
//!   order: revoke what the old primary had of the group, raise the epoch (`promote`), hand over its cores, tell the new
//!   primary. The old one begins anew as a standby when the new one has said that it serves, so that loading it takes no
//!   time from anybody who is waited for.
//! - **Silence.** A context that does not leave its core within one more deadline is on a core that answers nobody: a
//!   guard declares the core failed and the context gone. The old primary's translations are cut before that, and it
//!   does not come back.
//! - **Lodging.** A standby without a core of its own sits on a core of the primary's. That core stays the primary's, and
//!   nobody can order it away; it becomes the standby's when the primary ends.
//!
//! Who looks after a group of which a core has failed is for `failover::warden` to say. What else changes here without a lock
//! are hints, and Relaxed: when to look, what to log, what was injected (`look`, `progress`, `muted`, `on_promotion`, `times`,
//! `cause`, of a core `asked`, and `guards`; `holds` is its own). Who misses one sees it at its next look; where one of
//! several is to act, an exchange of that word says who. Only `patience` carries something: who finds it passed sees that
//! the domain stops.

use crate::arch::context::Context;
use crate::arch::core_local::CoreLocal;
use crate::arch::stage2::Right;
use crate::arch::{exception, timer};
use crate::boot::{self, kernel};
use crate::checkpoint::{self, Checkpoints};
use crate::domain::{self, Domain, post};
use crate::platform::firmware;
use crate::platform::machine::Region;
use crate::trace::{self, About};
use crate::transfer;
use crate::{govern, power, schedule};
use arrayvec::ArrayVec;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use domains::DomainId;
use domains::guest_fdt::REGION_BASE;
use domains::ledger::CoreState;
use domains::life::Phase;
use domains::manifest::{GroupAction, GroupError, GroupSpec, InjectedFault, MAX_MEMBERS, Role};
use domains::protocol::EndKind;
use failover::group::{Beat, Group, NotBegun, State};
use failover::health::Health;
use failover::limit::Limit;
use failover::waiting::Waiting;
use hotplug::transfer::Reason;
use log::{info, warn};
use smp::core_id::CoreId;
use smp::core_set::CoreSet;
use smp::mailbox::Requests;
use smp::run_queue::{Priority, Slot};
use smp::trace::Event;

/// The steps of a [`Event::Failover`] record.
#[derive(Clone, Copy)]
pub enum Step {
    Detected = 1,
    Stopped = 2,
    Revoked = 3,
    Raised = 4,
    Promoted = 6,
    Serves = 7,
    RestartsAsStandby = 8,
    TooOften = 9,
    NoStandby = 10,
    Ready = 11,
    Injected = 12,
    Checkpoint = 13,
    RolledBack = 14,
    PutOff = 15,
}

/// A group.
pub struct Team {
    /// What the manifest says of it.
    pub spec: &'static GroupSpec<'static>,
    /// Its index.
    pub index: u32,
    /// Its members, in the group's order.
    members: ArrayVec<DomainId, MAX_MEMBERS>,
    /// Who serves.
    pub word: Group,
    /// Where the memory is that its members see.
    pub region: Option<Region>,
    /// Of the last takeover: when it was found that the primary failed, when that was fenced, and when the next was
    /// promoted, in ticks.
    times: [AtomicU64; 3],
    /// The error that was found | the failed member << 8.
    cause: AtomicU32,
    /// When a guard looks for silent cores again.
    look: AtomicU64,
}

/// What a domain has as a member of a group.
pub struct Member {
    /// The group.
    pub team: &'static Team,
    /// Its index there.
    pub index: u8,
    /// Whether it lives.
    health: Health,
    /// When its contexts must have left their cores, as it stops; 0: it does not.
    patience: AtomicU64,
    /// How often it has begun anew.
    limit: Limit,
    /// What follows the end of its life: a [`GroupAction`].
    after: AtomicU32,
    /// It begins anew as soon as the new primary serves.
    waits: Waiting,
    /// Its heartbeats are not heard.
    muted: AtomicBool,
    /// The fault that it is to have when it is promoted; 0: none.
    on_promotion: AtomicU32,
    /// How often it had come to EL2 when that was last looked at, and until when it must have again, in ticks.
    progress: [AtomicU64; 2],
}

/// Records a step of this domain.
pub fn record(core: &CoreLocal, domain: &Domain, step: Step, details: u64) {
    trace::record(core, Event::Failover, About::Domain(domain.id.index()), step as u64, details);
}

/// So many milliseconds.
pub fn ticks(milliseconds: u32) -> u64 {
    u64::from(milliseconds).wrapping_mul(timer::frequency() / 1000)
}

/// How long so many ticks are.
pub fn microseconds(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000_000).checked_div(timer::frequency()).unwrap_or(0)
}

impl Team {
    /// A group that begins.
    pub fn new(
        spec: &'static GroupSpec<'static>,
        index: u32,
        members: ArrayVec<DomainId, MAX_MEMBERS>,
        region: Option<Region>,
    ) -> Self {
        Self {
            spec,
            index,
            members,
            word: Group::new(),
            region,
            times: [const { AtomicU64::new(0) }; 3],
            cause: AtomicU32::new(0),
            look: AtomicU64::new(0),
        }
    }

    fn domains(&self) -> impl Iterator<Item = (&'static Domain, &'static Member)> {
        self.members.iter().filter_map(|id| domain::by_id(*id)).filter_map(|domain| Some((domain, domain.member()?)))
    }

    /// The member that serves.
    pub fn primary(&self) -> Option<&'static Domain> {
        self.members.get(usize::from(self.word.now().primary)).and_then(|id| domain::by_id(*id))
    }

    fn deadline(&self) -> u64 {
        ticks(self.spec.heartbeat_ms)
    }

    /// When to look whether a member gives signs of life that has to within so many ticks: early enough for a second look.
    fn warns_at(&self, patience: u64) -> u64 {
        timer::now().wrapping_add(patience.saturating_sub(self.deadline() / 4))
    }

    fn bit(&self) -> u32 {
        1u32.wrapping_shl(self.index)
    }

    /// Whether this core has to look after the group: it is a member's, or a member stops, which it may have begun, and
    /// until another one serves.
    fn needs(&self, core: &CoreLocal) -> bool {
        let owner = owner(core.id);
        let stopping = || self.domains().any(|(_, member)| member.patience.load(Relaxed) != 0);
        let changes = || self.word.now().state == State::Promoted;
        self.members.iter().any(|member| owner == Some(*member)) || stopping() || changes()
    }
}

impl Member {
    /// A member of a group that begins.
    pub fn new(team: &'static Team, index: usize) -> Self {
        Self {
            team,
            index: index as u8,
            health: Health::default(),
            patience: AtomicU64::new(0),
            limit: Limit::default(),
            after: AtomicU32::new(GroupAction::Stop as u32),
            waits: Waiting::default(),
            muted: AtomicBool::new(false),
            on_promotion: AtomicU32::new(0),
            progress: [const { AtomicU64::new(0) }; 2],
        }
    }

    /// What it is now.
    pub fn role(&self) -> Role {
        self.team.word.now().role(self.index)
    }

    /// It has no core of its own.
    pub fn lodges(&self) -> bool {
        self.team.spec.standby_cores == 0 && self.role() == Role::Standby
    }

    /// It is being fenced for a standby to replace it.
    pub fn is_replaced(&self) -> bool {
        let now = self.team.word.now();
        now.state == State::Fencing && now.primary == self.index
    }

    /// The cores that it begins with, where its manifest says `start`.
    pub fn cores(&self, start: u32) -> u32 {
        if self.role() == Role::Standby { self.team.spec.standby_cores } else { start }
    }

    /// What it may do with the group's region.
    fn right(&self) -> Right {
        if self.role() == Role::Standby { Right::Read } else { Right::Write }
    }

    /// Its next sign of life is due within so many milliseconds; 0: at any time.
    fn expect(&self, milliseconds: u32) {
        self.health.arm((milliseconds > 0).then(|| self.team.warns_at(ticks(milliseconds))));
    }
}

/// The domain's first context is on a core that is to load it, or that loads it: it comes to the end of that.
pub fn loads(domain: &Domain) {
    if let Some(member) = domain.member() {
        member.expect(member.team.spec.start_ms);
    }
}

/// The domain is to be loaded, or goes on from a checkpoint: what it has of its group is as its role says, and its first
/// heartbeat is expected.
pub fn begin(core: &CoreLocal, domain: &Domain) {
    let Some(member) = domain.member() else { return };
    member.muted.store(false, Relaxed);
    let [_, until] = &member.progress;
    until.store(0, Relaxed);
    core.holds.store(0, Relaxed); // `guard` looks at all deadlines again
    let spec = member.team.spec;
    let goes_on = domain.checkpoints.as_ref().is_some_and(Checkpoints::begin);
    member.expect(if goes_on { spec.heartbeat_ms } else { spec.start_ms });
    domain.set_region(core, member.right());
    announce(core, domain);
}

/// Says to the domain what it is.
pub fn announce(core: &CoreLocal, domain: &Domain) {
    let Some(member) = domain.member() else { return };
    let now = member.team.word.now();
    domain.tell(core, |control| control.announce(now.role(member.index), now.epoch));
}

/// What the calls about a group answer in x1 to x5; `None`: the domain is in none.
pub fn answer(core: &'static CoreLocal, domain: &'static Domain, beats: bool) -> Option<[u64; 5]> {
    let member = domain.member()?;
    if beats {
        beat(core, domain, u64::MAX);
    }
    let (team, now) = (member.team, member.team.word.now());
    let (base, bytes) = team.region.map_or((0, 0), |region| (REGION_BASE, region.length));
    Some([now.role(member.index) as u64, now.epoch.into(), base, bytes, team.spec.heartbeat_ms.into()])
}

/// The domain gives a sign of life; its watchdog, if that was it, runs out after `patience` ticks.
pub fn beat(core: &'static CoreLocal, domain: &'static Domain, patience: u64) {
    let Some(member) = domain.member() else { return };
    let (due, patience) = (member.health.due(), patience.min(member.team.deadline()));
    if member.muted.load(Relaxed) || !member.health.beat(|| member.team.warns_at(patience)) {
        return;
    }
    if due.is_none_or(|due| member.health.due().is_some_and(|next| next < due)) {
        tell_guards(core, member.team); // they expect the next one later
    }
    checkpoint::beat(core, domain);
    match member.team.word.beat(member.index) {
        (Beat::Ready, _) => record(core, domain, Step::Ready, 0),
        (Beat::Serves, now) => {
            record(core, domain, Step::Serves, now.epoch.into());
            serves(core, domain, member.team, now.epoch);
        }
        (Beat::Lives | Beat::Late, _) => {}
    }
}

/// The next sign of life of a member is due, or earlier than it was.
fn tell_guards(core: &CoreLocal, team: &Team) {
    let (warden, diminished) = core.kernel().wardens.now();
    let warden = Some(warden).filter(|_| diminished & team.bit() != 0);
    let guards = team.domains().flat_map(|(domain, _)| domain.seats());
    guards.chain(warden).for_each(|guard| post(core, guard, Requests::ERRAND));
}

/// A new primary has said that it serves.
fn serves(core: &'static CoreLocal, domain: &'static Domain, team: &'static Team, epoch: u32) {
    if epoch > 1 {
        let [detected, fenced, promoted] = team.times.each_ref().map(|time| time.load(Relaxed));
        let since = |time: u64| microseconds(time.saturating_sub(detected));
        let cause = team.cause.load(Relaxed);
        let from = team.members.get((cause >> 8) as usize).and_then(|id| domain::by_id(*id));
        let error = GroupError::from_code(u64::from(cause & 0xff)).map_or("", GroupError::name);
        let (group, from, to) = (team.spec.name, from.map_or("", |from| from.spec.name), domain.spec.name);
        let [fenced, promoted, serves] = [fenced, promoted, timer::now()].map(since);
        info!(
            target: "failover",
            "group={group} epoch={epoch} from={from} to={to} error={error} fenced-us={fenced} promoted-us={promoted} \
             serves-us={serves}",
        );
    }
    restart_waiting(core, team);
}

/// The domain failed: what its group's table says follows; a domain in no group stops.
pub fn failed(core: &CoreLocal, domain: &'static Domain, error: GroupError, kind: EndKind) {
    let Some(member) = domain.member() else { return domain.stop(core, kind) };
    let (team, now) = (member.team, timer::now());
    let role = member.role();
    let mut action = team.spec.action(error, role);
    let details = error as u64 | (role as u64) << 8 | (action as u64) << 16 | u64::from(team.index) << 24;
    record(core, domain, Step::Detected, details);
    if action == GroupAction::Ignore {
        member.expect(team.spec.heartbeat_ms);
        tell_guards(core, team); // they may have seen none
        return;
    }
    if role == Role::Standby {
        info!(target: "failover", "domain={} error={error} role={role} action={action}", domain.spec.name);
        team.word.gone(member.index);
    } else if action != GroupAction::Stop {
        let begun = match team.word.begin(member.index, action != GroupAction::TakeOver) {
            Err(NotBegun::NoStandby) => {
                record(core, domain, Step::NoStandby, 0);
                action = GroupAction::Restart;
                team.word.begin(member.index, true)
            }
            begun => begun,
        };
        if begun.is_err() {
            return; // somebody else sees to it
        }
        let [detected, ..] = &team.times;
        detected.store(now, Relaxed);
        team.cause.store(error as u32 | u32::from(member.index) << 8, Relaxed);
    }
    member.after.store(action as u32, Relaxed);
    domain.stop(core, kind);
}

/// The domain begins to stop. This core, which answers, sees to it that it comes to its end, should nobody else.
pub fn stops(core: &CoreLocal, domain: &Domain) {
    let Some(member) = domain.member() else { return };
    member.patience.store(timer::now().wrapping_add(member.team.deadline()), Release);
    core.guards.fetch_or(member.team.bit(), Relaxed);
    schedule::update_alarm(core);
}

/// An operator orders the primary of a group to be replaced.
///
/// # Errors
/// Nothing has changed, for the reason given.
pub fn order(core: &CoreLocal, name: &str, dry: bool) -> Result<(), Reason> {
    let team = domain::teams().iter().find(|team| team.spec.name == name).ok_or(Reason::UnknownGroup)?;
    let primary = team.primary().ok_or(Reason::UnknownGroup)?;
    let now = team.word.now();
    let replaces = team.spec.action(GroupError::Order, now.role(now.primary)) == GroupAction::TakeOver;
    if replaces && now.successor().is_none() {
        return Err(Reason::NoStandby);
    }
    if !matches!(now.state, State::Serving | State::Promoted) || primary.life.now().phase != Phase::Running {
        return Err(Reason::NotRunning);
    }
    if !dry {
        failed(core, primary, GroupError::Order, EndKind::Reset);
    }
    Ok(())
}

/// Nothing of the domain runs any more: what it had of its group is revoked. If it was the primary, and the group does not
/// end with it, the next epoch begins. Answers the new primary, if that is another.
pub fn fenced(core: &'static CoreLocal, domain: &'static Domain) -> Option<&'static Domain> {
    let member = domain.member()?;
    let (team, before) = (member.team, member.team.word.now());
    member.patience.store(0, Relaxed);
    member.health.arm(None);
    let serves = !matches!(before.state, State::Fencing | State::Renewing);
    if serves && member.after.load(Relaxed) == GroupAction::Stop as u32 {
        return None;
    }
    if before.primary == member.index {
        record(core, domain, Step::Stopped, 0);
    }
    let [_, fenced, promoted] = &team.times;
    domain.set_region(core, Right::None);
    fenced.store(timer::now(), Relaxed);
    record(core, domain, Step::Revoked, 0);
    let next = team.word.promote(member.index)?;
    promoted.store(timer::now(), Relaxed);
    let primary = team.members.get(usize::from(next.primary)).and_then(|id| domain::by_id(*id))?;
    record(core, primary, Step::Raised, u64::from(next.epoch) | u64::from(team.index) << 32);
    if next.primary == member.index {
        return None;
    }
    // One that stops passes it on itself; one that begins anew gets its right then.
    if primary.life.join().is_ok() {
        primary.set_region(core, Right::Write);
        domain::leave_life(core, primary, None);
    }
    Some(primary)
}

/// The domain is the primary now, and has the cores of the one before: it is told so.
pub fn promoted(core: &'static CoreLocal, domain: &'static Domain) {
    let Some(member) = domain.member() else { return };
    if member.waits.end() {
        return domain::start_again(core, domain, None);
    }
    announce(core, domain);
    domain.notify(core);
    record(core, domain, Step::Promoted, member.team.word.now().epoch.into());
    if let Some(fault) = InjectedFault::from_code(member.on_promotion.swap(0, Relaxed).into()) {
        inject(core, domain, fault);
    }
}

/// What becomes of a domain that stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It begins anew.
    Restart,
    /// It goes on from its last checkpoint.
    RollBack,
    /// It begins anew when the new primary serves.
    Wait,
    /// It is over.
    End,
}

/// What becomes of a member that stopped, now that it is fenced; `heir`: another is the primary now.
pub fn next(core: &CoreLocal, domain: &Domain, member: &Member, heir: bool) -> Next {
    let action = member.after.swap(GroupAction::Stop as u32, AcqRel);
    let (spec, now) = (member.team.spec, microseconds(timer::now()) / 1000);
    let wanted = action != GroupAction::Stop as u32 && member.team.word.now().state != State::Over;
    if wanted && member.limit.allow(now, spec.restarts_max, spec.restarts_within_ms) {
        let goes_back = action == GroupAction::RollBack as u32;
        return match &domain.checkpoints {
            _ if heir => Next::Wait,
            Some(checkpoints) if goes_back && checkpoints.is_good(domain) => Next::RollBack,
            _ => Next::Restart,
        };
    }
    if wanted {
        warn!(target: "failover", "domain={} restarts too often: it ends", domain.spec.name);
        record(core, domain, Step::TooOften, 0);
    }
    Next::End
}

/// The domain, which runs nowhere, begins anew as soon as the new primary serves.
pub fn wait(core: &'static CoreLocal, domain: &'static Domain) {
    let Some(member) = domain.member() else { return };
    match member.waits.begin(&member.team.word).state {
        State::Serving => restart_waiting(core, member.team),
        State::Over => _ = end_waiting(core, domain, member),
        _ => {}
    }
}

/// A member that waits ends with its group. Whether it waited.
fn end_waiting(core: &'static CoreLocal, domain: &'static Domain, member: &Member) -> bool {
    let waited = member.waits.end();
    if waited {
        domain::release_spare(core, domain, None, Next::End);
        domain::over(core, domain, EndKind::Off);
    }
    waited
}

fn restart_waiting(core: &'static CoreLocal, team: &'static Team) {
    for (standby, member) in team.domains() {
        if member.waits.end() {
            record(core, standby, Step::RestartsAsStandby, 0);
            domain::start_again(core, standby, None);
        }
    }
}

/// A standby that found no core of the primary's to lodge on begins if there is one now.
fn seek_lodging(core: &'static CoreLocal, team: &'static Team) {
    if team.spec.standby_cores == 0
        && team.domains().any(|(_, member)| member.waits.is_on())
        && team.word.now().state == State::Serving
        && team.primary().and_then(lodging).is_some()
    {
        restart_waiting(core, team);
    }
}

/// Why a member that begins anew is to stop at once: its group ended meanwhile, or it is to be fenced again.
pub fn stopped_already(member: &Member) -> Option<EndKind> {
    let now = member.team.word.gone(member.index);
    now.stops(member.index).then_some(if now.state == State::Over { EndKind::Off } else { EndKind::Reset })
}

/// A member is over. With its primary the group is: its standbys end, too.
pub fn ended(core: &'static CoreLocal, domain: &Domain) {
    let Some(member) = domain.member() else { return };
    let team = member.team;
    team.word.gone(member.index);
    if !team.word.end(member.index) {
        return seek_lodging(core, team);
    }
    for (standby, member) in team.domains() {
        if !end_waiting(core, standby, member) {
            standby.stop(core, EndKind::Off);
        }
    }
}

/// Whose a core is.
fn owner(core: CoreId) -> Option<DomainId> {
    kernel().ledger.read(core)?.state.owner()
}

/// A core that holds a member's context looks after its group from now on.
pub fn guard(core: &CoreLocal, context: &Context) {
    let bit = context.domain.member().map_or(0, |member| member.team.bit());
    if bit != 0 && core.holds.swap(bit, Relaxed) != bit {
        core.guards.fetch_or(bit, Relaxed);
        schedule::update_alarm(core);
    }
}

/// The bits of the groups that this core looks after, by itself or as the warden.
pub fn guards(core: &CoreLocal) -> u32 {
    core.guards.load(Relaxed) | core.kernel().wardens.of(core.id)
}

/// The groups that this core looks after.
fn guarded(core: &CoreLocal) -> impl Iterator<Item = &'static Team> {
    let guards = guards(core);
    let teams = if guards == 0 { &[] } else { domain::teams() };
    teams.iter().copied().filter(move |team| guards & team.bit() != 0)
}

/// Whether this core has to look after a group still: after its owner's, and after those in which a member stops.
pub fn is_guard(core: &CoreLocal) -> bool {
    for team in guarded(core).filter(|team| !team.needs(core)) {
        core.guards.fetch_and(!team.bit(), Relaxed);
    }
    guards(core) != 0
}

/// A core goes off, or has failed, as its word says: whom it looked after, the first core does, which always is on.
pub fn resign(core: &CoreLocal, leaves: &CoreLocal) {
    core.kernel().wardens.leave(leaves.id, |warden| post(core, warden, Requests::ERRAND));
    if leaves.guards.load(Relaxed) != 0
        && is_guard(leaves)
        && let Some(first) = boot::core(CoreId::FIRST)
    {
        first.guards.fetch_or(leaves.guards.swap(0, Relaxed), Relaxed);
        post(core, first.id, Requests::ERRAND);
    }
}

/// When this core has to look after its group again; 0: never.
pub fn alarm(core: &CoreLocal) -> u64 {
    let due = guarded(core).flat_map(Team::domains).filter_map(|(domain, member)| {
        let [_, until] = &member.progress;
        let others = [until.load(Relaxed), member.patience.load(Relaxed), checkpoint::alarm(core, domain)];
        let due = member.health.due().map(|at| at.wrapping_add(grace(core, domain, member)));
        due.into_iter().chain(others.into_iter().filter(|at| *at != 0)).min()
    });
    // Of a primary that is about to begin nothing is expected yet.
    let phase = |team: &Team| team.primary().map(|primary| primary.life.now().phase);
    let begins = guarded(core).filter(|team| matches!(phase(team), Some(Phase::Stopping | Phase::Loading)));
    let again = begins.map(|team| timer::now().wrapping_add(team.deadline()));
    due.chain(again).min().unwrap_or(0)
}

/// This core's timer fired, which was due at its alarm: looks after its groups.
pub fn watch(core: &'static CoreLocal, now: u64) {
    let late_by = now.saturating_sub(core.alarm.load(Relaxed));
    if is_guard(core) {
        guarded(core).for_each(|team| look_after(core, team, now, late_by > team.deadline() / 8));
    }
}

/// By how much later than a domain's own cores this one finds that it gives no sign of life. They find out first whether
/// they were kept from running.
fn grace(core: &CoreLocal, domain: &'static Domain, member: &Member) -> u64 {
    let lodges = core.lodger.load(Relaxed).wrapping_sub(1) >> 8 == domain.id.index() as u32;
    let is_own = lodges || domain.owns(core.id);
    let period = member.team.deadline();
    if is_own { 0 } else { period.saturating_sub(period / 4) }
}

#[inline(never)]
fn look_after(core: &'static CoreLocal, team: &'static Team, now: u64, late: bool) {
    let period = team.deadline();
    // Looks of all guards together are a deadline apart.
    let (look, next) = (team.look.load(Relaxed), now.wrapping_add(period));
    let looks = now >= look && team.look.compare_exchange(look, next, Relaxed, Relaxed).is_ok() && !late;
    for (domain, member) in team.domains() {
        let grace = grace(core, domain, member);
        // It expires when its own core has seen twice that all of them run: who was kept from that has time in between.
        let put_off = |warned: bool| {
            let quiet = ask(core, domain, now);
            let all_run = !late && quiet <= period / 8;
            let waits = !all_run || (grace == 0 && !warned);
            waits.then(|| {
                record(core, domain, Step::PutOff, u64::from(all_run));
                (now.wrapping_add(period / 4), all_run)
            })
        };
        if member.health.expire(now.saturating_sub(grace), put_off) {
            failed(core, domain, GroupError::Heartbeat, EndKind::Hung);
        }
        look_at_progress(core, domain, member, now, late);
        match checkpoint::alarm(core, domain) {
            due if due != 0 && now >= due => post(core, core.id, Requests::PAUSE),
            // Who stops has been told just now.
            _ if looks && domain.life.now().phase == Phase::Running && ask(core, domain, now) / 3 >= period / 2 => {
                failed(core, domain, GroupError::Silent, EndKind::Hung);
            }
            _ => {}
        }
        let patience = member.patience.load(Relaxed);
        let over = patience != 0 && now >= patience;
        let next = if late { now.wrapping_add(period / 4) } else { 0 };
        if over && member.patience.compare_exchange(patience, next, Acquire, Relaxed).is_ok() && !late {
            give_up(core, domain, member);
        }
    }
    seek_lodging(core, team);
}

/// A primary that runs comes to EL2 now and then.
fn look_at_progress(core: &CoreLocal, domain: &'static Domain, member: &Member, now: u64, late: bool) {
    let time = member.team.spec.progress_ms;
    if time == 0 {
        return;
    }
    let [seen, until] = &member.progress;
    let at = until.load(Relaxed);
    let runs = member.role() != Role::Standby && domain.life.now().phase == Phase::Running;
    if !runs && at != 0 {
        until.store(0, Relaxed); // or the timer would fire for it for ever
    }
    if !runs || (at != 0 && now < at) {
        return;
    }
    let seats = domain.seats().filter_map(boot::core);
    let exits = seats.map(|core| core.trace().exits.of(domain.id.index())).fold(0, u64::wrapping_add);
    let moved = until.compare_exchange(at, now.wrapping_add(ticks(time)), Relaxed, Relaxed).is_ok();
    if moved && seen.swap(exits, Relaxed) == exits && at != 0 && !late {
        failed(core, domain, GroupError::Stall, EndKind::Hung);
    }
}

/// If the domain is on several cores, asks the others for an answer: heartbeats may depend on one alone. For how long the one
/// has not answered that was asked first. The one that it lodges on is asked for its host, and at one that wakes looks who
/// woke it.
fn ask(core: &CoreLocal, domain: &Domain, now: u64) -> u64 {
    if domain.contexts().len() < 2 {
        return 0;
    }
    let cores = CoreSet::from_iter(domain.seats().filter(|id| owner(*id) == Some(domain.id)));
    if cores.count() < 2 {
        return 0;
    }
    let quiet = cores.iter().filter(|id| *id != core.id).filter_map(boot::core).map(|other| {
        let asked = other.asked.compare_exchange(0, now, Relaxed, Relaxed);
        asked.inspect(|_| post(core, other.id, Requests::ERRAND)).map_or_else(|since| now.saturating_sub(since), |_| 0)
    });
    quiet.max().unwrap_or(0)
}

/// The domain stops, and still has contexts on cores that do not answer: they have failed.
fn give_up(core: &'static CoreLocal, domain: &'static Domain, member: &Member) {
    let team = member.team;
    let silent = || {
        // A core that wakes is given up by who woke it.
        let lost = |id: &CoreId| *id != core.id && !power::is_waking(*id);
        let seat = move |context: &Context| context.seat.now().filter(lost).and_then(boot::core);
        domain.contexts().iter().filter_map(move |context| Some((context, seat(context)?)))
    };
    // The guard of another member may have given up the core, too: contexts leave it under this lock.
    let placement = domain.placement.lock();
    // It may also wait for a core on which to come to its end.
    if domain.life.now().phase != Phase::Stopping || silent().next().is_none() {
        return;
    }
    record(core, domain, Step::Detected, GroupError::Silent as u64 | u64::from(team.index) << 24);
    drop(placement);
    // Should one of them come back, it must not find what it had.
    domain.stage2.cut();
    domain.flush(core);
    member.after.store(GroupAction::Stop as u32, Relaxed);
    // Rather than nobody, one takes over that waits, and begins anew.
    team.word.lose(member.index);
    for (_, waiting) in team.domains().filter(|(_, member)| member.waits.is_on()) {
        let _ = team.word.beat(waiting.index);
    }
    let idle = govern::cores_that_are(CoreState::Idle).next().unwrap_or(CoreId::FIRST);
    let is_idle = || kernel().ledger.is(idle, CoreState::Idle);
    kernel().wardens.diminish(team.bit(), idle, is_idle, |warden| post(core, warden, Requests::ERRAND));
    for (context, lost) in silent() {
        if let Some(lodger) = lodger(lost) {
            lose_lodger(core, lost, lodger);
        }
        if domain::abandon(core, lost, context, true) {
            warn!(target: "failover", "domain={} core={} does not answer: it has failed", domain.spec.name, lost.id);
        }
    }
}

/// A standby lodged on a core that failed: it cannot take over, and ends.
fn lose_lodger(core: &'static CoreLocal, lost: &CoreLocal, domain: &'static Domain) {
    let (Some(member), Some(first)) = (domain.member(), domain.contexts().first()) else { return };
    member.team.word.gone(member.index);
    member.after.store(GroupAction::Stop as u32, Relaxed);
    domain.stage2.cut();
    domain.stop(core, EndKind::Hung);
    domain::abandon(core, lost, first, true);
    // Of its host nobody may be there who could be missed.
    let Some(host) = owner(lost.id).and_then(domain::by_id) else { return };
    let mut placement = host.placement.lock();
    if lost.residents() == 0 {
        placement.spare.remove(lost.id);
        transfer::lose(core, lost, host.id);
    }
}

/// Puts the first context of a standby on a core of the primary's. If there is none for it, it waits until a primary
/// serves.
pub fn lodge(core: &'static CoreLocal, context: &'static Context, publish: impl FnOnce()) {
    if let Some(member) = context.domain.member()
        && !find_lodging(core, member, context, publish)
        && member.waits.begin(&member.team.word).state == State::Over
    {
        end_waiting(core, context.domain, member);
    }
}

fn find_lodging(core: &CoreLocal, member: &Member, context: &'static Context, publish: impl FnOnce()) -> bool {
    let Some(host) = member.team.primary() else { return false };
    let _placement = host.placement.lock();
    let Some(target) = lodging(host) else { return false };
    // The core may become its own at any time.
    if context.domain.quota.expect_some().is_err() {
        return false;
    }
    let Ok(slot) = target.queue.attach(context.id, Priority(context.domain.spec.priority as u8)) else { return false };
    publish();
    target.lodger.store(u32::from(context.id.0).wrapping_add(1), Relaxed);
    context.seat.set(Some(target.id));
    target.queue.wake(slot);
    trace::record(core, Event::ContextOn, About::Context(context), 0, target.id.index() as u64);
    post(core, target.id, Requests::ARRIVAL);
    true
}

/// A core that `host` uses, and on which nobody lodges.
fn lodging(host: &Domain) -> Option<&'static CoreLocal> {
    let owned = host.seats().filter(|id| host.owns(*id));
    owned.filter_map(boot::core).find(|target| target.lodger.load(Relaxed) == 0)
}

/// The domain whose standby lodges on a core.
pub fn lodger(core: &CoreLocal) -> Option<&'static Domain> {
    let number = core.lodger.load(Relaxed).checked_sub(1)?;
    Some(domain::context(smp::run_queue::ContextId(number as u16))?.domain)
}

/// Whether it is that context that lodges on a core.
pub fn lodges(core: &CoreLocal, context: &Context) -> bool {
    core.lodger.load(Relaxed) == u32::from(context.id.0).wrapping_add(1)
}

/// Puts a fault into a domain.
///
/// # Errors
/// It is not there to have one.
pub fn fail(
    core: &CoreLocal,
    domain: &'static Domain,
    fault: InjectedFault,
    later: bool,
    dry: bool,
) -> Result<(), Reason> {
    match domain.member() {
        None if later || fault == InjectedFault::Mute => return Err(Reason::UnknownGroup),
        _ if !later && domain.life.now().phase != Phase::Running => return Err(Reason::NotRunning),
        _ if dry => {}
        Some(member) if later => member.on_promotion.store(fault as u32, Relaxed),
        _ => inject(core, domain, fault),
    }
    Ok(())
}

fn inject(core: &CoreLocal, domain: &'static Domain, fault: InjectedFault) {
    record(core, domain, Step::Injected, fault as u64);
    let struck = match fault {
        InjectedFault::Hang | InjectedFault::Livelock => usize::MAX,
        InjectedFault::WildStore | InjectedFault::Panic | InjectedFault::Silent => 1,
        InjectedFault::Crash => return failed(core, domain, GroupError::Fault, EndKind::Fault),
        InjectedFault::Reset => return failed(core, domain, GroupError::Reset, EndKind::Reset),
        InjectedFault::Mute => {
            return domain.member().into_iter().for_each(|member| member.muted.store(true, Relaxed));
        }
    };
    for context in domain.contexts().iter().take(struck) {
        context.fault.store(fault as u32, Relaxed);
        domain::post_to_holder(core, context, Requests::KICK);
    }
}

/// A context that is about to run has a fault. False: it does not run.
pub fn strike(core: &CoreLocal, slot: Slot, context: &Context) -> bool {
    let done = match InjectedFault::from_code(context.fault.load(Relaxed).into()) {
        Some(InjectedFault::Hang) => {
            core.queue.sleep(slot);
            return false;
        }
        Some(InjectedFault::Silent) => {
            firmware::core_off(kernel().machine.conduit);
            true
        }
        // `b .`, with all interrupts masked.
        Some(InjectedFault::Livelock) => context.misguide(core, 0x1400_0000),
        // `str x0, [x0]`
        Some(InjectedFault::WildStore) => context.misguide(core, 0xf900_0000),
        Some(InjectedFault::Panic) => {
            context.with_registers(exception::inject_system_error);
            true
        }
        _ => true,
    };
    if done {
        context.fault.store(0, Relaxed);
    }
    true
}

/// Says how the members of all groups stand.
pub fn show(id: u16) {
    for team in domain::teams() {
        let now = team.word.now();
        for (domain, member) in team.domains() {
            let is_ready = now.ready & 1u8.wrapping_shl(u32::from(member.index)) != 0;
            let (life, ready) = (domain.life.now(), if is_ready { "yes" } else { "no" });
            info!(
                target: "order",
                "id={id} group={} epoch={} member={} role={} ready={ready} phase={} boots={}",
                team.spec.name, now.epoch, domain.spec.name, now.role(member.index), life.phase, life.boots
            );
        }
    }
}
