//! What the kernel, its guests and the host tools say to each other: console framing, log and
//! verdict lines, the names of ends, rules and reports, and Corral's hypercalls. Both ends take
//! them from here, so that they cannot drift apart.

mod framing;
pub mod hypercall;
mod lines;
#[cfg(test)]
mod tests;

pub use framing::{Mux, SWITCH, Splitter, Tag};

pub use lines::{DomainResult, LogStamp, REPORT_MODULE, RUN_MODULE};

/// The most domains that one machine holds: the framing's tags and the trace's counters are made
/// for this many.
pub const MAX_DOMAINS: usize = 32;

/// The text of the last log line (module [`RUN_MODULE`]) of a run in which every domain ended as
/// the manifest expects. A run that ends without a verdict failed.
pub const VERDICT_PASS: &str = "verdict: pass";
/// The text of the last log line of a run in which some domain, or the kernel, did not.
pub const VERDICT_FAIL: &str = "verdict: fail";

smp::named! {
    /// How a domain ended, or that it has not.
    pub enum EndKind {
        /// It has not ended.
        Running = 0 "running",
        /// PSCI SYSTEM_OFF.
        Off = 1 "off",
        /// PSCI SYSTEM_RESET or SYSTEM_RESET2, and no restart is left.
        Reset = 2 "reset",
        /// The exit hypercall with code 0.
        Exit = 3 "exit",
        /// The exit hypercall with another code.
        Failed = 4 "failed",
        /// It broke a [`Rule`].
        Fault = 5 "fault",
        /// It gave no sign of life in time.
        Hung = 6 "hung",
    }
}

smp::named! {
    /// The rule that a domain broke when the kernel ended it with [`EndKind::Fault`].
    pub enum Rule {
        /// A load from an address that the domain was not granted.
        Read = 1 "read" "read outside the domain's memory",
        /// A store to an address that the domain was not granted, or may only read.
        Write = 2 "write" "write outside the domain's memory",
        /// An instruction fetch from an address that the domain was not granted.
        Fetch = 3 "fetch" "instruction fetch outside the domain's memory",
        /// A translation table of the domain lies outside its memory.
        TableWalk = 4 "table-walk" "translation table outside the domain's memory",
        /// A device register accessed by an instruction without a valid syndrome (ESR_EL2.ISV = 0:
        /// pairs, exclusives, write-back), so that the access cannot be carried out for the guest.
        Syndrome = 5 "syndrome" "device access by an instruction that cannot be emulated",
        /// The hardware reported an external abort or SError on behalf of the domain.
        ExternalAbort = 7 "external-abort" "external abort",
        /// An exception class that this machine should never take to EL2 from a guest.
        UnknownException = 8 "unknown-exception" "exception that no guest should cause",
        /// The guest took an undefined-instruction exception where it had no vector to take it.
        UndefinedInstruction = 9 "undefined-instruction" "undefined instruction",
    }
}

smp::named! {
    /// What a number that a native guest reports ([`hypercall::REPORT`]) means.
    pub enum ReportKey {
        /// Ticks that came too late to count.
        Missed = 1 "missed",
        /// Ticks in all.
        Ticks = 2 "ticks",
        /// The latest tick, nanoseconds after it was due.
        WorstLatenessNs = 3 "worst-lateness-ns",
        /// The mean of all ticks, nanoseconds after they were due.
        MeanLatenessNs = 4 "mean-lateness-ns",
        /// Checks that passed.
        Passed = 5 "passed",
        /// Checks that failed.
        Failed = 6 "failed",
        /// A number whose meaning only the guest and its scenario know.
        User0 = 64 "user-0",
        /// Another one.
        User1 = 65 "user-1",
        /// Another one.
        User2 = 66 "user-2",
        /// Another one.
        User3 = 67 "user-3",
    }
}

smp::named! {
    /// The end that the manifest expects of a domain.
    pub enum ExpectedEnd {
        /// [`EndKind::Off`].
        Off = 0 "off",
        /// [`EndKind::Exit`].
        Exit = 1 "exit",
        /// [`EndKind::Fault`].
        Fault = 2 "fault",
        /// [`EndKind::Reset`].
        Reset = 3 "reset",
        /// [`EndKind::Failed`].
        Failed = 4 "failed",
        /// [`EndKind::Hung`].
        Hung = 7 "hung",
        /// It is still there when the run is over.
        Running = 5 "running",
        /// Whatever it does is right.
        Any = 6 "any",
    }
}

impl ExpectedEnd {
    /// Whether an end is the expected one.
    pub fn is_met_by(self, end: EndKind) -> bool {
        self == Self::Any || self.name() == end.name()
    }
}
