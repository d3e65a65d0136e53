//! Further contexts of the domain.

use crate::arch::{SecondaryStart, mpidr_el1, relax, secondary_entry};
use crate::{MAX_CONTEXTS, boot, interrupts, psci, timer};

static STARTS: [SecondaryStart; MAX_CONTEXTS] = [const { SecondaryStart::empty() }; MAX_CONTEXTS];

const AFFINITY_MASK: u64 = 0xff_00ff_ffff;

/// The affinity values of a context; of none if the domain has not so many.
pub fn mpidr(context: usize) -> Option<u64> {
    boot().mpidrs.get(context).copied()
}

/// How many contexts the domain may have, and the runtime can start.
pub fn count() -> usize {
    boot().mpidrs.len()
}

/// The index of the context that asks.
pub fn current() -> usize {
    let mine = mpidr_el1::read() & AFFINITY_MASK;
    let position = boot().mpidrs.iter().position(|&mpidr| mpidr == mine);
    position.unwrap_or(MAX_CONTEXTS)
}

/// Runs `job(argument)` on a context that is off, which then goes off again. Answers what CPU_ON
/// answers: [`psci::SUCCESS`] or a code of [`psci::error`].
pub fn start(context: usize, job: fn(u64), argument: u64) -> i64 {
    let Some(mpidr) = mpidr(context) else {
        return i64::from(psci::error::INVALID_PARAMETERS);
    };
    STARTS[context].prepare(context, job, argument);
    start_prepared(mpidr, context)
}

/// CPU_ON with what an earlier [`start`] of the context prepared.
pub fn start_prepared(mpidr: u64, context: usize) -> i64 {
    let start = &raw const STARTS[context] as u64;
    psci::invoke(psci::PSCI_CPU_ON_64, [mpidr, secondary_entry(), start])
}

/// The state in which a further context was entered last, before the runtime changed it: names of registers, and
/// values.
pub fn found(context: usize) -> impl Iterator<Item = (&'static str, u64)> {
    STARTS[context].found().into_iter().chain(interrupts::found(context))
}

/// Waits until `condition` holds, at most `timeout_ms`; whether it did.
pub fn wait_until(timeout_ms: u64, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = timer::now() + timer::ticks_from_us(timeout_ms * 1000);
    while !condition() {
        if timer::now() > deadline {
            return condition();
        }
        relax();
    }
    true
}
