//! The reader's side of [`smp::trace`]: rings that are written meanwhile, and what a record says.
//!
//! The kernel only writes, so none of this runs at EL2. Edge 2 of [`smp::trace::ring`] ends here: the Acquire fence
//! after the words of a record pairs with the Release fence before them in [`Ring::push`].
#![forbid(unsafe_code)]

use std::array;

use smp::core_id::CoreId;
use smp::sync::atomic::{AtomicU64, Ordering, fence};
use smp::trace::ring::{NONE, WORDS, slot_of};
use smp::trace::{Event, Record, Ring};

#[cfg(test)]
mod tests;

/// What a record's tag says.
pub trait Tagged {
    /// What happened; `None` if this version does not know it.
    fn event(&self) -> Option<Event>;
    /// The core that wrote the record.
    fn core(&self) -> Option<CoreId>;
    /// The index of the domain that it is about.
    fn domain(&self) -> Option<u16>;
    /// The context that it is about.
    fn context(&self) -> Option<u16>;
}

impl Tagged for Record {
    fn event(&self) -> Option<Event> {
        Event::from_code(field(self, 0).into())
    }

    fn core(&self) -> Option<CoreId> {
        CoreId::new(usize::from(field(self, 16)))
    }

    fn domain(&self) -> Option<u16> {
        Some(field(self, 32)).filter(|domain| *domain != NONE)
    }

    fn context(&self) -> Option<u16> {
        Some(field(self, 48)).filter(|context| *context != NONE)
    }
}

fn field(record: &Record, shift: u32) -> u16 {
    record.tag.wrapping_shr(shift) as u16
}

/// The record of these words, in the order of its fields.
pub fn from_words([time, tag, a, b]: [u64; WORDS]) -> Record {
    Record { time, tag, a, b }
}

/// What the header says: see [`smp::trace::header::WORDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderFields {
    /// Cores of the machine, each with an area.
    pub cores: u32,
    /// Ticks of the physical counter in a second.
    pub counter_hz: u64,
    /// The counter when the kernel was entered.
    pub boot_ticks: u64,
    /// Physical address of core 0's [`Area`](smp::trace::Area).
    pub area_base: u64,
    /// Bytes from one core's area to the next one's.
    pub area_stride: u64,
    /// Physical address of the machine's RAM.
    pub ram_base: u64,
    /// Bytes of the machine's RAM.
    pub ram_size: u64,
}

/// How far a read came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where the next read goes on.
    pub next: u64,
    /// Records between the last position and this one that were overwritten before they could be read.
    pub lost: u64,
}

/// A ring in which nothing was written.
pub fn empty<const N: usize>() -> Ring<N> {
    let slots = array::from_fn(|_| array::from_fn(|_| AtomicU64::new(0)));
    Ring { head: AtomicU64::new(0), padding: [0; WORDS - 1], slots }
}

/// Shows `visit` every record of a live ring from number `from` on that can still be read, in order.
pub fn read<const N: usize>(ring: &Ring<N>, from: u64, visit: impl FnMut(Record)) -> Progress {
    let copy = |slot: usize| {
        let words = ring.slots.get(slot)?;
        let words = words.each_ref().map(|word| word.load(Ordering::Relaxed));
        Some(from_words(words))
    };
    let head_after = || {
        fence(Ordering::Acquire);
        ring.head.load(Ordering::Relaxed)
    };
    scan(N, ring.head.load(Ordering::Acquire), from, copy, head_after, visit)
}

/// [`read`], over live words or over a copy of the ring's bytes. `head` was read before anything else; `copy` copies the
/// record in a slot, and `head_after` reads the head after that.
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
