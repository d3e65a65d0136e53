//! The region that the members of a group share, as memory of a [`Log`](replicated_log::Log).

use crate::arch::{Exception, Width};
use core::ops::Range;
use replicated_log::{Memory, MemoryError};

const WORD_BYTES: u64 = 8;

/// A region: normal, cacheable memory. A standby may only read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region(pub Range<u64>);

impl Region {
    /// The addresses of words, if all are inside.
    fn addresses(&self, at: u64, count: usize) -> Result<impl Iterator<Item = u64> + use<>, MemoryError> {
        let end = at.checked_add(count as u64).filter(|&end| end <= self.words()).ok_or(MemoryError)?;
        let start = self.0.start;
        Ok((at..end).map(move |word| start + word * WORD_BYTES))
    }
}

impl Memory for Region {
    fn words(&self) -> u64 {
        (self.0.end - self.0.start) / WORD_BYTES
    }

    fn load(&self, at: u64, words: &mut [u64]) -> Result<(), MemoryError> {
        for (address, word) in self.addresses(at, words.len())?.zip(words) {
            *word = u64::load(address).map_err(|Exception { .. }| MemoryError)?;
        }
        Ok(())
    }

    fn store(&mut self, at: u64, words: &[u64]) -> Result<(), MemoryError> {
        for (address, word) in self.addresses(at, words.len())?.zip(words) {
            word.store(address).map_err(|Exception { .. }| MemoryError)?;
        }
        Ok(())
    }

    fn barrier(&self) {
        crate::arch::barrier();
    }
}
