//! Distributor and redistributors of the `virt` board (GICv3, Arm IHI 0069, chapter 12), as far
//! as a guest with affinity routing and one security state needs them.

use crate::arch::Width;
use crate::{Board, boot, contexts};

/// Offsets in the distributor, and in a redistributor's SGI frame.
pub mod offset {
    /// GICD_CTLR or GICR_CTLR.
    pub const CTLR: u64 = 0x0;
    /// GICD_TYPER.
    pub const DISTRIBUTOR_TYPER: u64 = 0x4;
    /// GICR_TYPER, 64 bits.
    pub const REDISTRIBUTOR_TYPER: u64 = 0x8;
    /// GICR_WAKER.
    pub const WAKER: u64 = 0x14;
    /// Group: one bit an interrupt.
    pub const IGROUPR: u64 = 0x80;
    /// Set enable.
    pub const ISENABLER: u64 = 0x100;
    /// Clear enable.
    pub const ICENABLER: u64 = 0x180;
    /// Set pending.
    pub const ISPENDR: u64 = 0x200;
    /// Clear pending.
    pub const ICPENDR: u64 = 0x280;
    /// Set active.
    pub const ISACTIVER: u64 = 0x300;
    /// Clear active.
    pub const ICACTIVER: u64 = 0x380;
    /// Priority: one byte an interrupt.
    pub const IPRIORITYR: u64 = 0x400;
    /// Edge or level: two bits an interrupt.
    pub const ICFGR: u64 = 0xc00;
    /// Route: 64 bits an interrupt from 32 on.
    pub const IROUTER: u64 = 0x6000;
    /// Peripheral identification 2.
    pub const PIDR2: u64 = 0xffe8;
}

/// From one redistributor to the next.
pub const REDISTRIBUTOR_STRIDE: u64 = 0x2_0000;
const SGI_FRAME: u64 = 0x1_0000;
const WAKER_SLEEP: u32 = 1 << 1;
const WAKER_CHILDREN_ASLEEP: u32 = 1 << 2;
/// Affinity routing, group 1 enabled.
const CTLR_ENABLED: u32 = 1 << 4 | 1 << 1;
const WAKE_TIMEOUT_MS: u64 = 1000;

/// The distributor's address.
pub fn distributor() -> u64 {
    match boot().board {
        Board::Virt { distributor, .. } => distributor,
        Board::None => absent(),
    }
}

/// The address of a context's redistributor.
pub fn redistributor(context: usize) -> u64 {
    match boot().board {
        Board::Virt { redistributors, .. } => redistributors + context as u64 * REDISTRIBUTOR_STRIDE,
        Board::None => absent(),
    }
}

/// The frame of a context's redistributor for its private interrupts.
pub fn sgi_frame(context: usize) -> u64 {
    redistributor(context) + SGI_FRAME
}

#[expect(clippy::panic, reason = "the guest was started on the wrong board")]
fn absent() -> ! {
    panic!("this board has no GIC")
}

/// Loads a register that has to be there.
pub fn read<W: Width>(address: u64) -> W {
    match W::load(address) {
        Ok(value) => value,
        Err(exception) => refused(address, exception.syndrome),
    }
}

/// Stores to a register that has to be there.
pub fn write<W: Width>(address: u64, value: W) {
    if let Err(exception) = value.store(address) {
        refused(address, exception.syndrome)
    }
}

#[expect(clippy::panic, reason = "the board is not what its device tree says")]
fn refused(address: u64, syndrome: u64) -> ! {
    panic!("device register {address:#x} refused: esr={syndrome:#x}")
}

/// Sets or clears the sleep request of this context's redistributor; whether it followed.
pub fn set_sleep(context: usize, asleep: bool) -> bool {
    let waker = redistributor(context) + offset::WAKER;
    let (request, state) = match asleep {
        true => (WAKER_SLEEP, WAKER_CHILDREN_ASLEEP),
        false => (0, 0),
    };
    write(waker, request);
    contexts::wait_until(WAKE_TIMEOUT_MS, || read::<u32>(waker) & WAKER_CHILDREN_ASLEEP == state)
}

/// Wakes this context's redistributor, with all its interrupts in group 1.
pub(crate) fn init_context() {
    let context = contexts::current();
    write(distributor() + offset::CTLR, CTLR_ENABLED);
    set_sleep(context, false);
    write(sgi_frame(context) + offset::IGROUPR, u32::MAX);
}

/// Enables a private interrupt of this context.
pub(crate) fn enable_private(interrupt: u32, priority: u8) {
    let frame = sgi_frame(contexts::current());
    write(frame + offset::IPRIORITYR + u64::from(interrupt), priority);
    write(frame + offset::ISENABLER, 1u32 << interrupt);
}
