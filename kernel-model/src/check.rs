//! The specification, written apart from what it judges: what a core may become, and what holds of cores, domains and
//! contexts at every turn, while guests run, and when all is quiet.

use crate::arch::context::Context;
use crate::arch::core_local::CoreLocal;
use crate::core_id::CoreId;
use crate::domain::{self, Domain};
use crate::history::{count_in, count_move, note, violation};
use crate::ledger::{CoreState, Heir, QuotaCounts};
use crate::life::Phase;
use crate::psci::AffinityState;
use crate::simulation::Firmware;
use crate::{DomainId, boot, guest, orders, simulation, takeover, teams};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

/// Everything that a core in this state may become at once.
fn successors(state: CoreState, core: usize) -> Vec<CoreState> {
    let silent = teams::is_silent(core).then_some(CoreState::Failed);
    ways(state, core).into_iter().chain(silent).collect()
}

fn ways(state: CoreState, core: usize) -> Vec<CoreState> {
    use CoreState::{Asked, Failed, Idle, Off, Owned, Releasing, Waking};
    let domains = || (0..domain::all().len()).filter_map(DomainId::new);
    let heirs = || domains().map(Heir::Domain).chain([Heir::Pool, Heir::Off]);
    let becomes = |heir| match heir {
        Heir::Pool => Idle,
        Heir::Off => Off { held: true },
        Heir::Domain(domain) => Owned(domain),
    };
    match state {
        Failed => vec![],
        Off { held } => {
            let holds = [Off { held: true }, Off { held: false }].into_iter();
            let wakes = heirs().filter(|heir| !held && *heir != Heir::Off).map(Waking);
            holds.chain(wakes).collect()
        }
        Waking(heir) => vec![becomes(heir), Failed],
        Idle if core == 0 => domains().map(Owned).collect(),
        Idle => domains().map(Owned).chain([Off { held: true }, Off { held: false }]).collect(),
        Owned(owner) => {
            let asked = heirs().filter(|heir| core != 0 || *heir != Heir::Off).map(|heir| Asked(owner, heir));
            // What a primary had is its successor's.
            let left = heirs().filter(|heir| matches!(heir, Heir::Domain(heir) if are_together(owner, *heir)));
            asked.chain(left.map(|heir| Releasing(owner, heir))).chain([Releasing(owner, Heir::Pool)]).collect()
        }
        Asked(owner, heir) => vec![Owned(owner), Releasing(owner, heir)],
        Releasing(owner, heir) => vec![becomes(heir), Idle, Owned(owner)],
    }
}

fn are_together(one: DomainId, other: DomainId) -> bool {
    let team = |id: DomainId| domain::all().get(id.index())?.member().map(|member| member.team.index);
    one != other && team(one).is_some() && team(one) == team(other)
}

/// Whether it may have got there in so many changes.
fn may_follow(from: CoreState, to: CoreState, changes: u64, core: usize) -> bool {
    match changes {
        0 => from == to,
        1 => successors(from, core).contains(&to),
        2..5 => successors(from, core).into_iter().any(|next| may_follow(next, to, changes - 1, core)),
        _ => false,
    }
}

/// Who has a core, for the count of moves.
fn party(state: CoreState) -> Heir {
    match state {
        CoreState::Off { .. } | CoreState::Waking(_) | CoreState::Failed => Heir::Off,
        CoreState::Idle => Heir::Pool,
        CoreState::Owned(owner) | CoreState::Asked(owner, _) | CoreState::Releasing(owner, _) => Heir::Domain(owner),
    }
}

thread_local! {
    static SEEN: RefCell<Vec<(CoreState, u64)>> = const { RefCell::new(Vec::new()) };
    /// When each core was asked for, and the patience of a call that was under way for it then.
    static ASKED: RefCell<BTreeMap<usize, (u64, Option<u64>)>> = const { RefCell::new(BTreeMap::new()) };
    /// Calls that order a core away, and for how long they wait, in microseconds.
    static CALLS: RefCell<Vec<(usize, u64)>> = const { RefCell::new(Vec::new()) };
}

