//! Whether a context is on: the one word that CPU_ON, CPU_OFF and AFFINITY_INFO of all contexts of
//! a domain share.
//!
//! ```text
//!            request_on           publish            begin
//!   Off ───────────────▶ Claimed ─────────▶ Pending ───────▶ On
//!    ▲ ◀──────────────────┘ ticket dropped                   │
//!    └───────────────────────────────────────────────────────┘ off
//! ```
//!
//! Claimed has one owner, the caller whose CPU_ON won, who alone writes entry and context id and
//! then leaves the state by [`OnTicket`]; so they need no lock, and a ticket that nobody uses cannot
//! leave the target pending for ever. Only the target itself goes from On to Off.

use super::{AffinityState, PsciError};
use smp::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use smp::sync::atomic::{AtomicU32, AtomicU64};

const OFF: u32 = 0;
const CLAIMED: u32 = 1;
const PENDING: u32 = 2;
const ON: u32 = 3;

/// Where a context starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address of its first instruction.
    pub address: u64,
    /// What it finds in x0.
    pub context_id: u64,
}

/// The power state of one context. Contexts start off, the first one too: the kernel boots a domain
/// by the same two steps by which CPU_ON starts the others.
#[derive(Debug, Default)]
pub struct CpuPower {
    state: AtomicU32,
    address: AtomicU64,
    context_id: AtomicU64,
}

impl CpuPower {
    /// CPU_ON, first half, by any core: the one caller who gets the ticket starts the context.
    ///
    /// # Errors
    /// `AlreadyOn` or `OnPending`, as the target is.
    pub fn request_on(&self) -> Result<OnTicket<'_>, PsciError> {
        // Acquire: what the context left behind when it went off is seen by who starts it again.
        match self.state.compare_exchange(OFF, CLAIMED, Acquire, Relaxed) {
            Ok(_) => Ok(OnTicket { power: self }),
            Err(ON) => Err(PsciError::AlreadyOn),
            Err(_) => Err(PsciError::OnPending),
        }
    }

    /// The target's start, on the core that runs it: where to begin, once for each CPU_ON.
    pub fn begin(&self) -> Option<Entry> {
        // Acquire: entry and context id, and what the caller of CPU_ON wrote before.
        self.state.compare_exchange(PENDING, ON, Acquire, Relaxed).ok()?;
        Some(Entry { address: self.address.load(Relaxed), context_id: self.context_id.load(Relaxed) })
    }

    /// The last step of CPU_OFF, on the core that ran the context: nothing of it may be touched
    /// afterwards, as the next CPU_ON may come at once. Does nothing to a context that is not on,
    /// so that a CPU_ON in between is never lost.
    pub fn off(&self) {
        // Release: pairs with the Acquire of `request_on` and of `affinity_info`.
        let _ = self.state.compare_exchange(ON, OFF, Release, Relaxed);
    }

    /// Makes the context be off, whatever it was, for a domain that starts again. No context of the
    /// domain may be running, or be inside a call.
    pub fn reset(&self) {
        // Relaxed: the caller has seen every context stop, and starts the first one afterwards by
        // `publish`, from which all others follow.
        self.state.store(OFF, Relaxed);
    }

    /// Makes the context be on, as [`reset`](Self::reset) makes it be off; it goes on where it was.
    pub fn resume(&self) {
        self.state.store(ON, Relaxed);
    }

    /// AFFINITY_INFO. Once it says off, everything that the context did has happened: its stack can
    /// be used again.
    pub fn affinity_info(&self) -> AffinityState {
        match self.state.load(Acquire) {
            OFF => AffinityState::Off,
            ON => AffinityState::On,
            _ => AffinityState::OnPending,
        }
    }
}

/// The right to start a context. Dropped, the context is off again: so it is when the domain has no
/// core for it, and CPU_ON answers DENIED.
#[derive(Debug)]
#[must_use = "the target stays off if the ticket is dropped"]
pub struct OnTicket<'a> {
    power: &'a CpuPower,
}

impl OnTicket<'_> {
    /// CPU_ON, second half: the target starts there. Wake it afterwards.
    pub fn publish(self, entry: Entry) {
        self.power.address.store(entry.address, Relaxed);
        self.power.context_id.store(entry.context_id, Relaxed);
        // Release: pairs with the Acquire of `begin`.
        self.power.state.store(PENDING, Release);
        core::mem::forget(self);
    }
}

impl Drop for OnTicket<'_> {
    fn drop(&mut self) {
        // Release: passes on what `request_on` acquired from the context's last run.
        self.power.state.store(OFF, Release);
    }
}
