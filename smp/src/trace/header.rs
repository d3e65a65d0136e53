//! Where the host finds the trace.

use crate::sync::atomic::{AtomicU64, Ordering};

/// "CORLTRC1", little endian.
pub const MAGIC: u64 = 0x3143_5254_4c52_4f43;

/// The version of the layout of everything in [`trace`](super).
pub const VERSION: u32 = 1;

/// Words of the header: magic; version (low half) and cores of the machine, each with an area (high half); ticks of the
/// physical counter in a second; the counter when the kernel was entered; physical address of core 0's
/// [`Area`](super::Area); bytes from one core's area to the next one's; physical address and bytes of the machine's RAM.
pub const WORDS: usize = 8;

/// The header as it lies at the start of the machine's last page of RAM: 64 bytes, no header while they are zero.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Header {
    words: [AtomicU64; WORDS],
}

impl Header {
    /// Fills the header in. The magic number comes last: whoever sees it sees the rest.
    pub fn publish(&self, fields: [u64; WORDS - 1]) {
        let [magic, rest @ ..] = &self.words;
        for (word, value) in rest.iter().zip(fields) {
            word.store(value, Ordering::Relaxed);
        }
        magic.store(MAGIC, Ordering::Release);
    }
}
