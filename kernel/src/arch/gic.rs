//! The physical GICv3: distributor, redistributors, CPU interface, and the registers of the
//! virtual interface (GIC Architecture Specification, IHI 0069).
//!
//! EL2 acknowledges with EOImode = 1: its write to ICC_EOIR1_EL1 drops the priority; what is
//! EL2's own it deactivates itself, the guest's timers are deactivated by the guest's end of
//! interrupt, through list registers with the HW bit.

use super::core_local::CoreLocal;
use super::sysreg::{isb, read, write};
use crate::platform::device::Registers;
use crate::platform::machine::{Gic, Region};
use core::sync::atomic::Ordering::Relaxed;
use domains::mmio::Level;
use domains::vgic::{HwInterrupts, ListRegisters, Maintenance};
use smp::bits;
use smp::core_id::Mpidr;

/// The SGI by which cores ring each other.
pub const DOORBELL: u32 = 0;
/// No interrupt was pending (IHI 0069, 2.2.1).
pub const FIRST_SPECIAL: u32 = 1020;
/// Priority of all physical interrupts.
const PRIORITY: u32 = 0x8080_8080;

// Registers of the distributor, and of a redistributor's frame of SGIs and PPIs, which is laid out as the distributor.
const CTLR: u64 = 0x0;
const TYPER: u64 = 0x4;
const IGROUPR: u64 = 0x80;
const ISENABLER: u64 = 0x100;
const ICENABLER: u64 = 0x180;
const ICPENDR: u64 = 0x280;
const ISACTIVER: u64 = 0x300;
const ICACTIVER: u64 = 0x380;
const IPRIORITYR: u64 = 0x400;
const IROUTER: u64 = 0x6000;

// Registers of a redistributor's control frame, where its frame of SGIs and PPIs is, and the next redistributor.
const GICR_TYPER: u64 = 0x8;
const GICR_WAKER: u64 = 0x14;
const GICR_SGI_FRAME: u64 = 0x1_0000;
const GICR_NEXT: u64 = 0x2_0000;

/// The GIC does not answer as its specification says.
#[derive(Debug)]
pub enum GicError {
    /// A write did not take effect.
    Stuck,
    /// No redistributor has this core's affinity.
    NoRedistributor,
}

/// Looks at a register until `done`, a bounded number of times.
fn poll(done: impl Fn() -> bool) -> Result<(), GicError> {
    // Most often it is at once.
    if done() || (1..100_000).any(|_| done()) { Ok(()) } else { Err(GicError::Stuck) }
}

/// Brings up the distributor; all shared interrupts are group 1, off.
///
/// # Errors
/// See [`GicError`].
pub fn start_distributor(gic: &Gic) -> Result<(), GicError> {
    let distributor = Registers::new(gic.distributor);
    let written = || distributor.read32(CTLR) & 1 << 31 == 0;
    distributor.write32(CTLR, 0);
    poll(written)?;
    let words = u64::from(distributor.read32(TYPER) & 0x1f).wrapping_add(1);
    for word in 1..words {
        distributor.write32(ICENABLER.wrapping_add(word.wrapping_mul(4)), u32::MAX);
        distributor.write32(IGROUPR.wrapping_add(word.wrapping_mul(4)), u32::MAX);
    }
    // Affinity routing, group 1.
    distributor.write32(CTLR, 1 << 4 | 1 << 1);
    poll(written)
}

/// Routes a shared interrupt to a core and switches it on.
pub fn enable_shared(gic: &Gic, intid: u32, core: Mpidr) {
    let distributor = Registers::new(gic.distributor);
    let id = u64::from(intid);
    // Of its three neighbours too, which are off.
    distributor.write32(IPRIORITYR.wrapping_add(id & !3), PRIORITY);
    distributor.write64(IROUTER.wrapping_add(id.wrapping_mul(8)), core.value());
    distributor.write32(ISENABLER.wrapping_add((id >> 5).wrapping_mul(4)), 1 << (id & 31));
}

