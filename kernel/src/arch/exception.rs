//! Exceptions: traps into EL2 are handed to [`crate::exits`], traps of EL2 itself end the run.

use super::context::{Registers, SPSR_ENTRY};
use super::core_local::CoreLocal;
use super::sysreg::{isb, read, write};
use super::{mmu, stage2};
use crate::exits;
use bitfield::bitfield;
use core::arch::{asm, global_asm};
use core::mem::offset_of;

global_asm!(
    include_str!("pairs.s"),
    include_str!("vectors.s"),
    include_str!("floating_point.s"),
    stack_top = const offset_of!(CoreLocal, stack_top),
    guest_sync = sym exits::synchronous,
    guest_irq = sym exits::interrupt,
    guest_serror = sym exits::system_error,
    own_fault = sym own_fault,
);

/// Enters the guest for the first time on this core's stack.
pub fn enter(registers: *const Registers) -> ! {
    // SAFETY: callers pass the registers of the context that is loaded on this core.
    unsafe { asm!("b enter_guest", in("x0") registers, options(noreturn)) }
}

extern "C" fn own_fault(kind: u64) -> ! {
    let (esr, elr, far) = (read!("esr_el2"), read!("elr_el2"), read!("far_el2"));
    crate::fail::stop(format_args!("exception at EL2: vector={kind} esr={esr:#x} elr={elr:#x} far={far:#x}"))
}

bitfield! {
    /// ESR_EL2 (Arm ARM D19.2.37).
    #[derive(Clone, Copy)]
    pub struct Syndrome(pub u64);
    impl Debug;
    u8;
    /// Exception class.
    pub class, _: 31, 26;
    /// The data abort's syndrome tells register, size and direction.
    pub is_valid, _: 24;
    access_size, _: 23, 22;
    /// The loaded value is sign-extended.
    pub sign_extends, _: 21;
    /// The register that was loaded or stored; of a system register trap, in its own place.
    pub transfer_register, _: 20, 16;
    /// The transfer register is 64 bits wide.
    pub is_64_bit, _: 15;
    /// The fault was met on a stage 1 table walk.
    pub is_table_walk, _: 7;
    /// The access was a store.
    pub is_write, _: 6;
    fault_kind, _: 5, 2;
    op0, _: 21, 20;
    op2, _: 19, 17;
    op1, _: 16, 14;
    crn, _: 13, 10;
    /// The register that a trapped MSR or MRS moved.
    pub system_transfer_register, _: 9, 5;
    crm, _: 4, 1;
    /// The trapped instruction was an MRS.
    pub is_system_read, _: 0;
    /// The trapped wait was a WFE.
    pub is_wait_for_event, _: 0;
}

impl Syndrome {
    /// Why the guest came to EL2.
    pub fn now() -> Self {
        Self(read!("esr_el2"))
    }

    /// Bytes that the access moved.
    pub fn access_bytes(self) -> u8 {
        1u8.wrapping_shl(self.access_size().into())
    }

    /// What is there may not be used that way: a permission fault at stage 2.
    pub fn is_permission_fault(self) -> bool {
        self.fault_kind() == 3
    }

    /// HPFAR_EL2 holds the address: a translation fault at stage 2.
    pub fn is_translation_fault(self) -> bool {
        self.fault_kind() == 1
    }

    /// The system register of a trapped MSR or MRS, as its generic name says it: op0, op1, CRn, CRm, op2.
    pub fn system_register(self) -> (u8, u8, u8, u8, u8) {
        (self.op0(), self.op1(), self.crn(), self.crm(), self.op2())
    }
}

/// Virtual address of the access that trapped.
pub fn fault_address() -> u64 {
    read!("far_el2")
}

/// Intermediate physical address of the access that trapped (valid for translation faults).
pub fn intermediate_address() -> u64 {
    (read!("hpfar_el2") & 0xfff_ffff_fff0) << 8 | (fault_address() & 0xfff)
}

/// Offsets of the synchronous vectors that EL1 takes an exception to (Arm ARM D1.3.1).
mod vector {
    pub const CURRENT_SP0: u64 = 0x000;
    pub const CURRENT_SPX: u64 = 0x200;
    pub const LOWER: u64 = 0x400;
    pub const LOWER_AARCH32: u64 = 0x600;
}

