//! A world: a machine with domains that are drawn from a seed, and what happens in it.

use crate::check;
use crate::domain;
use crate::guest::{self, Mood};
use crate::history::{self, violation};
use crate::random::Random;
use crate::simulation::{self, Faults, Machine, Turn};
use crate::{boot, orders};
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
        Self { cores, domains, governor, break_even }
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
const TURNS: u64 = 3_000_000;
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
        while calm < 20 {
            self.run_until_quiet();
            calm = if check::in_flight() { 0 } else { calm + 1 };
            let Some(due) = self.machine.due() else { break };
            if simulation::now() > begin + PATIENCE {
                break;
            }
            self.machine.jump(due);
        }
        self.run_until_quiet();
        if check::in_flight() {
            violation("a core is still on its way, long after everything was ordered");
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
