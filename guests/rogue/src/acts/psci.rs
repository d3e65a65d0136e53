//! What the PSCI specification (Arm DEN 0022) asks for, and what other hypervisors got wrong.
//!
//! Boot argument `granted=N`: only so many contexts can be on at once, a further one is DENIED.

use super::checks::{check, equal};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
use rt::arch::{Conduit, call, mpidr_el1, secondary_entry};
use rt::contexts::{mpidr, start, start_prepared, wait_until};
use rt::interrupts::{self, PRIORITY};
use rt::psci::{
    self, OFF, ON, PSCI_AFFINITY_INFO_32, PSCI_AFFINITY_INFO_64, PSCI_CPU_OFF, PSCI_CPU_ON_32, PSCI_CPU_ON_64,
    PSCI_CPU_SUSPEND_32, PSCI_CPU_SUSPEND_64, PSCI_FEATURES, PSCI_MIGRATE_32, PSCI_MIGRATE_INFO_TYPE, PSCI_SYSTEM_OFF,
    PSCI_SYSTEM_RESET, PSCI_SYSTEM_RESET2_32, PSCI_SYSTEM_RESET2_64, PSCI_VERSION, SUCCESS, error, invoke,
};
use rt::timer::{self, Timer};
use rt::{Args, boot, contexts};

const TIMEOUT_MS: u64 = 5000;
const ROUNDS: u64 = 100;
const ALREADY_ON: i64 = error::ALREADY_ON as i64;
const ON_PENDING: i64 = error::ON_PENDING as i64;
const INVALID_PARAMETERS: i64 = error::INVALID_PARAMETERS as i64;
const INVALID_ADDRESS: i64 = error::INVALID_ADDRESS as i64;
const DENIED: i64 = error::DENIED as i64;
const NOT_SUPPORTED: i64 = error::NOT_SUPPORTED as i64;

/// How many contexts may be on.
static GRANTED: AtomicU64 = AtomicU64::new(0);
/// The argument of the job that ran last, and how many jobs ran.
static ARGUMENT: AtomicU64 = AtomicU64::new(0);
static RUNS: AtomicU64 = AtomicU64::new(0);
/// What a context that was told to stay waits for.
static RELEASE: AtomicU64 = AtomicU64::new(0);

/// All checks of this act; it ends on another context than it starts on.
pub fn conformance(args: Args<'_>) {
    GRANTED.store(args.number("granted", contexts::count() as u64), SeqCst);
    features();
    arguments();
    upper_halves();
    suspend();
    if GRANTED.load(SeqCst) > 1 {
        on_and_off();
        for context in 1..GRANTED.load(SeqCst) as usize {
            cycle(context);
        }
        if contexts::count() as u64 > GRANTED.load(SeqCst) {
            beyond_the_grant();
        }
        race();
        // The rest needs the boot context off.
        equal("the successor starts", start(1, succeed, 0), SUCCESS);
        psci::cpu_off();
        check("CPU_OFF of the boot context does not return", false);
    }
}

fn features() {
    equal("VERSION", invoke(PSCI_VERSION, [0; 3]), 0x1_0001);
    equal("MIGRATE_INFO_TYPE", invoke(PSCI_MIGRATE_INFO_TYPE, [0; 3]), 2);
    for function in [
        PSCI_VERSION,
        PSCI_CPU_SUSPEND_32,
        PSCI_CPU_SUSPEND_64,
        PSCI_CPU_OFF,
        PSCI_CPU_ON_32,
        PSCI_CPU_ON_64,
        PSCI_AFFINITY_INFO_32,
        PSCI_AFFINITY_INFO_64,
        PSCI_MIGRATE_INFO_TYPE,
        PSCI_SYSTEM_OFF,
        PSCI_SYSTEM_RESET,
        PSCI_SYSTEM_RESET2_32,
        PSCI_SYSTEM_RESET2_64,
        PSCI_FEATURES,
        0x8000_0000,
    ] {
        let answer = invoke(PSCI_FEATURES, [u64::from(function), 0, 0]);
        check(format_args!("FEATURES has {function:#x}"), answer >= 0);
    }
    for function in [PSCI_MIGRATE_32, 0x8400_00ff, 0xc400_0002, 0x1234, u32::MAX] {
        let answer = invoke(PSCI_FEATURES, [u64::from(function), 0, 0]);
        equal(format_args!("FEATURES lacks {function:#x}"), answer, NOT_SUPPORTED);
    }
}

