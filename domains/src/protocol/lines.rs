//! The lines of the kernel's log, as the kernel writes them.

use super::{EndKind, ExpectedEnd};
use core::fmt;

/// The module of the log lines that say how the run went.
pub const RUN_MODULE: &str = "run";

/// The module of the log lines in which a guest's numbers stand: `domain=metronome missed=0`.
pub const REPORT_MODULE: &str = "report";

/// When and where a line was logged; displays as `[    0.001234  3]`. A line goes on with `module: text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogStamp {
    /// Microseconds since the kernel was entered.
    pub microseconds: u64,
    /// Index of the core that logged it.
    pub core: u16,
}

impl fmt::Display for LogStamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rest) = (self.microseconds / 1_000_000, self.microseconds % 1_000_000);
        write!(out, "[{seconds:>5}.{rest:06} {:>2}]", self.core)
    }
}

/// How one domain's run went, logged in module [`RUN_MODULE`]:
/// `domain: name=linux end=off boots=1 expected=off ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainResult<'a> {
    /// The domain's name.
    pub name: &'a str,
    /// How it ended.
    pub end: EndKind,
    /// How often it was started.
    pub boots: u32,
    /// How it should have ended.
    pub expected: ExpectedEnd,
}

impl DomainResult<'_> {
    /// Whether it ended as it should.
    pub fn is_ok(&self) -> bool {
        self.expected.is_met_by(self.end)
    }

    /// The last word of the line.
    pub fn word(&self) -> &'static str {
        if self.is_ok() { "ok" } else { "FAILED" }
    }
}

impl fmt::Display for DomainResult<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, end, boots, expected } = self;
        write!(out, "domain: name={name} end={end} boots={boots} expected={expected} {}", self.word())
    }
}
