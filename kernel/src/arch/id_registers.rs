//! The ID registers as guests see them: what the core has, less what a guest cannot use here
//! (EL2 and EL3, debug, PMU, SVE, SME, MTE, pointer authentication, RAS, AMU, MPAM, and all that
//! needs HCRX_EL2).

use super::sysreg::read;

macro_rules! id_registers {
    ($($crm:literal $op2:literal $name:literal $mask:expr;)*) => {
        /// The value of an ID register (op0 = 3, op1 = 0, CRn = 0, CRm = 1 to 7) for a guest.
        /// Registers that are not listed read as zero, as the architecture reserves them to.
        pub fn read_id_register(crm: u8, op2: u8) -> u64 {
            match (crm, op2) {
                $(($crm, $op2) => read!($name) & $mask,)*
                (4, 0) => processor_features(),
                (5, 0) => 6, // ID_AA64DFR0: Armv8 debug, one breakpoint, no PMU, no trace
                _ => 0,
            }
        }
    };
}

const ALL: u64 = u64::MAX;

/// A mask that clears 4-bit fields, given by their lowest bits.
const fn without(fields: &[u32]) -> u64 {
    let mut mask = ALL;
    let mut rest = fields;
    while let [first, others @ ..] = rest {
        mask &= !(0xf << *first);
        rest = others;
    }
    mask
}

id_registers! {
    1 0 "id_pfr0_el1" without(&[28, 20]);
    1 1 "id_pfr1_el1" without(&[12, 4]);
    1 3 "id_afr0_el1" ALL;
    1 4 "id_mmfr0_el1" ALL;
    1 5 "id_mmfr1_el1" ALL;
    1 6 "id_mmfr2_el1" ALL;
    1 7 "id_mmfr3_el1" ALL;
    2 0 "id_isar0_el1" ALL;
    2 1 "id_isar1_el1" ALL;
    2 2 "id_isar2_el1" ALL;
    2 3 "id_isar3_el1" ALL;
    2 4 "id_isar4_el1" ALL;
    2 5 "id_isar5_el1" ALL;
    2 6 "id_mmfr4_el1" ALL;
    2 7 "S3_0_C0_C2_7" ALL;
    3 0 "mvfr0_el1" ALL;
    3 1 "mvfr1_el1" ALL;
    3 2 "mvfr2_el1" ALL;
    4 1 "id_aa64pfr1_el1" 0xff; // BT and SSBS; no MTE, SME, RAS fraction, MPAM fraction
    6 0 "id_aa64isar0_el1" without(&[24]); // no TME
    6 1 "id_aa64isar1_el1" without(&[4, 8, 24, 28]); // no APA, API, GPA, GPI
    7 0 "id_aa64mmfr0_el1" without(&[56]); // no FGT
    7 1 "id_aa64mmfr1_el1" without(&[8, 40]); // no VHE, no HCX
    7 2 "id_aa64mmfr2_el1" without(&[24]); // no NV
}

/// ID_AA64PFR0_EL1: EL0 as it is, EL1 in AArch64 only, no EL2 and EL3, FP and SIMD, the GIC's
/// system registers, DIT, CSV2 and CSV3.
fn processor_features() -> u64 {
    let real = read!("id_aa64pfr0_el1");
    real & (0xff << 56 | 0xf << 48 | 0xff << 16 | 0xf) | 1 << 4 | 1 << 24
}
