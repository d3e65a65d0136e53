//! The other contexts, which count what arrives.

use crate::acts::checks::check;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use rt::interrupts::{self, PRIORITY, Target};
use rt::timer::{self, Timer};
use rt::{MAX_CONTEXTS, contexts, gic};

pub const TIMEOUT_MS: u64 = 5000;
/// A peer answers this one with [`REPLY`] to the boot context.
pub const CALL: u32 = 14;
pub const REPLY: u32 = 13;
/// A peer switches itself off.
const QUIT: u32 = 15;
/// Arrives while its target has interrupts disabled.
const EARLY: u32 = 9;
/// Sent right after CPU_ON, to a context that may not have come to its first instruction.
const EARLIEST: u32 = 10;

const SLOTS: usize = 32;

/// What arrived at each context: interrupt n in slot n modulo 32.
static ARRIVED: [[AtomicU32; SLOTS]; MAX_CONTEXTS] = [const { [const { AtomicU32::new(0) }; SLOTS] }; MAX_CONTEXTS];
static STARTED: AtomicU64 = AtomicU64::new(0);
static LISTENING: AtomicU64 = AtomicU64::new(0);

/// How often an interrupt arrived at a context.
pub fn arrived(context: usize, interrupt: u32) -> u32 {
    ARRIVED[context][interrupt as usize % SLOTS].load(SeqCst)
}

/// How often it arrived at all contexts together.
pub fn arrived_anywhere(interrupt: u32) -> u32 {
    (0..MAX_CONTEXTS).map(|context| arrived(context, interrupt)).sum()
}

/// Forgets what arrived.
pub fn forget() {
    ARRIVED.iter().flatten().for_each(|count| count.store(0, SeqCst));
}

fn count(context: usize, interrupt: u32) {
    ARRIVED[context][interrupt as usize % SLOTS].fetch_add(1, SeqCst);
}

/// Takes what is pending at this context.
pub fn drain() {
    while let Some(interrupt) = interrupts::acknowledge() {
        count(contexts::current(), interrupt);
        interrupts::end(interrupt);
    }
}

/// Waits with WFI until an interrupt arrives here; the virtual timer ends a wait too long.
pub fn wait_for(interrupt: u32) -> bool {
    Timer::Virtual.arm(timer::now() + timer::ticks_from_us(TIMEOUT_MS * 1000));
    loop {
        let arrived = interrupts::wait();
        if arrived == interrupt || arrived == Timer::Virtual.interrupt() {
            Timer::Virtual.disarm();
            interrupts::end(arrived);
            return arrived == interrupt;
        }
        count(contexts::current(), arrived);
        interrupts::end(arrived);
    }
}

/// Starts all other contexts; how many they are. Each is sent interrupts before it listens.
pub fn start() -> usize {
    let others = 1..contexts::count();
    let started = others.clone().filter(|&context| start_and_call(context)).count();
    check("all contexts start", started == others.len());
    let awake = contexts::wait_until(TIMEOUT_MS, || STARTED.load(SeqCst) == started as u64);
    check("all contexts run", awake);
    interrupts::send(EARLY, Target::AllOthers);
    LISTENING.store(1, SeqCst);
    for (name, interrupt) in [("before it listened", EARLY), ("its first instructions", EARLIEST)] {
        let heard = contexts::wait_until(TIMEOUT_MS, || (1..=started).all(|context| arrived(context, interrupt) == 1));
        check(format_args!("an interrupt from {name} arrives"), heard);
    }
    started
}

fn start_and_call(context: usize) -> bool {
    let started = contexts::start(context, listen, 0) == rt::psci::SUCCESS;
    if started && let Some(target) = contexts::mpidr(context) {
        interrupts::send(EARLIEST, Target::One(target));
    }
    started
}

/// Switches all other contexts off.
pub fn stop() {
    interrupts::send(QUIT, Target::AllOthers);
    let quiet = contexts::wait_until(TIMEOUT_MS, || {
        (1..contexts::count())
            .all(|context| contexts::mpidr(context).is_some_and(|mpidr| rt::psci::affinity_info(mpidr) == 1))
    });
    check("all contexts go off", quiet);
}

fn listen(_: u64) {
    let me = contexts::current();
    let first = contexts::mpidr(0).unwrap_or_default();
    STARTED.fetch_add(1, SeqCst);
    contexts::wait_until(TIMEOUT_MS, || LISTENING.load(SeqCst) == 1);
    for sgi in 0..16 {
        interrupts::enable(sgi, PRIORITY);
    }
    check_typer(me);
    loop {
        let interrupt = interrupts::wait();
        count(me, interrupt);
        interrupts::end(interrupt);
        match interrupt {
            CALL => interrupts::send(REPLY, Target::One(first)),
            QUIT => return,
            _ => {}
        }
    }
}

/// A redistributor's own frame names its own context.
fn check_typer(context: usize) {
    let typer: u64 = gic::read(gic::redistributor(context) + gic::offset::REDISTRIBUTOR_TYPER);
    if Some(typer_affinity(typer)) != contexts::mpidr(context) {
        check(format_args!("GICR_TYPER of context {context}"), false);
    }
}

/// The affinity values in a GICR_TYPER, where MPIDR has them.
pub fn typer_affinity(typer: u64) -> u64 {
    let [.., aff0, aff1, aff2, aff3] = typer.to_le_bytes().map(u64::from);
    aff3 << 32 | aff2 << 16 | aff1 << 8 | aff0
}
