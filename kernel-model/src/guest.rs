//! What guests do: a program a CPU that asks, answers, sleeps, and switches CPUs on and off, of a mood that its domain has.

use crate::arch::context::Context;
use crate::arch::core_local::CoreLocal;
use crate::arch::exception::WaitTrap;
use crate::domain::Domain;
use crate::history::{count, count_in, note, violation};
use crate::ledger::CoreState;
use crate::manifest::{InjectedFault, Role};
use crate::protocol::hypercall;
use crate::psci::{self, PsciError};
use crate::random::Random;
use crate::service::{self, Deed, Service};
use crate::simulation::{self, step};
use crate::{boot, check, exits};
use std::cell::{Cell, RefCell};

const AFFINITY_INFO: u64 = 0xC400_0004;
const SYSTEM_OFF: u64 = 0x8400_0008;
const SYSTEM_RESET: u64 = 0x8400_0009;
/// An SGI of the guest's own.
const OWN_SGI: u32 = 1;
/// The PL011's data and flags, and its receive interrupt's mask.
const DATA: u64 = 0;
const FLAGS: u64 = 0x18;
const RECEIVE_EMPTY: u32 = 1 << 4;
const LINE_CONTROL: u64 = 0x2c;
const MASK: u64 = 0x38;

/// How a domain answers when it is asked for CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It does it.
    Obeys,
    /// It is busy so many times, then does it.
    Busy(u32),
    /// It refuses.
    Refuses,
    /// It does not read what it is asked.
    Deaf,
    /// It stops in the middle of its answer.
    Hangs,
    /// It resets itself.
    Resets,
    /// It switches itself off.
    Ends,
}

impl Mood {
    /// One of them.
    pub fn random(random: &mut Random) -> Self {
        match random.below(100) {
            0..50 => Self::Obeys,
            50..65 => Self::Busy(1 + random.below(3) as u32),
            65..78 => Self::Refuses,
            78..90 => Self::Deaf,
            90..96 => Self::Hangs,
            _ => Self::Resets,
        }
    }
}

/// What the CPUs of one domain share.
#[derive(Debug)]
struct Program {
    mood: Mood,
    /// CPUs that are to switch themselves off.
    offline: u128,
    /// What the agent has read of a line, and has still to write.
    line: String,
    out: Vec<u8>,
    /// It has said that it listens.
    ready: bool,
    /// A CPU that goes off, and is switched on again as soon as it is.
    again: Option<usize>,
    /// The next CPU that it switches on at its start.
    next: usize,
    /// There may be a request.
    look: bool,
    /// It was deaf, and is no more.
    masked: bool,
    /// What it does as a member of a group.
    service: Service,
}

impl Program {
    fn new(mood: Mood) -> Self {
        Self {
            mood,
            offline: 0,
            line: String::new(),
            out: Vec::new(),
            ready: false,
            again: None,
            next: 1,
            look: false,
            masked: false,
            service: Service::default(),
        }
    }
}

thread_local! {
    static PROGRAMS: RefCell<Vec<Program>> = const { RefCell::new(Vec::new()) };
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
    static RESTLESS: Cell<bool> = const { Cell::new(true) };
}

fn program<T>(domain: &Domain, act: impl FnOnce(&mut Program) -> T) -> T {
    PROGRAMS.with(|programs| {
        let mut programs = programs.borrow_mut();
        let index = domain.id.index();
        while programs.len() <= index {
            programs.push(Program::new(Mood::Obeys));
        }
        match programs.get_mut(index) {
            Some(program) => act(program),
            None => violation("there is no such program"),
        }
    })
}

/// The domain was loaded.
pub fn begin_anew(domain: &Domain) {
    program(domain, |program| *program = Program::new(program.mood));
    domain.contexts().iter().for_each(Context::stops);
}

/// What the domain's CPUs share, for people.
pub fn shown(domain: &Domain) -> String {
    program(domain, |program| format!("{program:?}"))
}

