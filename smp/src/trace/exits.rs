//! How often a core left each domain's guest, and why.

use crate::sync::atomic::{AtomicU64, Ordering};

/// Domains that the table has rows for.
pub const DOMAINS: usize = 32;

crate::named! {
    /// Why a core left a guest.
    pub enum ExitReason {
        /// A hypercall of Corral's own.
        Hypercall = 0 "hypercall",
        /// A PSCI call, or another of Arm's standard ones.
        Psci = 1 "psci",
        /// A trapped system register.
        Sysreg = 2 "sysreg",
        /// A software-generated interrupt sent by the guest.
        Sgi = 3 "sgi",
        /// An access to the GIC's registers.
        GicMmio = 4 "gic-mmio",
        /// An access to the console's registers.
        ConsoleMmio = 5 "console-mmio",
        /// WFI or WFE.
        Wfx = 6 "wfx",
        /// Another core asked.
        Kick = 7 "kick",
        /// A timer fired.
        Timer = 8 "timer",
        /// The virtual interrupt interface needs attention.
        Maintenance = 9 "maintenance",
        /// A device's interrupt.
        Device = 10 "device",
        /// The guest broke a rule.
        Fault = 11 "fault",
        /// Anything else.
        Other = 12 "other",
        /// The first write to a page since a checkpoint.
        PageWrite = 13 "page-write",
    }
}

impl ExitReason {
    /// Columns of the table: room for every reason.
    pub const COUNT: usize = 16;
}

/// A core's exits by domain and reason. Only its own core counts; anyone reads.
#[derive(Debug)]
#[repr(C)]
pub struct Exits {
    counts: [[AtomicU64; ExitReason::COUNT]; DOMAINS],
}

impl Exits {
    /// How often the domain came by itself: exits for an interrupt are not counted.
    pub fn of(&self, domain: usize) -> u64 {
        let row = self.counts.get(domain).and_then(|row| row.get(..=ExitReason::Wfx as usize));
        row.unwrap_or_default().iter().map(|count| count.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }

    /// Counts one exit; a domain from [`DOMAINS`] on is not counted.
    #[inline]
    pub fn count(&self, domain: usize, reason: ExitReason) {
        let row = self.counts.get(domain);
        if let Some(count) = row.and_then(|row| row.get(reason as usize)) {
            // With a single writer no read-modify-write is needed.
            let more = count.load(Ordering::Relaxed).wrapping_add(1);
            count.store(more, Ordering::Relaxed);
        }
    }
}
