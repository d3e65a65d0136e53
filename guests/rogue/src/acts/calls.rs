//! Calls that nobody defined are answered with NOT_SUPPORTED (-1) in x0, by HVC and by SMC.

use super::arch::try_instruction;
use super::checks::{check, equal};
use rt::Args;
use rt::arch::{Conduit, call};

/// One of each range of the SMC calling convention (Arm DEN 0028, table 6-2), and neighbours of
/// the calls that exist.
const UNKNOWN: [u64; 22] = [
    0x0000_0000,
    0x0000_0001,
    0x0100_0000,
    0x0400_0000,
    0x7fff_ffff,
    0x8000_1234,
    0x8000_ffff,
    0x8100_0000,
    0x8200_0000,
    0x8300_0000,
    0x8400_000b,
    0x8400_001f,
    0x8400_ffff,
    0x8500_0000,
    0x8600_0000,
    0xb200_0000,
    0xc000_1234,
    0xc400_0002,
    0xc400_00ff,
    0xc600_0fff,
    0xc600_ffff,
    0xffff_ffff,
];

/// Makes each of them, with arguments that would do harm if they were taken for others.
pub fn unknown(_: Args<'_>) {
    for conduit in [Conduit::Hvc, Conduit::Smc] {
        for function in UNKNOWN {
            let name = format_args!("{conduit:?} {function:#010x}");
            match call(conduit, [function, u64::MAX, u64::MAX, 0, 0, 0, 0, 0]) {
                Ok([x0, ..]) => equal(name, x0, u64::MAX),
                Err(_) => check(name, false),
            }
        }
    }
    // SMCCC reserves the other immediates: any answer will do, or an undefined instruction.
    let _ = try_instruction!("hvc #1");
    let _ = try_instruction!("hvc #0xffff");
    let _ = try_instruction!("smc #1");
    check("calls with an immediate are survived", true);
}
