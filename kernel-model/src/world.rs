//! A world: a machine with domains that are drawn from a seed, and what happens in it.

use crate::check;
use crate::domain;
use crate::guest::{self, Mood};
use crate::history::{self, violation};
use crate::random::Random;
use crate::simulation::{self, Faults, Machine, Turn};
use crate::{boot, orders, service, teams};
use vm_fdt::{Error, FdtWriter};

/// One domain of the manifest.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Whether it has the board's devices.
    pub board: bool,
    /// Cores: min, start, max.
    pub cores: [u32; 3],
    /// Milliseconds.
    pub deadline: u32,
    /// Rights.
    pub takes_idle: bool,
    /// Rights.
    pub manages: bool,
    /// Of its contexts.
    pub priority: u32,
    /// Starts again after a fault.
    pub restarts: bool,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Cores.
    pub cores: usize,
    /// Domains.
    pub domains: Vec<Spec>,
    /// Milliseconds, if there is a governor.
    pub governor: Option<u32>,
    /// Microseconds, if idle cores go off.
    pub break_even: Option<u32>,
    /// Groups of them.
    pub groups: Vec<GroupPlan>,
}

/// One group of the manifest.
#[derive(Clone, Debug)]
pub struct GroupPlan {
    /// Its name.
    pub name: String,
    /// Its members' names.
    pub members: Vec<String>,
    /// Milliseconds: of a heartbeat, of a start, and without an exit.
    pub times: [u32; 3],
    /// Cores of a standby.
    pub standby_cores: u32,
    /// Restarts, and milliseconds.
    pub restarts: [u32; 2],
    /// What follows each error, where that is not the default.
    pub on: Vec<(&'static str, [&'static str; 3])>,
}

impl GroupPlan {
    fn random(random: &mut Random, name: &str, members: Vec<String>) -> Self {
        const ERRORS: [&str; 6] = ["on-heartbeat", "on-stall", "on-reset", "on-fault", "on-silent", "on-order"];
        let mut on = Vec::new();
        for error in ERRORS {
            if random.percent(60) {
                continue;
            }
            let forced = matches!(error, "on-reset" | "on-fault" | "on-silent" | "on-order");
            let mut of = |standby: bool, promoted: bool| loop {
                let action = ["ignore", "restart", "take-over", "take-over", "stop"][random.below(5)];
                let refused = match action {
                    "ignore" => forced || promoted,
                    "restart" => error == "on-silent",
                    "take-over" => standby,
                    // It would soon be over.
                    _ => !standby && random.percent(80),
                };
                if !refused {
                    return action;
                }
            };
            on.push((error, [of(false, false), of(true, false), of(false, true)]));
        }
        Self {
            name: name.to_owned(),
            members,
            times: [[10, 30, 100][random.below(3)], [200, 1000, 5000][random.below(3)], [0, 0, 150][random.below(3)]],
            standby_cores: random.below(2) as u32,
            restarts: [[1, 3, 20, 1000][random.below(4)], [100, 1000, 10_000][random.below(3)]],
            on,
        }
    }
}

impl Plan {
    fn random(random: &mut Random, cores: usize) -> Self {
        let count = 4 + random.below(2).min(cores.saturating_sub(4));
        let mut left = cores - count;
        let domains = (0..count).map(|index| {
            let start = 1 + random.below(left.min(3) + 1);
            left -= start - 1;
            let max = start + random.below(4);
            let min = random.below(start + 1);
            Spec {
                name: ["linux", "rt", "web", "db", "log", "ui"][index].to_owned(),
                board: random.percent(50),
                cores: [min as u32, start as u32, max as u32],
                deadline: [0, 5, 50, 500][random.below(4)],
                takes_idle: random.percent(30),
                manages: random.percent(25),
                priority: [50, 100, 100, 150][random.below(4)],
                restarts: random.percent(80),
            }
        });
        let domains = domains.collect();
        let governor = random.percent(50).then(|| [5, 20, 100][random.below(3)]);
        let break_even = random.percent(60).then(|| [50, 500, 5000][random.below(3)]);
        Self { cores, domains, governor, break_even, groups: Vec::new() }
    }

