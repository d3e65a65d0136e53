//! Calls to the hypervisor (SMC calling convention, Arm DEN 0028).

use super::Exception;
use core::arch::asm;

/// The instruction that makes the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// HVC #0.
    Hvc,
    /// SMC #0.
    Smc,
}

/// Makes a call with x0 to x7 and answers x0 to x3, which is all that calls of SMCCC 1.1 answer.
/// An error if the instruction itself is undefined here.
pub fn call(conduit: Conduit, registers: [u64; 8]) -> Result<[u64; 4], Exception> {
    call_wide(conduit, registers).map(|[x0, x1, x2, x3, ..]| [x0, x1, x2, x3])
}

/// The same for a call with more answers, x0 to x7 as in SMCCC 1.2; x8 to x17 are the callee's to preserve.
pub fn call_wide(conduit: Conduit, registers: [u64; 8]) -> Result<[u64; 8], Exception> {
    macro_rules! call {
        ($instruction:literal) => {{
            let [mut x0, mut x1, mut x2, mut x3, mut x4, mut x5, mut x6, mut x7] = registers;
            let syndrome: u64;
            // SAFETY: (1) no call takes an address of memory to write; (2) CPU_ON is the one that
            // takes code to run, and `contexts` prepares what that code needs.
            unsafe {
                asm!(
                    concat!("2: ", $instruction),
                    ".pushsection .recover, \"a\"", ".quad 2b", ".popsection",
                    inout("x0") x0, inout("x1") x1, inout("x2") x2, inout("x3") x3,
                    inout("x4") x4, inout("x5") x5, inout("x6") x6, inout("x7") x7,
                    inout("x9") 0u64 => syndrome,
                    options(nostack),
                );
            }
            Exception::check(syndrome).map(|()| [x0, x1, x2, x3, x4, x5, x6, x7])
        }};
    }
    match conduit {
        Conduit::Hvc => call!("hvc #0"),
        Conduit::Smc => call!("smc #0"),
    }
}