/// Affinity values that no context of a small domain has.
fn strangers() -> [u64; 8] {
    let beyond = contexts::count() as u64;
    [((beyond / 16) << 8) | (beyond % 16), 0x10, 0xff, 0xff00, 0x1_0000, 1 << 32, 0xff_00ff_ffff, u64::MAX]
}

fn arguments() {
    let me = mpidr(0).unwrap_or_default();
    equal("CPU_ON of itself", on(me, secondary_entry()), ALREADY_ON);
    for stranger in strangers() {
        let name = format_args!("CPU_ON of {stranger:#x}");
        equal(name, on(stranger, secondary_entry()), INVALID_PARAMETERS);
        let name = format_args!("AFFINITY_INFO of {stranger:#x}");
        equal(name, psci::affinity_info(stranger), INVALID_PARAMETERS);
    }
    equal("AFFINITY_INFO of itself", psci::affinity_info(me), ON);
    for level in [1, 3, 4, u64::MAX] {
        let answer = invoke(PSCI_AFFINITY_INFO_64, [me, level, 0]);
        equal(format_args!("AFFINITY_INFO at level {level:#x}"), answer, INVALID_PARAMETERS);
    }
    if let Some(other) = mpidr(1) {
        let memory = &boot().memory;
        for entry in [0, memory.start - 4, memory.end, 0x900_0000, u64::MAX - 3] {
            let name = format_args!("CPU_ON with entry {entry:#x}");
            equal(name, on(other, entry), INVALID_ADDRESS);
            equal("AFFINITY_INFO after that", psci::affinity_info(other), OFF);
        }
    }
}

fn on(mpidr: u64, entry: u64) -> i64 {
    invoke(PSCI_CPU_ON_64, [mpidr, entry, 0])
}

/// The 32-bit calls, and the function number of all, look at the lower halves only.
fn upper_halves() {
    const UPPER: u64 = 0xdead_beef << 32;
    let me = UPPER | mpidr(0).unwrap_or_default();
    let entry = UPPER | secondary_entry();
    let answer = invoke(PSCI_CPU_ON_32, [me, entry, UPPER]);
    equal("CPU_ON with upper halves", answer, ALREADY_ON);
    equal("AFFINITY_INFO with upper halves", invoke(PSCI_AFFINITY_INFO_32, [me, UPPER, 0]), ON);
    let function = UPPER | u64::from(PSCI_FEATURES);
    let argument = UPPER | u64::from(PSCI_VERSION);
    let answer = call(Conduit::Hvc, [function, argument, 0, 0, 0, 0, 0, 0]);
    equal("FEATURES with upper halves", answer.map(|[x0, ..]| x0 as u32), Ok(0));
    let answer = call(Conduit::Smc, [u64::from(PSCI_VERSION), 0, 0, 0, 0, 0, 0, 0]);
    equal("VERSION by SMC", answer.map(|[x0, ..]| x0), Ok(0x1_0001));
}

fn suspend() {
    const DELAY_US: u64 = 10_000;
    let timer = Timer::Virtual;
    interrupts::enable(timer.interrupt(), PRIORITY);
    for function in [PSCI_CPU_SUSPEND_32, PSCI_CPU_SUSPEND_64] {
        let deadline = timer::now() + timer::ticks_from_us(DELAY_US);
        timer.arm(deadline);
        equal("CPU_SUSPEND", invoke(function, [0; 3]), SUCCESS);
        check("CPU_SUSPEND lasts until the timer", timer::now() >= deadline);
        timer.disarm();
    }
}

/// A job: notes its argument.
fn note(argument: u64) {
    ARGUMENT.store(argument, SeqCst);
    RUNS.fetch_add(1, SeqCst);
}

/// A job: stays until released.
fn stay(argument: u64) {
    note(argument);
    wait_until(TIMEOUT_MS, || RELEASE.load(SeqCst) == argument);
}

fn goes_off(context: usize) -> bool {
    let Some(mpidr) = mpidr(context) else {
        return false;
    };
    wait_until(TIMEOUT_MS, || psci::affinity_info(mpidr) == OFF)
}

fn ran(argument: u64) -> bool {
    wait_until(TIMEOUT_MS, || ARGUMENT.load(SeqCst) == argument)
}

