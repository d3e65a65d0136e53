//! How a context that CPU_ON hands to a core begins there.
//!
//! ```text
//! CPU_ON, on any core:   attach ──► publish ──► wake
//! the core it goes to:   pick ──► begin ──► run, or sleep until CPU_ON wakes it
//! ```
//!
//! An interrupt for the context may wake it as soon as it is attached, before CPU_ON has published
//! where it begins. Invariants: it never runs before that, and CPU_ON's wake is not lost when the
//! core puts it to sleep meanwhile.

use domains::psci::{AffinityState, CpuPower, Entry};
use smp::run_queue::{RunQueue, Slot};

#[cfg(test)]
mod tests;

/// What a context that was picked does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// It starts here.
    At(Entry),
    /// It is on, and goes on.
    GoOn,
    /// It sleeps: CPU_ON has not published yet, and will wake it.
    NotYet,
}

/// Takes up what CPU_ON left for the context in `slot`; by the core that picked it.
pub fn begin(queue: &RunQueue, slot: Slot, power: &CpuPower) -> Begin {
    if let Some(entry) = power.begin() {
        return Begin::At(entry);
    }
    if power.affinity_info() == AffinityState::On {
        return Begin::GoOn;
    }
    queue.sleep(slot);
    // CPU_ON may have published, and woken it, before `sleep`.
    match power.begin() {
        Some(entry) => {
            queue.wake(slot);
            Begin::At(entry)
        }
        None => Begin::NotYet,
    }
}