/// A domain's call orders `core` away, and waits for so many microseconds.
pub fn during_call(core: usize, patience: u64, call: impl FnOnce()) {
    CALLS.with(|calls| calls.borrow_mut().push((core, patience)));
    call();
    CALLS.with(|calls| {
        let mut calls = calls.borrow_mut();
        calls.iter().position(|call| *call == (core, patience)).map(|place| calls.swap_remove(place))
    });
}

/// Looks at every core's word.
pub fn ledger() {
    simulation::look_on(look_at_words);
}

fn look_at_words() {
    SEEN.with(|seen| {
        let mut seen = seen.borrow_mut();
        for (id, record) in boot::peek().ledger.cores() {
            let now = (record.state, record.generation);
            match seen.get_mut(id.index()) {
                None => seen.push(now),
                Some(before) if *before != now => {
                    let changes = now.1.wrapping_sub(before.1);
                    note(|| format!("core {id}: {:?} -> {:?}", before.0, now.0));
                    // `domain::all` has no domains before they are made; nothing moves by then.
                    if !may_follow(before.0, now.0, changes, id.index()) {
                        violation(&format!("core {id} went from {:?} to {:?} in {changes} changes", before.0, now.0));
                    }
                    if party(before.0) != party(now.0) {
                        count_move();
                        count_in("moves", &format!("{} to {}", word(before.0), word(now.0)));
                    }
                    patience_is_kept(id.index(), before.0, now.0);
                    *before = now;
                }
                Some(_) => {}
            }
        }
    });
}

/// Microseconds.
const SLACK: u64 = 200;

/// Whether a context of that domain is on the core.
fn holds_any(core: usize, owner: DomainId) -> bool {
    let core = boot::peek().cores().get(core);
    let owners = |core: &&CoreLocal| {
        core.queue.entries().filter_map(|(_, id)| domain::context(id)).any(|context| context.domain.id == owner)
    };
    core.is_some_and(owners)
}

/// A core that its domain is still using is not taken before its time.
fn patience_is_kept(core: usize, from: CoreState, to: CoreState) {
    let time = simulation::now();
    ASKED.with(|asked| {
        let mut asked = asked.borrow_mut();
        match (from, to) {
            // Its last context left it before.
            (CoreState::Owned(owner), CoreState::Releasing(..)) if holds_any(core, owner) => {
                violation(&format!("core {core} is taken from contexts that nobody asked for it"));
            }
            (CoreState::Owned(_), CoreState::Asked(..)) => {
                // Of an order by line and a call at once nobody knows here which of them it was.
                let called =
                    CALLS.with(|calls| calls.borrow().iter().filter(|call| call.0 == core).map(|call| call.1).min());
                asked.insert(core, (time, called));
            }
            (CoreState::Asked(..), CoreState::Releasing(..)) => {
                let used = boot::peek().cores().get(core).is_some_and(|core| core.residents() > 0);
                let due = asked
                    .remove(&core)
                    .zip(orders::patience(core))
                    .map(|((since, called), ordered)| since + called.map_or(ordered, |called| called.min(ordered)));
                // When it was asked is seen a few steps late.
                let early = due.is_some_and(|due| time + SLACK < due);
                if used && early && !orders::was_refused(core) {
                    violation(&format!("core {core} was taken before its time, which is {due:?}"));
                }
            }
            _ => {}
        }
    });
}

fn word(state: CoreState) -> &'static str {
    match (state, party(state)) {
        (CoreState::Failed, _) => "failed",
        (_, Heir::Domain(_)) => "a domain",
        (_, Heir::Pool) => "the pool",
        (_, Heir::Off) => "off",
    }
}

