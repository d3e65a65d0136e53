//! How one core asks another to do something.
//!
//! A mailbox is a set of flags, not a queue: it cannot fill up and requests cannot overtake each other in it. A request
//! says *look again*; what there is to see lies in the structures that it is about. The poster changes those first,
//! then posts; the receiver takes, then looks.

use bitflags::bitflags;
use crossbeam_utils::CachePadded;

use crate::sync::atomic::{AtomicU32, Ordering};

#[cfg(test)]
mod tests;

bitflags! {
    /// What a core can be asked to do.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Requests: u32 {
        /// Look at your contexts again: virtual interrupts changed or a context became ready.
        const KICK = 1 << 0;
        /// A domain stops: park its contexts.
        const STOP = 1 << 1;
        /// What is to become of this core changed: look at its ledger word, and at what was ordered.
        const ERRAND = 1 << 2;
        /// Some of your contexts are to go on on another core.
        const MIGRATE = 1 << 3;
        /// A context came that is ready: share.
        const ARRIVAL = 1 << 4;
        /// A domain's checkpoint is due, or stands still for one.
        const PAUSE = 1 << 5;
    }
}

/// Whether the poster has to ring: send the receiver the software-generated interrupt that ends its WFI or its guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a receiver that nobody rings sleeps on"]
pub enum Doorbell {
    /// The box was empty: ring, after a `dsb ishst` so that the interrupt cannot overtake the flags.
    Ring,
    /// Whoever filled the box since the receiver last looked has rung, or is about to.
    AlreadyRung,
}

/// The requests that wait for one core.
///
/// A receiver's idle loop is *take, work, wait for interrupt*. No wake-up is lost in it: a post that the take did not
/// see found the box empty, so its poster rings, and an interrupt stays pending until it is acknowledged.
#[derive(Debug, Default)]
pub struct Mailbox {
    /// Written by any core, so it shares its line with nothing.
    bits: CachePadded<AtomicU32>,
}

impl Mailbox {
    /// Adds requests; any core. Posting nothing changes nothing.
    pub fn post(&self, requests: Requests) -> Doorbell {
        // Release: the taker sees what the poster did before. Posts read-modify-write, so a later one keeps the release
        // sequence of an earlier one, and the taker of both sees both posters' work.
        if self.bits.fetch_or(requests.bits(), Ordering::Release) == 0 { Doorbell::Ring } else { Doorbell::AlreadyRung }
    }

    /// Empties the box; the receiver only.
    pub fn take(&self) -> Requests {
        Requests::from_bits_truncate(self.bits.swap(0, Ordering::Acquire))
    }

    /// Whether there is nothing to take. A hint: only [`take`](Self::take) makes the posters' work visible.
    pub fn is_empty(&self) -> bool {
        self.bits.load(Ordering::Relaxed) == 0
    }
}
