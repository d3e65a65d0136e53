//! Acts that only load the machine: they slow their own domain and no other.

use super::checks::check;
use core::sync::atomic::{AtomicU64, Ordering};
use rt::interrupts::{self, Target};
use rt::{Args, console, contexts, println};

const STORM: u32 = 1;
const LAST: u32 = 2;
/// No contexts' storms may last longer than this for one more acknowledgement.
const TIMEOUT_MS: u64 = 10_000;

/// Writes `bytes` (1 MiB) to the console, without a pause.
pub fn console_flood(args: Args<'_>) {
    const LINE: &[u8; 64] = b"flood flood flood flood flood flood flood flood flood flood fld\n";
    let bytes = args.number("bytes", 1 << 20);
    for _ in 0..bytes / LINE.len() as u64 {
        console::write(LINE);
    }
    println!("rogue: flooded bytes={bytes}");
    check("the flood ended", true);
}

/// Interrupts taken by all contexts.
static TAKEN: AtomicU64 = AtomicU64::new(0);
static CALM: AtomicU64 = AtomicU64::new(0);

/// Sends `count` (100,000) software-generated interrupts to itself and as many to all its other
/// contexts.
pub fn sgi_storm(args: Args<'_>) {
    let count = args.number("count", 100_000);
    for context in 1..contexts::count() {
        contexts::start(context, weather, 0);
    }
    listen();
    let me = contexts::mpidr(contexts::current()).unwrap_or_default();
    for _ in 0..count {
        interrupts::send(STORM, Target::One(me));
        interrupts::send(STORM, Target::AllOthers);
        while let Some(interrupt) = interrupts::acknowledge() {
            TAKEN.fetch_add(1, Ordering::Relaxed);
            interrupts::end(interrupt);
        }
    }
    println!("rogue: sent={count} taken={}", TAKEN.load(Ordering::Relaxed));
    check("own interrupts arrive", TAKEN.load(Ordering::Relaxed) > 0);

    interrupts::send(LAST, Target::AllOthers);
    let others = contexts::count() as u64 - 1;
    let calm = contexts::wait_until(TIMEOUT_MS, || CALM.load(Ordering::Relaxed) == others);
    check("every other context hears the last one", calm);
}

fn listen() {
    interrupts::enable(STORM, interrupts::PRIORITY);
    interrupts::enable(LAST, interrupts::PRIORITY);
}

/// Takes interrupts until the last one.
fn weather(_: u64) {
    listen();
    loop {
        let interrupt = interrupts::wait();
        TAKEN.fetch_add(1, Ordering::Relaxed);
        interrupts::end(interrupt);
        if interrupt == LAST {
            break;
        }
    }
    CALM.fetch_add(1, Ordering::Relaxed);
}