fn on_and_off() {
    const MARK: u64 = 0x1234_5678_9abc_def0;
    let other = mpidr(1).unwrap_or_default();
    equal("AFFINITY_INFO before CPU_ON", psci::affinity_info(other), OFF);
    equal("CPU_ON", start(1, stay, MARK), SUCCESS);
    check("AFFINITY_INFO right after", matches!(psci::affinity_info(other), ON | psci::PENDING));
    check("the context id arrives", ran(MARK));
    equal("AFFINITY_INFO while it runs", psci::affinity_info(other), ON);
    equal("CPU_ON while it runs", on(other, secondary_entry()), ALREADY_ON);
    RELEASE.store(MARK, SeqCst);
    check("AFFINITY_INFO after CPU_OFF", goes_off(1));
}

/// On and off many times: no start is lost, and an OFF that was told is true at once.
fn cycle(context: usize) {
    let before = RUNS.load(SeqCst);
    let done = (1..=ROUNDS).take_while(|round| start(context, note, *round) == SUCCESS && goes_off(context)).count();
    equal(format_args!("rounds of context {context}"), done as u64, ROUNDS);
    equal("jobs that ran", RUNS.load(SeqCst) - before, ROUNDS);
}

fn beyond_the_grant() {
    let granted = GRANTED.load(SeqCst) as usize;
    RELEASE.store(0, SeqCst);
    for context in 1..granted {
        equal("a granted context starts", start(context, stay, 1), SUCCESS);
    }
    equal("a context too many", start(granted, note, 0), DENIED);
    let denied = mpidr(granted).unwrap_or_default();
    equal("which stays off", psci::affinity_info(denied), OFF);
    RELEASE.store(1, SeqCst);
    check("the granted ones go off", (1..granted).all(goes_off));
    equal("now it starts", start(granted, note, 0), SUCCESS);
    check("and goes off", goes_off(granted));
}

/// Two contexts start a third at the same time: exactly one of them does.
fn race() {
    const ROUNDS: u64 = 50;
    if GRANTED.load(SeqCst) < 3 {
        return;
    }
    let target = mpidr(2).unwrap_or_default();
    RELEASE.store(0, SeqCst);
    equal("the rival starts", start(1, rival, ROUNDS), SUCCESS);
    let mut even_rounds = 0;
    for round in 1..=ROUNDS {
        let before = RUNS.load(SeqCst);
        GO.store(round, SeqCst);
        let mine = start(2, note, round);
        wait_until(TIMEOUT_MS, || RIVAL_DONE.load(SeqCst) == round);
        let others = RIVAL_ANSWER.load(SeqCst) as i64;
        let settled = goes_off(2);
        // The late one may find it off again, and start it a second time.
        let runs = RUNS.load(SeqCst) - before;
        let wins = [mine, others].iter().filter(|&&answer| answer == SUCCESS).count() as u64;
        let known = [mine, others].iter().all(|answer| matches!(*answer, SUCCESS | ALREADY_ON | ON_PENDING));
        even_rounds += u64::from(settled && known && wins >= 1 && wins == runs);
    }
    equal("races with as many winners as starts", even_rounds, ROUNDS);
    check("the rival goes off", goes_off(1));
    equal("nobody is left on", psci::affinity_info(target), OFF);
}

static GO: AtomicU64 = AtomicU64::new(0);
static RIVAL_DONE: AtomicU64 = AtomicU64::new(0);
static RIVAL_ANSWER: AtomicU64 = AtomicU64::new(0);

/// A job: starts context 2 whenever context 0 does.
fn rival(rounds: u64) {
    let target = mpidr(2).unwrap_or_default();
    for round in 1..=rounds {
        wait_until(TIMEOUT_MS, || GO.load(SeqCst) >= round);
        RIVAL_ANSWER.store(start_prepared(target, 2) as u64, SeqCst);
        RIVAL_DONE.store(round, SeqCst);
    }
}

/// A job: goes on after the boot context has gone.
fn succeed(_: u64) {
    let boot = mpidr(0).unwrap_or_default();
    check("the boot context goes off", goes_off(0));
    cycle(0);
    equal("the boot context starts last", start(0, stay, 7), SUCCESS);
    check("and runs", ran(7) && psci::affinity_info(boot) == ON);
    check("this is not the boot context", mpidr_el1::read() & 0xff != boot & 0xff);
    rt::exit(super::checks::conclude())
}
