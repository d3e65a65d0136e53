//! Judges a service from outside: by what its members printed, in the order in which the one serial line had it.
//!
//! A member of a group prints, a line each:
//!
//! ```text
//! count: resumes epoch=E after=N    it is the primary of epoch E, and found N committed records
//! count: epoch=E seq=N              record N is committed: the outside may rely on it
//! count: standby epoch=E            it is a standby
//! ```
//!
//! A record that was acknowledged has to be there for whoever resumes, once. One more may be there: its primary was
//! stopped after the commit and before the line. Nothing of an older epoch may come after a newer one's first line, and
//! an epoch has one primary. The second kind of line may end with ` at-us=T`, the machine's time in microseconds.
//!
//! Linux may speak in the middle of a line (`count: epoch=1 seq=12[    9.000000] …`): then the number may have been cut.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;

#[cfg(test)]
mod tests;

/// What the service's lines begin with.
const SERVICE: &str = "count: ";

/// What a line of a Linux kernel begins with.
const PRINTK: char = '[';

/// Findings that are kept of one run: after the first few, all is wrong.
const MOST_FINDINGS: usize = 20;

/// A line of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It is the primary now.
    Resumes {
        /// Of this epoch.
        epoch: u32,
        /// So many records were committed.
        after: u64,
    },
    /// A record is committed.
    Acknowledged {
        /// By the primary of this epoch.
        epoch: u32,
        /// The record.
        seq: u64,
        /// When, in microseconds of the machine's time.
        at_us: Option<u64>,
    },
    /// It is a standby now.
    Standby {
        /// In this epoch.
        epoch: u32,
    },
}

impl Line {
    /// Reads a line of a member's console; `None` if it is no line of the service, or one without its last number. What
    /// stands before the service's last words was left by a member that was stopped in the middle of a line.
    pub fn parse(text: &str) -> Option<Self> {
        let (text, _) = cut(text)?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let value = |word: &str, key: &str| word.strip_prefix(key)?.strip_prefix('=')?.parse::<u64>().ok();
        let epoch = |word: &str| u32::try_from(value(word, "epoch")?).ok();
        Some(match words.as_slice() {
            ["resumes", of, after] => Self::Resumes { epoch: epoch(of)?, after: value(after, "after")? },
            ["standby", of] => Self::Standby { epoch: epoch(of)? },
            [of, seq] => Self::Acknowledged { epoch: epoch(of)?, seq: value(seq, "seq")?, at_us: None },
            [of, seq, at] => {
                Self::Acknowledged { epoch: epoch(of)?, seq: value(seq, "seq")?, at_us: Some(value(at, "at-us")?) }
            }
            _ => return None,
        })
    }
}

/// The service's last words, and whether a kernel's line cuts them off.
fn cut(text: &str) -> Option<(&str, bool)> {
    let (_, text) = text.rsplit_once(SERVICE)?;
    Some(text.split_once(PRINTK).map_or((text, false), |(words, _)| (words, true)))
}

/// The number that is meant by what may be the first digits of it: one of those that are due, or itself.
fn completed(digits: u64, mut due: RangeInclusive<u64>) -> u64 {
    let begins = |number: &u64| number.to_string().starts_with(&digits.to_string());
    due.find(begins).unwrap_or(digits)
}

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "class", rename_all = "kebab-case")]
pub enum Finding {
    /// Two primaries at once: this one spoke although another one had begun a newer epoch, or had this one.
    SplitBrain {
        /// Who.
        member: usize,
        /// In which epoch.
        epoch: u32,
        /// Whose turn it was.
        primary: usize,
        /// In which epoch.
        since: u32,
    },
    /// Records that had been acknowledged were gone.
    Lost {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A record was acknowledged again.
    Twice {
        /// The record.
        seq: u64,
    },
    /// Records were skipped.
    Gap {
        /// The one that was due.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// A primary did not say that it is one.
    Unannounced {
        /// Who.
        member: usize,
        /// In which epoch.
        epoch: u32,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SplitBrain { member, epoch, primary, since } => {
                write!(
                    out,
                    "member {member} spoke as the primary of epoch {epoch}, while member {primary} was that of epoch {since}"
                )
            }
            Self::Lost { from, to } if from == to => write!(out, "record {from} was acknowledged and lost"),
            Self::Lost { from, to } => write!(out, "records {from} to {to} were acknowledged and lost"),
            Self::Twice { seq } => write!(out, "record {seq} was acknowledged twice"),
            Self::Gap { expected, found } => write!(out, "record {expected} was due, and {found} came"),
            Self::Unannounced { member, epoch } => {
                write!(out, "member {member} went on in epoch {epoch} without having resumed")
            }
        }
    }
}

/// A primary's term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Term {
    /// Who.
    pub member: usize,
    /// The epoch.
    pub epoch: u32,
    /// The records that it found.
    pub after: u64,
    /// The last record that it acknowledged, if it did any.
    pub last: Option<u64>,
    /// When it acknowledged its first one, if the service says.
    pub first_us: Option<u64>,
    /// When it acknowledged its last one, if the service says.
    pub last_us: Option<u64>,
    /// It has said that it is a standby now.
    #[serde(skip)]
    is_over: bool,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    terms: Vec<Term>,
    acknowledged: u64,
    findings: Vec<Finding>,
    /// By member, how often it said that it is a standby, and in which epoch at last.
    standbys: Vec<(u64, u32)>,
}

