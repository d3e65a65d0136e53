//! Worlds, one after the other: their threads, their operator, and what is found when they rest.

use crate::random::Random;
use crate::specification::Broken;
use crate::world::{FAULTS, FLAWS, Fault, Flaw, TELLS, World};
use domains::ledger::{CoreState, Heir};
use domains::life::Phase;
use failover::group::State;
use hotplug::transfer;
use replicated_log::{Log, MemoryError};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::atomic::Ordering::{Relaxed, SeqCst};
use shuttle::thread;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

const USAGE: &str = "\
usage: failover-model faults COUNT SEED       worlds until so many faults were put into them; what came of them
       failover-model world SEED              one world
       failover-model flaw NAME COUNT SEED    the same with something left out, until that is noticed
       failover-model flaws                   their names";

/// Threads that run worlds.
const RUNNERS: u64 = 2;
/// Turns of a guard within which a group serves again after the last fault.
const RECOVERY: u64 = 5_000;
const MAX_STEPS: usize = 4_000_000;

std::thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

type Counts = BTreeMap<String, u64>;

pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let (seed, what) = (SEED.get(), panic.payload_as_str().unwrap_or_default());
        eprintln!("failover: BROKEN {what}");
        if let Some(place) = panic.location() {
            eprintln!("failover: at {}:{}; again: failover-model world {seed}", place.file(), place.line());
        }
        std::process::exit(1);
    }));
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<u64>().ok();
    match words.as_slice() {
        ["faults", count, seed] => {
            if let Some((count, seed)) = number(count).zip(number(seed)) {
                return report(&run(count, seed, None));
            }
        }
        ["world", seed] => {
            if let Some(seed) = number(seed) {
                TELLS.store(true, Relaxed);
                return report(&world(seed, None));
            }
        }
        ["flaw", name, count, seed] => {
            let flaw = FLAWS.iter().find(|(known, _)| known == name).map(|(_, flaw)| *flaw);
            if let (Some(flaw), Some(count), Some(seed)) = (flaw, number(count), number(seed)) {
                return report(&run(count, seed, Some(flaw)));
            }
        }
        ["flaws"] => {
            FLAWS.iter().for_each(|(name, _)| println!("{name}"));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn report(counts: &Counts) -> ExitCode {
    // A promise that is broken ends the process.
    for broken in ["split brain", "committed lost", "committed twice", "records skipped", "groups without service"] {
        println!("failover: {:>9}  {broken}", 0);
    }
    counts.iter().for_each(|(what, count)| println!("failover: {count:>9}  {what}"));
    ExitCode::SUCCESS
}

fn run(faults: u64, seed: u64, flaw: Option<Flaw>) -> Counts {
    let runner = move |first: u64| {
        let mut counts = Counts::new();
        let mut seed = seed.wrapping_add(first);
        while counts.get("faults").is_none_or(|count| *count < faults.div_ceil(RUNNERS)) {
            world(seed, flaw).into_iter().for_each(|(what, count)| *counts.entry(what).or_default() += count);
            seed = seed.wrapping_add(RUNNERS);
        }
        counts
    };
    let runners = (0..RUNNERS).map(|first| std::thread::spawn(move || runner(first)));
    let mut all = Counts::new();
    for runner in runners.collect::<Vec<_>>() {
        for (what, count) in runner.join().unwrap_or_default() {
            *all.entry(what).or_default() += count;
        }
    }
    all
}

/// Runs one world.
fn world(seed: u64, flaw: Option<Flaw>) -> Counts {
    SEED.set(seed);
    let mut config = shuttle::Config::new();
    config.stack_size = 0x2_0000;
    config.failure_persistence = shuttle::FailurePersistence::None;
    config.max_steps = shuttle::MaxSteps::FailAfter(MAX_STEPS);
    config.silence_warnings = true;
    let counts = Arc::new(Mutex::new(Counts::new()));
    let result = Arc::clone(&counts);
    let body = move || {
        let mut counts = live(seed, flaw);
        *counts.entry("worlds".to_owned()).or_default() += 1;
        *result.lock().unwrap() = counts;
    };
    if seed % 4 == 3 {
        shuttle::Runner::new(PctScheduler::new_from_seed(seed, 3, 1), config).run(body);
    } else {
        shuttle::Runner::new(RandomScheduler::new_from_seed(seed, 1), config).run(body);
    }
    let counts = counts.lock().unwrap();
    counts.clone()
}

fn live(seed: u64, flaw: Option<Flaw>) -> Counts {
    let world = Arc::new(World::new(seed, flaw));
    let again = |run: Box<dyn Fn(&World) + Send>| {
        let world = Arc::clone(&world);
        thread::spawn(move || {
            while !world.over.load(SeqCst) {
                run(&world);
                thread::yield_now();
            }
        })
    };
    let mut threads = Vec::new();
    for core in 0..world.cores.len() {
        threads.push(again(Box::new(move |world| world.turn(&world.cores[core]))));
    }
    for guard in 0..2 {
        threads.push(again(Box::new(move |world| {
            if guard == 0 {
                let time = world.clock.fetch_add(1, SeqCst);
                world.time.store(time + 1, Relaxed);
            }
            world.watch();
        })));
    }
    operate(&world, seed);
    world.over.store(true, SeqCst);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    check(&world);
    world.counts()
}

fn wait(world: &World, until: impl Fn() -> bool, turns: u64) -> bool {
    let end = world.now() + turns;
    while world.now() < end {
        if until() {
            return true;
        }
        thread::yield_now();
    }
    false
}

fn demand(world: &World, until: impl Fn() -> bool, else_what: &str) {
    if !wait(world, until, RECOVERY) {
        // Here, as others may go on while it is looked at, which they must not do amid a panic.
        let all = format!("{world:?}");
        panic!("{else_what}: {all}");
    }
}

/// Faults and orders, and a look whether the group serves after them.
fn operate(world: &World, seed: u64) {
    let mut random = Random::new(!seed);
    for _ in 0..5 + random.below(6) {
        // Often on the heels of the last one.
        let pause = if random.percent(45) { random.below(4) } else { random.below(90) };
        wait(world, || false, pause as u64);
        if random.percent(25) {
            // Amid a takeover.
            wait(world, || world.group.now().stops(world.group.now().primary), 100);
        }
        let fault = random.pick(&FAULTS).unwrap();
        let now = world.group.now();
        let primary = random.percent(60);
        let victim = if primary { usize::from(now.primary) } else { random.below(world.members) };
        let victim = &world.domains[victim];
        let later = random.percent(20);
        world.count("faults");
        world.count(format!("faults: {fault:?}{}", if later { " on promotion" } else { "" }));
        world.tell(|| format!("{fault:?} later={later} for {}", victim.index));
        if later {
            victim.on_promotion.store(fault as u8, SeqCst);
        } else if fault == Fault::Order || victim.life.now().phase == Phase::Running {
            world.inject(victim, fault as u8);
        } else {
            world.count("faults of what did not run");
        }
        if random.percent(30) {
            order_core(world, &mut random);
        }
        if random.percent(40) {
            world.cores.iter().for_each(|core| core.silent.store(false, SeqCst));
            world.cores.iter().for_each(|core| core.slow.store(false, SeqCst));
        }
    }
    world.members().iter().for_each(|member| member.on_promotion.store(0, SeqCst));
    let last = world.specification.lock().unwrap().last();
    let serves = || {
        let goes_on = world.specification.lock().unwrap().last() >= last + 2;
        world.has_ended() || goes_on && world.group.now().state == State::Serving
    };
    demand(world, serves, "no service");
    if world.has_ended() {
        // All its members end with it.
        let ended = || world.members().iter().all(|member| member.life.now().phase == Phase::Ended);
        demand(world, ended, "a member outlives its group");
        world.count("groups that ended, with all members");
    } else {
        world.count("groups that served in the end");
    }
}

/// Orders some core of some domain away.
fn order_core(world: &World, random: &mut Random) {
    let core = world.cores[random.below(world.cores.len())].id;
    let heir = world.domains[random.below(world.domains.len())].id;
    let heir = if random.percent(40) { Heir::Pool } else { Heir::Domain(heir) };
    let Some(owner) = world.state(core).owner().filter(|owner| heir != Heir::Domain(*owner)) else { return };
    let ordered = {
        let _seats = world.domains[owner.index()].seats.lock().unwrap();
        transfer::ask(&world.ledger(), world, core, owner, heir)
    };
    world.count(if ordered.is_ok() { "orders for cores" } else { "orders for cores, refused" });
    if usize::from(owner.index() as u8) >= world.members && ordered.is_ok() {
        // It has no contexts: the core leaves by itself.
        world.count("orders for cores of the other domain");
    }
}

/// What has to fit together when nobody is on his way any more.
fn check(world: &World) {
    for domain in &world.domains {
        let states = || world.cores.iter().map(|core| world.state(core.id));
        let owned = states().filter(|state| state.owner() == Some(domain.id)).count();
        let asked = |state: &CoreState| matches!(state, CoreState::Asked(owner, _) if *owner == domain.id);
        let comes = |state: &CoreState| matches!(state, CoreState::Asked(_, heir) if *heir == Heir::Domain(domain.id));
        let counts = domain.quota.counts();
        let found = [owned, states().filter(asked).count(), states().filter(comes).count()];
        let counted = [counts.owned, counts.leaving, counts.coming].map(usize::from);
        assert_eq!(found, counted, "quota of {}: {:?}", domain.index, states().collect::<Vec<_>>());
        let life = domain.life.now();
        let seats = domain.seats.lock().unwrap();
        let seated: Vec<_> = seats.iter().filter_map(|seat| seat.core).collect();
        assert!(seated.iter().all(|core| world.state(*core).owner() == Some(domain.id)), "{seated:?} are others'");
        assert!(life.phase != Phase::Ended || owned + seated.len() == 0, "{} has ended and owns cores", domain.index);
    }
    let now = world.group.now();
    assert_eq!(now.ready >> now.primary & 1, 0, "{now:?}");
    for member in world.members() {
        let runs = member.life.now().phase == Phase::Running;
        let may = member.may_write.load(SeqCst);
        assert!(!may || !runs || member.index == now.primary, "SplitBrain: standby {} may write", member.index);
        let waits = member.waits.load(SeqCst) && matches!(now.state, State::Serving | State::Over);
        assert!(!waits, "{} is forgotten", member.index);
    }
    check_log(world);
}

/// The log as who looks into it in the end finds it.
fn check_log(world: &World) {
    struct Region(Vec<u64>);
    impl replicated_log::Memory for Region {
        fn words(&self) -> u64 {
            self.0.len() as u64
        }
        fn load(&self, at: u64, words: &mut [u64]) -> Result<(), MemoryError> {
            words.copy_from_slice(self.0.get(at as usize..at as usize + words.len()).ok_or(MemoryError)?);
            Ok(())
        }
        fn store(&mut self, _at: u64, _words: &[u64]) -> Result<(), MemoryError> {
            Err(MemoryError)
        }
        fn barrier(&self) {}
    }
    let specification = world.specification.lock().unwrap().clone();
    let mut records = Vec::new();
    if let Ok(log) = Log::open(Region(world.region.lock().unwrap().clone())) {
        let from = log.first_kept().unwrap();
        let payload = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        let committed = log.catch_up(from, |record| {
            records.push((record.sequence, record.epoch, payload(record.payload())));
        });
        committed.unwrap();
    }
    if let Err(broken) = specification.find(&records) {
        world.broken(broken, &format!("{records:?} were found"));
    }
    if specification.last() == 0 && !world.has_ended() {
        world.broken(Broken::Gap, "nothing was committed");
    }
    world.add("records committed", specification.last());
}
