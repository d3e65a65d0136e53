//! Simulated cores: each is a generator that runs the kernel's code, and yields at steps. The scheduler draws which goes
//! on next and for how many steps. The clock counts steps as microseconds; when all cores wait, it jumps to whatever is
//! due first.

use crate::arch::core_local::CoreLocal;
use crate::arch::exception::WaitTrap;
use crate::history::{self, violation};
use crate::random::Random;
use crate::{boot, check};
use generator::{Generator, Gn};
use smccc::psci::error::Error;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// Words of a core's stack. Only what is used costs memory.
const STACK: usize = 64 << 20 >> 3;

/// How far a core's power is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// It runs.
    On,
    /// It does not.
    Off,
    /// It begins at this time.
    Coming(u64),
    /// It was switched on and never begins.
    Lost,
    /// It stopped by itself, and answers nobody.
    Silent,
}

/// What a core waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Nothing.
    No,
    /// A physical interrupt, at EL2.
    Kernel,
    /// A physical interrupt, or one for its guest.
    Guest,
    /// A physical interrupt; its guest takes none.
    InVain,
}

/// A core's hardware.
pub struct Hardware {
    /// Its power.
    pub firmware: Firmware,
    /// It was rung.
    pub doorbell: bool,
    /// When EL2's timer fires.
    pub deadline: Option<u64>,
    /// It has no time to run before.
    pub starved: u64,
    /// Whose translation is entered: its VMID; 0: nobody's.
    pub vmid: u8,
    /// Whether a guest's WFI traps.
    pub traps: WaitTrap,
    /// What it waits for.
    pub wait: Wait,
    /// What was typed: the first core's.
    pub uart: VecDeque<u8>,
}

/// A physical interrupt.
pub enum Physical {
    /// Somebody rang.
    Doorbell,
    /// EL2's timer.
    Timer,
    /// The loaded guest's timer.
    GuestTimer,
    /// A byte was typed.
    Uart(u8),
}

/// What becomes of cores that are switched on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// So many of a million never begin.
    pub lost: u32,
    /// So many of a million begin after they were given up.
    pub late: u32,
    /// So many of a million are refused by the firmware.
    pub refused: u32,
    /// At most so many cores are lost by any of these.
    pub most: u32,
}

struct Simulation {
    clock: Cell<u64>,
    steps: Cell<u64>,
    running: Cell<Option<usize>>,
    /// The check looks on.
    looking: Cell<bool>,
    /// Steps that the running core goes on for.
    slice: Cell<u32>,
    random: RefCell<Random>,
    cores: RefCell<Vec<Hardware>>,
    faults: Cell<Faults>,
}

thread_local! {
    static SIMULATION: Simulation = const { Simulation {
        clock: Cell::new(1),
        steps: Cell::new(0),
        running: Cell::new(None),
        looking: Cell::new(false),
        slice: Cell::new(0),
        random: RefCell::new(Random::new(0)),
        cores: RefCell::new(Vec::new()),
        faults: Cell::new(Faults { lost: 0, late: 0, refused: 0, most: 0 }),
    } };
}

/// The clock.
pub fn now() -> u64 {
    SIMULATION.with(|simulation| simulation.clock.get())
}

/// How many steps there were.
pub fn steps() -> u64 {
    SIMULATION.with(|simulation| simulation.steps.get())
}

/// The core that runs; `None`: the scheduler.
pub fn this() -> Option<usize> {
    SIMULATION.with(|simulation| simulation.running.get())
}

/// Draws.
pub fn random<T>(draw: impl FnOnce(&mut Random) -> T) -> T {
    SIMULATION.with(|simulation| draw(&mut simulation.random.borrow_mut()))
}

/// What goes wrong from now on.
pub fn set_faults(faults: Faults) {
    SIMULATION.with(|simulation| simulation.faults.set(faults));
}

/// A core's hardware.
pub fn with<T>(core: usize, act: impl FnOnce(&mut Hardware) -> T) -> Option<T> {
    SIMULATION.with(|simulation| simulation.cores.borrow_mut().get_mut(core).map(act))
}

/// This core's.
pub fn with_this(act: impl FnOnce(&mut Hardware)) {
    if let Some(core) = this() {
        let _ = with(core, act);
    }
}

