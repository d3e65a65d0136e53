//! The CPU interface of the interrupt controller (GICv3, Arm IHI 0069), the same on every board.

use crate::arch::{
    icc_ap1r0_el1, icc_ctlr_el1, icc_eoir1_el1, icc_iar1_el1, icc_igrpen1_el1, icc_pmr_el1, icc_rpr_el1, icc_sgi1r_el1,
    icc_sre_el1, wait_for_interrupt,
};
use crate::timer::Timer;
use crate::{Board, MAX_CONTEXTS, boot, contexts, gic, hypercall};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A priority in the middle.
pub const PRIORITY: u8 = 0x80;
/// The first interrupt number that is no private one.
const PRIVATE: usize = 32;
/// The first of the numbers that mean "no interrupt".
const SPECIAL: u32 = 1020;

static TAKEN: [AtomicU32; PRIVATE] = [const { AtomicU32::new(0) }; PRIVATE];

type Found = (&'static str, fn() -> u64, u64);

/// What [`init_context`] looks at before it changes it, and the bits of it that software sets.
const FOUND: [Found; 5] = [
    ("icc_pmr_el1", icc_pmr_el1::read, u64::MAX),
    ("icc_igrpen1_el1", icc_igrpen1_el1::read, u64::MAX),
    ("icc_ctlr_el1", icc_ctlr_el1::read, 3),
    ("icc_ap1r0_el1", icc_ap1r0_el1::read, u64::MAX),
    ("idle icc_rpr_el1", || icc_rpr_el1::read() ^ 0xff, u64::MAX),
];
static WAS: [[AtomicU64; FOUND.len()]; MAX_CONTEXTS] =
    [const { [const { AtomicU64::new(0) }; FOUND.len()] }; MAX_CONTEXTS];

/// The CPU interface as a context found it when it was entered last: names and values, all 0 at reset.
pub(crate) fn found(context: usize) -> impl Iterator<Item = (&'static str, u64)> {
    FOUND.iter().zip(&WAS[context]).map(|(&(name, ..), value)| (name, value.load(Ordering::Relaxed)))
}

/// Sets up this context's CPU interface: all priorities pass, one write ends an interrupt.
pub fn init_context() {
    icc_sre_el1::write(0x7);
    if let Some(was) = WAS.get(contexts::current()) {
        let found = FOUND.iter().map(|&(_, read, mask)| read() & mask);
        was.iter().zip(found).for_each(|(was, value)| was.store(value, Ordering::Relaxed));
    }
    icc_ctlr_el1::write(0);
    icc_pmr_el1::write(0xff);
    icc_igrpen1_el1::write(1);
    if let Board::Virt { .. } = boot().board {
        gic::init_context();
    }
}

/// Enables one of this context's private interrupts (below 32); a lower priority is more urgent.
pub fn enable(interrupt: u32, priority: u8) {
    match boot().board {
        Board::None => hypercall::enable_interrupt(interrupt, priority),
        Board::Virt { .. } => gic::enable_private(interrupt, priority),
    }
}

/// Takes the most urgent pending interrupt, if there is one.
pub fn acknowledge() -> Option<u32> {
    let interrupt = icc_iar1_el1::read() as u32;
    (interrupt < SPECIAL).then_some(interrupt)
}

/// Ends an interrupt that was acknowledged.
pub fn end(interrupt: u32) {
    icc_eoir1_el1::write(u64::from(interrupt));
}

/// Waits for the next interrupt and acknowledges it. One that comes between the question and the
/// WFI ends the WFI, so none is slept through.
pub fn wait() -> u32 {
    loop {
        if let Some(interrupt) = acknowledge() {
            return interrupt;
        }
        wait_for_interrupt();
    }
}

/// Where a software-generated interrupt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The context with these affinity values.
    One(u64),
    /// All contexts of the domain but the sender.
    AllOthers,
}

/// Sends software-generated interrupt 0 to 15.
pub fn send(sgi: u32, target: Target) {
    const ALL_OTHERS: u64 = 1 << 40;
    let target = match target {
        Target::AllOthers => ALL_OTHERS,
        Target::One(mpidr) => {
            let [aff0, aff1, aff2, _, aff3, ..] = mpidr.to_le_bytes().map(u64::from);
            let range = aff0 / 16;
            aff3 << 48 | range << 44 | aff2 << 32 | aff1 << 16 | 1 << (aff0 % 16)
        }
    };
    crate::arch::barrier();
    icc_sgi1r_el1::write(target | u64::from(sgi & 0xf) << 24);
}

/// How often a private interrupt was taken through the vector
/// (after [`crate::arch::unmask_interrupts`]), on all contexts.
pub fn taken(interrupt: u32) -> u32 {
    let count = TAKEN.get(interrupt as usize);
    count.map_or(0, |count| count.load(Ordering::Relaxed))
}

/// The interrupt vector: counts the interrupt; a timer's is disarmed, or it would come at once
/// again.
pub(crate) fn take() {
    let Some(interrupt) = acknowledge() else {
        return;
    };
    if let Some(count) = TAKEN.get(interrupt as usize) {
        count.fetch_add(1, Ordering::Relaxed);
    }
    for timer in [Timer::Virtual, Timer::Physical] {
        if timer.interrupt() == interrupt {
            timer.disarm();
        }
    }
    end(interrupt);
}
