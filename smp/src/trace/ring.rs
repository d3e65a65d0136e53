//! A core's ring of trace records: one writer that never waits, readers that notice what they missed.
//!
//! The head counts the records ever written; record n lies in slot n mod `SLOTS`. The writer overwrites the oldest
//! record without asking, so a reader copies a record first and then looks at the head again. With head h the writer may
//! be busy with record h, on top of record h − `SLOTS`; so record n was whole if h − n < `SLOTS`.
//!
//! Two edges make that true:
//! 1. `push` stores the head with Release and readers load it with Acquire: a reader that sees head h sees the words of
//!    all records before h.
//! 2. The Release fence before the words in `push` pairs with the Acquire fence after the words in `read`: a reader that
//!    copied even one word of record h sees head ≥ h when it looks again. A Release store of the head alone would not
//!    do: it keeps earlier accesses before it, not the later words behind it.

use core::array;

use super::Event;
use crate::core_id::CoreId;
use crate::sync::atomic::{AtomicU64, Ordering, fence};

/// Records that a core's ring holds; with the head it fills two pages.
pub const SLOTS: usize = 255;

/// Words of a record.
pub const WORDS: usize = 4;

/// In a tag's domain and context fields: none.
const NONE: u16 = 0xffff;

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

    /// What happened; `None` if this version does not know it.
    pub fn event(&self) -> Option<Event> {
        Event::from_code(self.field(0).into())
    }

    /// The core that wrote the record.
    pub fn core(&self) -> Option<CoreId> {
        CoreId::new(usize::from(self.field(16)))
    }

    /// The index of the domain that it is about.
    pub fn domain(&self) -> Option<u16> {
        Some(self.field(32)).filter(|domain| *domain != NONE)
    }

    /// The context that it is about.
    pub fn context(&self) -> Option<u16> {
        Some(self.field(48)).filter(|context| *context != NONE)
    }

    const fn field(&self, shift: u32) -> u16 {
        self.tag.wrapping_shr(shift) as u16
    }

    const fn to_words(self) -> [u64; WORDS] {
        [self.time, self.tag, self.a, self.b]
    }

    /// The record of these words, in the order of its fields.
    pub const fn from_words([time, tag, a, b]: [u64; WORDS]) -> Self {
        Self { time, tag, a, b }
    }
}

/// A ring as it lies in memory. Only its own core pushes; anyone reads. The number of slots is a parameter for the sake
/// of the models, which could not overtake themselves in a large ring.
#[derive(Debug)]
#[repr(C)]
pub struct Ring<const N: usize = SLOTS> {
    /// Records ever written.
    head: AtomicU64,
    /// Keeps a record from straddling two cache lines.
    padding: [u64; WORDS - 1],
    slots: [[AtomicU64; WORDS]; N],
}

/// How far a read came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where the next read goes on.
    pub next: u64,
    /// Records between the last position and this one that were overwritten before they could be read.
    pub lost: u64,
}

impl<const N: usize> Ring<N> {
    /// An empty ring.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let slots = array::from_fn(|_| array::from_fn(|_| AtomicU64::new(0)));
        Self { head: AtomicU64::new(0), padding: [0; WORDS - 1], slots }
    }

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

    /// Shows `visit` every record from number `from` on that can still be read, in order.
    pub fn read(&self, from: u64, visit: impl FnMut(Record)) -> Progress {
        let copy = |slot: usize| {
            let words = self.slots.get(slot)?;
            let words = words.each_ref().map(|word| word.load(Ordering::Relaxed));
            Some(Record::from_words(words))
        };
        let head_after = || {
            fence(Ordering::Acquire);
            self.head.load(Ordering::Relaxed)
        };
        scan(N, self.head.load(Ordering::Acquire), from, copy, head_after, visit)
    }
}

/// The slot of record number `index`.
fn slot_of(index: u64, slots: usize) -> Option<usize> {
    index.checked_rem(slots as u64).map(|slot| slot as usize)
}

/// The reader's side, over live words or over a copy of the ring's bytes: shows `visit` every record from number `from`
/// on that can still be read. `head` was read before anything else; `copy` copies the record in a slot, and `head_after`
/// reads the head after that.
pub fn scan(
    slots: usize,
    head: u64,
    from: u64,
    copy: impl Fn(usize) -> Option<Record>,
    head_after: impl Fn() -> u64,
    mut visit: impl FnMut(Record),
) -> Progress {
    let readable = |head: u64, index: u64| head.wrapping_sub(index) < slots as u64;
    // Beyond the head lies nothing; a reader that asks for it has outlived the ring's writer and starts over there.
    let from = from.min(head);
    let oldest = head.saturating_add(1).saturating_sub(slots as u64);
    let first = from.max(oldest);
    let mut lost = first.saturating_sub(from);
    for index in first..head {
        let record = slot_of(index, slots).and_then(&copy);
        match record.filter(|_| readable(head_after(), index)) {
            Some(record) => visit(record),
            None => lost = lost.saturating_add(1),
        }
    }
    Progress { next: head, lost }
}
