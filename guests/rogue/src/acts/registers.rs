//! What the identification registers show is what can be used, and what they don't show is
//! undefined or harmless, never deadly.

use super::arch::{enable_vectors, try_instruction, try_write_register};
use super::checks::{check, equal};
use rt::arch::Exception;
use rt::{Args, println, try_read_register};

/// Exception class of an undefined instruction.
const CLASS_UNKNOWN: u64 = 0;
/// Exception class of a trapped system register access.
const CLASS_SYSTEM_REGISTER: u64 = 0x18;

/// Fields that must be 0 for a guest: register, name, lowest bit (all are 4 bits wide).
const ABSENT: [(&str, &str, u32); 12] = [
    ("pfr0", "EL2", 8),
    ("pfr0", "EL3", 12),
    ("pfr0", "SVE", 32),
    ("pfr0", "MPAM", 40),
    ("pfr0", "AMU", 44),
    ("pfr1", "MTE", 8),
    ("pfr1", "SME", 24),
    ("dfr0", "trace", 4),
    ("dfr0", "PMU", 8),
    ("dfr0", "SPE", 32),
    ("dfr0", "trace filter", 40),
    ("dfr0", "trace buffer", 44),
];

/// All checks of this act.
pub fn identification(_: Args<'_>) {
    let id = read_all();
    let [pfr0, pfr1, dfr0] = [id[0][0], id[0][1], id[1][0]];
    for (register, field, shift) in ABSENT {
        let value = match register {
            "pfr0" => pfr0,
            "pfr1" => pfr1,
            _ => dfr0,
        };
        equal(format_args!("no {field}"), (value >> shift) & 0xf, 0);
    }
    equal("EL1 runs AArch64 only or both", (pfr0 >> 4) & 0xf != 0, true);
    not_for_guests();
    for_debuggers();
}

/// ID_AA64PFR0_EL1 and on: the space op0=3, op1=0, CRn=0, CRm=4 to 7, op2=0 to 7, where what is
/// not defined reads as 0; and the AArch32 registers before it.
fn read_all() -> [[u64; 8]; 4] {
    macro_rules! row {
        ($crm:literal) => {
            [
                row!($crm, 0),
                row!($crm, 1),
                row!($crm, 2),
                row!($crm, 3),
                row!($crm, 4),
                row!($crm, 5),
                row!($crm, 6),
                row!($crm, 7),
            ]
        };
        ($crm:literal, $op2:literal) => {
            try_read_register!(concat!("S3_0_C0_C", $crm, "_", $op2))
        };
    }
    fn readable(rows: &[[Result<u64, Exception>; 8]]) -> bool {
        rows.iter().flatten().all(Result::is_ok)
    }
    let aarch64 = [row!(4), row!(5), row!(6), row!(7)];
    check("AArch64 registers are readable", readable(&aarch64));
    check("AArch32 registers are readable", readable(&[row!(1), row!(2), row!(3)]));
    for (crm, row) in aarch64.iter().enumerate() {
        for (op2, value) in row.iter().enumerate() {
            match value {
                Ok(0) | Err(_) => {}
                Ok(value) => println!("rogue: S3_0_C0_C{}_{op2}={value:#x}", crm + 4),
            }
        }
    }
    aarch64.map(|row| row.map(Result::unwrap_or_default))
}

/// Whether it was an exception of the guest's own, as an undefined instruction is.
fn is_undefined<T>(result: &Result<T, Exception>) -> bool {
    matches!(result, Err(exception)
        if matches!(exception.class(), CLASS_UNKNOWN | CLASS_SYSTEM_REGISTER))
}

/// Whether it did nothing, or was undefined.
fn is_harmless<T>(result: &Result<T, Exception>) -> bool {
    result.is_ok() || is_undefined(result)
}

/// Registers and instructions of other exception levels, and of extensions that are not shown.
fn not_for_guests() {
    macro_rules! undefined {
        ($($name:literal)*) => {$(
            let read = try_read_register!($name);
            let write = try_write_register!($name, 0u64);
            check(
                concat!($name, " is undefined"),
                is_undefined(&read) && is_undefined(&write),
            );
        )*};
    }
    // HCR_EL2, VTTBR_EL2, SCTLR_EL2, ICH_HCR_EL2, SCR_EL3.
    undefined! { "S3_4_C1_C1_0" "S3_4_C2_C1_0" "S3_4_C1_C0_0" "S3_4_C12_C11_0" "S3_6_C1_C1_0" }
    // ZCR_EL1 (SVE), SMCR_EL1 (SME), GCR_EL1 (MTE).
    enable_vectors();
    undefined! { "S3_0_C1_C2_0" "S3_0_C1_C2_6" "S3_0_C1_C0_6" }
    check("udf is undefined", is_undefined(&try_instruction!("udf #0")));
    check("sev is survived", try_instruction!("sev").is_ok());
    check("cache maintenance by set and way is survived", is_harmless(&try_instruction!("dc cisw, x0")));
}

/// Debug and performance registers, which operating systems try at boot, and some others that a
/// machine may or may not have.
fn for_debuggers() {
    macro_rules! harmless {
        (read $($name:literal)*) => {$(
            check(concat!("reading ", $name, " is survived"),
                is_harmless(&try_read_register!($name)));
        )*};
        (write $value:literal $($name:literal)*) => {$(
            check(concat!("writing ", $name, " is survived"),
                is_harmless(&try_write_register!($name, $value)));
        )*};
        (both $($name:literal)*) => {$(
            harmless!(read $name);
            harmless!(write 0 $name);
        )*};
    }
    harmless! { both
        "pmcr_el0" "pmcntenset_el0" "pmcntenclr_el0" "pmovsclr_el0" "pmovsset_el0" "pmselr_el0"
        "pmccntr_el0" "pmxevtyper_el0" "pmxevcntr_el0" "pmuserenr_el0" "pmintenset_el1"
        "pmintenclr_el1" "pmccfiltr_el0" "pmevcntr0_el0" "pmevtyper0_el0"
        "mdscr_el1" "mdccint_el1" "osdlr_el1" "dbgprcr_el1" "dbgclaimset_el1" "dbgclaimclr_el1"
        "osdtrrx_el1" "osdtrtx_el1" "dbgdtr_el0" "oseccr_el1"
        "dbgbvr0_el1" "dbgbcr0_el1" "dbgwvr0_el1" "dbgwcr0_el1" "dbgbvr15_el1" "dbgwcr15_el1"
        "actlr_el1" "csselr_el1"
        // ERRSELR_EL1 (RAS), LORC_EL1, an implementation-defined register.
        "S3_0_C5_C3_1" "S3_0_C10_C4_3" "S3_0_C15_C1_4"
    }
    harmless! { read
        "pmceid0_el0" "pmceid1_el0" "mdccsr_el0" "mdrar_el1" "oslsr_el1" "dbgauthstatus_el1"
        "aidr_el1" "revidr_el1" "midr_el1" "mpidr_el1" "ccsidr_el1" "clidr_el1" "ctr_el0"
        "dczid_el0"
        // ERRIDR_EL1, LORID_EL1.
        "S3_0_C5_C3_0" "S3_0_C10_C4_7"
    }
    harmless! { write 0 "pmswinc_el0" "oslar_el1" }
}
