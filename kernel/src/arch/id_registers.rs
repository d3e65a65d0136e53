//! The ID registers as guests see them: what the core has, less what a guest cannot use here
//! (EL2 and EL3, debug, PMU, SVE, SME, MTE, pointer authentication, RAS, AMU, MPAM, and all that
//! needs HCRX_EL2).

use super::sysreg::read;

macro_rules! id_registers {
    ($($crm:literal: $($op2:literal)*;)*) => {
        /// An ID register (op0 = 3, op1 = 0, CRn = 0) as the core has it; zero if guests see nothing of it.
        fn read_physical(crm: u8, op2: u8) -> u64 {
            match (crm, op2) {
                $($(($crm, $op2) => read!(concat!("S3_0_C0_C", $crm, "_", $op2)),)*)*
                _ => 0,
            }
        }
    };
}

id_registers! {
    1: 0 1 3 4 5 6 7; // ID_PFR0, ID_PFR1, ID_AFR0, ID_MMFR0 to ID_MMFR3
    2: 0 1 2 3 4 5 6 7; // ID_ISAR0 to ID_ISAR5, ID_MMFR4, ID_ISAR6
    3: 0 1 2; // MVFR0 to MVFR2
    4: 0 1; // ID_AA64PFR0, ID_AA64PFR1
    6: 0 1; // ID_AA64ISAR0, ID_AA64ISAR1
    7: 0 1 2; // ID_AA64MMFR0 to ID_AA64MMFR2
}

/// The value of an ID register (op0 = 3, op1 = 0, CRn = 0, CRm = 1 to 7) for a guest.
/// Registers that are not listed read as zero, as the architecture reserves them to.
pub fn read_id_register(crm: u8, op2: u8) -> u64 {
    let value = read_physical(crm, op2);
    match (crm, op2) {
        (1, 0) => value & !(0xf << 28 | 0xf << 20), // no RAS, AMU
        (1, 1) => value & !(0xf << 12 | 0xf << 4),  // no EL2, EL3
        // EL0 as it is, EL1 in AArch64 only, no EL2 and EL3, FP and SIMD, the GIC's system registers, DIT, CSV2 and CSV3.
        (4, 0) => value & (0xff << 56 | 0xf << 48 | 0xff << 16 | 0xf) | 1 << 4 | 1 << 24,
        (4, 1) => value & 0xff,         // BT and SSBS; no MTE, SME, RAS fraction, MPAM fraction
        (5, 0) => 6,                    // ID_AA64DFR0: Armv8 debug, one breakpoint, no PMU, no trace
        (6, 0) => value & !(0xf << 24), // no TME
        (6, 1) => value & !(0xff << 24 | 0xff << 4), // no APA, API, GPA, GPI
        (7, 0) => value & !(0xf << 56), // no FGT
        (7, 1) => value & !(0xf << 40 | 0xf << 8), // no VHE, no HCX
        (7, 2) => value & !(0xf << 24), // no NV
        _ => value,
    }
}
