//! The log in the region that the members of a group share: the primary appends and commits, the standbys follow, and
//! what was committed is there after a takeover, in order, once.
//!
//! The region holds little-endian words of 64 bits. Words 0 to 2: [`MAGIC`], the capacity in records, and the commit
//! word, `epoch << 40 | sequence number` of the last committed record, 0 if there is none. From byte 4096 on records of
//! 64 bytes; the one with sequence number `s`, from 1 on, lies in slot `(s - 1) % capacity`. See [`record`].
//!
//! Invariants, with one writer at a time, which stage 2 sees to:
//! - A record counts from the store of the commit word on, which comes after all of the record's, and is one store of
//!   an aligned word. So a writer that is stopped anywhere leaves the log as it was before, or as it is after.
//! - Of the committed records the last [`Log::kept`] are never overwritten by what is not committed.
//! - Epochs in the order of sequence numbers never fall.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod record;
mod word;

use record::RECORD_WORDS;
pub use record::{PAYLOAD_MAX, Record};
pub use word::{Committed, EPOCH_MAX, SEQUENCE_MAX};

#[cfg(test)]
mod tests;

/// "CORRLOG1" in memory.
pub const MAGIC: u64 = u64::from_le_bytes(*b"CORRLOG1");

/// Where records start, in words.
const RECORDS_AT: u64 = 4096 / 8;
const MAGIC_AT: u64 = 0;
const CAPACITY_AT: u64 = 1;
const COMMIT_AT: u64 = 2;
/// With fewer nothing could be kept while something is appended.
const CAPACITY_MIN: u64 = 2;
/// How often a reader starts again because the writer has come round meanwhile.
const READ_ATTEMPTS: u32 = 8;

/// The region. Words are numbered from its start; their values are those of little-endian words.
pub trait Memory {
    /// How many words it has.
    fn words(&self) -> u64;

    /// Loads words in ascending order, each one by one access.
    fn load(&self, at: u64, words: &mut [u64]) -> Result<(), MemoryError>;

    /// Stores words in ascending order, each one by one access.
    fn store(&mut self, at: u64, words: &[u64]) -> Result<(), MemoryError>;

    /// No access before it is seen after one that follows.
    fn barrier(&self);
}

/// The region could not be accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryError;

/// Why the log did not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The region could not be accessed.
    Memory,
    /// There is no log in the region.
    Absent,
    /// There is one already, or something else.
    Exists,
    /// The region has no room for a log.
    TooSmall,
    /// The head of the log, or the record with this sequence number, is not what a writer leaves.
    Corrupt(u64),
    /// The record was overwritten, as it is old.
    Gone,
    /// The record is not committed, or not any more: a reader has seen one that is not there.
    NotCommitted,
    /// The epoch is older than the log's, or another than that of what is to be committed.
    WrongEpoch,
    /// The payload is longer than [`PAYLOAD_MAX`].
    TooLong,
    /// So much is appended and not committed that what is kept would be overwritten.
    Full,
    /// The epoch or the sequence number has no room in the commit word.
    Exhausted,
}

impl From<MemoryError> for Error {
    fn from(MemoryError: MemoryError) -> Self {
        Self::Memory
    }
}

/// What was appended through this handle and is not committed.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    epoch: u32,
    count: u64,
}

/// A log.
#[derive(Debug)]
pub struct Log<M> {
    memory: M,
    capacity: u64,
    /// What was committed when this handle appended last; another value means that someone else did since.
    base: Committed,
    pending: Pending,
}

impl<M: Memory> Log<M> {
    /// Takes the log that is in the region.
    pub fn open(memory: M) -> Result<Self, Error> {
        let mut head = [0; 3];
        memory.load(MAGIC_AT, &mut head)?;
        match head {
            // Also what a creation leaves that was stopped on its way.
            [0, _, 0] => Err(Error::Absent),
            [MAGIC, capacity, _] if (CAPACITY_MIN..=capacity_of(&memory)).contains(&capacity) => {
                Ok(Self { memory, capacity, base: Committed::default(), pending: Pending::default() })
            }
            _ => Err(Error::Corrupt(0)),
        }
    }

    /// Makes an empty log in a region where nothing is, with all the records that have room.
    pub fn create(mut memory: M) -> Result<Self, Error> {
        let mut head = [0; 3];
        memory.load(MAGIC_AT, &mut head)?;
        let [0, _, 0] = head else { return Err(Error::Exists) };
        let capacity = capacity_of(&memory);
        if capacity < CAPACITY_MIN {
            return Err(Error::TooSmall);
        }
        memory.store(CAPACITY_AT, &[capacity])?;
        memory.barrier();
        memory.store(MAGIC_AT, &[MAGIC])?;
        memory.barrier();
        Self::open(memory)
    }

    /// How many records there is room for.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// How many of the last committed records can be read, whatever is appended meanwhile; as many can be appended
    /// before they have to be committed, or one less.
    pub fn kept(&self) -> u64 {
        self.capacity.div_ceil(2)
    }