impl Observer {
    /// Nothing was seen of a group with so many members.
    pub fn new(members: usize) -> Self {
        Self { standbys: vec![(0, 0); members], ..Self::default() }
    }

    /// Takes a line that a member printed.
    pub fn line(&mut self, member: usize, text: &str) {
        let is_cut = cut(text).is_some_and(|(_, is_cut)| is_cut);
        match Line::parse(text) {
            Some(Line::Resumes { epoch, after }) => {
                let due = self.acknowledged..=self.acknowledged + 1;
                self.resumes(member, epoch, if is_cut { completed(after, due) } else { after });
            }
            // It was committed before the first byte of its line.
            Some(Line::Acknowledged { epoch, seq, .. }) if is_cut => {
                let last = self.terms.last().map_or(0, |term| term.last.unwrap_or(term.after));
                self.acknowledges(member, epoch, completed(seq, last + 1..=last + 1), None);
            }
            Some(Line::Acknowledged { epoch, seq, at_us }) => self.acknowledges(member, epoch, seq, at_us),
            Some(Line::Standby { epoch }) => {
                if let Some(said) = self.standbys.get_mut(member) {
                    *said = (said.0 + 1, epoch);
                }
                if let Some(term) = self.terms.last_mut().filter(|term| term.member == member) {
                    term.is_over = true;
                }
            }
            None => {}
        }
    }

    fn resumes(&mut self, member: usize, epoch: u32, after: u64) {
        if let Some(term) = self.terms.last() {
            let starts_again = term.member == member && term.epoch == epoch;
            if epoch < term.epoch || epoch == term.epoch && !starts_again {
                let (primary, since) = (term.member, term.epoch);
                return self.find(Finding::SplitBrain { member, epoch, primary, since });
            }
        }
        if after < self.acknowledged {
            self.find(Finding::Lost { from: after + 1, to: self.acknowledged });
        }
        // One may have been committed and not acknowledged any more.
        if after > self.acknowledged + 1 {
            self.find(Finding::Gap { expected: self.acknowledged + 1, found: after });
        }
        self.terms.push(Term { member, epoch, after, last: None, first_us: None, last_us: None, is_over: false });
    }

    fn acknowledges(&mut self, member: usize, epoch: u32, seq: u64, at_us: Option<u64>) {
        match self.terms.last() {
            Some(term) if term.member == member && term.epoch == epoch && !term.is_over => {}
            Some(term) if epoch <= term.epoch => {
                let (primary, since) = (term.member, term.epoch);
                return self.find(Finding::SplitBrain { member, epoch, primary, since });
            }
            _ => {
                self.find(Finding::Unannounced { member, epoch });
                self.resumes(member, epoch, seq.saturating_sub(1));
            }
        }
        let Some(term) = self.terms.last_mut() else { return };
        let expected = term.last.unwrap_or(term.after) + 1;
        term.last = Some(seq.max(expected - 1));
        term.first_us = term.first_us.or(at_us);
        term.last_us = at_us.or(term.last_us);
        if seq < expected {
            self.find(Finding::Twice { seq });
        } else if seq > expected {
            self.find(Finding::Gap { expected, found: seq });
        }
        self.acknowledged = self.acknowledged.max(seq);
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        }
    }

    /// What must not have happened.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The primaries one after the other.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The last record that was acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// How often a member said that it is a standby.
    pub fn standbys(&self, member: usize) -> u64 {
        self.standbys.get(member).map_or(0, |said| said.0)
    }

    /// Between which terms there was no service for how long, in microseconds: from the last record that was
    /// acknowledged to the next; as far as the service says when.
    pub fn silences_us(&self) -> Vec<u64> {
        let spoke: Vec<&Term> = self.terms.iter().filter(|term| term.last.is_some()).collect();
        let pairs = spoke.windows(2).filter_map(|pair| match pair {
            [old, new] => new.first_us?.checked_sub(old.last_us?),
            _ => None,
        });
        pairs.collect()
    }
}