/// GICR_TYPER's affinity, in MPIDR's layout.
fn affinity_of(frame: u64) -> u64 {
    let typer = Registers::new(frame).read64(GICR_TYPER) >> 32;
    (typer & 0xff_ffff) | (typer & 0xff00_0000) << 8
}

/// Finds a core's redistributor: tried first is the frame at the core's place in the list (so
/// that bring-up does not grow with the number of cores), then all.
fn find_redistributor(gic: &Gic, core: &CoreLocal) -> Result<u64, GicError> {
    let frames_of = |region: &Region| (region.start..region.end()).step_by(GICR_NEXT as usize);
    let frames = || gic.redistributors.iter().flat_map(frames_of);
    let has = |frame: &u64| affinity_of(*frame) == core.mpidr.value();
    frames().nth(core.id.index()).into_iter().chain(frames()).find(has).ok_or(GicError::NoRedistributor)
}

/// Brings up this core's redistributor and CPU interface.
///
/// # Errors
/// See [`GicError`].
pub fn start_core(gic: &Gic, core: &CoreLocal) -> Result<(), GicError> {
    let frame = find_redistributor(gic, core)?;
    core.redistributor.store(frame, Relaxed);
    let redistributor = Registers::new(frame);
    // ProcessorSleep off; wait for ChildrenAsleep.
    redistributor.write32(GICR_WAKER, redistributor.read32(GICR_WAKER) & !2);
    poll(|| redistributor.read32(GICR_WAKER) & 4 == 0)?;
    let private = private(core);
    private.write32(IGROUPR, u32::MAX);
    for register in 0..8u64 {
        private.write32(IPRIORITYR.wrapping_add(register.wrapping_mul(4)), PRIORITY);
    }
    let own = 1 << DOORBELL | 1 << gic.maintenance | 1 << gic.timers.hypervisor;
    private.write32(ISENABLER, own | guest_timers(gic));
    // SRE, no bypass, EL1 may use the system register interface.
    write!("icc_sre_el2", 0xf);
    isb();
    write!("icc_pmr_el1", 0xff);
    write!("icc_bpr1_el1", 0);
    write!("icc_ctlr_el1", 2);
    write!("icc_igrpen1_el1", 1);
    write!("ich_hcr_el2", 1);
    isb();
    Ok(())
}

/// Nothing is to reach this core any more, which is about to go off (IHI 0069, 11.1).
pub fn stop_core(core: &CoreLocal) {
    write!("icc_igrpen1_el1", 0);
    isb();
    let redistributor = Registers::new(core.redistributor.load(Relaxed));
    redistributor.write32(GICR_WAKER, redistributor.read32(GICR_WAKER) | 2);
    // If its children do not go to sleep, the firmware will say so.
    let _ = poll(|| redistributor.read32(GICR_WAKER) & 4 != 0);
}

/// The registers of this core's SGIs and PPIs.
fn private(core: &CoreLocal) -> Registers {
    Registers::new(core.redistributor.load(Relaxed).wrapping_add(GICR_SGI_FRAME))
}

fn guest_timers(gic: &Gic) -> u32 {
    1 << gic.timers.virtual_ | 1 << gic.timers.physical
}

/// What rings a core: ICC_SGI1R_EL1's value.
pub fn doorbell(core: Mpidr) -> u64 {
    let target = core.value();
    let aff = |shift: u32| target >> shift & 0xff;
    let list = 1u64.wrapping_shl((aff(0) & 0xf) as u32);
    let range = aff(0) >> 4;
    aff(32) << 48 | range << 44 | aff(16) << 32 | u64::from(DOORBELL) << 24 | aff(8) << 16 | list
}

/// Interrupts a core.
pub fn ring(doorbell: u64) {
    // What the other core is to see is written before it is interrupted.
    super::sysreg::dsb();
    write!("icc_sgi1r_el1", doorbell);
    isb();
}

