//! Priorities, nesting, and more interrupts than list registers.

use crate::acts::checks::{check, equal};
use rt::arch::{icc_bpr1_el1, icc_ctlr_el1, icc_dir_el1, icc_igrpen1_el1, icc_pmr_el1, icc_rpr_el1};
use rt::interrupts::{self, PRIORITY, Target, acknowledge, end};
use rt::{contexts, gic};

const IDLE_PRIORITY: u64 = 0xff;
const SGIS: u32 = 16;

/// On this context alone.
pub fn all() {
    icc_bpr1_el1::write(0);
    all_pending();
    all_active();
    mask();
    group_enable();
    split_end();
    for sgi in 0..SGIS {
        set_priority(sgi, PRIORITY);
    }
    check("nothing is left pending", acknowledge().is_none());
    equal("the running priority is idle", icc_rpr_el1::read(), IDLE_PRIORITY);
}

fn set_priority(interrupt: u32, priority: u8) {
    let frame = gic::sgi_frame(contexts::current());
    gic::write(frame + gic::offset::IPRIORITYR + u64::from(interrupt), priority);
}

fn send(sgi: u32) {
    interrupts::send(sgi, Target::One(contexts::mpidr(contexts::current()).unwrap_or_default()));
    rt::arch::barrier();
}

/// Sixteen pending at once, more than any list registers hold: they come by priority.
fn all_pending() {
    let rank = |sgi: u32| (sgi * 7) % SGIS;
    for sgi in 0..SGIS {
        set_priority(sgi, 0x40 + rank(sgi) as u8 * 8);
        send(sgi);
    }
    let mut in_order = true;
    for expected in 0..SGIS {
        match acknowledge() {
            Some(sgi) => {
                in_order &= rank(sgi) == expected;
                end(sgi);
            }
            None => in_order = false,
        }
    }
    check("16 pending SGIs arrive by priority", in_order);
}

/// Eight active at once, each preempting the one before, while as many less urgent ones wait.
fn all_active() {
    const DEPTH: u32 = 8;
    let level = |sgi: u32| 0x80 - sgi as u8 * 8;
    for sgi in 0..DEPTH {
        set_priority(sgi, level(sgi));
        set_priority(DEPTH + sgi, 0xc0);
        send(DEPTH + sgi);
    }
    let mut nested = true;
    for sgi in 0..DEPTH {
        send(sgi);
        nested &= acknowledge() == Some(sgi) && icc_rpr_el1::read() == u64::from(level(sgi));
    }
    check("8 active SGIs preempt each other", nested);
    check("less urgent ones wait", acknowledge().is_none());
    (0..DEPTH).rev().for_each(end);
    let mut rest = [false; DEPTH as usize];
    while let Some(sgi) = acknowledge() {
        if let Some(seen) = rest.get_mut((sgi.wrapping_sub(DEPTH)) as usize) {
            *seen = true;
        }
        end(sgi);
    }
    check("and come when those have ended", rest.iter().all(|&seen| seen));
}

fn mask() {
    set_priority(0, PRIORITY);
    icc_pmr_el1::write(u64::from(PRIORITY));
    send(0);
    check("the priority mask holds an SGI back", acknowledge().is_none());
    icc_pmr_el1::write(0xff);
    equal("and lets it through", acknowledge(), Some(0));
    end(0);
}

fn group_enable() {
    icc_igrpen1_el1::write(0);
    send(0);
    check("a disabled CPU interface holds an SGI back", acknowledge().is_none());
    icc_igrpen1_el1::write(1);
    rt::arch::barrier();
    equal("and lets it through once enabled", acknowledge(), Some(0));
    end(0);
}

/// With EOImode = 1 an interrupt stays active until it is deactivated.
fn split_end() {
    const EOI_MODE: u64 = 2;
    icc_ctlr_el1::write(EOI_MODE);
    send(0);
    equal("an SGI arrives in the other mode", acknowledge(), Some(0));
    end(0);
    equal("its end drops the priority", icc_rpr_el1::read(), IDLE_PRIORITY);
    send(0);
    check("but it stays active", acknowledge().is_none());
    icc_dir_el1::write(0);
    rt::arch::barrier();
    equal("until it is deactivated", acknowledge(), Some(0));
    end(0);
    icc_dir_el1::write(0);
    icc_ctlr_el1::write(0);
}
