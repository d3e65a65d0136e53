//! The power calls of a guest: PSCI 1.1 (Arm DEN 0022), the SMC calling convention 1.1 (Arm DEN
//! 0028), and Corral's own calls beside them. HVC and SMC are answered alike.
//!
//! [`decode`] answers what needs no state itself; what remains is a [`Call`] that the kernel carries
//! out on the calling domain, and on nothing else: a guest's SYSTEM_OFF is that domain's end.
//! [`CpuPower`] is the state that CPU_ON, CPU_OFF and AFFINITY_INFO share.
//!
//! CPU_ON, in the order in which the kernel takes the steps: [`context_of`] finds the target, the
//! entry must lie in the domain's memory, [`CpuPower::request_on`] makes the caller the only one
//! who starts it, a core is claimed (or the ticket dropped, and the answer is DENIED), and
//! [`OnTicket::publish`] hands it over. Nobody waits for the target.

mod decode;
mod power;
#[cfg(test)]
mod tests;

pub use decode::{Call, decode};
pub use power::{CpuPower, Entry, OnTicket};
pub use smccc::psci::error::Error as PsciError;
pub use smccc::psci::{AffinityState, PSCI_CPU_OFF, PSCI_CPU_ON_64, PSCI_CPU_SUSPEND_64};

/// What a successful call answers.
pub const SUCCESS: u64 = 0;

/// The value that answers with an error. It is extended to 64 bits, so that it is negative to callers who look at w0 (as
/// 32-bit functions have it) and to those who look at x0.
pub fn to_x0(error: PsciError) -> u64 {
    i64::from(error) as u64
}

/// Cores to a cluster in the board's affinities.
const CLUSTER: usize = 16;

/// The affinity fields (MPIDR_EL1) of the context with that index: Aff0 counts to 15, then Aff1
/// goes on, as on the board. The register's RES1 bit 31 is not in it.
pub const fn affinity_of(context: usize) -> u64 {
    (((context / CLUSTER) << 8) | (context % CLUSTER)) as u64
}

/// The index of the context with these affinity fields, in a domain of `contexts`; `None` if there
/// is none, or if other bits than affinity fields are set.
pub fn context_of(affinity: u64, contexts: usize) -> Option<usize> {
    let context = (affinity >> 8).checked_mul(CLUSTER as u64)?.checked_add(affinity & 0xff)?;
    let context = usize::try_from(context).ok()?;
    (context < contexts && affinity_of(context) == affinity).then_some(context)
}