/// Whether guests do things by themselves; otherwise they answer, and wait.
pub fn set_active(active: bool) {
    ACTIVE.with(|cell| cell.set(active));
}

/// Whether active guests end, reset and fault.
pub fn set_restless(restless: bool) {
    RESTLESS.with(|cell| cell.set(restless));
}

/// How the domain answers from now on.
pub fn set_mood(domain: &Domain, mood: Mood) {
    program(domain, |program| {
        program.masked |= program.mood == Mood::Deaf;
        program.mood = mood;
    });
}

/// The CPU with this index goes off by itself.
pub fn take_off(domain: &Domain, context: usize) {
    program(domain, |program| program.offline |= 1 << context);
}

/// Runs guests on this core: whichever the kernel loads.
pub fn run(core: &'static CoreLocal) -> ! {
    loop {
        let Some((_, context)) = core.current() else { violation("a guest was entered and none is loaded") };
        check::guest_runs(core, context);
        if simulation::is_interrupted(core) {
            exits::interrupt(core);
        } else {
            act(core, context);
        }
        step();
    }
}

fn is_on(context: &&Context) -> bool {
    context.runs()
}

fn is_last(context: &Context) -> bool {
    context.domain.contexts().iter().filter(is_on).count() <= 1
}

/// One thing that the loaded CPU does.
fn act(core: &'static CoreLocal, context: &'static Context) {
    let (domain, index) = (context.domain, usize::from(context.index));
    match context.struck() {
        Some(InjectedFault::Livelock) => return simulation::wait_in_vain(),
        Some(InjectedFault::WildStore) => return exits::fault(core, context),
        Some(InjectedFault::Panic) => {
            exits::call(core, context, &[SYSTEM_RESET]);
            return;
        }
        _ => {}
    }
    if context.is_interrupted() {
        let private = domain.vgic.acknowledge(index);
        let control = domain.vgic.control_is_pending(index);
        context.refresh_interrupts(core);
        if private & 1 << hypercall::CORE_REQUEST_SGI != 0 || control {
            program(domain, |program| program.look = true);
        }
    }
    if program(domain, |program| program.offline & 1 << index != 0) {
        program(domain, |program| program.offline &= !(1 << index));
        if !is_last(context) {
            return switch_off(core, context);
        }
    }
    // The agent runs where its interrupt arrives.
    let target = domain.contexts().get(domain.vgic.target()).filter(is_on);
    let agent = target.or_else(|| domain.contexts().iter().find(is_on));
    if agent.is_some_and(|agent| std::ptr::eq(agent, context)) && serve(core, context) {
        return;
    }
    if agent.is_some_and(|agent| std::ptr::eq(agent, context)) {
        let next = program(domain, |program| {
            program.next += 1;
            program.next - 1
        });
        if next < domain.contexts().len() {
            return switch_on(core, context, next);
        }
    }
    if agent.is_some_and(|agent| std::ptr::eq(agent, context)) && serves(core, context) {
        return;
    }
    if ACTIVE.with(Cell::get) { act_by_itself(core, context) } else { wait(core, context) }
}

/// The member of a group goes on with its service. False: there is nothing to do.
fn serves(core: &'static CoreLocal, context: &'static Context) -> bool {
    let domain = context.domain;
    match program(domain, |program| service::next(domain, &mut program.service)) {
        Deed::None => {
            // Until it beats again, unless something is due before.
            if let Some(due) = program(domain, |program| service::due(domain, &program.service)) {
                context.arm(Some(context.armed().map_or(due, |armed| armed.min(due))));
            }
            false
        }
        Deed::Beat => {
            if let Some((role, epoch)) = service::beat(core, context) {
                program(domain, |program| service::told(&mut program.service, role, epoch));
            }
            true
        }
        Deed::Work => {
            if !program(domain, |program| service::work(domain, &mut program.service)) {
                count("stores that were stopped");
                exits::fault(core, context);
            }
            true
        }
    }
}

