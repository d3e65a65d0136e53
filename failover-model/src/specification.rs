//! What a group promises to the outside, whatever happens inside: a sequential machine that reads what comes out.

use std::collections::BTreeMap;

/// What a member says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It serves, and goes on after this record.
    Resumes { after: u64 },
    /// This record is committed.
    Committed { sequence: u64, payload: u64 },
    /// Something else that only a primary may do.
    Acts,
}

/// What was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Something of an old epoch after something of a newer one, two members in one epoch, or two lives of one.
    SplitBrain,
    /// A record that was said to be committed is not there, or is another.
    CommittedLost,
    /// A record was committed twice.
    CommittedTwice,
    /// A record was skipped.
    Gap,
}

/// Reads along.
#[derive(Clone, Debug, Default)]
pub struct Specification {
    epoch: u32,
    /// Who serves in that epoch, and in which of its lives.
    who: Option<(u8, u32)>,
    resumed: bool,
    /// The last record that a primary found or committed.
    last: u64,
    committed: BTreeMap<u64, (u32, u64)>,
}

impl Specification {
    /// A member, in one of its lives, says something in this epoch.
    pub fn hear(&mut self, member: u8, boots: u32, epoch: u32, said: Said) -> Result<(), Broken> {
        if epoch < self.epoch {
            return Err(Broken::SplitBrain);
        }
        if epoch > self.epoch {
            (self.epoch, self.who, self.resumed) = (epoch, None, false);
        }
        if *self.who.get_or_insert((member, boots)) != (member, boots) {
            return Err(Broken::SplitBrain);
        }
        match said {
            Said::Acts => {}
            Said::Resumes { .. } if self.resumed => return Err(Broken::SplitBrain),
            Said::Resumes { after } if after < self.last => return Err(Broken::CommittedLost),
            // One may have been committed, and not said any more.
            Said::Resumes { after } if after > self.last + 1 => return Err(Broken::Gap),
            Said::Resumes { after } => (self.last, self.resumed) = (after, true),
            Said::Committed { sequence, .. } if sequence <= self.last => return Err(Broken::CommittedTwice),
            Said::Committed { sequence, .. } if sequence != self.last + 1 || !self.resumed => return Err(Broken::Gap),
            Said::Committed { sequence, payload } => {
                self.last = sequence;
                self.committed.insert(sequence, (epoch, payload));
            }
        }
        Ok(())
    }

    /// The records that a reader finds in the end, in their order.
    pub fn find(&self, records: &[(u64, u32, u64)]) -> Result<(), Broken> {
        let first = records.first().map_or(1, |(sequence, ..)| *sequence);
        for (found, expected) in records.iter().zip(first..) {
            let (sequence, epoch, payload) = *found;
            let said = self.committed.get(&sequence);
            if sequence != expected || said.is_some_and(|said| *said != (epoch, payload)) {
                return Err(Broken::CommittedLost);
            }
        }
        let end = first + records.len() as u64;
        if self.committed.range(end..).next().is_some() { Err(Broken::CommittedLost) } else { Ok(()) }
    }

    /// The last record that is known.
    pub fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests;