    /// Writes a record behind all others and answers its sequence number. It does not count until it is committed.
    pub fn append(&mut self, epoch: u32, payload: &[u8]) -> Result<u64, Error> {
        let committed = self.committed()?;
        if self.base != committed || self.pending.epoch != epoch {
            self.base = committed;
            self.pending = Pending { epoch, count: 0 };
        }
        if epoch < committed.epoch {
            return Err(Error::WrongEpoch);
        }
        if self.pending.count >= self.capacity - self.kept() {
            return Err(Error::Full);
        }
        let sequence = committed.sequence + self.pending.count + 1;
        if epoch > EPOCH_MAX || sequence > SEQUENCE_MAX {
            return Err(Error::Exhausted);
        }
        let record = Record::new(sequence, epoch, payload).ok_or(Error::TooLong)?;
        self.memory.store(self.slot(sequence), &record.to_words())?;
        self.pending.count += 1;
        Ok(sequence)
    }

    /// Makes all count that this handle has appended in this epoch since its last commit. Answers the last committed
    /// sequence number.
    pub fn commit(&mut self, epoch: u32) -> Result<u64, Error> {
        let committed = self.committed()?;
        if self.pending.count == 0 {
            return Ok(committed.sequence);
        }
        if self.base != committed || self.pending.epoch != epoch {
            return Err(Error::WrongEpoch);
        }
        let now = Committed { epoch, sequence: committed.sequence + self.pending.count };
        self.memory.barrier();
        self.memory.store(COMMIT_AT, &[now.to_word()])?;
        self.memory.barrier();
        self.base = now;
        self.pending.count = 0;
        Ok(now.sequence)
    }

    /// The last record that counts; the default if there is none.
    pub fn committed(&self) -> Result<Committed, Error> {
        for _ in 0..READ_ATTEMPTS {
            let committed = self.commit_word()?;
            if committed == Committed::default() {
                return Ok(committed);
            }
            match self.read_below(committed.sequence, committed) {
                Ok(record) if record.epoch == committed.epoch => return Ok(committed),
                Err(Error::Gone) => {}
                Ok(_) => return Err(Error::Corrupt(committed.sequence)),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Gone)
    }

    /// The oldest record that can be read now; 1 if there is none yet.
    pub fn first_kept(&self) -> Result<u64, Error> {
        Ok((self.committed()?.sequence + 1).saturating_sub(self.kept()).max(1))
    }

    /// A committed record.
    pub fn read(&self, sequence: u64) -> Result<Record, Error> {
        self.read_below(sequence, self.commit_word()?)
    }

    /// Hands over all committed records with sequence numbers from `from` on, in order. Answers the last committed
    /// record, after which to go on.
    pub fn catch_up(&self, from: u64, mut take: impl FnMut(&Record)) -> Result<Committed, Error> {
        let committed = self.committed()?;
        // Who knows more than is committed has read what a takeover took back.
        if from == 0 || from > committed.sequence + 1 {
            return Err(Error::NotCommitted);
        }
        let mut epoch = 0;
        for sequence in from..=committed.sequence {
            let record = self.read_below(sequence, committed)?;
            if record.epoch < epoch {
                return Err(Error::Corrupt(sequence));
            }
            epoch = record.epoch;
            take(&record);
        }
        Ok(committed)
    }

    /// A record, where `committed` was seen to be the last one that counts.
    fn read_below(&self, sequence: u64, committed: Committed) -> Result<Record, Error> {
        if sequence == 0 || sequence > committed.sequence {
            return Err(Error::NotCommitted);
        }
        if !self.keeps(sequence, committed) {
            return Err(Error::Gone);
        }
        let mut words = [0; RECORD_WORDS];
        self.memory.load(self.slot(sequence), &mut words)?;
        let is_right = |record: &Record| record.sequence == sequence && record.epoch <= committed.epoch;
        if let Some(record) = Record::from_words(words).filter(is_right) {
            return Ok(record);
        }
        // It was right before the writer came round, or it never was.
        self.memory.barrier();
        if self.keeps(sequence, self.commit_word()?) { Err(Error::Corrupt(sequence)) } else { Err(Error::Gone) }
    }

    fn keeps(&self, sequence: u64, committed: Committed) -> bool {
        sequence + self.kept() > committed.sequence
    }

    fn commit_word(&self) -> Result<Committed, Error> {
        let mut word = [0];
        self.memory.load(COMMIT_AT, &mut word)?;
        self.memory.barrier();
        let [word] = word;
        let committed = Committed::from_word(word);
        // A record has an epoch, and the other way round.
        if (committed.sequence == 0) != (word == 0) { Err(Error::Corrupt(0)) } else { Ok(committed) }
    }

    fn slot(&self, sequence: u64) -> u64 {
        RECORDS_AT + (sequence - 1) % self.capacity * RECORD_WORDS as u64
    }
}

fn capacity_of(memory: &impl Memory) -> u64 {
    memory.words().saturating_sub(RECORDS_AT) / RECORD_WORDS as u64
}
