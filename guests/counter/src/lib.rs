//! A service that counts in the log of a group, wherever that runs: natively, and as a Linux program.
//!
//! A primary appends the next number each time it is told to, commits it, and tells the outside. A standby follows, and
//! goes on where the primary was. Lines for the outside, which an observer checks: `count: standby epoch=E`;
//! `count: resumes epoch=E after=N`, N being the last number that is committed; `count: epoch=E seq=N` once N is
//! committed.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

use core::fmt;
use replicated_log::{Error, Log, Memory};

#[cfg(test)]
mod tests;

/// Why the service can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The log can't be read or written.
    Log(Error),
    /// The record with this sequence number is not one of this service's.
    NotOurs(u64),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Log(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => write!(out, "log: {error:?}"),
            Self::NotOurs(sequence) => write!(out, "seq={sequence} holds another number"),
        }
    }
}

/// The service in one member of the group.
#[derive(Debug)]
pub struct Service<M> {
    region: M,
    /// `None` until a primary has made one.
    log: Option<Log<M>>,
    last: u64,
    say: fn(fmt::Arguments<'_>),
}

impl<M: Memory + Clone> Service<M> {
    /// A service that has read nothing yet; `say` tells the outside one line.
    pub fn new(region: M, say: fn(fmt::Arguments<'_>)) -> Self {
        Self { region, log: None, last: 0, say }
    }

    /// The last number that was read or committed.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Begins an epoch as a standby.
    pub fn stand_by(&mut self, epoch: u32) -> Result<(), Failure> {
        self.follow()?;
        (self.say)(format_args!("count: standby epoch={epoch}"));
        Ok(())
    }

    /// Begins an epoch as the primary.
    pub fn resume(&mut self, epoch: u32) -> Result<(), Failure> {
        self.follow()?;
        if self.log.is_none() {
            self.log = Some(Log::create(self.region.clone())?);
        }
        (self.say)(format_args!("count: resumes epoch={epoch} after={}", self.last));
        Ok(())
    }

    /// Counts one more, as the primary.
    pub fn count(&mut self, epoch: u32) -> Result<(), Failure> {
        let log = self.log.as_mut().ok_or(Error::Absent)?;
        let next = self.last + 1;
        if log.append(epoch, &next.to_le_bytes())? != next {
            return Err(Failure::NotOurs(next));
        }
        self.last = log.commit(epoch)?;
        (self.say)(format_args!("count: epoch={epoch} seq={next}"));
        Ok(())
    }

    /// Reads what is new in the log.
    pub fn follow(&mut self) -> Result<(), Failure> {
        if self.log.is_none() {
            self.log = match Log::open(self.region.clone()) {
                Err(Error::Absent) => return Ok(()),
                log => Some(log?),
            };
        }
        let Some(log) = &self.log else { return Ok(()) };
        loop {
            let mut last = self.last;
            let mut not_ours = None;
            let caught_up = log.catch_up(last + 1, |record| {
                last = record.sequence;
                if record.payload() != last.to_le_bytes() {
                    not_ours.get_or_insert(last);
                }
            });
            self.last = last;
            match (not_ours, caught_up) {
                (Some(sequence), _) => return Err(Failure::NotOurs(sequence)),
                // The primary was faster.
                (None, Err(Error::Gone)) => self.last = log.first_kept()? - 1,
                (None, caught_up) => return Ok(caught_up.map(|_| ())?),
            }
        }
    }
}
