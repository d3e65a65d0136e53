//! Software-generated interrupts between contexts.

use super::peers::{CALL, REPLY, TIMEOUT_MS, arrived, arrived_anywhere, drain, forget, wait_for};
use crate::acts::checks::{check, equal};
use rt::boot;
use rt::contexts::{mpidr, wait_until};
use rt::interrupts::{self, Target};

const ROUND_TRIPS: usize = 200;

/// With so many other contexts listening.
pub fn all(peers: usize) {
    to_itself();
    to_nobody();
    to_each(peers);
    to_all_others(peers);
    round_trips(peers);
    from_all_at_once(peers);
}

fn to_itself() {
    const SGI: u32 = 1;
    forget();
    interrupts::send(SGI, Target::One(mpidr(0).unwrap_or_default()));
    wait_until(TIMEOUT_MS, || {
        drain();
        arrived(0, SGI) != 0
    });
    equal("SGI to itself", (arrived(0, SGI), arrived_anywhere(SGI)), (1, 1));
}

/// Targets that do not exist: no effect.
fn to_nobody() {
    const SGI: u32 = 2;
    forget();
    for target in [0xf, 0x500, 0xff_0000, 0xff_0000_0000, 0xff_00ff_ffff] {
        if !boot().mpidrs.contains(&target) {
            interrupts::send(SGI, Target::One(target));
        }
    }
    wait_until(10, || false);
    drain();
    equal("SGI to nobody", arrived_anywhere(SGI), 0);
}

fn to_each(peers: usize) {
    const SGI: u32 = 3;
    for context in 1..=peers {
        forget();
        interrupts::send(SGI, Target::One(mpidr(context).unwrap_or_default()));
        wait_until(TIMEOUT_MS, || arrived(context, SGI) != 0);
        let counts = (arrived(context, SGI), arrived_anywhere(SGI));
        equal(format_args!("SGI to context {context} alone"), counts, (1, 1));
    }
}

fn to_all_others(peers: usize) {
    const SGI: u32 = 4;
    forget();
    interrupts::send(SGI, Target::AllOthers);
    let all = wait_until(TIMEOUT_MS, || (1..=peers).all(|context| arrived(context, SGI) == 1));
    drain();
    check("SGI to all others", all && arrived(0, SGI) == 0);
}

/// Both sides sleep in between: no wake-up is lost.
fn round_trips(peers: usize) {
    for context in 1..=peers {
        let target = Target::One(mpidr(context).unwrap_or_default());
        let done = (0..ROUND_TRIPS)
            .take_while(|_| {
                interrupts::send(CALL, target);
                wait_for(REPLY)
            })
            .count();
        equal(format_args!("round trips with context {context}"), done, ROUND_TRIPS);
    }
}

/// All answer at once with the same interrupt: the controller may merge what is pending, but the
/// last answer comes after all others, so at least one is taken, and none hangs about.
fn from_all_at_once(peers: usize) {
    if peers == 0 {
        return;
    }
    forget();
    interrupts::send(CALL, Target::AllOthers);
    let answered = wait_until(TIMEOUT_MS, || {
        drain();
        (1..=peers).all(|context| arrived(context, CALL) == 1) && arrived(0, REPLY) != 0
    });
    check("SGI from all others", answered);
    wait_until(10, || false);
    drain();
}
