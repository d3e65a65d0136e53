//! The lines of the kernel's log, as the kernel writes them.

use super::{EndKind, ExpectedEnd, Rule};
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
        let (end, expected, word) = (end.name(), expected.name(), self.word());
        write!(out, "domain: name={name} end={end} boots={boots} expected={expected} {word}")
    }
}

/// What a domain did that ended it: `fault: domain=rogue context=0 pc=0x… esr=0x… far=0x…
/// rule=write (write outside the domain's memory)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultReport<'a> {
    /// The domain's name.
    pub domain: &'a str,
    /// Index of the context in its domain.
    pub context: u16,
    /// Address of the instruction (ELR_EL2).
    pub pc: u64,
    /// Exception syndrome (ESR_EL2).
    pub esr: u64,
    /// The address that was accessed, as the guest has it (FAR_EL2).
    pub far: u64,
    /// The rule that was broken.
    pub rule: Rule,
}

impl fmt::Display for FaultReport<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, context, pc, esr, far, rule } = self;
        write!(out, "fault: domain={domain} context={context} pc={pc:#x} esr={esr:#x} far={far:#x} ")?;
        write!(out, "rule={} ({})", rule.name(), rule.text())
    }
}
