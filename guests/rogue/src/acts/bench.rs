//! The domains of `corral bench hotplug`: one that gives orders, with a mark before and after each, and others that
//! only are there. All spin with interrupts masked and without timers, so that between two marks EL2 does nothing but
//! what was ordered.

use super::checks::check;
use rt::arch::{icc_hppir1_el1, mark, relax};
use rt::hypercall::{CORE_REQUEST_SGI, Receiver, core_order, core_request, cores};
use rt::interrupts::{self, PRIORITY};
use rt::psci::SUCCESS;
use rt::timer;
use rt::{Args, contexts};

/// Turns that all other contexts get between two marks: enough for everything to come to rest.
pub const WINDOW: u32 = 64;
/// Turns until a domain asks what it was notified of: the marks are set by then.
const HOLD: u32 = 2 * WINDOW;
/// Turns between two orders: the domain has asked by then.
const PAUSE: u32 = 4 * WINDOW;
/// Instructions of a turn.
const TURN: u32 = 500;
/// Instructions of a turn while nothing is counted. After each turn QEMU looks at all cores of the machine, also at those
/// that sleep: with 512 of them that takes it as long as some ten thousand instructions.
const LONG_TURN: u32 = 16_000;

/// Gives orders: boot argument `plan=CORE>TO,…`, repeated `rounds` (20) times. CORE: a number, or `d`, the next of the
/// list `d=CORE/CORE…` in each round. TO: a domain's index, `pool`, or `off`. A step `wait` lets `wait_us` (15000) pass.
/// It begins after `after_us` (10000).
pub fn order(args: Args<'_>) {
    let plan = args.get("plan").unwrap_or_default();
    let rotated = args.get("d").unwrap_or_default();
    pass(args.number("after_us", 10_000));
    let mut orders = 0u32;
    for round in 0..args.number("rounds", 20) as usize {
        let count = rotated.split('/').count();
        let rotated = rotated.split('/').nth(round % count).unwrap_or_default();
        for step in plan.split(',') {
            let Some((core, to)) = step.split_once('>') else {
                pass(args.number("wait_us", 15_000));
                continue;
            };
            let Ok(core) = if core == "d" { rotated } else { core }.parse() else {
                return check(format_args!("{step} names a core"), false);
            };
            let to = match (to, to.parse()) {
                (_, Ok(index)) => Receiver::Domain(index),
                ("off", _) => Receiver::Off,
                _ => Receiver::Pool,
            };
            mark();
            let answer = core_order(core, to, 0);
            turns(WINDOW);
            mark();
            if answer != SUCCESS {
                return check(format_args!("round {round}: {step} core {core} answer {answer}"), false);
            }
            turns(PAUSE);
            orders += 1;
        }
    }
    check(format_args!("all of {orders} orders are accepted"), orders > 0);
}

/// Waits for `wanted` cores that somebody else orders for it; marks before it says that it is ready, and when it has them.
pub fn wait(args: Args<'_>) {
    let wanted = args.number("wanted", 1);
    pass(args.number("after_us", 50_000));
    mark();
    check(format_args!("ready for {wanted} cores"), true);
    while cores().owned < wanted {
        turns(WINDOW);
    }
    turns(WINDOW);
    mark();
    check(format_args!("has {wanted} cores"), true);
}

/// Is there with `on` contexts (1), the further ones after `after_us` (0); asks what it is notified of, and does not do it.
pub fn stand(args: Args<'_>) {
    pass(args.number("after_us", 0));
    for context in 1..args.number("on", 1) as usize {
        let answer = contexts::start(context, |_| turns(u32::MAX), 0);
        check(format_args!("context {context} starts"), answer == SUCCESS);
    }
    interrupts::enable(CORE_REQUEST_SGI, PRIORITY);
    loop {
        turns(1);
        if icc_hppir1_el1::read() != u64::from(CORE_REQUEST_SGI) {
            continue;
        }
        turns(HOLD);
        if let Some(interrupt) = interrupts::acknowledge() {
            interrupts::end(interrupt);
        }
        while core_request().is_some() {}
    }
}

/// Lets all others have so many turns. A turn is long, so that the time slices of a shared core do not take too many.
pub fn turns(count: u32) {
    (0..count).for_each(|_| spin(TURN));
}

/// Lets all others have a turn when it does not matter how long they wait for it.
pub fn long_turn() {
    spin(LONG_TURN);
}

fn spin(instructions: u32) {
    for turn in 0..instructions / 4 {
        core::hint::black_box(turn);
    }
    relax();
}

fn pass(us: u64) {
    let end = timer::now() + timer::ticks_from_us(us);
    while timer::now() < end {
        turns(1);
    }
}