    /// The same with groups.
    fn random_with_groups(random: &mut Random, cores: usize) -> Self {
        let mut left = cores;
        let mut plan = Self { cores, domains: Vec::new(), governor: None, break_even: None, groups: Vec::new() };
        for name in ["pair", "trio"].iter().take(1 + random.below(2)) {
            let count = 2 + random.below(2);
            let members: Vec<String> = (0..count).map(|index| format!("{name}-{index}")).collect();
            let group = GroupPlan::random(random, name, members.clone());
            // At least a core for the domain beside them.
            let standbys = group.standby_cores as usize * (count - 1);
            if left < standbys + 2 {
                break;
            }
            let start = 1 + random.below((left - standbys - 1).min(3));
            left -= standbys + start;
            for (index, name) in members.into_iter().enumerate() {
                let start = if index == 0 { start } else { 1 + random.below(3) };
                let min = random.below(group.standby_cores as usize + 1);
                let max = start + random.below(3);
                plan.domains.push(Spec {
                    name,
                    board: random.percent(40),
                    cores: [min as u32, start as u32, max as u32],
                    deadline: [0, 5, 50][random.below(3)],
                    takes_idle: random.percent(30),
                    manages: false,
                    priority: [50, 100, 100, 150][random.below(4)],
                    restarts: false,
                });
            }
            plan.groups.push(group);
        }
        let others = if plan.groups.is_empty() { 2 } else { 1 + random.below(2) }.min(left);
        for name in ["linux", "rt"].iter().take(others) {
            plan.domains.push(Spec {
                name: (*name).to_owned(),
                board: random.percent(50),
                cores: [random.below(2) as u32, 1, 1 + random.below(3) as u32],
                deadline: [0, 5, 50][random.below(3)],
                takes_idle: random.percent(30),
                manages: random.percent(25),
                priority: 100,
                restarts: true,
            });
        }
        plan.governor = random.percent(40).then(|| [5, 20, 100][random.below(3)]);
        plan.break_even = random.percent(60).then(|| [50, 500, 5000][random.below(3)]);
        plan
    }

    fn manifest(&self) -> Result<Vec<u8>, Error> {
        let mut tree = FdtWriter::new()?;
        let root = tree.begin_node("")?;
        tree.property_string("compatible", crate::manifest::COMPATIBLE)?;
        let all = tree.begin_node("domains")?;
        for (index, spec) in self.domains.iter().enumerate() {
            let node = tree.begin_node(&spec.name)?;
            let action = if spec.restarts { "restart" } else { "stop" };
            let board = if spec.board { "virt" } else { "none" };
            for (key, value) in
                [("board", board), ("image", "image"), ("format", "raw"), ("on-fault", action), ("end", "running")]
            {
                tree.property_string(key, value)?;
            }
            tree.property_u64("memory-base", 0x4000_0000)?;
            tree.property_u64("memory-size", 0x20_0000 * (index as u64 + 1))?;
            for (key, value) in ["cores-min", "cores-start", "cores-max"].into_iter().zip(spec.cores) {
                tree.property_u32(key, value)?;
            }
            let rights = [("takes-idle", spec.takes_idle), ("manages-cores", spec.manages)];
            for (key, value) in rights {
                tree.property_u32(key, u32::from(value))?;
            }
            tree.property_u32("cores-deadline-ms", spec.deadline)?;
            tree.property_u32("priority", spec.priority)?;
            tree.property_u32("restarts-max", u32::MAX)?;
            tree.end_node(node)?;
        }
        tree.end_node(all)?;
        if !self.groups.is_empty() {
            let all = tree.begin_node("groups")?;
            for group in &self.groups {
                let node = tree.begin_node(&group.name)?;
                tree.property_string_list("members", group.members.clone())?;
                for (key, value) in ["heartbeat-ms", "start-ms", "progress-ms"].into_iter().zip(group.times) {
                    tree.property_u32(key, value)?;
                }
                for (key, value) in ["restarts-max", "restarts-within-ms"].into_iter().zip(group.restarts) {
                    tree.property_u32(key, value)?;
                }
                tree.property_u32("standby-cores", group.standby_cores)?;
                tree.property_u64("region-size", 0x20_0000)?;
                for (key, actions) in &group.on {
                    tree.property_string_list(key, actions.map(str::to_owned).to_vec())?;
                }
                tree.end_node(node)?;
            }
            tree.end_node(all)?;
        }
        if let Some(period) = self.governor {
            let node = tree.begin_node("governor")?;
            tree.property_u32("period-ms", period)?;
            tree.property_u32("hold", 2)?;
            tree.end_node(node)?;
        }
        if let Some(break_even) = self.break_even {
            let node = tree.begin_node("power")?;
            tree.property_u32("break-even-us", break_even)?;
            tree.end_node(node)?;
        }
        tree.end_node(root)?;
        tree.finish()
    }
}

/// Files in the format "newc".
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files.iter().chain(&[("TRAILER!!!", [].as_slice())]) {
        let mut fields = [0; 13];
        (fields[6], fields[11]) = (content.len(), name.len() + 1);
        bytes.extend(b"070701");
        fields.iter().for_each(|field| bytes.extend(format!("{field:08x}").bytes()));
        for part in [format!("{name}\0").as_bytes(), content] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
    }
    bytes
}

/// A machine that runs.
pub struct World {
    machine: Machine,
}

/// So many turns without all cores waiting are too many.
const TURNS: u64 = 300_000;
/// So much later, in microseconds, everything that was ordered is over.
const PATIENCE: u64 = 30_000_000;

impl World {
    /// A machine whose cores are up and have not begun yet.
    pub fn new(seed: u64, plan: Plan) -> Self {
        let Ok(manifest) = plan.manifest() else { violation("the manifest cannot be written") };
        orders::listen();
        let machine = Machine::new(seed, plan.cores);
        boot::make(plan.cores, archive(&[("manifest.dtb", &manifest), ("image", b"nothing")]));
        history::note(|| format!("{plan:?}"));
        Self { machine }
    }

