//! No crash loop: how often a member may begin anew within some time.

use smp::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[cfg(all(test, not(loom)))]
mod tests;

/// A member's restarts: when the time began in which they are counted, in milliseconds, and how many there were. That
/// time begins with the first restart after the last such time; so in none as long are there more than twice as many as
/// are allowed, and a member that fails again and again is stopped in the first. Only who ends the member's life changes
/// the word, and that is one at a time. By default there was no restart yet.
#[derive(Debug, Default)]
pub struct Limit(AtomicU64);

impl Limit {
    /// Counts a restart at `now`; false if it is one too many: more than `most` in `within` milliseconds.
    pub fn allow(&self, now: u64, most: u32, within: u32) -> bool {
        let word = self.0.load(Relaxed);
        let (since, count) = (word >> 16, word & 0xffff);
        let (since, count) =
            if count == 0 || now.saturating_sub(since) > u64::from(within) { (now, 0) } else { (since, count) };
        let allowed = count < u64::from(most).min(0xffff);
        self.0.store(since << 16 | count.wrapping_add(u64::from(allowed)), Relaxed);
        allowed
    }
}
