//! The region as Linux has it: a block device, of which whole sectors are read and written past the page cache, since
//! another domain writes to it.

use core::ops::Range;
use replicated_log::{Memory, MemoryError};

use crate::linux::{self, Disk, Errno, Sector};

/// The region.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    disk: Disk,
    words: u64,
}

impl Device {
    pub fn new(disk: Disk) -> Result<Self, Errno> {
        Ok(Self { disk, words: disk.bytes()? / 8 })
    }
}

/// The sector that the words are in, and where: a log's head is in one, and so is each record.
fn find(at: u64, count: usize) -> Result<(u64, Range<usize>), MemoryError> {
    let start = (at % Sector::WORDS as u64) as usize;
    let end = start + count;
    if end > Sector::WORDS { Err(MemoryError) } else { Ok((at / Sector::WORDS as u64, start..end)) }
}

impl Memory for Device {
    fn words(&self) -> u64 {
        self.words
    }

    fn load(&self, at: u64, words: &mut [u64]) -> Result<(), MemoryError> {
        let (sector, range) = find(at, words.len())?;
        let Sector(found) = self.disk.read(sector).map_err(|Errno(_)| MemoryError)?;
        words.copy_from_slice(&found[range]);
        Ok(())
    }

    /// The other words of the sector are stored as they are: this is the only writer.
    fn store(&mut self, at: u64, words: &[u64]) -> Result<(), MemoryError> {
        let (sector, range) = find(at, words.len())?;
        let mut found = self.disk.read(sector).map_err(|Errno(_)| MemoryError)?;
        found.0[range].copy_from_slice(words);
        self.disk.write(sector, &found).map_err(|Errno(_)| MemoryError)
    }

    fn barrier(&self) {
        linux::barrier();
    }
}