fn switch_off(core: &'static CoreLocal, context: &'static Context) {
    let (domain, index) = (context.domain, usize::from(context.index));
    if domain.vgic.target() == index
        && let Some(other) = domain.contexts().iter().filter(is_on).find(|other| !std::ptr::eq(*other, context))
        && !exits::route(core, context, usize::from(other.index))
    {
        return take_off(domain, index);
    }
    if simulation::random(|random| random.percent(30)) {
        program(domain, |program| program.again = Some(index));
    }
    count("CPU_OFF");
    note(|| format!("domain {} context {index}: CPU_OFF", domain.id.index()));
    context.stops();
    exits::call(core, context, &[u64::from(psci::PSCI_CPU_OFF)]);
}

fn switch_on(core: &'static CoreLocal, context: &'static Context, target: usize) {
    let domain = context.domain;
    note(|| format!("domain {} context {}: CPU_ON {target}", domain.id.index(), context.index));
    let arguments = [u64::from(psci::PSCI_CPU_ON_64), psci::affinity_of(target), domain.spec.memory.base, 7];
    let answers = [PsciError::Denied, PsciError::AlreadyOn, PsciError::OnPending].map(psci::to_x0);
    let word = match exits::call(core, context, &arguments) {
        None => "unseen",
        Some([psci::SUCCESS, ..]) => "success",
        Some([answer, ..]) if answer == answers[0] => "denied",
        Some([answer, ..]) if answer == answers[1] => "already on",
        Some([answer, ..]) if answer == answers[2] => "on pending",
        Some([answer, ..]) => violation(&format!("CPU_ON answers {answer:#x}")),
    };
    count_in("CPU_ON", word);
}

fn wait(core: &'static CoreLocal, context: &'static Context) {
    if context.domain.has_board() {
        // As Linux does; the governor sees that it is idle.
        exits::call(core, context, &[u64::from(psci::PSCI_CPU_SUSPEND_64), 0]);
        return;
    }
    let mut traps = WaitTrap::Off;
    simulation::with_this(|hardware| traps = hardware.traps);
    if traps == WaitTrap::On {
        exits::wait(core);
    } else if !context.is_interrupted() && !simulation::is_interrupted(core) {
        simulation::wait_in_guest();
    }
}