/// What always holds.
pub fn at_every_turn() {
    ledger();
    teams::at_every_turn();
    if !simulation::steps().is_multiple_of(8) {
        return;
    }
    let kernel = boot::peek();
    for domain in domain::all() {
        let counts = domain.quota.counts();
        let has = |(_, record): &(CoreId, crate::ledger::CoreRecord)| guest::may_run(record.state, domain);
        let cores = kernel.ledger.cores().filter(has).count() as u32;
        let (min, max) = (domain.quota.min, domain.quota.max);
        if cores > max || u32::from(counts.owned) + u32::from(counts.coming) > max {
            violation(&format!("domain {} has more than {max} cores: {cores}, {counts:?}", domain.id.index()));
        }
        if u32::from(counts.granted) < min || u32::from(counts.granted) > max {
            violation(&format!("domain {} is granted too few or too many: {counts:?}", domain.id.index()));
        }
    }
}

/// A context is in its guest on this core.
pub fn guest_runs(core: &CoreLocal, context: &Context) {
    let state = boot::peek().ledger.read(core.id).map(|record| record.state);
    if !state.is_some_and(|state| may_be_at(state, context.domain, core.id)) {
        violation(&format!("{} runs on core {}, which is {state:?}", name(context), core.id));
    }
    if context.loaded_on() != Some(core.id.index()) || context.seat.now() != Some(core.id) {
        violation(&format!("{} runs on core {}, and is not there", name(context), core.id));
    }
    if !context.runs() {
        violation(&format!("{} runs, and is off", name(context)));
    }
    if context.domain.life.peek().phase == Phase::Ended {
        violation(&format!("{} runs, and its domain has ended", name(context)));
    }
}

/// Whether the domain may be on that core, which is in this state.
fn may_be_at(state: CoreState, domain: &Domain, core: CoreId) -> bool {
    // A core that becomes its lodger's is nobody's in between.
    matches!(state, CoreState::Releasing(_, Heir::Domain(heir)) if heir == domain.id && domain.member().is_some())
        || guest::may_run(state, domain)
        || teams::lodges_at(state, domain, core.index())
}

fn name(context: &Context) -> String {
    format!("domain {} context {}", context.domain.id.index(), context.index)
}

/// Whether a core is on its way somewhere: what it was asked for has not ended.
pub fn in_flight() -> bool {
    boot::peek().ledger.cores().any(|(id, record)| {
        let under_way = matches!(record.state, CoreState::Asked(..) | CoreState::Releasing(..) | CoreState::Waking(_));
        let to_be_found = teams::is_silent(id.index()) && record.state != CoreState::Failed;
        (under_way || to_be_found) && !teams::is_lost(id.index())
    }) || teams::in_flight().is_some()
}

/// Whether there is a core that nobody has.
pub fn free_core() -> bool {
    let free = |state| matches!(state, CoreState::Idle | CoreState::Off { held: false });
    boot::peek().ledger.cores().any(|(_, record)| free(record.state))
}

/// What holds while all cores wait and no core is on its way.
pub fn when_quiet() {
    let kernel = boot::peek();
    for core in kernel.cores() {
        sleeps_rightly(core);
    }
    domain::all().iter().for_each(|domain| domain_is_sound(domain));
    if let Some(domain) = domain::all().iter().find(|domain| domain.member().is_none() && waits_for_core(domain))
        && free_core()
        && domain.quota.counts().granted > 0
    {
        violation(&format!("domain {} waits for a core, and one is free", domain.id.index()));
    }
    orders::when_quiet();
}

/// Whether it would begin, or come to its end, on the next core that is free.
pub fn waits_for_core(domain: &Domain) -> bool {
    let phase = domain.life.peek().phase;
    matches!(phase, Phase::Loading | Phase::Stopping)
        && domain.contexts().iter().all(|context| context.seat.now().is_none())
}

