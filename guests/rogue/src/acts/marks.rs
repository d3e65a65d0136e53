//! Marks in every register that a guest can write and its runtime does not need.

use super::arch::{read_vectors, try_write_register, write_vectors};
use rt::arch::Exception;
use rt::try_read_register;

/// What a mark looks like.
pub const MARK: u64 = 0x0bad_5eed_0bad_5eec;

/// A register, and a mark that it can hold.
pub struct Register {
    /// As the assembler has it.
    pub name: &'static str,
    /// The mark.
    pub mark: u64,
    /// The bits that are software's alone.
    mask: u64,
    read: fn() -> Result<u64, Exception>,
    write: fn(u64) -> Result<(), Exception>,
}

impl Register {
    /// What it holds, if it can be read.
    pub fn read(&self) -> Result<u64, Exception> {
        (self.read)().map(|value| value & self.mask)
    }

    /// Marks it; a register that can't be written holds no mark.
    pub fn leave_mark(&self) {
        let _ = (self.write)(self.mark);
    }

    /// Whether it holds its mark.
    pub fn is_marked(&self) -> bool {
        self.read() == Ok(self.mark)
    }
}

macro_rules! registers {
    ($($name:literal $mark:expr, $mask:expr;)*) => {
        &[$(Register {
            name: $name,
            mark: $mark,
            mask: $mask,
            read: || try_read_register!($name),
            write: |value| try_write_register!($name, value),
        }),*]
    };
}

const ALL: u64 = u64::MAX;

/// All but the timers'. The last ones are debug's and the PMU's, which a guest may not have: an exception that they
/// cause changes the exception registers, which come before them. (S3_3_C4_C4_0 and 1: FPCR and FPSR, which this
/// target's assembler does not name; S3_0_C12_C8_3 and C12_6: ICC_BPR0_EL1 and ICC_IGRPEN0_EL1.)
pub const REGISTERS: &[Register] = registers! {
    "elr_el1" MARK, ALL; "spsr_el1" 0x3c4, ALL; "esr_el1" 0x5600_0042, ALL; "far_el1" MARK, ALL;
    "afsr0_el1" 0x5eed, ALL; "afsr1_el1" 0x5eec, ALL;
    "tpidr_el0" MARK, ALL; "tpidrro_el0" MARK, ALL; "tpidr_el1" MARK, ALL; "sp_el0" MARK, ALL;
    "contextidr_el1" MARK & 0xffff_ffff, ALL; "ttbr1_el1" MARK & 0xffff_f000, ALL;
    "amair_el1" 0x4444_4444, ALL; "par_el1" MARK & 0xff_f000, ALL;
    "cntkctl_el1" 0x3, ALL; "csselr_el1" 0x2, ALL;
    "S3_3_C4_C4_0" 0x0100_0000, ALL; "S3_3_C4_C4_1" 0x1f, ALL;
    "mdscr_el1" 0x1000, ALL; "mdccint_el1" 0x2000_0000, ALL;
    "dbgbvr0_el1" MARK & 0xffff_fffc, ALL; "dbgbcr0_el1" 0x1e0, ALL;
    "dbgwvr0_el1" MARK & 0xffff_fff8, ALL; "dbgwcr0_el1" 0x1fe0, ALL;
    "pmcr_el0" 0x40, 0x7f; "pmselr_el0" 0x1f, ALL; "pmuserenr_el0" 0xf, ALL; "pmintenset_el1" 1 << 31, ALL;
    "pmcntenset_el0" 1 << 31, ALL; "pmccntr_el0" MARK, ALL; "pmccfiltr_el0" 1 << 31, ALL;
    "pmevcntr0_el0" 0x5eed, ALL; "pmevtyper0_el0" 0x11, ALL; "pmovsset_el0" 1 << 31, ALL;
};

/// The timers': marked, both are due at once.
pub const TIMER_REGISTERS: &[Register] = registers! {
    "cntv_cval_el0" 1, ALL; "cntv_ctl_el0" 1, 3; "cntp_cval_el0" 1, ALL; "cntp_ctl_el0" 1, 3;
};

/// Marks all of [`REGISTERS`], those last that an exception on the way would change.
pub fn leave_all() {
    REGISTERS.iter().rev().for_each(Register::leave_mark);
}

/// A different mark for each half of each vector register.
fn vectors() -> [[u64; 2]; 32] {
    core::array::from_fn(|index| [MARK.wrapping_add(index as u64) << 1, MARK.wrapping_mul(index as u64 | 1)])
}

/// Marks the vector registers; they have to be enabled.
pub fn mark_vectors() {
    write_vectors(&vectors());
}

/// Whether all vector registers hold their marks.
pub fn vectors_are_marked() -> bool {
    read_vectors() == vectors()
}

/// Whether all vector registers are 0.
pub fn vectors_are_clean() -> bool {
    read_vectors() == [[0; 2]; 32]
}
