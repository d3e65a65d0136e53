//! What holds of groups: at every turn, and when all is quiet; and what came of each failure.

use crate::arch::context::Context;
use crate::arch::core_local::CoreLocal;
use crate::arch::stage2::Right;
use crate::domain::{self, Domain};
use crate::group::{Moment, State};
use crate::history::{count, count_in, violation};
use crate::ledger::CoreState;
use crate::life::Phase;
use crate::manifest::{GroupAction, GroupError, InjectedFault, Role};
use crate::simulation::{self, Firmware};
use crate::takeover::Team;
use crate::{boot, check};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

/// Microseconds that fencing may take beside the deadlines.
const SLACK: u64 = 50_000;

thread_local! {
    /// Each group's word as it was, and since when it stands so.
    static SEEN: RefCell<Vec<(Moment, u64)>> = const { RefCell::new(Vec::new()) };
    static FAULTS: Cell<u64> = const { Cell::new(0) };
    /// Domains whose heartbeats are not heard.
    static MUTED: RefCell<BTreeSet<usize>> = const { RefCell::new(BTreeSet::new()) };
}

/// Faults that were put in.
pub fn faults() -> u64 {
    FAULTS.get()
}

/// One more.
pub fn count_fault(kind: &str) {
    FAULTS.set(FAULTS.get() + 1);
    count_in("faults", kind);
}

/// The domain begins anew.
pub fn begins(domain: usize) {
    MUTED.with(|muted| muted.borrow_mut().remove(&domain));
}

/// A record of the kernel's trace.
pub fn record(domain: usize, step: u64, details: u64) {
    match step {
        1 => {
            let error = GroupError::from_code(details & 0xff);
            if error == Some(GroupError::Silent) {
                is_silent_indeed(domain);
            }
            let error = error.map_or("", GroupError::name);
            let role = Role::from_code(details >> 8 & 0xff).map_or("", Role::name);
            let action = GroupAction::from_code(details >> 16 & 0xff).map_or("", GroupAction::name);
            count_in("errors", &format!("{error} of {role}: {action}"));
        }
        9 => count_in("outcomes", "a member ends: it restarted too often"),
        10 => count_in("outcomes", "no standby is ready: the primary begins anew"),
        12 => {
            let fault = InjectedFault::from_code(details);
            count_fault(fault.map_or("", InjectedFault::name));
            if fault == Some(InjectedFault::Mute) {
                MUTED.with(|muted| muted.borrow_mut().insert(domain));
            }
        }
        _ => {}
    }
}

/// No core that answers is taken for silent.
fn is_silent_indeed(domain: usize) {
    if let Some(domain) = domain::all().get(domain)
        && !seats(domain).any(is_silent)
    {
        violation(&format!("domain {} is said to have a silent core{}", domain.id.index(), check::shown_cores()));
    }
}

/// The cores that a domain's contexts are on.
fn seats(domain: &Domain) -> impl Iterator<Item = usize> {
    domain.contexts().iter().filter_map(|context| context.seat.now()).map(|id| id.index())
}

/// The members of a group, in its order.
pub fn members(team: &Team) -> Vec<&'static Domain> {
    let is_in = |domain: &&Domain| domain.member().is_some_and(|member| member.team.index == team.index);
    let mut members: Vec<_> = domain::all().iter().copied().filter(is_in).collect();
    members.sort_by_key(|domain| domain.member().map(|member| member.index));
    members
}

/// What always holds.
pub fn at_every_turn() {
    SEEN.with(|seen| {
        let mut seen = seen.borrow_mut();
        for (index, team) in domain::teams().iter().enumerate() {
            let now = team.word.peek();
            if seen.len() <= index {
                seen.push((now, simulation::now()));
            }
            let (before, since) = &mut seen[index];
            if (before.epoch, before.primary, before.state) != (now.epoch, now.primary, now.state) {
                changed(*before, now);
                *since = simulation::now();
            }
            *before = now;
            let (lasting, bound) = (simulation::now() - *since, u64::from(team.spec.heartbeat_ms) * 1000 + SLACK);
            if matches!(now.state, State::Fencing | State::Renewing) && lasting > bound {
                violation(&format!("group {index} is being fenced for {lasting} us: {now:?}{}", check::shown_cores()));
            }
            may_write_rightly(team, now);
        }
    });
}