/// Another core may go on here.
pub fn step() {
    SIMULATION.with(|simulation| {
        if simulation.running.get().is_none() || simulation.looking.get() {
            return;
        }
        simulation.clock.set(simulation.clock.get() + 1);
        simulation.steps.set(simulation.steps.get() + 1);
        match simulation.slice.get().checked_sub(1) {
            Some(left) => simulation.slice.set(left),
            None => yield_core(),
        }
    });
}

/// Looks on: nothing goes on until that is done.
pub fn look_on(look: impl FnOnce()) {
    SIMULATION.with(|simulation| simulation.looking.set(true));
    look();
    SIMULATION.with(|simulation| simulation.looking.set(false));
}

/// Lets others go on, as there is nothing to do until they did.
pub fn wait_a_little() {
    if this().is_some() {
        SIMULATION.with(|simulation| {
            simulation.steps.set(simulation.steps.get() + 1);
            simulation.clock.set(simulation.clock.get() + 1);
        });
        yield_core();
    } else {
        violation("the scheduler waits for a core");
    }
}

#[allow(deprecated)] // the way with a scope would have to reach through all of the kernel's functions
fn yield_core() {
    generator::yield_with(());
}

/// Waits for a physical interrupt.
pub fn wait_for_interrupt() {
    wait(Wait::Kernel);
}

/// Waits for one of any kind, in the guest.
pub fn wait_in_guest() {
    wait(Wait::Guest);
}

/// Runs on in the guest, which sees nothing of what happens.
pub fn wait_in_vain() {
    wait(Wait::InVain);
}

fn wait(wait: Wait) {
    with_this(|hardware| hardware.wait = wait);
    yield_core();
}

/// This core stops, and answers nobody any more.
pub fn fall_silent() {
    with_this(|hardware| hardware.firmware = Firmware::Silent);
    yield_core();
    violation("a core came back that had fallen silent");
}

/// This core is off until it is switched on again.
pub fn go_off() {
    step();
    with_this(|hardware| {
        hardware.firmware = Firmware::Off;
        hardware.deadline = None;
    });
    history::count("cores off");
    yield_core();
}

/// The core has no time to run for so long: another one's turn is longer on the host, say.
pub fn starve(core: usize, microseconds: u64) {
    let _ = with(core, |hardware| hardware.starved = now() + microseconds);
}

/// Switches a core on.
///
/// # Errors
/// As PSCI has them.
pub fn switch_on(core: usize) -> Result<(), Error> {
    let mut faults = SIMULATION.with(|simulation| simulation.faults.get());
    let drawn = random(|random| {
        (
            random.millionths(faults.refused),
            random.millionths(faults.lost),
            random.millionths(faults.late),
            random.below(200),
        )
    });
    let (refused, lost, late, soon) = drawn;
    let time = now();
    with(core, |hardware| {
        match hardware.firmware {
            Firmware::On => return Err(Error::AlreadyOn),
            Firmware::Coming(_) | Firmware::Lost | Firmware::Silent => return Err(Error::OnPending),
            Firmware::Off => {}
        }
        let fails = faults.most > 0 && (refused || lost || late);
        if fails {
            faults.most -= 1;
            SIMULATION.with(|simulation| simulation.faults.set(faults));
        }
        hardware.firmware = match fails {
            true if refused => return Err(Error::InternalFailure),
            true if lost => Firmware::Lost,
            true => Firmware::Coming(time + 3_000_000),
            false => Firmware::Coming(time + soon as u64),
        };
        Ok(())
    })
    .unwrap_or(Err(Error::InvalidParameters))
}

/// Takes the next physical interrupt that is pending on this core.
pub fn acknowledge(core: &CoreLocal) -> Option<Physical> {
    let time = now();
    let guest_timer = guest_timer(core).is_some_and(|at| at <= time);
    with(core.id.index(), |hardware| {
        if hardware.doorbell {
            hardware.doorbell = false;
            Some(Physical::Doorbell)
        } else if hardware.deadline.is_some_and(|at| at <= time) {
            Some(Physical::Timer)
        } else if guest_timer {
            if let Some((_, context)) = core.current() {
                context.arm(None);
            }
            Some(Physical::GuestTimer)
        } else {
            hardware.uart.pop_front().map(Physical::Uart)
        }
    })
    .flatten()
}

