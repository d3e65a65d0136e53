//! What the kernel recorded: read out of the machine's memory file while it runs, and what it
//! says about cores and domains.

mod collector;
mod core_map;
pub mod detail;
pub mod failover;
pub mod moves;
pub mod rest;
mod story;
#[cfg(test)]
pub mod tests;
mod wire;

pub use collector::{Collector, Recorder};
pub use core_map::{CoreMap, Span, change, owner};
pub use story::{DomainStory, Stage, Story};

use smp::trace::exits::DOMAINS;
use smp::trace::{ExitReason, Record};
use trace_reader::HeaderFields;

/// Exits by domain and reason.
pub type ExitTable = [[u64; ExitReason::COUNT]; DOMAINS];

/// Everything that was read of one run.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Where the kernel put it, and its clock.
    pub header: HeaderFields,
    /// The records of all cores by time.
    pub records: Vec<Record>,
    /// Records that were overwritten before they could be read.
    pub lost: u64,
    /// Exits of all cores together.
    pub exits: Box<ExitTable>,
}

impl Trace {
    /// A record's time in microseconds since the kernel was entered.
    pub fn microseconds(&self, time: u64) -> f64 {
        let ticks = time.saturating_sub(self.header.boot_ticks);
        ticks as f64 * 1e6 / self.header.counter_hz.max(1) as f64
    }

    /// The time of the last record.
    pub fn end(&self) -> u64 {
        let last = self.records.last().map(|record| record.time);
        last.unwrap_or(self.header.boot_ticks)
    }
}
