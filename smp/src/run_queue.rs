//! The contexts that one core runs, by priority.
//!
//! A context attached to a core has one of its [`SLOTS`]. Any core attaches and wakes; only the owner core puts to
//! sleep and picks. There are no locks: a slot is one word, readiness one bit of another.
//!
//! - A wake-up is never lost. Wakers make the condition true, then set the bit; the owner clears the bit, then
//!   re-checks the condition (see [`RunQueue::sleep`]).
//! - A wake-up may be spurious: one that comes late, when the slot has changed hands, makes the new context ready for no
//!   reason. Contexts bear that, as WFI may return for no reason (Arm ARM, D1.6.2).

use core::{array, iter};

use crossbeam_utils::CachePadded;

use crate::sync::atomic::{AtomicU32, Ordering};

#[cfg(test)]
#[cfg(not(loom))]
mod tests;

/// The most contexts that one core can hold.
pub const SLOTS: usize = 16;

/// A context's index among all contexts of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContextId(pub u16);

/// How urgent a context is, over all domains: the larger number runs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u8);

/// A context's place in a core's run queue, below [`SLOTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(u8);

impl Slot {
    /// The slot with that index; `None` from [`SLOTS`] on.
    pub const fn new(index: usize) -> Option<Self> {
        if index < SLOTS { Some(Self(index as u8)) } else { None }
    }

    /// The index, below [`SLOTS`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    const fn bit(self) -> u32 {
        1u32.wrapping_shl(self.0 as u32)
    }
}

/// All [`SLOTS`] of the core hold a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

/// One core's run queue.
#[derive(Debug)]
pub struct RunQueue {
    /// Bit n: the context in slot n has something to run for. Changed by read-modify-write only, so that all changes
    /// form one release sequence: who reads the latest has synchronised with every waker before.
    ready: CachePadded<AtomicU32>,
    /// Slots that are taken.
    attached: AtomicU32,
    /// [`FREE`], or an [`Entry`].
    slots: CachePadded<[AtomicU32; SLOTS]>,
}

/// The word of a slot without a context.
const FREE: u32 = 0;

/// What the word of a taken slot says.
#[derive(Clone, Copy)]
struct Entry {
    context: ContextId,
    priority: Priority,
}

impl Entry {
    const TAKEN: u32 = 1 << 31;

    const fn to_word(self) -> u32 {
        Self::TAKEN | (self.priority.0 as u32) << 16 | self.context.0 as u32
    }

    const fn from_word(word: u32) -> Option<Self> {
        if word == FREE {
            return None;
        }
        Some(Self { context: ContextId(word as u16), priority: Priority((word >> 16) as u8) })
    }
}

impl RunQueue {
    /// A queue without contexts.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            ready: CachePadded::new(AtomicU32::new(0)),
            attached: AtomicU32::new(0),
            slots: CachePadded::new(array::from_fn(|_| AtomicU32::new(FREE))),
        }
    }

    /// Gives a context a slot of this core; any core. The context sleeps until it is woken.
    ///
    /// # Errors
    /// [`QueueFull`] if no slot was free.
    pub fn attach(&self, context: ContextId, priority: Priority) -> Result<Slot, QueueFull> {
        let word = Entry { context, priority }.to_word();
        for (index, slot) in self.slots.iter().enumerate() {
            // Release: `pick` sees what was written to the context before, even if a stale ready bit leads it here.
            // Acquire: our wake comes after the clearing of the bit in the `detach` that freed the slot.
            let taken = slot.compare_exchange(FREE, word, Ordering::AcqRel, Ordering::Relaxed);
            if taken.is_ok() {
                // Relaxed: the owner counts contexts after it was kicked for them, which orders more.
                self.attached.fetch_add(1, Ordering::Relaxed);
                return Slot::new(index).ok_or(QueueFull);
            }
        }
        Err(QueueFull)
    }

    /// Frees a slot; the owner core, or another while the owner cannot be running the context.
    pub fn detach(&self, slot: Slot) {
        // The bit first, and the word with Release: whoever gets the slot next wakes after we cleared.
        self.ready.fetch_and(!slot.bit(), Ordering::Relaxed);
        if let Some(word) = self.slots.get(slot.index()) {
            self.attached.fetch_sub(1, Ordering::Relaxed);
            word.store(FREE, Ordering::Release);
        }
    }

    /// Makes a context ready; any core, after it has made true what the context waits for. If the owner core may be
    /// waiting for an interrupt or running a guest, it needs a `KICK` too.
    pub fn wake(&self, slot: Slot) {
        self.ready.fetch_or(slot.bit(), Ordering::Release);
    }

    /// Makes a context not ready; the owner core. The caller re-checks afterwards what the context waits for, and wakes
    /// it again if that is true.
    ///
    /// Either a racing waker's change of the bit comes later than this one, and the bit stays set; or it comes earlier,
    /// and this one reads it (Acquire), so that the re-check sees the condition. No full barrier is needed.
    pub fn sleep(&self, slot: Slot) {
        self.ready.fetch_and(!slot.bit(), Ordering::Acquire);
    }

    /// The most urgent ready context; the owner core. Among equals the first one after `last`, cyclically, so that
    /// passing what ran last gives each its turn, and passing nothing starts at the first slot.
    pub fn pick(&self, last: Option<Slot>) -> Option<(Slot, ContextId)> {
        let start = last.map_or(0, |slot| u32::from(slot.0).wrapping_add(1));
        let mut best: Option<(Slot, Entry)> = None;
        for (slot, entry) in self.ready_from(start) {
            if best.is_none_or(|(_, best)| entry.priority > best.priority) {
                best = Some((slot, entry));
            }
        }
        best.map(|(slot, entry)| (slot, entry.context))
    }

    /// Whether the context in `slot` is ready; the owner core.
    pub fn is_ready(&self, slot: Slot) -> bool {
        self.ready.load(Ordering::Acquire) & slot.bit() != 0
    }

    /// Whether another ready context has the same priority as the one in `slot`, so that the two share the core by time
    /// slices; the owner core.
    pub fn contenders(&self, slot: Slot) -> bool {
        let own = self.entry(slot);
        self.ready_from(0).any(|(other, entry)| other != slot && own.is_some_and(|own| own.priority == entry.priority))
    }

    /// Every context that is attached, ready or not, with its slot.
    pub fn entries(&self) -> impl Iterator<Item = (Slot, ContextId)> {
        (0..SLOTS).filter_map(|index| {
            let slot = Slot::new(index)?;
            Some((slot, self.entry(slot)?.context))
        })
    }

    /// The number of contexts that have a slot, asleep or ready.
    pub fn attached(&self) -> usize {
        self.attached.load(Ordering::Relaxed) as usize
    }

    /// The ready contexts, cyclically from slot `start` on.
    fn ready_from(&self, start: u32) -> impl Iterator<Item = (Slot, Entry)> {
        // Acquire: with the bit comes what the waker did before it set it.
        let ready = self.ready.load(Ordering::Acquire) as u16;
        let mut turned = ready.rotate_right(start);
        iter::from_fn(move || {
            // A late wake-up can leave the bit of a free slot set, so look on until a taken one.
            while turned != 0 {
                let index = start.wrapping_add(turned.trailing_zeros()) as usize % SLOTS;
                turned &= turned.wrapping_sub(1);
                let slot = Slot::new(index)?;
                if let Some(entry) = self.entry(slot) {
                    return Some((slot, entry));
                }
            }
            None
        })
    }

    fn entry(&self, slot: Slot) -> Option<Entry> {
        Entry::from_word(self.slots.get(slot.index())?.load(Ordering::Acquire))
    }
}
