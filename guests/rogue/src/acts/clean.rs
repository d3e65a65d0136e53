//! A core that changes hands takes nothing along, and a context that goes on elsewhere leaves nothing behind.
//!
//! `mark-all`: every context but the first leaves a mark in each piece of state that a core has, and lives on: it looks
//! again and again whether all are there, whichever core it runs on, and at the end whether each interrupt still
//! arrives. It gives its core up, or loses it, with all marks in place. `prove-clean`, in another domain, is then
//! entered on that core and finds it as at reset.

use super::arch::enable_vectors;
use super::checks::{check, equal};
use super::marks::{self, MARK, REGISTERS, Register, TIMER_REGISTERS};
use super::time::fires;
use super::work::Worker;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use rt::arch::{
    Width, alias_of, icc_bpr1_el1, icc_ctlr_el1, icc_dir_el1, icc_hppir1_el1, icc_pmr_el1, icc_rpr_el1, relax,
    set_alias, wait_for_interrupt,
};
use rt::contexts::{self, wait_until};
use rt::gic::{self, offset};
use rt::interrupts::{self, PRIORITY, Target, acknowledge, end};
use rt::timer::Timer;
use rt::{Args, Board, boot, println, psci, try_read_register};

const TIMERS: [Timer; 2] = [Timer::Virtual, Timer::Physical];
/// An SGI that is active and pending; one that is more urgent than all others; some that are less so, more than
/// there are list registers.
const ACTIVE: u32 = 1;
const URGENT: u32 = 2;
const PATIENT: core::ops::RangeInclusive<u32> = 3..=7;
/// On a board that has them: a private and a shared interrupt that nothing else uses.
const PPI: u32 = 20;
const SPI: u32 = 72;
const ACTIVE_PRIORITY: u8 = 0xa0;
const URGENT_PRIORITY: u8 = 0x60;
const PATIENT_PRIORITY: u8 = 0xc0;
/// Lets all of these through.
const PRIORITY_MASK: u64 = 0xd0;
const BINARY_POINT: u64 = 4;
/// ICC_CTLR_EL1.EOImode: dropping the priority and deactivating are two writes.
const SPLIT_END: u64 = 1 << 1;
/// SCTLR_EL1 at reset: the bits that are 1 in every version of the architecture.
const SCTLR_RESET: u64 = 0x30d0_0800;
const DELAY_US: u64 = 1000;
const TIMEOUT_MS: u64 = 5000;
const PATIENCE_MS: u64 = 60_000;

static IS_FINISHED: AtomicBool = AtomicBool::new(false);
static DRAINED: AtomicUsize = AtomicUsize::new(0);

/// The work of a context: with all marks, until it is dismissed.
pub fn live_marked(me: &Worker) {
    let marks = Marks::leave();
    let mut is_intact = marks.are_intact();
    println!("rogue: context {} is marked", contexts::current());
    while !me.is_to_leave() {
        if IS_FINISHED.load(Relaxed) {
            check(format_args!("all marks of context {} stayed", contexts::current()), is_intact);
            marks.drain();
            DRAINED.fetch_add(1, Relaxed);
            break;
        }
        if is_intact {
            is_intact = marks.are_intact();
            me.progress();
        }
        relax();
    }
}

/// Lets all marked contexts take what is pending; to be called by another one.
pub fn finish() {
    let marked = (1..contexts::count()).filter(|&context| Worker::of(context).is_on()).count();
    IS_FINISHED.store(true, Relaxed);
    check("all interrupts are taken", wait_until(PATIENCE_MS, || DRAINED.load(Relaxed) == marked));
}

fn has_board() -> bool {
    boot().board != Board::None
}

/// A word at the end of the domain's memory, that has a second virtual address, and what is in it.
fn word() -> u64 {
    boot().memory.end - 8
}

fn send_to_itself(sgi: u32) {
    let me = contexts::mpidr(contexts::current()).unwrap_or_default();
    interrupts::send(sgi, Target::One(me));
    rt::arch::barrier();
}

struct Marks {
    /// Which of [`REGISTERS`] hold theirs; the others trap, or are not there.
    held: u64,
    binary_point: u64,
    /// The timer whose interrupt is active; the other one's is pending.
    active: Timer,
}