/// One member at most may write the group's region, and that is the primary.
fn may_write_rightly(team: &Team, now: Moment) {
    for domain in members(team).into_iter().filter(|domain| domain.stage2.right() == Right::Write) {
        if domain.member().is_some_and(|member| member.index != now.primary) {
            violation(&format!("domain {} may write the region, and the group says {now:?}", domain.id.index()));
        }
    }
}

fn changed(before: Moment, now: Moment) {
    if now.epoch < before.epoch || before.state == State::Over {
        violation(&format!("a group went from {before:?} to {now:?}"));
    }
    if now.primary != before.primary && now.epoch == before.epoch {
        violation(&format!("two primaries of one epoch: {before:?} and {now:?}"));
    }
    if now.epoch != before.epoch {
        let again = if before.state == State::Promoted && before.epoch > 1 { ", which had not beaten yet" } else { "" };
        let what = if now.primary == before.primary { "the primary begins anew" } else { "a standby takes over" };
        count_in("outcomes", &format!("{what}{again}"));
    }
    match (before.state, now.state) {
        (_, State::Over) => count_in("outcomes", "the group ends"),
        (State::Promoted, State::Serving) if now.epoch > 1 => count("new primaries that serve"),
        _ => {}
    }
}

/// A core that fell silent, and nobody knows yet.
pub fn is_silent(core: usize) -> bool {
    simulation::with(core, |hardware| hardware.firmware) == Some(Firmware::Silent)
}

/// Whether somebody has to find that the domain gives no sign of life, as nothing of it goes on: not if its group does
/// not care, nor if no core is left on which that could show.
fn is_to_be_found(domain: &Domain) -> bool {
    let Some(member) = domain.member() else { return false };
    let cares = member.team.spec.action(GroupError::Heartbeat, member.team.word.peek().role(member.index))
        != GroupAction::Ignore;
    cares && is_guarded(member.team)
}

fn is_guarded(team: &Team) -> bool {
    // Until the new primary serves, also who stopped the old one.
    let stopped = |core: &CoreLocal| core.guards.load(Relaxed) & 1 << team.index != 0 && !is_silent(core.id.index());
    members(team).into_iter().any(|domain| seats(domain).any(|core| !is_silent(core)))
        || team.word.peek().state == State::Promoted && boot::peek().cores().iter().any(|core| stopped(core))
}

/// Nothing of a domain goes on by itself, or nobody hears of it.
fn is_dead(domain: &Domain) -> bool {
    let mut on = domain.contexts().iter().filter(|context| context.runs()).peekable();
    let stuck = |context: &Context| context.is_struck() || context.seat.now().is_some_and(|id| is_silent(id.index()));
    let muted = MUTED.with(|muted| muted.borrow().contains(&domain.id.index()));
    domain.life.peek().phase == Phase::Running && (muted || on.peek().is_some() && on.all(stuck))
}

/// Whether a core is silent for ever: nobody has to find that. See [`is_to_be_found`]; one of several that a domain is on is to be
/// found in any case, and so is what stops.
pub fn is_lost(core: usize) -> bool {
    let state = boot::peek().ledger.cores().find(|(id, _)| id.index() == core).map(|(_, record)| record.state);
    if !is_silent(core) || state == Some(CoreState::Failed) {
        return false;
    }
    let lodges =
        |context: &Context, core: usize| boot::peek().cores()[core].lodger.load(Relaxed) == u32::from(context.id.0) + 1;
    // Who lodges is found by its host's cores.
    let is_own = |context: &&Context| context.seat.now().is_some_and(|id| !lodges(context, id.index()));
    let has_others = |context: &Context| {
        let mut own = context.domain.contexts().iter().filter(is_own).filter_map(|context| context.seat.now());
        !lodges(context, core) && own.any(|other| other.index() != core)
    };
    let contexts = || boot::peek().cores()[core].queue.entries().filter_map(|(_, id)| domain::context(id));
    !contexts().any(|context| {
        let team = context.domain.member().map(|member| member.team);
        let stops = context.domain.life.peek().phase == Phase::Stopping;
        // Who began to stop it guards it, wherever that is.
        stops || team.is_some_and(is_guarded) && (has_others(context) || is_to_be_found(context.domain))
    })
}

/// Whether the domain has a context on such a core.
pub fn is_lost_in_part(domain: &Domain) -> bool {
    seats(domain).any(is_lost)
}

