//! A core's ring of trace records: one writer that never waits, readers that notice what they missed.
//!
//! The head counts the records ever written; record n lies in slot n mod `SLOTS`. The writer overwrites the oldest
//! record without asking, so a reader copies a record first and then looks at the head again. With head h the writer may
//! be busy with record h, on top of record h − `SLOTS`; so record n was whole if h − n < `SLOTS`.
//!
//! Two edges make that true:
//! 1. `push` stores the head with Release and readers load it with Acquire: a reader that sees head h sees the words of
//!    all records before h.
//! 2. The Release fence before the words in `push` pairs with the Acquire fence after the words in the reader (crate
//!    `trace-reader`): one that copied even one word of record h sees head ≥ h when it looks again. A Release store of the
//!    head alone would not do: it keeps earlier accesses before it, not the later words behind it.

use super::Event;
use crate::core_id::CoreId;
use crate::sync::atomic::{AtomicU64, Ordering, fence};

/// Records that a core's ring holds; with the head it fills two pages.
pub const SLOTS: usize = 255;

/// Words of a record.
pub const WORDS: usize = 4;

/// In a tag's domain and context fields: none.
pub const NONE: u16 = 0xffff;

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    /// When, in ticks of the physical counter.
    pub time: u64,
    /// What, where and to whom: see [`Record::tag`].
    pub tag: u64,
    /// What [`Event`] says.
    pub a: u64,
    /// What [`Event`] says.
    pub b: u64,
}

impl Record {
    /// A tag: event, core << 16, domain << 32, context << 48; 0xffff stands for no domain and no context.
    pub fn tag(event: Event, core: CoreId, domain: Option<u16>, context: Option<u16>) -> u64 {
        event as u64
            | (core.index() as u64) << 16
            | u64::from(domain.unwrap_or(NONE)) << 32
            | u64::from(context.unwrap_or(NONE)) << 48
    }

    const fn to_words(self) -> [u64; WORDS] {
        [self.time, self.tag, self.a, self.b]
    }
}

/// A ring as it lies in memory. Only its own core pushes; anyone reads. The number of slots is a parameter for the sake
/// of the models, which could not overtake themselves in a large ring.
#[derive(Debug)]
#[repr(C)]
pub struct Ring<const N: usize = SLOTS> {
    /// Records ever written.
    pub head: AtomicU64,
    /// Keeps a record from straddling two cache lines.
    pub padding: [u64; WORDS - 1],
    /// The records, in words.
    pub slots: [[AtomicU64; WORDS]; N],
}

impl<const N: usize> Ring<N> {
    /// Writes a record over the oldest one; the ring's own core only.
    #[inline]
    pub fn push(&self, record: Record) {
        let head = self.head.load(Ordering::Relaxed);
        let Some(slot) = slot_of(head, N).and_then(|slot| self.slots.get(slot)) else { return };
        fence(Ordering::Release);
        for (word, value) in slot.iter().zip(record.to_words()) {
            word.store(value, Ordering::Relaxed);
        }
        self.head.store(head.wrapping_add(1), Ordering::Release);
    }
}

/// The slot of record number `index`.
pub fn slot_of(index: u64, slots: usize) -> Option<usize> {
    index.checked_rem(slots as u64).map(|slot| slot as usize)
}
