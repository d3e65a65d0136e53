//! One record: sequence number (8 bytes), epoch (4), length of the payload (4), payload (40, the rest of it 0), and the
//! check (8): FNV-1a, 64 bits, over all bytes before it.

/// The most bytes of a payload.
pub const PAYLOAD_MAX: usize = 40;

/// The words of a record.
pub(crate) const RECORD_WORDS: usize = 8;
const PAYLOAD_WORDS: usize = PAYLOAD_MAX / 8;

/// What is in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 1 on.
    pub sequence: u64,
    /// The epoch in which it was written.
    pub epoch: u32,
    length: usize,
    bytes: [u8; PAYLOAD_MAX],
}

impl Record {
    pub(crate) fn new(sequence: u64, epoch: u32, payload: &[u8]) -> Option<Self> {
        let mut bytes = [0; PAYLOAD_MAX];
        bytes.get_mut(..payload.len())?.copy_from_slice(payload);
        Some(Self { sequence, epoch, length: payload.len(), bytes })
    }

    /// What was appended.
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }

    pub(crate) fn to_words(self) -> [u64; RECORD_WORDS] {
        let mut words = [0; RECORD_WORDS];
        words[0] = self.sequence;
        words[1] = (self.length as u64) << 32 | u64::from(self.epoch);
        for (word, bytes) in words[2..].iter_mut().zip(self.bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words[RECORD_WORDS - 1] = check(&words);
        words
    }

    pub(crate) fn from_words(words: [u64; RECORD_WORDS]) -> Option<Self> {
        let [sequence, head, payload @ .., found] = words;
        let payload: [u64; PAYLOAD_WORDS] = payload;
        let length = (head >> 32) as usize;
        if found != check(&words) || length > PAYLOAD_MAX {
            return None;
        }
        let mut bytes = [0; PAYLOAD_MAX];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(payload) {
            *bytes = word.to_le_bytes();
        }
        Some(Self { sequence, epoch: head as u32, length, bytes })
    }
}

/// FNV-1a over the bytes of all words but the last (Fowler, Noll, Vo).
fn check(words: &[u64; RECORD_WORDS]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = words.iter().take(RECORD_WORDS - 1).flat_map(|word| word.to_le_bytes());
    bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests;
