//! A domain that moves the cores of two others to and fro, faster than they can follow.
//!
//! Boot arguments: cores `first` to `first + count - 1` go to the domains with indices `a` (0) and `b` (1) of the
//! manifest, or with `pool=1` to the pool too; `orders` (200), one each `period_us` (5000); `deadline_ms` (20).

use super::checks::{check, equal};
use domains::protocol::ReportKey;
use rt::hypercall::{Receiver, core_order, report};
use rt::interrupts::{self, PRIORITY};
use rt::psci::{SUCCESS, error};
use rt::timer::{self, Timer};
use rt::{Args, println};

const TIMER: Timer = Timer::Virtual;

const DENIED: i64 = error::DENIED as i64;
const INVALID_PARAMETERS: i64 = error::INVALID_PARAMETERS as i64;

/// All checks of this act.
pub fn manage(args: Args<'_>) {
    let number = |key, default| args.number(key, default);
    let [first, count] = [number("first", 1), number("count", 1).max(1)];
    let receivers = [number("a", 0), number("b", 1)].map(|index| Receiver::Domain(index as u16));
    let [deadline_ms, period_us] = [number("deadline_ms", 20), number("period_us", 5000)];
    interrupts::enable(TIMER.interrupt(), PRIORITY);

    equal("an unknown core", core_order(1 << 40, Receiver::Pool, 0), INVALID_PARAMETERS);
    equal("an unknown core of 32 bits", core_order(1 << 32 | first, Receiver::Pool, 0), INVALID_PARAMETERS);
    equal("an unknown domain", core_order(first, Receiver::Domain(0x7fff), 0), INVALID_PARAMETERS);

    let mut random = number("seed", 1) | 1 << 32;
    let [mut accepted, mut denied, mut others] = [0; 3];
    let orders = number("orders", 200);
    for _ in 0..orders {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let [core, choice, die] = [random >> 33, random >> 41, random >> 49];
        let to = match die % 8 {
            0 if number("pool", 0) == 1 => Receiver::Pool,
            _ => receivers[choice as usize % 2],
        };
        match core_order(first + core % count, to, deadline_ms) {
            SUCCESS => accepted += 1,
            DENIED => denied += 1,
            _ => others += 1,
        }
        sleep_us(period_us);
    }
    // What was ordered last is done before this domain, and perhaps the run, ends.
    sleep_us(deadline_ms * 1000 + 500_000);
    println!("manager: orders={orders} accepted={accepted} denied={denied}");
    check("orders are accepted", accepted > 0);
    equal("other answers", others, 0);
    report(ReportKey::User0, accepted);
    report(ReportKey::User1, denied);
}

fn sleep_us(us: u64) {
    TIMER.arm(timer::now() + timer::ticks_from_us(us));
    let interrupt = interrupts::wait();
    TIMER.disarm();
    interrupts::end(interrupt);
}
