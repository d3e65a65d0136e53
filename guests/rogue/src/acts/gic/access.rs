//! Accesses of any size to any register are answered; the frames say what they are.

use super::peers::typer_affinity;
use crate::acts::checks::{check, equal};
use rt::arch::Width;
use rt::gic::offset::{CTLR, DISTRIBUTOR_TYPER, ICACTIVER, IPRIORITYR, IROUTER, ISENABLER, PIDR2, REDISTRIBUTOR_TYPER};
use rt::gic::{distributor, read, redistributor, set_sleep, sgi_frame};
use rt::{contexts, println};

const FRAME: u64 = 0x1_0000;

/// Identification, and the handshake that wakes a redistributor.
pub fn frames() {
    let typer: u32 = read(distributor() + DISTRIBUTOR_TYPER);
    println!("rogue: GICD_TYPER={typer:#x}");
    check("the distributor has shared interrupts", typer & 0x1f != 0);
    let ctlr: u32 = read(distributor() + CTLR);
    check("affinity routing is on", ctlr & (1 << 4) != 0);
    for frame in [distributor(), redistributor(0)] {
        equal("it is a GICv3", (read::<u32>(frame + PIDR2) >> 4) & 0xf, 3);
    }
    for context in 0..contexts::count() {
        let typer: u64 = read(redistributor(context) + REDISTRIBUTOR_TYPER);
        let halves = [0, 4].map(|half| read::<u32>(redistributor(context) + REDISTRIBUTOR_TYPER + half));
        let is_last = typer & (1 << 4) != 0;
        let described = Some(typer_affinity(typer)) == contexts::mpidr(context)
            && is_last == (context + 1 == contexts::count())
            && [typer as u32, (typer >> 32) as u32] == halves;
        check(format_args!("GICR_TYPER of context {context}"), described);
    }
    let me = contexts::current();
    check("GICR_WAKER goes to sleep", set_sleep(me, true));
    check("GICR_WAKER wakes up", set_sleep(me, false));
}

/// Loads of every size all over the frames, stores of 0 where 0 says nothing: whatever they
/// answer, the guest goes on.
pub fn sizes() {
    let me = contexts::current();
    for (name, frame) in
        [("distributor", distributor()), ("redistributor", redistributor(me)), ("SGI frame", sgi_frame(me))]
    {
        let loads = [
            loads::<u8>(frame, 0x101),
            loads::<u16>(frame, 0x102),
            loads::<u32>(frame, 0x24),
            loads::<u64>(frame, 0x108),
        ];
        println!("rogue: {name}: loads that faulted, by size: {loads:?}");
        check(format_args!("loads from the {name} are survived"), true);
    }
    for frame in [distributor(), sgi_frame(me)] {
        for register in (ISENABLER..ICACTIVER + 0x80).step_by(0x80) {
            let _ = 0u8.store(frame + register + 1);
            let _ = 0u16.store(frame + register + 2);
            let _ = 0u32.store(frame + register + 0x7c);
            let _ = 0u64.store(frame + register + 8);
        }
    }
    for offset in [0x44, 0x3000, 0x5ff8, IROUTER, IROUTER + 31 * 8, 0x7fe0, 0xc000, PIDR2] {
        let _ = 0u32.store(distributor() + offset);
        let _ = 0u64.store(distributor() + (offset & !7));
    }
    check("stores of other sizes are survived", true);
    equal("priorities can be read by byte and word", by_byte(me), by_word(me));
}

/// How many loads of a size faulted.
fn loads<W: Width>(frame: u64, step: u64) -> usize {
    let size = size_of::<W>() as u64;
    (0..FRAME - size)
        .step_by(step as usize)
        .map(|offset| frame + offset / size * size)
        .filter(|&address| W::load(address).is_err())
        .count()
}

fn by_byte(context: usize) -> u32 {
    let first = sgi_frame(context) + IPRIORITYR;
    u32::from_le_bytes([0, 1, 2, 3].map(|byte| read(first + byte)))
}

fn by_word(context: usize) -> u32 {
    read(sgi_frame(context) + IPRIORITYR)
}