impl Marks {
    fn leave() -> Self {
        enable_vectors();
        marks::mark_vectors();
        let _ = MARK.store(word());
        let _ = u64::load(set_alias(word()));
        let active = Self::leave_interrupts();
        icc_pmr_el1::write(PRIORITY_MASK);
        marks::leave_all();
        let mut held = 0;
        for (index, register) in REGISTERS.iter().enumerate() {
            match register.is_marked() {
                true => held |= 1 << index,
                false => println!("rogue: note: {} holds no mark", register.name),
            }
        }
        // The last ones may have trapped when they were read. No exception comes from here on.
        REGISTERS.iter().take(EXCEPTION_REGISTERS).for_each(Register::leave_mark);
        Self { held, binary_point: icc_bpr1_el1::read(), active }
    }

    /// Leaves an active SGI that is pending again, an active timer, and pending ones of all kinds.
    fn leave_interrupts() -> Timer {
        icc_ctlr_el1::write(SPLIT_END);
        icc_bpr1_el1::write(BINARY_POINT);
        interrupts::enable(ACTIVE, ACTIVE_PRIORITY);
        interrupts::enable(URGENT, URGENT_PRIORITY);
        PATIENT.for_each(|sgi| interrupts::enable(sgi, PATIENT_PRIORITY));
        TIMERS.iter().for_each(|timer| interrupts::enable(timer.interrupt(), PRIORITY));
        send_to_itself(ACTIVE);
        check("an SGI is left active", wait_until(TIMEOUT_MS, || acknowledge() == Some(ACTIVE)));
        send_to_itself(ACTIVE);
        TIMER_REGISTERS.iter().for_each(Register::leave_mark);
        let mut taken = None;
        wait_until(TIMEOUT_MS, || {
            taken = acknowledge();
            taken.is_some()
        });
        let active = TIMERS.into_iter().find(|timer| Some(timer.interrupt()) == taken);
        check("a timer is left active", active.is_some());
        PATIENT.for_each(send_to_itself);
        if has_board() {
            Self::leave_board_interrupts();
        }
        send_to_itself(URGENT);
        active.unwrap_or(Timer::Virtual)
    }

    fn leave_board_interrupts() {
        let me = contexts::current();
        interrupts::enable(PPI, PATIENT_PRIORITY);
        gic::write(gic::sgi_frame(me) + offset::ISPENDR, 1u32 << PPI);
        let distributor = gic::distributor();
        let [word, bit] = [u64::from(SPI / 32 * 4), u64::from(SPI % 32)];
        gic::write(distributor + offset::IROUTER + 8 * u64::from(SPI), contexts::mpidr(me).unwrap_or_default());
        gic::write(distributor + offset::IPRIORITYR + u64::from(SPI), PATIENT_PRIORITY);
        for register in [offset::IGROUPR, offset::ISENABLER, offset::ISPENDR] {
            let others = if register == offset::IGROUPR { gic::read::<u32>(distributor + register + word) } else { 0 };
            gic::write(distributor + register + word, others | 1 << bit);
        }
    }

    /// Looks for all marks; says which one is gone.
    fn are_intact(&self) -> bool {
        let mut is_intact = true;
        let mut look = |name, got, expected: u64| {
            if got != expected {
                equal(format_args!("{name} keeps its mark"), got, expected);
                is_intact = false;
            }
        };
        for (_, register) in REGISTERS.iter().enumerate().filter(|(index, _)| self.held & 1 << index != 0) {
            look(register.name, register.read().unwrap_or_default(), register.mark);
        }
        for register in TIMER_REGISTERS {
            look(register.name, register.read().unwrap_or_default(), register.mark);
        }
        look("q0 to q31", u64::from(marks::vectors_are_marked()), 1);
        look("a second virtual address", u64::load(alias_of(word())).unwrap_or_default(), MARK);
        look("icc_rpr_el1", icc_rpr_el1::read(), u64::from(PRIORITY));
        look("icc_hppir1_el1", icc_hppir1_el1::read(), u64::from(URGENT));
        look("icc_pmr_el1", icc_pmr_el1::read(), PRIORITY_MASK);
        look("icc_bpr1_el1", icc_bpr1_el1::read(), self.binary_point);
        look("icc_ctlr_el1", icc_ctlr_el1::read() & SPLIT_END, SPLIT_END);
        is_intact
    }

