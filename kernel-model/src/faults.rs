//! What goes wrong at each step of a move, and the end that it has to come to. Each fault is tried after so many turns
//! of the scheduler (`delay`), in a world of its own: from before the guest is asked to long after the core was given.
//!
//! Linux has three of the six cores, with a CPU on each; rt has one and may have three.

use crate::domain::{self, Domain};
use crate::guest::{self, Mood};
use crate::history::{self, violation};
use crate::ledger::CoreState;
use crate::life::Phase;
use crate::simulation::{self, Faults};
use crate::world::{Plan, Spec, World};
use crate::{boot, group_faults, orders};

/// What is done to a machine.
pub type Fault = fn(&mut Stand);

const FAULTS: [(&str, Fault); 25] = [
    ("guest-obeys", |stand| stand.moves(Mood::Obeys, "", &["done to=rt folded=0"])),
    ("guest-is-busy-first", |stand| stand.moves(Mood::Busy(2), " within 2000", &["done to=rt folded=0"])),
    ("guest-refuses", |stand| stand.moves(Mood::Refuses, "", &["done to=rt folded=1"])),
    ("guest-refuses-and-keeps", |stand| stand.moves(Mood::Refuses, " or give-up", &["failed reason=refused"])),
    ("guest-is-deaf", |stand| stand.moves(Mood::Deaf, "", &["done to=rt folded=1"])),
    ("guest-is-deaf-and-keeps", |stand| stand.moves(Mood::Deaf, " or give-up", &["failed reason=timeout"])),
    ("guest-hangs-in-its-answer", |stand| stand.moves(Mood::Hangs, "", &["done to=rt folded=1"])),
    ("guest-resets-in-its-answer", guest_resets),
    ("guest-resets-and-may-have-no-other", |stand| guest_resets_on_its_only(stand, "linux")),
    ("guest-resets-and-may-have-no-other-for-the-pool", |stand| guest_resets_on_its_only(stand, "pool")),
    ("guest-ends-in-its-answer", guest_ends),
    ("donor-is-stopped", donor_is_stopped),
    ("receiver-is-stopped", receiver_is_stopped),
    ("receiver-resets", receiver_resets),
    ("cancelled", cancelled),
    ("cancelled-and-ordered-again", |stand| cancelled_and_ordered_again(stand, "", "done to=rt folded=1")),
    ("cancelled-and-ordered-again-by-the-patient", |stand| {
        cancelled_and_ordered_again(stand, " or give-up", "failed reason=timeout");
    }),
    ("unused-core-is-ordered-away-as-its-domain-ends", unused_core_is_ordered_away),
    ("second-order", second_order),
    ("taken-from-the-receiver", taken_from_the_receiver),
    ("claimed-while-it-goes-off", claimed_while_it_goes_off),
    ("woken-while-it-goes-off", woken_while_it_goes_off),
    ("core-is-lost", |stand| stand.wakes(Faults { lost: ALWAYS, most: 1, ..Faults::default() })),
    ("core-comes-too-late", |stand| stand.wakes(Faults { late: ALWAYS, most: 1, ..Faults::default() })),
    ("firmware-refuses", |stand| stand.wakes(Faults { refused: ALWAYS, most: 1, ..Faults::default() })),
];

const ALWAYS: u32 = 1_000_000;
const LINUX: usize = 0;
const RT: usize = 1;

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    let in_groups = group_faults::FAULTS.iter().map(|(name, ..)| *name);
    FAULTS.iter().map(|(name, _)| *name).chain(in_groups)
}

/// Runs one; false: there is none of that name.
pub fn run(name: &str, delay: u64) -> bool {
    let alone = FAULTS.iter().find(|(known, _)| *known == name).map(|(_, fault)| (plan as fn() -> Plan, *fault));
    let in_groups = group_faults::FAULTS.iter().find(|(known, ..)| *known == name);
    let Some((plan, fault)) = alone.or(in_groups.map(|(_, plan, fault)| (*plan, *fault))) else { return false };
    let mut world = World::new(delay, plan());
    world.settle();
    let mut stand = Stand { world, delay };
    if alone.is_some() && (stand.on(LINUX), stand.on(RT)) != (3, 1) {
        violation("the guests did not switch their CPUs on");
    }
    fault(&mut stand);
    history::finish() // before the generators would be dropped, which needs unwinding
}