/// It waits for nothing that has happened.
fn sleeps_rightly(core: &CoreLocal) {
    let state = boot::peek().ledger.read(core.id).map(|record| record.state);
    let power = simulation::with(core.id.index(), |hardware| hardware.firmware);
    if power == Some(Firmware::Silent) {
        return;
    }
    let off = matches!(state, Some(CoreState::Off { .. } | CoreState::Failed));
    let is_off = matches!(power, Some(Firmware::Off | Firmware::Lost));
    // One that is late has failed before it comes.
    let late = state == Some(CoreState::Failed) && matches!(power, Some(Firmware::Coming(_)));
    if off != is_off && !late {
        violation(&format!("core {} is {state:?}, and its power is {power:?}", core.id));
    }
    if off {
        if core.queue.attached() > 0 {
            violation(&format!("core {} is {state:?}, and holds a context", core.id));
        }
        return;
    }
    if !core.mailbox.is_empty() {
        violation(&format!("core {} sleeps over a message", core.id));
    }
    for (slot, id) in core.queue.entries() {
        let Some(context) = domain::context(id) else { continue };
        if context.seat.now() != Some(core.id) {
            violation(&format!("{} is on core {}, and its seat is {:?}", name(context), core.id, context.seat.now()));
        }
        let loaded = core.current().is_some_and(|(_, loaded)| std::ptr::eq(loaded, context) || loaded.is_struck());
        if core.queue.is_ready(slot) && !loaded {
            violation(&format!("{} could run on core {}, which sleeps", name(context), core.id));
        }
        if context.domain.vgic.is_pending(usize::from(context.index))
            && context.runs()
            && !context.is_interrupted()
            && !context.is_struck()
            && !teams::is_starved(context)
        {
            violation(&format!("{} sleeps over an interrupt", name(context)));
        }
        if !state.is_some_and(|state| may_be_at(state, context.domain, core.id)) {
            violation(&format!("{} is on core {}, which is {state:?}", name(context), core.id));
        }
    }
    let held = core.queue.entries().filter_map(|(_, id)| domain::context(id));
    let guards = held.into_iter().any(|context| context.domain.member().is_some());
    if guards && takeover::alarm(core) != 0 && core.alarm.load(Relaxed) == 0 {
        violation(&format!("core {} guards a group, and its timer is not due for that", core.id));
    }
}

