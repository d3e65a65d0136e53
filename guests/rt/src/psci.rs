//! Power State Coordination Interface 1.1 (Arm DEN 0022), by HVC.

use crate::arch::{Conduit, call};
pub use smccc::psci::error;
pub use smccc::psci::*;

/// The answer of a call that went well.
pub const SUCCESS: i64 = 0;
/// What AFFINITY_INFO answers for a context that runs.
pub const ON: i64 = 0;
/// What AFFINITY_INFO answers for a context that is off.
pub const OFF: i64 = 1;
/// What AFFINITY_INFO answers for a context that was told to start and has not.
pub const PENDING: i64 = 2;

/// Makes any PSCI call; the answer is x0, sign-extended from w0 for a 32-bit call.
pub fn invoke(function: u32, arguments: [u64; 3]) -> i64 {
    const IS_64_BIT: u32 = 1 << 30;
    let [x1, x2, x3] = arguments;
    let answer = match call(Conduit::Hvc, [u64::from(function), x1, x2, x3, 0, 0, 0, 0]) {
        Ok([x0, ..]) => x0,
        Err(_) => error::NOT_SUPPORTED as u64,
    };
    if function & IS_64_BIT != 0 { answer as i64 } else { i64::from(answer as i32) }
}

/// Whether the context with these affinity values is [`ON`], [`OFF`] or [`PENDING`], or an error.
pub fn affinity_info(mpidr: u64) -> i64 {
    invoke(PSCI_AFFINITY_INFO_64, [mpidr, 0, 0])
}

/// Switches this context off; returns only if that is refused.
pub fn cpu_off() -> i64 {
    invoke(PSCI_CPU_OFF, [0; 3])
}

/// Waits for an interrupt, masked by PSTATE.I or not, as a CPU that its operating system has no work for does;
/// returns at once if that is refused.
pub fn suspend() -> i64 {
    const STANDBY: u64 = 0;
    invoke(PSCI_CPU_SUSPEND_64, [STANDBY, 0, 0])
}

/// Ends the domain; returns only if that is refused.
pub fn system_off() -> i64 {
    invoke(PSCI_SYSTEM_OFF, [0; 3])
}

/// Starts the domain anew; returns only if that is refused.
pub fn system_reset() -> i64 {
    invoke(PSCI_SYSTEM_RESET, [0; 3])
}
