//! Faults of groups that once went wrong, each tried after so many turns of the scheduler, as in [`faults`](crate::faults).

use crate::domain::Domain;
use crate::faults::{self, Fault, Stand};
use crate::group::State;
use crate::history::violation;
use crate::life::Phase;
use crate::world::{GroupPlan, Plan};
use crate::{boot, domain, orders, simulation};
use core::sync::atomic::Ordering::Relaxed;
use domains::manifest::InjectedFault;

/// A fault: its name, on what machine, and what is done.
type Case = (&'static str, fn() -> Plan, Fault);

/// All of them.
pub const FAULTS: [Case; 16] = [
    ("asked-core-falls-silent", || plan(&[("pair", 2, 1, 2)]), asked_core_falls_silent),
    ("who-stops-it-guards-another-group", who_stops_it_is_in_a_group, who_stops_it_guards_another_group),
    ("new-primary-fails-as-it-inherits", || plan(&[("trio", 3, 0, 2)]), new_primary_fails_as_it_inherits),
    ("new-primary-restarts-as-it-inherits", || plan(&[("pair", 2, 1, 3)]), new_primary_restarts_as_it_inherits),
    ("kept-core-is-ordered-away", || plan(&[("pair", 2, 1, 3)]), kept_core_is_ordered_away),
    ("new-primary-falls-silent-at-once", || plan(&[("pair", 2, 0, 1)]), new_primary_falls_silent_at_once),
    ("primary-falls-silent-as-it-begins-anew", begins_anew, primary_falls_silent_as_it_begins_anew),
    ("core-falls-silent-before-it-loads", shares_its_core, core_falls_silent_before_it_loads),
    ("guard-is-ordered-off", || plan(&[("pair", 2, 0, 2)]), guard_is_ordered_off),
    ("further-contexts-share-a-core", || plan(&[("pair", 2, 0, 4)]), further_contexts_share_a_core),
    ("lodger-gets-cores-of-its-own", || plan(&[("pair", 2, 0, 4)]), lodger_gets_cores_of_its_own),
    ("hung-primary-has-a-timer", hangs_unheard, hung_primary_has_a_timer),
    ("group-ends-as-standby-looks-for-lodging", ends_with_its_primary, group_ends_as_standby_looks_for_lodging),
    ("all-cores-stand-still", || plan(&[("pair", 2, 1, 1), ("duo", 2, 0, 2)]), all_cores_stand_still),
    ("primarys-core-stands-still", || plan(&[("pair", 2, 1, 1)]), first_core_stands_still),
    ("one-core-of-two-stands-still", || plan(&[("pair", 2, 0, 2)]), first_core_stands_still),
];

/// A domain alone, which has the first core, and groups: members, cores of a standby, and of the primary.
fn plan(groups: &[(&str, usize, u32, u32)]) -> Plan {
    let mut plan = Plan { cores: 8, domains: vec![], governor: None, break_even: None, groups: vec![] };
    plan.domains.push(faults::spec("linux", true, [1, 1, 1]));
    for (name, count, standby_cores, cores) in groups {
        let members: Vec<String> = (0..*count).map(|index| format!("{name}-{index}")).collect();
        plan.domains.extend(members.iter().map(|name| faults::spec(name, false, [0, *cores, *cores])));
        plan.groups.push(GroupPlan {
            name: (*name).to_owned(),
            members,
            times: [10, 200, 0],
            standby_cores: *standby_cores,
            restarts: [20, 100],
            on: vec![],
        });
    }
    plan
}

/// The core that hears orders is the first group's primary's.
fn who_stops_it_is_in_a_group() -> Plan {
    let mut plan = plan(&[("pair", 2, 1, 1), ("solo", 2, 0, 1)]);
    plan.domains.remove(0);
    plan
}

/// Nobody cares for heartbeats, and the primary goes before its standby.
fn hangs_unheard() -> Plan {
    let mut plan = plan(&[("pair", 2, 0, 1)]);
    plan.domains.iter_mut().filter(|spec| spec.name == "pair-0").for_each(|spec| spec.priority = 150);
    let ignored = ("on-heartbeat", ["ignore", "ignore", "take-over"]);
    plan.groups.iter_mut().for_each(|group| group.on.push(ignored));
    plan
}

/// Nobody takes over, and the standby has a core beside the one that it lodges on.
fn ends_with_its_primary() -> Plan {
    let mut plan = plan(&[("pair", 2, 0, 2)]);
    plan.groups.iter_mut().for_each(|group| group.on.push(("on-fault", ["stop", "restart", "stop"])));
    plan
}

/// Its standby lodges on its only core, and it begins anew there itself.
fn shares_its_core() -> Plan {
    let mut plan = plan(&[("pair", 2, 0, 1)]);
    plan.groups.iter_mut().for_each(|group| group.on.push(("on-fault", ["restart", "restart", "restart"])));
    plan
}

/// Its standby ends, so its cores stop with it, and one of them goes on.
fn begins_anew() -> Plan {
    let mut plan = plan(&[("pair", 2, 1, 3)]);
    plan.groups.iter_mut().for_each(|group| group.on.push(("on-fault", ["take-over", "stop", "restart"])));
    plan
}

/// Its order is answered although the core is not there any more.
fn asked_core_falls_silent(stand: &mut Stand) {
    let Some(core) = faults::domain(1).contexts().first().and_then(|context| context.seat.now()) else {
        violation("the primary is nowhere");
    };
    orders::give("fail pair-0 silent");
    stand.wait();
    let order = orders::give(&format!("move {core} pair-0 pool"));
    stand.world.settle();
    // Quotas are looked at before the core's word: the domain may have one core less by then.
    let refused = ["failed-core", "not-owner", "below-min"].map(|why| format!("refused core={core} reason={why}"));
    let [failed, other, last] = refused.each_ref().map(String::as_str);
    stand.expect(order, &["done to=pool folded=1", "failed reason=failed-core", failed, other, last]);
}

/// The primary's only core falls silent, so nobody else is there to find that it never stops.
fn who_stops_it_guards_another_group(stand: &mut Stand) {
    orders::give("fail solo-0 silent");
    stand.wait();
    orders::give("fail solo-0 reset");
    stand.world.settle();
}

/// Another standby lodges on one of the cores that the new primary is to get, and does not as it stops.
fn new_primary_fails_as_it_inherits(stand: &mut Stand) {
    if stand.on(1) != 2 {
        violation("the primary did not switch its CPUs on");
    }
    orders::give("fail trio-0 crash");
    stand.wait();
    orders::give("fail trio-1 crash");
    stand.world.settle();
}

/// It is to begin anew while cores that it gets no more count as on their way to it.
fn new_primary_restarts_as_it_inherits(stand: &mut Stand) {
    orders::give("fail pair-0 crash");
    stand.wait();
    orders::give("fail pair-1 crash");
    stand.world.settle();
}

/// A core of the primary's that stopped is looked at whether it stays, and is ordered to go off just then.
fn kept_core_is_ordered_away(stand: &mut Stand) {
    let Some(core) = faults::domain(1).seats().min() else { violation("the primary is nowhere") };
    stand.wait();
    orders::give("fail pair-0 crash");
    orders::give(&format!("move {core} pair-0 off"));
    stand.world.settle();
}

/// Its core is the group's only one, as the old primary waits to begin anew until it serves.
fn new_primary_falls_silent_at_once(stand: &mut Stand) {
    orders::give("fail pair-1 silent on promotion");
    stand.wait();
    orders::give("fail pair-0 crash");
    stand.world.settle();
    if !domain::teams().iter().all(|team| team.word.peek().state == State::Serving) {
        violation("nobody serves, and one member is well");
    }
}

/// Those that look after the group meanwhile find no deadline before it has begun.
fn primary_falls_silent_as_it_begins_anew(stand: &mut Stand) {
    orders::give("fail pair-1 crash");
    stand.world.settle();
    orders::give("fail pair-0 mute");
    let primary = faults::domain(1);
    while primary.life.peek().phase != Phase::Stopping {
        stand.world.turn();
    }
    stand.wait();
    fall_silent(primary);
    stand.world.settle();
}

/// The core does when it comes to the standby, perhaps before it has come to the primary that it is to load.
fn core_falls_silent_before_it_loads(stand: &mut Stand) {
    orders::give("fail pair-0 crash");
    stand.wait();
    fall_silent(faults::domain(2));
    stand.world.settle();
}

/// The core of its first context does, as soon as that is to run.
fn fall_silent(domain: &Domain) {
    if let Some(first) = domain.contexts().first() {
        first.fault.store(InjectedFault::Silent as u32, Relaxed);
    }
}

/// It was the primary's other core, which has stopped and waits for the one that fell silent.
fn guard_is_ordered_off(stand: &mut Stand) {
    let Some(core) = faults::domain(1).seats().max() else { violation("the primary is nowhere") };
    orders::give("fail pair-0 silent");
    while faults::domain(1).life.peek().phase != Phase::Stopping {
        stand.world.turn();
    }
    stand.wait();
    orders::give(&format!("off {core} within 0"));
    stand.world.settle();
}

/// Each core is looked at once, however many contexts are on it.
fn further_contexts_share_a_core(stand: &mut Stand) {
    for core in [2, 3] {
        orders::give(&format!("fold {core}"));
        stand.wait();
        stand.world.settle();
    }
    let epochs: Vec<u32> = domain::teams().iter().map(|team| team.word.peek().epoch).collect();
    if epochs != [1] {
        violation(&format!("nobody failed, and the group's epoch is {epochs:?}"));
    }
}

/// It stays where it lodges, although its host's contexts crowd there, and its own elsewhere.
fn lodger_gets_cores_of_its_own(stand: &mut Stand) {
    for order in ["fold 2", "fold 3", "fold 4", "move 5 pool pair-1", "move 6 pool pair-1", "fold 6"] {
        orders::give(order);
        stand.world.settle();
    }
    let order = orders::give("move 7 pool pair-1");
    stand.wait();
    stand.world.settle();
    stand.expect(order, &["done to=pair-1 folded=0"]);
    let seat = faults::domain(2).contexts().first().and_then(|context| context.seat.now());
    if seat.is_none_or(|seat| seat.index() != 1) || stand.on(2) != 3 {
        violation(&format!("the standby's first context is on {seat:?}, {} are on", stand.on(2)));
    }
}

/// It is never run again, so EL2's timer is not to stand in for the one that it had set.
fn hung_primary_has_a_timer(stand: &mut Stand) {
    orders::give("fail pair-0 hang");
    stand.wait();
    orders::give("fail pair-1 livelock");
    stand.world.settle();
}

/// Its primary stops while it begins anew, and it learns that by itself or is told.
fn group_ends_as_standby_looks_for_lodging(stand: &mut Stand) {
    orders::give("move 3 pool pair-1");
    stand.world.settle();
    orders::give("fail pair-1 crash");
    stand.wait();
    orders::give("fail pair-0 crash");
    stand.world.settle();
}

/// The host gives the machine no time for two deadlines and a half: nobody knows by that whether a guest is well.
fn all_cores_stand_still(stand: &mut Stand) {
    stand.wait();
    (0..boot::peek().cores().len()).for_each(|core| simulation::starve(core, 25_000));
    nobody_failed(stand);
}

/// A core on which a primary beats has no time for more than a deadline; all others have.
fn first_core_stands_still(stand: &mut Stand) {
    let Some(core) = faults::domain(1).contexts().first().and_then(|context| context.seat.now()) else {
        violation("the primary is nowhere");
    };
    stand.wait();
    simulation::starve(core.index(), 11_000);
    nobody_failed(stand);
}

fn nobody_failed(stand: &mut Stand) {
    let lives = || domain::all().iter().map(|domain| domain.life.peek().boots).collect::<Vec<_>>();
    let (end, before) = (simulation::now() + 100_000, lives());
    while simulation::now() < end {
        stand.world.turn();
        if lives() != before || domain::teams().iter().any(|team| team.word.peek().epoch != 1) {
            violation("nobody failed, and a member begins anew");
        }
    }
    stand.world.settle();
}
