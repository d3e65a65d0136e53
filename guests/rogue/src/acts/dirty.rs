//! A new boot finds nothing of the one before it, and a core nothing of the domain that had it:
//! `dirty-state` leaves a mark wherever it can, and resets its domain. Only a boot that finds no
//! mark does so again, so the domain's end is the reset that exceeds `restarts-max`, or exit code 1.
//! With `then=off` the domain ends after the first marks, and `inherit` in another domain looks for
//! them on the core that this one left.

use super::arch::{enable_vectors, read_vectors, try_write_register, write_vectors};
use super::checks::{check, conclude, equal};
use super::time::fires;
use rt::arch::{Width, icc_rpr_el1, is_outside_image, wait_for_interrupt};
use rt::contexts::{self, wait_until};
use rt::interrupts::{self, PRIORITY, Target, acknowledge};
use rt::timer::Timer;
use rt::{Args, boot, println, psci, try_read_register};

const MARK: u64 = 0x0bad_5eed_0bad_5eec;
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

/// Registers that the runtime does not touch before a guest's main, and marks they can hold
/// (S3_3_C4_C4_0 and 1: FPCR and FPSR, which this target's assembler does not name).
macro_rules! registers {
    ($action:ident) => {
        $action! {
            "tpidr_el0" MARK, "tpidrro_el0" MARK, "tpidr_el1" MARK, "sp_el0" MARK,
            "contextidr_el1" MARK & 0xffff_ffff, "ttbr1_el1" MARK & 0xffff_f000,
            "amair_el1" 0x4444_4444, "par_el1" MARK & 0xff_f000, "far_el1" MARK,
            "elr_el1" MARK, "spsr_el1" 0x3c4, "esr_el1" 0x5600_0042,
            "cntkctl_el1" 0x3, "csselr_el1" 0x2,
            "cntv_cval_el0" 1, "cntp_cval_el0" 1, "cntv_ctl_el0" 1, "cntp_ctl_el0" 1,
            "S3_3_C4_C4_0" 0x0100_0000, "S3_3_C4_C4_1" 0x1f,
            "dbgbvr0_el1" MARK & 0xffff_fffc, "dbgwvr0_el1" MARK & 0xffff_fff8,
            "pmccntr_el0" MARK, "pmuserenr_el0" 0xf,
        }
    };
}

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
    check("vector registers are clean", read_vectors().iter().all(|&value| value != MARK));
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
    write_vectors(MARK);
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

fn marked_registers() -> u64 {
    let mut marked = 0;
    macro_rules! count {
        ($($name:literal $mark:expr,)*) => {$(
            if try_read_register!($name) == Ok($mark) {
                println!("rogue: {} has a mark", $name);
                marked += 1;
            }
        )*};
    }
    registers!(count);
    marked
}

/// A register that can't be written holds no mark.
fn mark_registers() {
    macro_rules! write {
        ($($name:literal $mark:expr,)*) => {$(
            let _ = try_write_register!($name, $mark);
        )*};
    }
    registers!(write);
}