    /// Lets cores go on until all wait.
    fn run_until_quiet(&mut self) {
        for _ in 0..TURNS {
            if self.machine.turn() == Turn::Quiet {
                return;
            }
        }
        violation(&format!("the cores do not come to rest: {}", check::shown_cores()));
    }

    /// One turn; the clock jumps when all wait.
    pub fn turn(&mut self) {
        if self.machine.turn() == Turn::Quiet
            && let Some(due) = self.machine.due()
        {
            self.machine.jump(due);
        }
    }

    /// Lets time pass until nothing is under way, and checks that all is as it has to be.
    pub fn settle(&mut self) {
        guest::set_active(false);
        let begin = simulation::now();
        // What the governor and idle cores do may follow from one another for a while.
        let mut calm = 0;
        loop {
            self.run_until_quiet();
            if teams::is_silent_first() {
                return; // it hears the orders
            }
            calm = if check::in_flight() { 0 } else { calm + 1 };
            let goes_on = calm < 20 && simulation::now() <= begin + PATIENCE;
            // The last moment that was found calm is the one that is checked: in the next one something may begin.
            let Some(due) = self.machine.due().filter(|_| goes_on) else { break };
            self.machine.jump(due);
        }
        if check::in_flight() {
            let what = teams::in_flight().unwrap_or("a core is still on its way".to_owned());
            violation(&format!("{what}, long after everything was ordered{}", check::shown_cores()));
        }
        check::when_quiet();
        history::count("quiet moments checked");
    }
}

/// A random world, until so many cores moved.
pub fn random(seed: u64, cores: usize, moves: u64) -> ! {
    let mut draw = Random::new(seed);
    let least = 4.min(cores);
    let cores = least + draw.below(cores - least + 1);
    let plan = Plan::random(&mut draw, cores);
    let names: Vec<String> = plan.domains.iter().map(|spec| spec.name.clone()).collect();
    let mut world = World::new(draw.next(), plan);
    world.settle();
    if draw.percent(30) {
        simulation::set_faults(Faults { lost: 40_000, late: 40_000, refused: 40_000, most: 1 + draw.below(2) as u32 });
    }
    let sight = || orders::Sight {
        cores: boot::peek().ledger.cores().map(|(_, record)| record.state).collect(),
        domains: names.clone(),
        groups: vec![],
    };
    let mut orders_left = 40_000;
    while history::moves() < moves && orders_left > 0 {
        guest::set_active(draw.percent(85));
        guest::set_restless(draw.percent(30));
        for _ in 0..5 + draw.below(30) {
            orders_left -= 1;
            if draw.percent(10)
                && let Some(domain) = domain::all().get(draw.below(names.len()))
            {
                guest::set_mood(domain, Mood::random(&mut draw));
            }
            let count = if draw.percent(15) { 1 + draw.below(4) } else { 1 };
            for _ in 0..count {
                orders::give(&sight().order(&mut draw));
            }
            let turns = [10, 40, 150, 500][draw.below(4)];
            (0..turns).for_each(|_| world.turn());
        }
        world.settle();
        let ended = domain::all().iter().filter(|domain| domain.life.peek().phase == crate::life::Phase::Ended);
        if ended.count() * 2 > names.len() {
            break; // little happens here from now on
        }
    }
    history::finish()
}

/// A random world with groups, until so many faults were put in.
pub fn failover(seed: u64, cores: usize, faults: u64) -> ! {
    let mut draw = Random::new(seed);
    let least = 4.min(cores);
    let cores = least + draw.below(cores - least + 1);
    let plan = Plan::random_with_groups(&mut draw, cores);
    let names: Vec<String> = plan.domains.iter().map(|spec| spec.name.clone()).collect();
    let groups = plan.groups.clone();
    let mut world = World::new(draw.next(), plan);
    world.settle();
    // Other orders and the domains' own deeds beside the faults: sometimes none at all.
    let busy = [0, 30, 60][draw.below(3)];
    let restless = draw.percent(30);
    let sight = || orders::Sight {
        cores: boot::peek().ledger.cores().map(|(_, record)| record.state).collect(),
        domains: names.clone(),
        groups: groups.iter().map(|group| (group.name.clone(), group.members.clone())).collect(),
    };
    let mut rounds = 400;
    while teams::faults() < faults && service::goes_on() && rounds > 0 {
        rounds -= 1;
        guest::set_active(draw.percent(busy));
        guest::set_restless(restless);
        for _ in 0..1 + draw.below(4) {
            if draw.percent(busy / 4)
                && let Some(domain) = domain::all().get(draw.below(names.len()))
            {
                guest::set_mood(domain, Mood::random(&mut draw));
            }
            let count = if draw.percent(30) { 1 + draw.below(3) } else { 1 };
            for _ in 0..count {
                let order = if draw.percent(busy) { sight().order(&mut draw) } else { sight().fault(&mut draw) };
                orders::give(&order);
            }
            let turns = [10, 40, 150, 500, 2000][draw.below(5)];
            (0..turns).for_each(|_| world.turn());
        }
        world.settle();
        if teams::is_silent_first() {
            history::count("worlds whose first core fell silent");
            break; // it hears the orders
        }
    }
    history::finish()
}