/// Whether a physical interrupt is pending.
pub fn is_interrupted(core: &CoreLocal) -> bool {
    let time = now();
    let pending = |hardware: &mut Hardware| {
        hardware.doorbell || hardware.deadline.is_some_and(|at| at <= time) || !hardware.uart.is_empty()
    };
    with(core.id.index(), pending).unwrap_or(false) || guest_timer(core).is_some_and(|at| at <= time)
}

fn guest_timer(core: &CoreLocal) -> Option<u64> {
    let is_on = with(core.id.index(), |hardware| hardware.firmware == Firmware::On).unwrap_or(false);
    core.current().filter(|_| is_on).and_then(|(_, context)| context.armed())
}

/// The cores as the scheduler has them.
pub struct Machine {
    generators: Vec<Generator<'static, (), ()>>,
}

/// What the scheduler found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A core went on.
    Ran,
    /// All wait.
    Quiet,
}

impl Machine {
    /// Cores that begin at [`boot::begin`].
    pub fn new(seed: u64, cores: usize) -> Self {
        let hardware = || Hardware {
            firmware: Firmware::On,
            doorbell: false,
            deadline: None,
            starved: 0,
            vmid: 0,
            traps: WaitTrap::Off,
            wait: Wait::No,
            uart: VecDeque::new(),
        };
        SIMULATION.with(|simulation| {
            *simulation.random.borrow_mut() = Random::new(seed);
            *simulation.cores.borrow_mut() = (0..cores).map(|_| hardware()).collect();
        });
        let generators = (0..cores).map(|_| Gn::new_opt(STACK, || boot::begin())).collect();
        Self { generators }
    }

    /// Lets one core go on that can, if there is one.
    pub fn turn(&mut self) -> Turn {
        let mut runnable = [0; 64];
        let mut count = 0;
        for core in boot::peek().cores().iter().filter(|core| is_runnable(core)) {
            if let Some(place) = runnable.get_mut(count) {
                (*place, count) = (core.id.index(), count + 1);
            }
        }
        let (chosen, slice) = random(|random| {
            let slice = if random.percent(50) { 0 } else { random.below(12) as u32 };
            (runnable.get(random.below(count)).copied().filter(|_| count > 0), slice)
        });
        let Some(core) = chosen else { return Turn::Quiet };
        let _ = with(core, |hardware| {
            hardware.wait = Wait::No;
            hardware.firmware = Firmware::On;
        });
        SIMULATION.with(|simulation| {
            simulation.slice.set(slice);
            simulation.running.set(Some(core));
        });
        if let Some(generator) = self.generators.get_mut(core) {
            generator.resume();
            if generator.is_done() {
                violation("a core came to an end");
            }
        }
        SIMULATION.with(|simulation| simulation.running.set(None));
        check::at_every_turn();
        Turn::Ran
    }

    /// When something is due, while all wait: the first of all.
    pub fn due(&self) -> Option<u64> {
        let cores = boot::peek().cores().iter();
        cores.filter_map(|core| due(core)).min()
    }

    /// The clock jumps to that time.
    pub fn jump(&self, to: u64) {
        SIMULATION.with(|simulation| simulation.clock.set(simulation.clock.get().max(to)));
    }
}

fn is_runnable(core: &CoreLocal) -> bool {
    let time = now();
    let state = with(core.id.index(), |hardware| (hardware.firmware, hardware.wait, hardware.starved));
    match state.filter(|(_, _, starved)| *starved <= time).map(|(firmware, wait, _)| (firmware, wait)) {
        Some((Firmware::On, Wait::No)) => true,
        Some((Firmware::On, wait)) => {
            let guest = || core.current().is_some_and(|(_, context)| context.is_interrupted());
            is_interrupted(core) || (wait == Wait::Guest && guest())
        }
        Some((Firmware::Coming(at), _)) => at <= time,
        _ => false,
    }
}

fn due(core: &CoreLocal) -> Option<u64> {
    let timers = |hardware: &mut Hardware| match hardware.firmware {
        Firmware::On if hardware.starved > now() => Some(hardware.starved),
        Firmware::On => hardware.deadline,
        Firmware::Coming(at) => Some(at),
        Firmware::Off | Firmware::Lost | Firmware::Silent => None,
    };
    let starved = with(core.id.index(), |hardware| hardware.starved).unwrap_or(0);
    let due = with(core.id.index(), timers).flatten().into_iter().chain(guest_timer(core)).min();
    due.map(|at| at.max(starved))
}
