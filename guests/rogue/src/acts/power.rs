//! The domain's end and its new start, as PSCI has them.

use super::checks::check;
use rt::arch::relax;
use rt::{Args, contexts, println, psci};

/// SYSTEM_OFF, from the context that acts.
pub fn off(_: Args<'_>) {
    psci::system_off();
    check("SYSTEM_OFF does not return", false);
}

/// Every boot ends with SYSTEM_RESET, while all other contexts run and never look up.
pub fn reset_loop(args: Args<'_>) {
    for context in 1..contexts::count() {
        let answer = contexts::start(context, busy, 0);
        if answer != psci::SUCCESS {
            check(format_args!("context {context} starts, not {answer}"), false);
            return;
        }
    }
    println!("rogue: reset");
    if args.get("call") == Some("reset2") {
        psci::invoke(psci::PSCI_SYSTEM_RESET2_64, [0; 3]);
    } else {
        psci::system_reset();
    }
    check("SYSTEM_RESET does not return", false);
}

/// Interrupts masked, and no end.
fn busy(_: u64) {
    loop {
        relax();
    }
}
