//! Where the host finds the trace.

use crate::sync::atomic::{AtomicU64, Ordering};

/// "CORLTRC1", little endian.
pub const MAGIC: u64 = 0x3143_5254_4c52_4f43;

/// The version of the layout of everything in [`trace`](super).
pub const VERSION: u32 = 1;

/// Words of the header: magic, version and cores, and the other fields in their order.
pub const WORDS: usize = 8;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderFields {
    /// Cores of the machine, each with an area.
    pub cores: u32,
    /// Ticks of the physical counter in a second.
    pub counter_hz: u64,
    /// The counter when the kernel was entered.
    pub boot_ticks: u64,
    /// Physical address of core 0's [`Area`](super::Area).
    pub area_base: u64,
    /// Bytes from one core's area to the next one's.
    pub area_stride: u64,
    /// Physical address of the machine's RAM.
    pub ram_base: u64,
    /// Bytes of the machine's RAM.
    pub ram_size: u64,
}

/// The header as it lies at the start of the machine's last page of RAM: 64 bytes, no header while they are zero.
/// Magic, version (low half) and cores (high half), then the other fields of [`HeaderFields`], each a 64-bit word.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Header {
    words: [AtomicU64; WORDS],
}

impl Header {
    /// Fills the header in. The magic number comes last: whoever sees it sees the rest.
    pub fn publish(&self, fields: &HeaderFields) {
        let [magic, rest @ ..] = &self.words;
        let values = [
            u64::from(VERSION) | u64::from(fields.cores) << 32,
            fields.counter_hz,
            fields.boot_ticks,
            fields.area_base,
            fields.area_stride,
            fields.ram_base,
            fields.ram_size,
        ];
        for (word, value) in rest.iter().zip(values) {
            word.store(value, Ordering::Relaxed);
        }
        magic.store(MAGIC, Ordering::Release);
    }
}