fn plan() -> Plan {
    let domains = vec![spec("linux", true, [1, 3, 4]), spec("rt", false, [1, 1, 3])];
    Plan { cores: 6, domains, governor: None, break_even: None, groups: vec![] }
}

/// A domain that begins anew after a fault.
pub fn spec(name: &str, board: bool, cores: [u32; 3]) -> Spec {
    Spec {
        name: name.to_owned(),
        board,
        cores,
        deadline: 50,
        takes_idle: false,
        manages: false,
        priority: 100,
        restarts: true,
    }
}

/// The domain with that number.
pub fn domain(index: usize) -> &'static Domain {
    match domain::all().get(index) {
        Some(domain) => domain,
        None => violation("there is no such domain"),
    }
}

/// A machine, and after how many turns something happens to it.
pub struct Stand {
    /// The machine.
    pub world: World,
    delay: u64,
}

impl Stand {
    /// So many of a domain's CPUs are on.
    pub fn on(&self, index: usize) -> usize {
        domain(index).contexts().iter().filter(|context| context.runs()).count()
    }

    /// The core of linux' last CPU.
    fn core(&self) -> usize {
        let seats = domain(LINUX).contexts().iter().rev().filter_map(|context| context.seat.now());
        seats.map(|core| core.index()).find(|core| *core != 0).unwrap_or_else(|| violation("linux has no core"))
    }

    fn state(&self, core: usize) -> CoreState {
        let mut words = boot::peek().ledger.cores();
        let found = words.find(|(id, _)| id.index() == core);
        found.map_or_else(|| violation("there is no such core"), |(_, record)| record.state)
    }

    /// Lets the turns pass.
    pub fn wait(&mut self) {
        (0..self.delay).for_each(|_| self.world.turn());
    }

    /// The only end of that order is one of these.
    pub fn expect(&self, order: u32, expected: &[&str]) -> String {
        let begin = format!("{order} ");
        let ends: Vec<String> = orders::ends().into_iter().filter(|end| end.starts_with(&begin)).collect();
        let fits = |end: &String| expected.iter().any(|expected| end.ends_with(expected));
        match ends.as_slice() {
            [end] if fits(end) => end.clone(),
            _ => violation(&format!("order {order} ended as {ends:?}, expected {expected:?}")),
        }
    }

    fn is(&self, core: usize, expected: impl Fn(CoreState) -> bool, what: &str) {
        let state = self.state(core);
        if !expected(state) {
            violation(&format!("core {core} is {state:?}, expected {what}"));
        }
    }

    fn is_of(&self, core: usize, owner: usize) {
        self.is(core, |state| state == CoreState::Owned(domain(owner).id), &format!("domain {owner}'s"));
    }

    fn owns(&self, index: usize, cores: usize) {
        let words = boot::peek().ledger.cores();
        let owned = words.filter(|(_, record)| record.state.owner() == Some(domain(index).id)).count();
        if owned != cores {
            violation(&format!("domain {index} owns {owned} cores, expected {cores}"));
        }
    }

    /// The last of linux' cores goes to rt, and that ends so.
    fn moves(&mut self, mood: Mood, patience: &str, expected: &[&str]) {
        let core = self.core();
        guest::set_mood(domain(LINUX), mood);
        let order = orders::give(&format!("move {core} linux rt{patience}"));
        self.world.settle();
        let end = self.expect(order, expected);
        let kept = end.contains("failed");
        self.is_of(core, if kept { LINUX } else { RT });
        self.owns(LINUX, if kept { 3 } else { 2 });
        self.owns(RT, if kept { 1 } else { 2 });
        let on = self.on(LINUX);
        let lost = usize::from(end.contains("folded=0"));
        if on != 3 - lost {
            violation(&format!("linux has {on} CPUs on after `{end}`"));
        }
    }

    /// A core is woken for rt, and does not come.
    fn wakes(&mut self, faults: Faults) {
        let core = 5;
        orders::give(&format!("off {core}"));
        self.world.settle();
        self.is(core, |state| state == CoreState::Off { held: true }, "off");
        simulation::set_faults(faults);
        let order = orders::give(&format!("move {core} pool rt"));
        self.world.settle();
        self.expect(order, &["failed reason=lost"]);
        self.is(core, |state| state == CoreState::Failed, "failed");
        self.owns(RT, 1);
        let granted = domain(RT).quota.counts().granted;
        if granted != 1 {
            violation(&format!("rt is granted {granted} cores, and got none"));
        }
        // What is left still works.
        self.moves(Mood::Obeys, "", &["done to=rt folded=0"]);
    }
}