/// Whether its first context shares a core with one that never gives way, and that nobody takes away.
pub fn is_starved(context: &Context) -> bool {
    let Some(core) = context.seat.now() else { return false };
    let others = boot::peek().cores()[core.index()].queue.entries().filter_map(|(_, id)| domain::context(id));
    let mut others = others.filter(|other| !std::ptr::eq(*other, context));
    others.any(|other| other.struck() == Some(InjectedFault::Livelock) && !is_to_be_found(other.domain))
}

/// Whether that is the first core, which hears the orders.
pub fn is_silent_first() -> bool {
    is_silent(0)
}

/// A core of the first that the other lodges on.
pub fn lodges_at(state: CoreState, domain: &Domain, core: usize) -> bool {
    let Some(member) = domain.member() else { return false };
    let lodger = boot::peek().cores().get(core).map_or(0, |core| core.lodger.load(Relaxed));
    let here = lodger.checked_sub(1).is_some_and(|number| number >> 8 == domain.id.index() as u32);
    let host = state.owner().and_then(|owner| domain::all().get(owner.index()));
    here && host.and_then(|host| host.member()).is_some_and(|host| host.team.index == member.team.index)
}

/// What is still under way in groups.
pub fn in_flight() -> Option<String> {
    domain::teams().iter().find_map(|team| unsettled(team))
}

fn unsettled(team: &Team) -> Option<String> {
    let now = team.word.peek();
    let phase = |domain: &Domain| domain.life.peek().phase;
    if now.state == State::Over {
        let running = members(team).into_iter().find(|domain| phase(domain) != Phase::Ended)?;
        return Some(format!("the group is over, and domain {} is {:?}", running.id.index(), running.life.peek()));
    }
    if let Some(dead) = members(team).into_iter().find(|domain| is_dead(domain) && is_to_be_found(domain)) {
        return Some(format!("domain {} gives no sign of life, and nobody finds it", dead.id.index()));
    }
    let is_lost = |domain: &Domain| is_lost_in_part(domain) || domain.contexts().first().is_some_and(is_starved);
    let primary = |domain: &&Domain| domain.member().is_some_and(|member| member.index == now.primary);
    if now.state != State::Serving {
        if members(team).into_iter().find(primary).is_some_and(is_lost) {
            return None;
        }
        let ignored = team.spec.action(GroupError::Heartbeat, Role::Promoted) == GroupAction::Ignore;
        let waits = members(team).iter().any(|domain| primary(domain) && check::waits_for_core(domain));
        let started = now.state == State::Promoted && (ignored || waits && !check::free_core());
        return (!started).then(|| format!("group {} is {now:?}", team.index));
    }
    members(team).into_iter().find_map(|domain| {
        let member = domain.member()?;
        let (this, life) = (domain.id.index(), domain.life.peek());
        if member.index == now.primary {
            return (life.phase != Phase::Running && !is_lost(domain))
                .then(|| format!("primary {this} is {life:?}, the group {now:?}"));
        }
        let ready = now.ready & 1 << member.index != 0;
        let settled = match life.phase {
            Phase::Ended => true,
            Phase::Running => ready || team.spec.start_ms == 0 || ignores(team),
            Phase::Loading | Phase::Stopping => {
                check::waits_for_core(domain) && if member.lodges() { !has_lodging(team) } else { !check::free_core() }
            }
        };
        (!settled && !is_lost(domain)).then(|| format!("standby {this} is {life:?}, ready {ready}, the group {now:?}"))
    })
}

fn ignores(team: &Team) -> bool {
    team.spec.action(GroupError::Heartbeat, Role::Standby) == GroupAction::Ignore
}

/// Whether a core of the primary's is there on which no standby lodges.
fn has_lodging(team: &Team) -> bool {
    let Some(primary) = members(team)
        .into_iter()
        .find(|domain| domain.member().is_some_and(|member| member.index == team.word.peek().primary))
    else {
        return false;
    };
    let seats = primary.contexts().iter().filter_map(|context| context.seat.now());
    seats.into_iter().any(|id| {
        let core = boot::peek().cores().get(id.index());
        let owned = boot::peek().ledger.read(id).is_some_and(|record| record.state == CoreState::Owned(primary.id));
        owned && !is_lost(id.index()) && core.is_some_and(|core| core.lodger.load(Relaxed) == 0)
    })
}
