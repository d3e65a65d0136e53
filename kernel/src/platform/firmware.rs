//! PSCI calls to the firmware, through the conduit that the device tree names.

use crate::platform::machine::Conduit;
use smccc::{Hvc, Smc, psci};
use smp::core_id::Mpidr;

/// A call through the conduit.
macro_rules! call {
    ($conduit:expr, $function:ident($($argument:expr),*)) => {
        match $conduit {
            Conduit::Smc => psci::$function::<Smc>($($argument),*),
            Conduit::Hvc => psci::$function::<Hvc>($($argument),*),
        }
    };
}

/// Switches a core on; it begins at `entry` with `argument` in x0.
///
/// # Errors
/// What the firmware answered (PSCI 1.1, 5.6).
pub fn core_on(conduit: Conduit, core: Mpidr, entry: u64, argument: u64) -> Result<(), psci::error::Error> {
    call!(conduit, cpu_on(core.value(), entry, argument))
}

/// Switches this core off; returns only why that was refused.
pub fn core_off(conduit: Conduit) -> psci::error::Error {
    call!(conduit, cpu_off()).err().unwrap_or(psci::error::Error::InternalFailure)
}

/// Ends the machine; waits for ever where the firmware cannot.
pub fn system_off(conduit: Conduit) -> ! {
    let _ = call!(conduit, system_off());
    loop {
        aarch64_cpu::asm::wfi();
    }
}