fn guest_resets(stand: &mut Stand) {
    let core = stand.core();
    guest::set_mood(domain(LINUX), Mood::Resets);
    let order = orders::give(&format!("move {core} linux rt"));
    stand.world.settle();
    // Either the core went, or linux needed it to start again.
    let end = stand.expect(order, &["done to=rt folded=0", "failed reason=no-other-core"]);
    stand.is_of(core, if end.contains("done") { RT } else { LINUX });
    let now = domain(LINUX).life.peek();
    if now.phase != Phase::Running || now.boots != 2 {
        violation(&format!("linux did not start again: {now:?}"));
    }
}

/// rt has a second core by order, is asked for one of both, and resets: it starts with one, and that may be the core that
/// it was asked for.
fn guest_resets_on_its_only(stand: &mut Stand, to: &str) {
    let core = 5;
    orders::give(&format!("move {core} pool rt"));
    stand.world.settle();
    stand.is_of(core, RT);
    guest::set_mood(domain(RT), Mood::Resets);
    let order = orders::give(&format!("move {core} rt {to}"));
    stand.world.settle();
    let end = stand.expect(order, &[&format!("done to={to} folded=0"), "failed reason=no-other-core"]);
    let now = domain(RT).life.peek();
    if now.phase != Phase::Running || now.boots != 2 {
        violation(&format!("rt did not start again: {now:?}"));
    }
    if end.contains("failed") {
        stand.is_of(core, RT);
    }
}

fn guest_ends(stand: &mut Stand) {
    let core = stand.core();
    guest::set_mood(domain(LINUX), Mood::Ends);
    let order = orders::give(&format!("move {core} linux rt"));
    stand.world.settle();
    stand.expect(order, &["done to=rt folded=0"]);
    stand.is_of(core, RT);
    stand.owns(LINUX, 0);
}

fn donor_is_stopped(stand: &mut Stand) {
    let core = stand.core();
    guest::set_mood(domain(LINUX), Mood::Deaf);
    let order = orders::give(&format!("move {core} linux rt"));
    stand.wait();
    orders::give("stop linux");
    stand.world.settle();
    // The order came first: the core is rt's in any case.
    stand.expect(order, &["done to=rt folded=0", "done to=rt folded=1"]);
    stand.is_of(core, RT);
    stand.owns(LINUX, 0);
}

fn receiver_is_stopped(stand: &mut Stand) {
    let core = stand.core();
    let order = orders::give(&format!("move {core} linux rt"));
    stand.wait();
    orders::give("stop rt");
    stand.world.settle();
    stand.expect(order, &["done to=rt folded=0", "failed reason=receiver-stopped"]);
    stand.is(core, |state| state == CoreState::Idle, "the pool's");
    stand.owns(LINUX, 2);
    stand.owns(RT, 0);
}

fn receiver_resets(stand: &mut Stand) {
    let core = stand.core();
    let order = orders::give(&format!("move {core} linux rt"));
    guest::set_mood(domain(RT), Mood::Resets);
    stand.wait();
    stand.world.settle();
    // It resets when it hears of the core, which it has by then and gives back.
    stand.expect(order, &["done to=rt folded=0"]);
    let now = domain(RT).life.peek();
    if now.phase != Phase::Running || now.boots != 2 {
        violation(&format!("rt did not start again: {now:?}"));
    }
    stand.owns(LINUX, 2);
}

fn cancelled(stand: &mut Stand) {
    let core = stand.core();
    let order = orders::give(&format!("move {core} linux rt"));
    stand.wait();
    let second = orders::give(&format!("cancel {core}"));
    stand.world.settle();
    let end = stand.expect(order, &["done to=rt folded=0", "failed reason=cancelled"]);
    if end.contains("done") {
        // If the core is given up between the look at it and the cancelling, that is answered as if it had been in time.
        if orders::ends().iter().any(|end| end.starts_with(&format!("{second} "))) {
            stand
                .expect(second, &["refused core=1 reason=not-asked", &format!("refused core={core} reason=not-asked")]);
        }
        stand.is_of(core, RT);
        return;
    }
    // The guest may have begun to give it up all the same: then it is the pool's, and linux may take it back.
    let idle = stand.state(core) == CoreState::Idle;
    stand.owns(LINUX, if idle { 2 } else { 3 });
    stand.owns(RT, 1);
    let granted = domain(LINUX).quota.counts().granted;
    if granted != 3 {
        violation(&format!("linux is granted {granted} cores"));
    }
}