fn act_by_itself(core: &'static CoreLocal, context: &'static Context) {
    let (domain, index) = (context.domain, usize::from(context.index));
    let contexts = domain.contexts().len();
    if let Some(again) = program(domain, |program| program.again).filter(|again| *again != index) {
        let answer = exits::call(core, context, &[AFFINITY_INFO, psci::affinity_of(again), 0]);
        if answer.is_some_and(|[state, ..]| state == psci::AffinityState::Off as u64) {
            program(domain, |program| program.again = None);
            switch_on(core, context, again);
        }
        return;
    }
    let (what, other, span) =
        simulation::random(|random| (random.below(1000), random.below(contexts), random.below(20_000) as u64));
    match what {
        0..350 => (0..4).for_each(|_| step()),
        350..600 => wait(core, context),
        600..680 => {
            let at = simulation::now() + 1 + span;
            context.arm(Some(context.armed().map_or(at, |armed| armed.min(at))));
            wait(core, context);
        }
        680..760 => switch_on(core, context, other),
        760..790 if !is_last(context) => switch_off(core, context),
        790..850 => exits::interrupt_other(core, context, other, OWN_SGI),
        850..880 => {
            exits::call(core, context, &[u64::from(psci::PSCI_CPU_SUSPEND_64), 0]);
        }
        880..900 => {
            exits::call(core, context, &[AFFINITY_INFO, psci::affinity_of(index), 0]).inspect(|[state, ..]| {
                if *state != psci::AffinityState::On as u64 {
                    violation(&format!("AFFINITY_INFO of a CPU that runs says {state}"));
                }
            });
        }
        900..915 => {
            exits::call(core, context, &[u64::from(hypercall::CORES)]);
        }
        915..930 => exits::give_way(core),
        930..960 if domain.spec.manages_cores => {
            let (target, heir, deadline) = simulation::random(|random| {
                let heirs = [hypercall::TO_POOL, hypercall::TO_OFF, random.below(6) as u64];
                (random.below(boot::peek().cores().len() + 1), heirs[random.below(3)], random.below(3) as u64 * 20)
            });
            note(|| format!("domain {}: CORE_ORDER {target} {heir:#x} {deadline}", domain.id.index()));
            let arguments = [u64::from(hypercall::CORE_ORDER), target as u64, heir, deadline];
            check::during_call(target, deadline * 1000, || _ = exits::call(core, context, &arguments));
            count("CORE_ORDER");
        }
        960..962 if RESTLESS.with(Cell::get) => {
            note(|| format!("domain {}: SYSTEM_RESET", domain.id.index()));
            exits::call(core, context, &[SYSTEM_RESET]);
        }
        962 if RESTLESS.with(Cell::get) && simulation::random(|random| random.percent(30)) => {
            note(|| format!("domain {}: fault", domain.id.index()));
            exits::fault(core, context);
        }
        963 if RESTLESS.with(Cell::get) && simulation::random(|random| random.percent(5)) => {
            note(|| format!("domain {}: SYSTEM_OFF", domain.id.index()));
            exits::call(core, context, &[SYSTEM_OFF]);
        }
        964..967 if RESTLESS.with(Cell::get) && domain.member().is_some() => {
            if service::writes_wildly(domain) {
                note(|| format!("domain {}: wild store", domain.id.index()));
                exits::fault(core, context);
            }
        }
        _ => step(),
    }
}

/// The domain's agent goes on with what it was asked. False: there is nothing to do.
fn serve(core: &'static CoreLocal, context: &'static Context) -> bool {
    let domain = context.domain;
    let mood = program(domain, |program| program.mood);
    if mood == Mood::Deaf {
        // Nobody has opened the port: its interrupt is masked.
        let masks = domain.has_board() && domain.vgic.is_high();
        return masks && exits::control(core, context, MASK, Some(0)).is_none_or(|_| true);
    }
    if !domain.has_board() {
        return program(domain, |program| program.look) && serve_by_call(core, context);
    }
    if !program(domain, |program| std::mem::replace(&mut program.ready, true)) {
        // The rest is lost only if the kernel lets another go first: then the domain is one without an agent.
        let enabled = exits::control(core, context, LINE_CONTROL, Some(0x70))
            .and_then(|_| exits::control(core, context, MASK, Some(0x10)));
        program(domain, |program| {
            program.out = b"\nydaer".to_vec();
            program.ready = enabled.is_some();
        });
        return true;
    }
    if program(domain, |program| std::mem::take(&mut program.masked)) {
        exits::control(core, context, MASK, Some(0x10));
        return true;
    }
    if let Some(byte) = program(domain, |program| program.out.pop()) {
        exits::control(core, context, DATA, Some(u32::from(byte)));
        return true;
    }
    if !program(domain, |program| program.look) {
        return false;
    }
    let Some(flags) = exits::control(core, context, FLAGS, None) else { return true };
    if flags & RECEIVE_EMPTY != 0 {
        program(domain, |program| program.look = false);
        return true;
    }
    // Should the guest go on elsewhere, the model has lost the byte, and the line says nothing.
    program(domain, |program| program.line.push('?'));
    let Some(byte) = exits::control(core, context, DATA, None) else { return true };
    let line = program(domain, |program| {
        program.line.pop();
        program.line.push(char::from(byte as u8));
        program.line.ends_with('\n').then(|| std::mem::take(&mut program.line))
    });
    if let Some(line) = line {
        let mut words = line.split_whitespace();
        let told = line.split_once(' ').and_then(|(role, epoch)| {
            let role = Role::from_name(role).filter(|role| matches!(role, Role::Primary | Role::Standby))?;
            Some((role, epoch.trim().parse().ok()?))
        });
        if let Some((role, epoch)) = told {
            program(domain, |program| service::told(&mut program.service, role, epoch));
            return true;
        }
        let request = (words.next(), words.next().and_then(|number| number.parse().ok()));
        let (Some(wish @ ("online" | "offline")), Some(target)) = request else {
            return true; // a byte was lost
        };
        if let Some(answer) = obey(core, context, wish == "online", target) {
            let mut text = format!("{answer} {wish} {target}\n").into_bytes();
            if mood == Mood::Hangs {
                text.truncate(4);
            }
            text.reverse();
            program(domain, |program| drop(program.out.splice(0..0, text)));
        }
        if mood == Mood::Hangs {
            program(domain, |program| program.mood = Mood::Deaf);
        }
    }
    true
}