/// Takes the most urgent pending interrupt, or `None`.
pub fn acknowledge() -> Option<u32> {
    let intid = read!("icc_iar1_el1") as u32 & 0xff_ffff;
    (intid < FIRST_SPECIAL).then_some(intid)
}

/// Ends an interrupt of EL2's own.
pub fn end(intid: u32) {
    drop_priority(intid);
    write!("icc_dir_el1", u64::from(intid));
}

/// Lets further interrupts in; this one stays active until the guest ends it.
pub fn drop_priority(intid: u32) {
    write!("icc_eoir1_el1", u64::from(intid));
}

/// Makes an interrupt inactive.
pub fn deactivate(intid: u32) {
    write!("icc_dir_el1", u64::from(intid));
}

/// List registers for this machine, all empty.
pub fn empty_list_registers() -> ListRegisters {
    ListRegisters::new((read!("ich_vtr_el2") & 0x1f).wrapping_add(1) as usize)
}

macro_rules! list_registers {
    ($($n:literal)*) => {
        fn read_list_register(n: usize) -> u64 {
            match n { $($n => read!(concat!("ich_lr", $n, "_el2")),)* _ => 0 }
        }
        fn write_list_register(n: usize, value: u64) {
            match n { $($n => write!(concat!("ich_lr", $n, "_el2"), value),)* _ => () }
        }
        /// Empties the first `count`.
        fn clear_list_registers(count: u64) {
            $(if count <= $n { return; }
            write!(concat!("ich_lr", $n, "_el2"), 0);)*
        }
    };
}

list_registers! { 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 }

/// Reads back the list registers that are in use; returns ICH_HCR_EL2.EOIcount.
pub fn read_list(list: &mut ListRegisters) -> u32 {
    for n in bits(list.used()).map(|n| n as usize) {
        list.set(n, read_list_register(n));
    }
    (read!("ich_hcr_el2") >> 27) as u32
}

/// Writes the list registers that changed, and the conditions for a maintenance interrupt;
/// EOIcount is cleared.
pub fn write_list(list: &mut ListRegisters, maintenance: Maintenance) {
    for n in bits(list.take_changed()).map(|n| n as usize) {
        write_list_register(n, list.get(n));
    }
    write!("ich_hcr_el2", 1 | maintenance.bits());
}

/// Makes private interrupts (bits by INTID) active on this core: loaded list registers will
/// deactivate them.
pub fn activate(core: &CoreLocal, private: u32) {
    if private != 0 {
        self::private(core).write32(ISACTIVER, private);
    }
}

/// Makes private interrupts (bits by INTID) inactive on this core.
pub fn deactivate_private(core: &CoreLocal, private: u32) {
    if private != 0 {
        self::private(core).write32(ICACTIVER, private);
    }
}

/// Leaves nothing of a guest in this core's interrupt state: list registers, and what is pending or active of the timers,
/// which are off by now.
pub fn clean(core: &CoreLocal) {
    write!("ich_hcr_el2", 0);
    clear_list_registers((read!("ich_vtr_el2") & 0x1f).wrapping_add(1));
    isb();
    let timers = guest_timers(&core.kernel().machine.gic);
    let private = private(core);
    private.write32(ICACTIVER, timers);
    private.write32(ICPENDR, timers);
}

/// The physical side of forwarded interrupts.
pub struct Physical;

impl HwInterrupts for Physical {
    fn line(&mut self, intid: u32) -> Level {
        // CNTx_CTL: enabled, not masked, condition met.
        let virtual_ = intid == crate::boot::machine().gic.timers.virtual_;
        let control = if virtual_ { read!("cntv_ctl_el0") } else { read!("cntp_ctl_el0") };
        if control & 7 == 5 { Level::High } else { Level::Low }
    }

    fn deactivate(&mut self, intid: u32) {
        deactivate(intid);
    }
}
