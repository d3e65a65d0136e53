//! A new boot finds nothing of the one before it, and a core nothing of the domain that had it:
//! `dirty-state` leaves a mark wherever it can, and resets its domain. Only a boot that finds no
//! mark does so again, so the domain's end is the reset that exceeds `restarts-max`, or exit code 1.
//! With `then=off` the domain ends after the first marks, and `inherit` in another domain looks for
//! them on the core that this one left.

use super::arch::enable_vectors;
use super::checks::{check, conclude, equal};
use super::marks::{self, MARK, REGISTERS, Register, TIMER_REGISTERS, mark_vectors, vectors_are_clean};
use super::time::fires;
use rt::arch::{Width, icc_rpr_el1, is_outside_image, wait_for_interrupt};
use rt::contexts::{self, wait_until};
use rt::interrupts::{self, PRIORITY, Target, acknowledge};
use rt::timer::Timer;
use rt::{Args, boot, println, psci};

const WORD: usize = 8;
const TIMERS: [Timer; 2] = [Timer::Virtual, Timer::Physical];
const SGI: u32 = 1;
/// Less urgent than the timers'.
const SGI_PRIORITY: u8 = 0xa0;
const IDLE_PRIORITY: u64 = 0xff;
const DELAY_US: u64 = 1000;
const TIMEOUT_MS: u64 = 5000;
/// The other domain has to fill its memory first.
const PATIENCE_MS: u64 = 60_000;

/// Looks for marks, leaves marks, resets.
pub fn dirty_state(args: Args<'_>) {
    equal("entry registers are clean", boot().entry_registers, 0);
    inspect();
    if conclude() == 0 {
        println!("rogue: leaving marks");
        leave_marks();
        match args.get("then") {
            Some("off") => psci::system_off(),
            _ => psci::system_reset(),
        };
        check("the end of the domain does not return", false);
    }
}

/// Starts context 1 as soon as another domain left a core for it, and looks for marks there.
pub fn inherit(_: Args<'_>) {
    let started = wait_until(PATIENCE_MS, || contexts::start(1, inspect_and_exit, 0) == psci::SUCCESS);
    check("a core becomes free", started);
    if started {
        // The other context ends the domain.
        loop {
            wait_for_interrupt();
        }
    }
}

/// A job, and the domain's last.
fn inspect_and_exit(_: u64) {
    inspect();
    rt::exit(conclude())
}

/// Looks for marks.
fn inspect() {
    enable_vectors();
    equal("marked registers", marked_registers(), 0);
    check("vector registers are clean", vectors_are_clean());
    equal("used words of memory", free_words().filter(|&word| u64::load(word) != Ok(0)).count(), 0);
    equal("running priority", icc_rpr_el1::read(), IDLE_PRIORITY);
    listen();
    check("nothing is pending", !wait_until(10, || acknowledge().is_some()));
    // What was left active would never come.
    for timer in TIMERS {
        check(format_args!("{timer:?} fires"), fires(timer, DELAY_US));
    }
    send_to_itself();
    check("an SGI arrives", wait_until(TIMEOUT_MS, || acknowledge() == Some(SGI)));
    interrupts::end(SGI);
}

/// Leaves marks: among them an active timer, a pending timer, and a pending SGI.
fn leave_marks() {
    free_words().for_each(|word| {
        let _ = MARK.store(word);
    });
    mark_vectors();
    send_to_itself();
    mark_registers();
    let active = interrupts::wait();
    check("a timer is left active", active == Timer::Virtual.interrupt());
}

fn listen() {
    TIMERS.iter().for_each(|timer| interrupts::enable(timer.interrupt(), PRIORITY));
    interrupts::enable(SGI, SGI_PRIORITY);
}

fn send_to_itself() {
    let me = contexts::mpidr(contexts::current()).unwrap_or_default();
    interrupts::send(SGI, Target::One(me));
    rt::arch::barrier();
}

/// The addresses of all words of the domain's memory that the guest's image does not use.
fn free_words() -> impl Iterator<Item = u64> {
    let words = boot().memory.clone().step_by(WORD);
    words.filter(|&word| is_outside_image(word, WORD as u64))
}

fn marked_registers() -> usize {
    let marked = REGISTERS.iter().chain(TIMER_REGISTERS).filter(|register| register.is_marked());
    marked.inspect(|register| println!("rogue: {} has a mark", register.name)).count()
}

fn mark_registers() {
    marks::leave_all();
    TIMER_REGISTERS.iter().for_each(Register::leave_mark);
}