fn serve_by_call(core: &'static CoreLocal, context: &'static Context) -> bool {
    const ONLINE: u64 = 2;
    let answer = exits::call(core, context, &[u64::from(hypercall::CORE_REQUEST)]);
    let Some([_, wish, target, _]) = answer else { return true };
    if wish == 0 {
        program(context.domain, |program| program.look = false);
        return true;
    }
    let mood = program(context.domain, |program| program.mood);
    match obey(core, context, wish == ONLINE, target as usize) {
        Some("busy") if wish != ONLINE => {
            exits::call(core, context, &[u64::from(hypercall::CORE_ANSWER), target, hypercall::CORE_BUSY]);
        }
        Some("refused") if wish != ONLINE => {
            exits::call(core, context, &[u64::from(hypercall::CORE_ANSWER), target, hypercall::CORE_REFUSED]);
        }
        _ => {}
    }
    if mood == Mood::Hangs {
        program(context.domain, |program| program.mood = Mood::Deaf);
    }
    true
}

/// Does what is asked as its mood has it; the answer, if it answers.
fn obey(core: &'static CoreLocal, context: &'static Context, online: bool, target: usize) -> Option<&'static str> {
    let domain = context.domain;
    let mood = program(domain, |program| program.mood);
    note(|| format!("domain {} is asked online={online} {target}, and {mood:?}", domain.id.index()));
    match mood {
        Mood::Busy(times) => {
            let left = times.checked_sub(1).filter(|left| *left > 0);
            program(domain, |program| program.mood = left.map_or(Mood::Obeys, Mood::Busy));
            return Some("busy");
        }
        Mood::Refuses => return Some("refused"),
        Mood::Resets => {
            note(|| format!("domain {}: SYSTEM_RESET", domain.id.index()));
            program(domain, |program| program.mood = Mood::Obeys);
            exits::call(core, context, &[SYSTEM_RESET]);
            return None;
        }
        Mood::Ends => {
            exits::call(core, context, &[SYSTEM_OFF]);
            return None;
        }
        Mood::Obeys | Mood::Deaf | Mood::Hangs => {}
    }
    let Some(asked) = domain.contexts().get(target) else {
        violation(&format!("domain {} was asked for its context {target}", domain.id.index()));
    };
    if online {
        switch_on(core, context, target);
    } else if asked.runs() && is_last(asked) {
        return Some("busy");
    } else if asked.runs() && mood != Mood::Hangs {
        take_off(domain, target);
        exits::interrupt_other(core, context, target, OWN_SGI); // it may sleep
    }
    Some("ok")
}

/// Whether the guest may be on a core in this state.
pub fn may_run(state: CoreState, domain: &Domain) -> bool {
    matches!(state, CoreState::Owned(owner) | CoreState::Asked(owner, _) if owner == domain.id)
}
