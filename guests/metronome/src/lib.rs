//! How late the ticks of a periodic task were.

#![cfg_attr(not(test), no_std)]

use core::fmt;

#[cfg(test)]
mod tests;

const BUCKETS: usize = 32;

/// What the ticks so far add up to. A tick that was handled a full period late, or later, stands
/// for all deadlines that passed until then: these are missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lateness {
    period_ns: u64,
    ticks: u64,
    missed: u64,
    handled: u64,
    min_ns: u64,
    max_ns: u64,
    sum_ns: u64,
    /// Bucket n counts lateness from 2^(n-1) up to 2^n ns; the last one has no upper end.
    buckets: [u32; BUCKETS],
}

impl Lateness {
    /// No ticks yet.
    pub fn new(period_ns: u64) -> Self {
        Self {
            period_ns: period_ns.max(1),
            ticks: 0,
            missed: 0,
            handled: 0,
            min_ns: u64::MAX,
            max_ns: 0,
            sum_ns: 0,
            buckets: [0; BUCKETS],
        }
    }

    /// Counts a tick handled so many nanoseconds after its deadline. Answers how many deadlines,
    /// this one and missed ones, it stands for.
    pub fn record(&mut self, late_ns: u64) -> u64 {
        let missed = late_ns / self.period_ns;
        self.ticks += 1 + missed;
        self.missed += missed;
        self.handled += 1;
        self.min_ns = self.min_ns.min(late_ns);
        self.max_ns = self.max_ns.max(late_ns);
        self.sum_ns = self.sum_ns.saturating_add(late_ns);
        let bucket = (u64::BITS - late_ns.leading_zeros()) as usize;
        self.buckets[bucket.min(BUCKETS - 1)] += 1;
        1 + missed
    }

    /// Deadlines that passed.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Deadlines that passed without being handled within a period.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The latest tick.
    pub fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// The mean over the ticks that were handled.
    pub fn mean_ns(&self) -> u64 {
        self.sum_ns / self.handled.max(1)
    }

    /// The histogram: upper end in nanoseconds (exclusive) and count of each bucket in use.
    pub fn histogram(&self) -> impl Iterator<Item = (u64, u32)> {
        let buckets = self.buckets.iter().enumerate();
        let used = buckets.filter(|&(_, &count)| count != 0);
        used.map(|(bucket, &count)| (1 << bucket, count))
    }
}

/// One line: `ticks=… missed=… lateness_ns min=… mean=… max=…`.
impl fmt::Display for Lateness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let min_ns = if self.handled == 0 { 0 } else { self.min_ns };
        write!(
            out,
            "ticks={} missed={} lateness_ns min={min_ns} mean={} max={}",
            self.ticks,
            self.missed,
            self.mean_ns(),
            self.max_ns,
        )
    }
}