fn domain_is_sound(domain: &Domain) {
    let kernel = boot::peek();
    let this = domain.id.index();
    let words = || kernel.ledger.cores().map(|(id, record)| (id, record.state));
    let own = |state: CoreState| state == CoreState::Owned(domain.id);
    let cores = words().filter(|(_, state)| own(*state)).count() as u16;
    let counts = domain.quota.counts();
    // A standby that lodges may get that core at any time.
    let coming = kernel
        .cores()
        .iter()
        .filter(|core| words().any(|(id, state)| id == core.id && teams::lodges_at(state, domain, id.index())))
        .count() as u16;
    let mut expected = QuotaCounts { owned: cores, coming, leaving: 0, granted: counts.granted };
    for (_, state) in words().filter(|(id, _)| teams::is_lost(id.index())) {
        if let CoreState::Asked(owner, heir) = state {
            let asked = u16::from(owner == domain.id);
            (expected.owned, expected.leaving) = (expected.owned + asked, asked + expected.leaving);
            expected.coming += u16::from(heir == Heir::Domain(domain.id));
        }
    }
    if counts != expected {
        violation(&format!("domain {this} is counted as {counts:?}, and owns {cores} cores"));
    }
    let attached = |id: CoreId| kernel.cores().get(id.index()).map_or(0, |core| core.residents());
    for context in domain.contexts() {
        let holds = |core: &&&CoreLocal| core.queue.entries().any(|(_, id)| id == context.id);
        let queues = kernel.cores().iter().filter(holds).count();
        let on = context.power.affinity_info();
        let right = match on {
            AffinityState::Off => {
                let runs = context.runs() && domain.life.peek().phase == Phase::Running;
                queues == 0 && context.seat.now().is_none() && !runs
            }
            AffinityState::On => queues == 1 && context.runs(),
            AffinityState::OnPending => {
                waits_for_core(domain) || teams::is_lost_in_part(domain) || teams::is_starved(context)
            }
        };
        if !right && domain.life.peek().phase != Phase::Ended {
            let (seat, runs) = (context.seat.now(), context.runs());
            violation(&format!("{} is {on:?}, in {queues} queues, seat {seat:?}, runs {runs}", name(context)));
        }
        if queues > 0 && domain.life.peek().phase == Phase::Ended {
            violation(&format!("{} is on a core, and its domain has ended", name(context)));
        }
    }
    let Some(placement) = domain.placement.peek() else {
        violation(&format!("domain {this}'s placement is locked"));
    };
    let spare = words().filter(|(id, state)| own(*state) && attached(*id) == 0).map(|(id, _)| id).collect();
    if placement.spare != spare {
        violation(&format!("domain {this}'s spare cores are {spare}, noted are {}", placement.spare));
    }
    let folded: usize = words().filter(|(_, state)| own(*state)).map(|(id, _)| attached(id).saturating_sub(1)).sum();
    if placement.folded != folded && !teams::is_lost_in_part(domain) {
        violation(&format!("domain {this} has {folded} folded contexts, noted are {}", placement.folded));
    }
    if folded > 0 && !spare.is_empty() && !teams::is_lost_in_part(domain) {
        violation(&format!("domain {this} has {folded} folded contexts, and spare cores {spare}"));
    }
    let now = domain.life.peek();
    let on = domain.contexts().iter().filter(|context| context.runs()).count();
    match now.phase {
        Phase::Ended if cores > 0 => violation(&format!("domain {this} has ended, and owns {cores} cores")),
        Phase::Stopping if !waits_for_core(domain) && !has_silent(domain) => {
            violation(&format!("domain {this} does not come to its end: {now:?}"))
        }
        Phase::Running if usize::from(now.members) != on && !domain.contexts().iter().any(teams::is_starved) => {
            violation(&format!("domain {this} has {on} contexts on, and counts {}", now.members));
        }
        _ => {}
    }
}

/// Whether one of its contexts is on a core that answers nobody.
fn has_silent(domain: &Domain) -> bool {
    let seats = domain.contexts().iter().filter_map(|context| context.seat.now());
    seats.into_iter().any(|id| teams::is_silent(id.index()))
}

/// What every core does, for people.
pub fn shown_cores() -> String {
    let shown = |core: &&'static CoreLocal| {
        let state = boot::peek().ledger.read(core.id).map(|record| record.state);
        let wait = simulation::with(core.id.index(), |hardware| hardware.wait);
        let loaded = core.current().map(|(slot, context)| {
            let (ready, interrupted) = (core.queue.is_ready(slot), context.is_interrupted());
            format!("{} ready={ready} interrupted={interrupted}", name(context))
        });
        let attached: Vec<_> = core.queue.entries().filter_map(|(_, id)| domain::context(id)).map(name).collect();
        let full = !core.mailbox.is_empty();
        let (alarm, errand) = (core.alarm.load(Relaxed), core.errand.alarm());
        let guards = core.guards.load(Relaxed);
        format!(
            "\n  core {}: {state:?}, waits {wait:?}, loaded {loaded:?}, holds {attached:?}, mail {full}, alarm {alarm}, \
             errand's {errand}, guards {guards:b}",
            core.id
        )
    };
    let cores: String = boot::peek().cores().iter().map(shown).collect();
    let guests = domain::all().iter().map(|domain| {
        let (this, high, target) = (domain.id.index(), domain.vgic.is_high(), domain.vgic.target());
        format!("\n  domain {this}: control high={high} target={target} {}", guest::shown(domain))
    });
    let teams = domain::teams().iter().map(|team| {
        let (now, spec) = (team.word.peek(), team.spec);
        format!("\n  group {}: {now:?}, heartbeat {} ms, start {} ms", team.index, spec.heartbeat_ms, spec.start_ms)
    });
    format!("{cores}{}{}", teams.collect::<String>(), guests.collect::<String>())
}
