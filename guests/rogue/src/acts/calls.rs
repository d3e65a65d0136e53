//! Calls that nobody defined are answered with NOT_SUPPORTED (-1) in x0, by HVC and by SMC; those about cores are
//! answered truthfully, and to domains with the right alone.

use super::arch::try_instruction;
use super::checks::{check, equal};
use domains::protocol::hypercall::{CORE_ANSWER, CORE_ORDER, CORE_REQUEST, CORES, TO_POOL};
use rt::arch::{Conduit, Width, call};
use rt::contexts::{self, start, wait_until};
use rt::hypercall::{self, Receiver, Reluctance, core_answer, core_order, cores};
use rt::psci::{self, error};
use rt::{Args, Board, boot};

/// One of each range of the SMC calling convention (Arm DEN 0028, table 6-2), and neighbours of
/// the calls that exist.
const UNKNOWN: [u64; 22] = [
    0x0000_0000,
    0x0000_0001,
    0x0100_0000,
    0x0400_0000,
    0x7fff_ffff,
    0x8000_1234,
    0x8000_ffff,
    0x8100_0000,
    0x8200_0000,
    0x8300_0000,
    0x8400_000b,
    0x8400_001f,
    0x8400_ffff,
    0x8500_0000,
    0x8600_0000,
    0xb200_0000,
    0xc000_1234,
    0xc400_0002,
    0xc400_00ff,
    0xc600_0fff,
    0xc600_ffff,
    0xffff_ffff,
];

/// Makes each of them, with arguments that would do harm if they were taken for others.
pub fn unknown(_: Args<'_>) {
    for conduit in [Conduit::Hvc, Conduit::Smc] {
        for function in UNKNOWN {
            let name = format_args!("{conduit:?} {function:#010x}");
            match call(conduit, [function, u64::MAX, u64::MAX, 0, 0, 0, 0, 0]) {
                Ok([x0, ..]) => equal(name, x0, u64::MAX),
                Err(_) => check(name, false),
            }
        }
    }
    // SMCCC reserves the other immediates: any answer will do, or an undefined instruction.
    let _ = try_instruction!("hvc #1");
    let _ = try_instruction!("hvc #0xffff");
    let _ = try_instruction!("smc #1");
    check("calls with an immediate are survived", true);
}

const DENIED: i64 = error::DENIED as i64;
const INVALID_PARAMETERS: i64 = error::INVALID_PARAMETERS as i64;
const TIMEOUT_MS: u64 = 5000;

/// The calls about cores, in a domain that was granted all cores it starts with, and stolen time.
pub fn about_cores(_: Args<'_>) {
    for function in [CORES, CORE_REQUEST, CORE_ANSWER, CORE_ORDER] {
        // As 32-bit calls they do not exist.
        let answer = call(Conduit::Hvc, [u64::from(function & !(1 << 30)), 0, 0, 0, 0, 0, 0, 0]);
        equal(format_args!("{function:#x} as a 32-bit call"), answer.map(|[x0, ..]| x0), Ok(u64::MAX));
        let answer = call(Conduit::Smc, [u64::from(function), u64::MAX, u64::MAX, u64::MAX, 0, 0, 0, 0]);
        check(format_args!("{function:#x} by SMC is known"), answer.is_ok_and(|[x0, ..]| x0 != u64::MAX));
    }
    let all = contexts::count() as u64;
    let at_first = cores();
    equal("contexts that are on at first", at_first.contexts_on, 1);
    equal("cores at first", at_first.owned, 1);
    check("cores that are granted", (1..=all).contains(&at_first.granted));
    for on in 1..at_first.granted {
        equal(format_args!("context {on} starts"), start(on as usize, stay, 0), psci::SUCCESS);
        let now = cores();
        equal(format_args!("cores with context {on}"), [now.owned, now.granted], [on + 1, at_first.granted]);
        check(format_args!("{on} more is on"), wait_until(TIMEOUT_MS, || cores().contexts_on == on + 1));
    }
    if at_first.granted < all {
        equal("one more than granted", start(at_first.granted as usize, stay, 0), DENIED);
        equal("cores after that", cores().owned, at_first.granted);
    }
    check("nothing is asked", hypercall::core_request().is_none());
    for why in [Reluctance::Busy, Reluctance::Refused] {
        equal("an answer for a context that is not there", core_answer(all as usize, why), INVALID_PARAMETERS);
        check("an answer that nobody waits for is survived", core_answer(0, why) != i64::from(error::NOT_SUPPORTED));
    }
    let answer = call(Conduit::Hvc, [u64::from(CORE_ANSWER), 0, 7, 0, 0, 0, 0, 0]);
    equal("an answer that means nothing", answer.map(|[x0, ..]| x0 as i64), Ok(INVALID_PARAMETERS));
    for core in [0, 1, 1 << 20, u64::MAX] {
        equal(format_args!("an order about core {core:#x}"), core_order(core, Receiver::Pool, 0), DENIED);
    }
    let order = [u64::from(CORE_ORDER), 0, TO_POOL | 1 << 40, u64::MAX, 0, 0, 0, 0];
    equal("an order to nowhere", call(Conduit::Hvc, order).map(|[x0, ..]| x0 as i64), Ok(DENIED));
    stolen_time();
}

/// Goes off at once only with the domain.
fn stay(_: u64) {
    loop {
        rt::arch::wait_for_interrupt();
    }
}

/// The structure of Arm DEN 0057, for domains with a board.
fn stolen_time() {
    const PV_TIME_FEATURES: u64 = 0xC500_0020;
    const PV_TIME_ST: u64 = 0xC500_0021;
    const SMCCC_ARCH_FEATURES: u64 = 0x8000_0001;
    let ask = |function, about| call(Conduit::Hvc, [function, about, 0, 0, 0, 0, 0, 0]).map(|[x0, ..]| x0 as i64);
    equal("PV_TIME_FEATURES is there", ask(SMCCC_ARCH_FEATURES, PV_TIME_FEATURES), Ok(0));
    equal("PV_TIME_FEATURES", ask(PV_TIME_FEATURES, PV_TIME_FEATURES), Ok(0));
    equal("PV_TIME_FEATURES of PV_TIME_ST", ask(PV_TIME_FEATURES, PV_TIME_ST), Ok(0));
    equal("PV_TIME_FEATURES of nothing", ask(PV_TIME_FEATURES, 0xC500_0022), Ok(-1));
    if boot().board == Board::None {
        return;
    }
    let address = ask(PV_TIME_ST, 0).unwrap_or(-1);
    check("PV_TIME_ST", address > 0 && address % 64 == 0);
    if address > 0 {
        let [version, stolen] = [0, 8].map(|field| u64::load(address as u64 + field));
        equal("revision and attributes", version, Ok(0));
        check("stolen time never goes back", u64::load(address as u64 + 8).ok() >= stolen.ok());
    }
}
