//! The kernel's trace as bytes of the memory file: what [`smp::trace`] lays out, read back.

use smp::trace::exits::DOMAINS;
use smp::trace::header::{self, MAGIC, VERSION};
use smp::trace::ring::{self, SLOTS};
use smp::trace::{ExitReason, Record, Ring};
use trace_reader::{HeaderFields, Progress};

use super::ExitTable;

#[cfg(test)]
mod tests;

/// The fields in the bytes of a header; `None` if the bytes are too few or hold no header of this
/// version.
pub fn header(bytes: &[u8]) -> Option<HeaderFields> {
    let [magic, version_and_cores, counter_hz, boot_ticks, area_base, area_stride, ram_base, ram_size] =
        words::<{ header::WORDS }>(bytes, 0)?;
    let cores = (version_and_cores >> 32) as u32;
    let fields = HeaderFields { cores, counter_hz, boot_ticks, area_base, area_stride, ram_base, ram_size };
    (magic == MAGIC && version_and_cores as u32 == VERSION).then_some(fields)
}

/// The counts in the bytes of a core's exits; `None` if they are too few.
pub fn exits(bytes: &[u8]) -> Option<Box<ExitTable>> {
    let mut counts: Box<ExitTable> = Box::new([[0; ExitReason::COUNT]; DOMAINS]);
    for (index, row) in counts.iter_mut().enumerate() {
        *row = words(bytes, index * ExitReason::COUNT)?;
    }
    Some(counts)
}

/// The number of records ever written, from the first 8 bytes of a ring.
pub fn head(bytes: &[u8]) -> Option<u64> {
    words(bytes, 0).map(|[head]| head)
}

/// A copy of the bytes of a [`Ring`], as taken from the memory file.
///
/// A copy made while the machine runs is no atomic one, and nothing says which of its bytes were
/// read first. So the head is read on its own before and after, each time with [`head`], and decides
/// as in [`trace_reader::read`]. The ring of a machine that has stopped has one head.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// The head as read before the bytes were copied.
    pub head_before: u64,
    /// The bytes, from the start of the ring.
    pub bytes: &'a [u8],
    /// The head as read after the bytes were copied.
    pub head_after: u64,
}

impl Snapshot<'_> {
    /// As [`trace_reader::read`]; `None` if the bytes are too few for a ring.
    pub fn read(&self, from: u64, visit: impl FnMut(Record)) -> Option<Progress> {
        let bytes = self.bytes.get(..size_of::<Ring>())?;
        let copy = |slot: usize| words(bytes, (slot + 1) * ring::WORDS).map(trace_reader::from_words);
        Some(trace_reader::scan(SLOTS, self.head_before, from, copy, || self.head_after, visit))
    }
}

/// So many little-endian 64-bit words from that index on.
fn words<const N: usize>(bytes: &[u8], first: usize) -> Option<[u64; N]> {
    let (chunks, _) = bytes.get(first * size_of::<u64>()..)?.as_chunks();
    chunks.first_chunk::<N>().map(|words| words.map(u64::from_le_bytes))
}
