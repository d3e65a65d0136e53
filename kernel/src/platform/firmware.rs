//! PSCI calls to the firmware, through the conduit that the device tree names.

use crate::platform::machine::Conduit;
use smccc::{Hvc, Smc, psci};
use smp::core_id::Mpidr;

/// Switches a core on; it begins at `entry` with `argument` in x0.
///
/// # Errors
/// What the firmware answered (PSCI 1.1, 5.6).
pub fn core_on(conduit: Conduit, core: Mpidr, entry: u64, argument: u64) -> Result<(), psci::error::Error> {
    match conduit {
        Conduit::Smc => psci::cpu_on::<Smc>(core.value(), entry, argument),
        Conduit::Hvc => psci::cpu_on::<Hvc>(core.value(), entry, argument),
    }
}

/// Switches this core off; returns only why that was refused.
pub fn core_off(conduit: Conduit) -> psci::error::Error {
    let refused = match conduit {
        Conduit::Smc => psci::cpu_off::<Smc>(),
        Conduit::Hvc => psci::cpu_off::<Hvc>(),
    };
    refused.err().unwrap_or(psci::error::Error::InternalFailure)
}

/// Ends the machine; waits for ever where the firmware cannot.
pub fn system_off(conduit: Conduit) -> ! {
    let _ = match conduit {
        Conduit::Smc => psci::system_off::<Smc>(),
        Conduit::Hvc => psci::system_off::<Hvc>(),
    };
    loop {
        aarch64_cpu::asm::wfi();
    }
}
