//! How many cores a domain may own.

use smp::const_unless_loom;
use smp::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many cores a domain owns and may own. Counted before a core is claimed, so that CPU_ONs that
/// race do not take more than the domain may have.
#[derive(Debug)]
pub struct Quota {
    owned: AtomicU32,
    max: u32,
}

/// The domain owns as many cores as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaReached;

/// All accesses are Relaxed: the number guards no other data, and as exchanges of one word they
/// cannot lose a count.
impl Quota {
    const_unless_loom! {
        /// A quota of which nothing is taken.
        pub fn new(max: u32) -> Self {
            Self { owned: AtomicU32::new(0), max }
        }
    }

    /// Counts one more core.
    pub fn take(&self) -> Result<(), QuotaReached> {
        let one_more = |owned: u32| owned.checked_add(1).filter(|owned| *owned <= self.max);
        self.owned.fetch_update(Relaxed, Relaxed, one_more).map(|_| ()).map_err(|_| QuotaReached)
    }

    /// Counts one core less; not below 0.
    pub fn give_back(&self) {
        let _ = self.owned.fetch_update(Relaxed, Relaxed, |owned| owned.checked_sub(1));
    }

    /// The number of cores taken.
    pub fn owned(&self) -> u32 {
        self.owned.load(Relaxed)
    }
}