/// Makes the loaded guest take an "unknown reason" exception, as for an undefined instruction
/// (Arm ARM D1.3): state is saved to ELR_EL1 and SPSR_EL1, and VBAR_EL1's vector entered.
pub fn inject_undefined(registers: &mut Registers) {
    inject(registers, 0, 0);
}

/// The guest takes an SError of its own.
pub fn inject_system_error(registers: &mut Registers) {
    const OFFSET: u64 = 0x180;
    const CLASS: u64 = 0x2f;
    inject(registers, CLASS, OFFSET);
}

fn inject(registers: &mut Registers, class: u64, offset: u64) {
    let vector = match registers.spsr & 0xf {
        0b0101 => vector::CURRENT_SPX,
        0b0100 => vector::CURRENT_SP0,
        _ if registers.spsr & 1 << 4 != 0 => vector::LOWER_AARCH32,
        _ => vector::LOWER,
    };
    write!("elr_el1", registers.elr);
    write!("spsr_el1", registers.spsr);
    write!("esr_el1", class << 26 | 1 << 25);
    registers.elr = read!("vbar_el1").wrapping_add(vector).wrapping_add(offset);
    registers.spsr = SPSR_ENTRY;
}

/// Where the loaded guest met an undefined instruction, if `fetched` is the vector that it was to
/// take that to, and ESR_EL1 says so (class 0).
pub fn undefined_instruction(fetched: u64) -> Option<u64> {
    let offset = fetched.wrapping_sub(read!("vbar_el1"));
    let is_vector = matches!(offset, vector::CURRENT_SP0 | vector::CURRENT_SPX | vector::LOWER);
    (is_vector && read!("esr_el1") >> 26 == 0).then(|| read!("elr_el1"))
}

/// Where the loaded guest's EL1 reads `address`, if it can.
pub fn physical_address(address: u64) -> Option<u64> {
    let guests = read!("par_el1");
    // SAFETY: only translates.
    unsafe { asm!("at s12e1r, {}", in(reg) address, options(nostack)) }
    isb();
    let found = read!("par_el1");
    write!("par_el1", guests);
    (found & 1 == 0).then_some(found & mmu::ADDRESS | address & mmu::PAGE.wrapping_sub(1))
}

/// Sets whether waiting traps on this core, from the next guest's entry on.
pub fn trap_waits(share: WaitTrap) {
    // RW; TSW, TACR, TIDCP, TSC, TID3; BSU=inner, FB; AMO, IMO, FMO; SWIO, VM. API/APK clear: pointer
    // authentication traps, and is not shown. With waits TWE, TWI.
    const BASE: u64 = 1 << 31 | 0x1f << 18 | 1 << 10 | 1 << 9 | 7 << 3 | 1 << 1 | 1;
    write!("hcr_el2", BASE | if share == WaitTrap::On { 3 << 13 } else { 0 });
}

/// Sets the traps of this core: what stays the same for every guest.
pub fn set_traps() {
    trap_waits(WaitTrap::Off);
    write!("vtcr_el2", stage2::control());
    write!("vpidr_el2", read!("midr_el1"));
    // RES1, TAM, TTA, TSM, TZ: SVE, SME, trace and activity monitors trap; FP and SIMD do not.
    write!("cptr_el2", 0x33ff | 1 << 30 | 1 << 20);
    // Debug and PMU registers trap. HPMN is PMCR_EL0.N: all event counters are left to the (trapped) lower levels.
    let pmu_version = (read!("id_aa64dfr0_el1") >> 8) & 0xf;
    let event_counters = if matches!(pmu_version, 0 | 0xf) { 0 } else { (read!("pmcr_el0") >> 11) & 0x1f };
    write!("mdcr_el2", 1 << 11 | 1 << 10 | 1 << 9 | 1 << 6 | 1 << 5 | event_counters);
    write!("hstr_el2", 0);
    // EL1 reads the physical counter and has the physical timer.
    write!("cnthctl_el2", 3);
    write!("cntvoff_el2", 0);
    write!("mdscr_el1", 0);
    isb();
}

/// Whether a guest's WFI and WFE trap: only where another context could use the core meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitTrap {
    /// They wait in hardware.
    Off,
    /// They trap.
    On,
}
