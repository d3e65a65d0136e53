//! Exceptions: traps into EL2 are handed to [`crate::exits`], traps of EL2 itself end the run.

use super::context::{Registers, SPSR_ENTRY};
use super::core_local::CoreLocal;
use super::sysreg::{isb, read, write};
use crate::exits;
use core::arch::global_asm;
use core::mem::offset_of;

global_asm!(
    include_str!("vectors.s"),
    stack_top = const offset_of!(CoreLocal, stack_top),
    guest_sync = sym guest_sync,
    guest_irq = sym guest_irq,
    guest_serror = sym guest_serror,
    own_fault = sym own_fault,
);

unsafe extern "C" {
    fn enter_guest(registers: *const Registers) -> !;
}

/// Enters the guest for the first time on this core's stack.
pub fn enter(registers: *const Registers) -> ! {
    // SAFETY: callers pass the registers of the context that is loaded on this core.
    unsafe { enter_guest(registers) }
}

extern "C" fn guest_sync(registers: &mut Registers, core: &'static CoreLocal) -> *const Registers {
    exits::synchronous(core, registers, Syndrome(read!("esr_el2")))
}

extern "C" fn guest_irq(_registers: &mut Registers, core: &'static CoreLocal) -> *const Registers {
    exits::interrupt(core)
}

extern "C" fn guest_serror(registers: &mut Registers, core: &'static CoreLocal) -> *const Registers {
    exits::system_error(core, registers, Syndrome(read!("esr_el2")))
}

extern "C" fn own_fault(kind: u64, esr: u64, elr: u64, far: u64) -> ! {
    crate::fail::stop(format_args!("exception at EL2: vector={kind} esr={esr:#x} elr={elr:#x} far={far:#x}"))
}

/// ESR_EL2 (Arm ARM D19.2.37).
#[derive(Clone, Copy, Debug)]
pub struct Syndrome(pub u64);

impl Syndrome {
    /// Exception class.
    pub const fn class(self) -> u64 {
        (self.0 >> 26) & 0x3f
    }

    const fn field(self, shift: u32, bits: u32) -> u64 {
        (self.0 >> shift) & !(u64::MAX << bits)
    }

    /// The data abort's syndrome tells register, size and direction.
    pub const fn is_valid(self) -> bool {
        self.field(24, 1) == 1
    }

    /// Bytes that the access moved.
    pub const fn access_bytes(self) -> u8 {
        1 << self.field(22, 2)
    }

    /// The loaded value is sign-extended.
    pub const fn sign_extends(self) -> bool {
        self.field(21, 1) == 1
    }

    /// The register that was loaded or stored; of a system register trap, in its own place.
    pub const fn transfer_register(self) -> u8 {
        self.field(16, 5) as u8
    }

    /// The transfer register is 64 bits wide.
    pub const fn is_64_bit(self) -> bool {
        self.field(15, 1) == 1
    }

    /// The access was a store.
    pub const fn is_write(self) -> bool {
        self.field(6, 1) == 1
    }

    /// The fault was met on a stage 1 table walk.
    pub const fn is_table_walk(self) -> bool {
        self.field(7, 1) == 1
    }

    /// What is there may not be used that way: a permission fault at stage 2.
    pub const fn is_permission_fault(self) -> bool {
        self.field(2, 4) == 3
    }

    /// HPFAR_EL2 holds the address: a translation fault at stage 2.
    pub const fn is_translation_fault(self) -> bool {
        self.field(2, 4) == 1
    }

    /// The system register of a trapped MSR or MRS.
    pub const fn system_register(self) -> SystemRegister {
        SystemRegister {
            op0: self.field(20, 2) as u8,
            op1: self.field(14, 3) as u8,
            crn: self.field(10, 4) as u8,
            crm: self.field(1, 4) as u8,
            op2: self.field(17, 3) as u8,
        }
    }

    /// The register that a trapped MSR or MRS moved.
    pub const fn system_transfer_register(self) -> u8 {
        self.field(5, 5) as u8
    }

    /// The trapped wait was a WFE.
    pub const fn is_wait_for_event(self) -> bool {
        self.field(0, 1) == 1
    }

    /// The trapped instruction was an MRS.
    pub const fn is_system_read(self) -> bool {
        self.field(0, 1) == 1
    }
}

/// A system register's encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemRegister {
    /// op0.
    pub op0: u8,
    /// op1.
    pub op1: u8,
    /// CRn.
    pub crn: u8,
    /// CRm.
    pub crm: u8,
    /// op2.
    pub op2: u8,
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
    let vector = match registers.spsr & 0xf {
        0b0101 => vector::CURRENT_SPX,
        0b0100 => vector::CURRENT_SP0,
        _ if registers.spsr & 1 << 4 != 0 => vector::LOWER_AARCH32,
        _ => vector::LOWER,
    };
    write!("elr_el1", registers.elr);
    write!("spsr_el1", registers.spsr);
    write!("esr_el1", 1 << 25);
    registers.elr = read!("vbar_el1").wrapping_add(vector);
    registers.spsr = SPSR_ENTRY;
}

/// Where the loaded guest met an undefined instruction, if `fetched` is the vector that it was to
/// take that to, and ESR_EL1 says so (class 0).
pub fn undefined_instruction(fetched: u64) -> Option<u64> {
    let offset = fetched.wrapping_sub(read!("vbar_el1"));
    let is_vector = matches!(offset, vector::CURRENT_SP0 | vector::CURRENT_SPX | vector::LOWER);
    (is_vector && read!("esr_el1") >> 26 == 0).then(|| read!("elr_el1"))
}

/// A word with these bits set.
const fn bits(mut numbers: &[u32]) -> u64 {
    let mut word = 0;
    while let [first, rest @ ..] = numbers {
        word |= 1 << *first;
        numbers = rest;
    }
    word
}

/// PMCR_EL0.N, for MDCR_EL2.HPMN: all event counters are left to the (trapped) lower levels.
fn event_counters() -> u64 {
    let version = (read!("id_aa64dfr0_el1") >> 8) & 0xf;
    if version == 0 || version == 0xf { 0 } else { (read!("pmcr_el0") >> 11) & 0x1f }
}

/// Sets the traps of this core: what stays the same for every guest.
pub fn set_traps(share: WaitTrap) {
    // VM SWIO FMO IMO AMO FB BSU=inner; TWI TID3 TSC TIDCP TACR TSW; RW. API/APK clear: pointer
    // authentication traps, and is not shown.
    const BASE: u64 = bits(&[0, 1, 3, 4, 5, 9, 10, 18, 19, 20, 21, 22, 31]);
    write!("hcr_el2", BASE | if share == WaitTrap::On { bits(&[13, 14]) } else { 0 });
    // RES1, TAM, TTA, TSM, TZ: SVE, SME, trace and activity monitors trap; FP and SIMD do not.
    write!("cptr_el2", 0x33ff | bits(&[20, 30]));
    // Debug and PMU registers trap; all counters stay EL2's.
    write!("mdcr_el2", bits(&[5, 6, 9, 10, 11]) | event_counters());
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