    /// Takes every interrupt that was left: each comes once.
    fn drain(&self) {
        let mut seen = [0u32; 128];
        let mut active = [ACTIVE, self.active.interrupt()].into_iter().rev();
        loop {
            while let Some(interrupt) = acknowledge() {
                seen[interrupt as usize % seen.len()] += 1;
                end_both(interrupt);
            }
            // The next one down was active from before, and those behind it wait for its end.
            match active.next() {
                Some(interrupt) => end_both(interrupt),
                None => break,
            }
        }
        icc_ctlr_el1::write(0);
        let mut expect = |interrupt: u32, name: &str| {
            let times = core::mem::take(&mut seen[interrupt as usize]);
            equal(format_args!("{name} {interrupt} that was left arrives"), times, 1);
        };
        PATIENT.chain([ACTIVE, URGENT]).for_each(|sgi| expect(sgi, "SGI"));
        TIMERS.iter().filter(|&&timer| timer != self.active).for_each(|timer| expect(timer.interrupt(), "timer"));
        if has_board() {
            expect(PPI, "PPI");
            expect(SPI, "SPI");
        }
        equal("others that arrive", seen.iter().sum(), 0);
    }
}

/// How many of [`REGISTERS`] an exception changes: ELR_EL1, SPSR_EL1, ESR_EL1, FAR_EL1 are the first ones.
const EXCEPTION_REGISTERS: usize = 4;

fn end_both(interrupt: u32) {
    TIMERS.iter().filter(|timer| timer.interrupt() == interrupt).for_each(|timer| timer.disarm());
    end(interrupt);
    icc_dir_el1::write(u64::from(interrupt));
}

/// Starts context 1 as soon as there is a core for it, and looks at that core.
pub fn prove(_: Args<'_>) {
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
    rt::exit(super::checks::conclude())
}

fn inspect() {
    let floating_point_control = try_read_register!("cpacr_el1");
    enable_vectors();
    let values: [_; REGISTERS.len()] = core::array::from_fn(|index| REGISTERS[index].read());
    let timers: [_; TIMER_REGISTERS.len()] = core::array::from_fn(|index| TIMER_REGISTERS[index].read());

    equal("cpacr_el1", floating_point_control, Ok(0));
    let registers = REGISTERS.iter().chain(TIMER_REGISTERS).zip(values.into_iter().chain(timers));
    for (Register { name, .. }, value) in registers {
        match value {
            Ok(value) => equal(name, value, 0),
            Err(_) => println!("rogue: note: {name} traps"),
        }
    }
    check("q0 to q31", marks::vectors_are_clean());
    for (name, value) in contexts::found(contexts::current()) {
        equal(format_args!("at entry, {name}"), value, if name == "sctlr_el1" { SCTLR_RESET } else { 0 });
    }
    let binary_point = icc_bpr1_el1::read();
    icc_bpr1_el1::write(0);
    equal("icc_bpr1_el1 is its least", binary_point, icc_bpr1_el1::read());

    const OWN: u64 = 0x600d_600d_600d_600d;
    equal("the word that the other domain marked", u64::load(word()), Ok(0));
    check("its second virtual address leads nowhere", u64::load(alias_of(word())).is_err());
    let _ = OWN.store(word());
    equal("once mapped, it leads to this domain's memory", u64::load(set_alias(word())), Ok(OWN));
    inspect_interrupts();
}

fn inspect_interrupts() {
    (0..32).for_each(|interrupt| interrupts::enable(interrupt, PRIORITY));
    if has_board() {
        let frame = gic::sgi_frame(contexts::current());
        equal("pending in the redistributor", gic::read::<u32>(frame + offset::ISPENDR), 0);
        equal("active in the redistributor", gic::read::<u32>(frame + offset::ISACTIVER), 0);
    }
    let mut pending = None;
    wait_until(10, || {
        pending = acknowledge();
        pending.is_some()
    });
    equal("nothing is pending", pending, None);
    if let Some(interrupt) = pending {
        end(interrupt);
    }
    // What was left active would never come.
    for timer in TIMERS {
        check(format_args!("{timer:?} fires"), fires(timer, DELAY_US));
    }
    for sgi in 0..16 {
        send_to_itself(sgi);
        check(format_args!("SGI {sgi} arrives"), wait_until(TIMEOUT_MS, || acknowledge() == Some(sgi)));
        end(sgi);
    }
}
