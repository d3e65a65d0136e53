//! Reading the lines of the kernel's log ([`domains::protocol`] writes them).

use domains::protocol::{DomainResult, EndKind, ExpectedEnd, LogStamp};

#[cfg(test)]
mod tests;

/// One line of the log: `[    0.001234  3] module: text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// When and where.
    pub stamp: LogStamp,
    /// The part of the kernel that speaks.
    pub module: &'a str,
    /// What it says.
    pub text: &'a str,
}

impl<'a> LogLine<'a> {
    /// Reads a line; `None` if it is not a log line (a line that was cut, or not the kernel's).
    pub fn parse(line: &'a str) -> Option<Self> {
        let (stamp, rest) = line.strip_prefix('[')?.split_once("] ")?;
        let (time, core) = stamp.trim().split_once(' ')?;
        let (seconds, microseconds) = time.split_once('.')?;
        let (module, text) = rest.split_once(": ")?;
        let seconds: u64 = seconds.parse().ok()?;
        let microseconds = seconds.checked_mul(1_000_000)?.checked_add(microseconds.parse().ok()?)?;
        Some(Self {
            stamp: LogStamp { microseconds, core: core.trim().parse().ok()? },
            module,
            text: text.trim_end_matches(['\r', '\n']),
        })
    }
}

/// Reads the text of the log line that says how a domain's run went.
pub fn domain_result(text: &str) -> Option<DomainResult<'_>> {
    let mut words = text.strip_prefix("domain: ")?.split(' ');
    let mut value = |key: &str| words.next()?.strip_prefix(key);
    let result = DomainResult {
        name: value("name=")?,
        end: EndKind::from_name(value("end=")?)?,
        boots: value("boots=")?.parse().ok()?,
        expected: ExpectedEnd::from_name(value("expected=")?)?,
    };
    (words.next()? == result.word()).then_some(result)
}
