//! The commit word.

const SEQUENCE_BITS: u32 = 40;

/// The largest sequence number of a log.
pub const SEQUENCE_MAX: u64 = (1 << SEQUENCE_BITS) - 1;
/// The largest epoch of a log.
pub const EPOCH_MAX: u32 = (1 << (u64::BITS - SEQUENCE_BITS)) - 1;

/// The last record that counts. The default: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The epoch that it was written in.
    pub epoch: u32,
    /// Its number, from 1 on.
    pub sequence: u64,
}

impl Committed {
    pub(crate) fn from_word(word: u64) -> Self {
        Self { epoch: (word >> SEQUENCE_BITS) as u32, sequence: word & SEQUENCE_MAX }
    }

    pub(crate) fn to_word(self) -> u64 {
        u64::from(self.epoch) << SEQUENCE_BITS | self.sequence
    }
}