/// The core does not run for a while, perhaps as it finds that the first order's time is over; the second one leaves its
/// guest time.
fn cancelled_and_ordered_again(stand: &mut Stand, patience: &str, in_time: &str) {
    let core = stand.core();
    let first = orders::give(&format!("move {core} linux rt within 0{patience}"));
    stand.wait();
    simulation::starve(core, 500);
    orders::give(&format!("cancel {core}"));
    let second = orders::give(&format!("move {core} linux rt"));
    stand.world.settle();
    let end = stand.expect(first, &[in_time, "failed reason=cancelled"]);
    if !end.contains("done") {
        stand.expect(second, &["done to=rt folded=0"]);
    }
    stand.is_of(core, RT);
}

/// Who orders it does not run for a while, perhaps as it notes the order.
fn unused_core_is_ordered_away(stand: &mut Stand) {
    guest::set_mood(domain(RT), Mood::Deaf);
    orders::give("move 4-5 pool rt");
    stand.world.settle();
    stand.owns(RT, 3);
    guest::set_mood(domain(RT), Mood::Ends);
    orders::give("move 1 rt pool");
    let order = orders::give("move 5 rt linux");
    stand.wait();
    simulation::starve(0, 500);
    stand.world.settle();
    // Or it came too late, or after the domain had counted its cores anew.
    let late = ["reason=busy", "reason=not-owner", "reason=below-min"];
    stand.expect(order, &["done to=linux folded=0", late[0], late[1], late[2]]);
    stand.owns(RT, 0);
}

fn second_order(stand: &mut Stand) {
    let core = stand.core();
    let first = orders::give(&format!("move {core} linux rt"));
    stand.wait();
    let second = orders::give(&format!("move {core} linux pool within 0"));
    stand.world.settle();
    stand.expect(first, &["done to=rt folded=0"]);
    let (busy, over) = (format!("refused core={core} reason=busy"), format!("refused core={core} reason=not-owner"));
    stand.expect(second, &[&busy, &over]);
    stand.is_of(core, RT);
}

fn taken_from_the_receiver(stand: &mut Stand) {
    let core = stand.core();
    let first = orders::give(&format!("move {core} linux rt within 0"));
    stand.wait();
    let second = orders::give(&format!("move {core} rt off within 0"));
    stand.world.settle();
    stand.expect(first, &["done to=rt folded=1"]);
    let refused = ["busy", "not-owner"].map(|why| format!("refused core={core} reason={why}"));
    let end = stand.expect(second, &["done to=off folded=0", "done to=off folded=1", &refused[0], &refused[1]]);
    if end.contains("done") {
        stand.is(core, |state| state == CoreState::Off { held: true }, "off");
        stand.owns(RT, 1);
    } else {
        stand.is_of(core, RT);
    }
}

fn claimed_while_it_goes_off(stand: &mut Stand) {
    let core = 5;
    let first = orders::give(&format!("off {core}"));
    stand.wait();
    let second = orders::give(&format!("move {core} pool rt"));
    stand.world.settle();
    stand.expect(first, &["done to=off folded=0", "failed reason=busy"]);
    let second = stand.expect(second, &["done to=rt folded=0", "failed reason=busy"]);
    if second.contains("done") {
        stand.is_of(core, RT);
    } else {
        stand.is(core, |state| state == CoreState::Off { held: true }, "off");
    }
}

fn woken_while_it_goes_off(stand: &mut Stand) {
    let core = stand.core();
    let first = orders::give(&format!("off {core} within 0"));
    stand.wait();
    let second = orders::give(&format!("on {core}"));
    stand.world.settle();
    stand.expect(first, &["done to=off folded=1"]);
    let refused = ["busy", "not-owner"].map(|why| format!("refused core={core} reason={why}"));
    let end = stand.expect(second, &["done to=pool folded=0", "failed reason=busy", &refused[0], &refused[1]]);
    if end.contains("done") {
        stand.is(core, |state| state == CoreState::Idle, "the pool's");
    } else {
        stand.is(core, |state| state == CoreState::Off { held: true }, "off");
    }
}
