//! The contexts that one core runs, by priority.
//!
//! A context attached to a core has one of its [`SLOTS`], of which there are enough for a domain that is folded down to
//! one core. Any core attaches and wakes; only the owner core puts to sleep and picks. There are no locks: a slot is one
//! word, readiness one bit of another, and whoever looks for a context walks over bits, not over slots.
//!
//! - A wake-up is never lost. Wakers make the condition true, then set the bit; the owner clears the bit, then
//!   re-checks the condition (see [`RunQueue::sleep`]).
//! - A wake-up may be spurious: one that comes late, when the slot has changed hands, makes the new context ready for no
//!   reason. Contexts bear that, as WFI may return for no reason (Arm ARM, D1.6.2).

use core::array;

use crossbeam_utils::CachePadded;

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(test)]
mod tests;

/// The most contexts that one core can hold; fewer in the models, which pay for each.
pub const SLOTS: usize = if cfg!(loom) { 16 } else { 128 };

/// Words with a bit for each slot.
const WORDS: usize = SLOTS.div_ceil(u64::BITS as usize);

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

    /// The first slot.
    pub const FIRST: Self = Self(0);

    /// The next slot, or the first one after the last.
    pub const fn after(self) -> Self {
        const LAST: u8 = (SLOTS - 1) as u8;
        if self.0 >= LAST { Self::FIRST } else { Self(self.0.wrapping_add(1)) }
    }

    /// The slot's word among [`WORDS`], and its bit there.
    const fn place(self) -> (usize, u64) {
        (self.index() >> u64::BITS.trailing_zeros(), 1u64.wrapping_shl(self.0 as u32))
    }
}

/// All [`SLOTS`] of the core hold a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

/// A bit for each slot.
#[derive(Debug)]
struct Bits(CachePadded<[AtomicU64; WORDS]>);

impl Bits {
    fn new() -> Self {
        Self(CachePadded::new(array::from_fn(|_| AtomicU64::new(0))))
    }

    fn set(&self, slot: Slot, order: Ordering) {
        let (word, bit) = slot.place();
        if let Some(word) = self.0.get(word) {
            word.fetch_or(bit, order);
        }
    }

    fn clear(&self, slot: Slot, order: Ordering) {
        let (word, bit) = slot.place();
        if let Some(word) = self.0.get(word) {
            word.fetch_and(!bit, order);
        }
    }

    fn has(&self, slot: Slot) -> bool {
        let (word, bit) = slot.place();
        self.0.get(word).is_some_and(|word| word.load(Ordering::Acquire) & bit != 0)
    }

    /// The bits of one word; none beyond the last.
    #[inline]
    fn word(&self, index: usize) -> u64 {
        self.0.get(index).map_or(0, |word| word.load(Ordering::Acquire))
    }
}

/// The slots of the bits of a word, in ascending order.
#[inline]
fn slots(index: usize, word: u64) -> impl Iterator<Item = Slot> {
    let first = index << u64::BITS.trailing_zeros();
    crate::bits(word).filter_map(move |bit| Slot::new(first.wrapping_add(bit as usize)))
}

/// One core's run queue.
#[derive(Debug)]
pub struct RunQueue {
    /// The context in this slot has something to run for. Changed by read-modify-write only, so that all changes of a
    /// word form one release sequence: who reads the latest has synchronised with every waker before.
    ready: Bits,
    /// Slots that are taken. A hint for those who look for a free one: the slot's word decides.
    attached: Bits,
    /// How many those are.
    count: AtomicU32,
    /// [`FREE`], or [`TAKEN`] and more.
    slots: CachePadded<[AtomicU32; SLOTS]>,
}

/// The word of a slot without a context.
const FREE: u32 = 0;

/// In the word of a taken slot, beside the priority in bits 23:16 and the context in bits 15:0.
const TAKEN: u32 = 1 << 31;

impl RunQueue {
    /// A queue without contexts.
    pub fn new() -> Self {
        Self {
            ready: Bits::new(),
            attached: Bits::new(),
            count: AtomicU32::new(0),
            slots: CachePadded::new(array::from_fn(|_| AtomicU32::new(FREE))),
        }
    }

    /// Gives a context a slot of this core; any core. The context sleeps until it is woken.
    ///
    /// # Errors
    /// [`QueueFull`] if no slot was free.
    pub fn attach(&self, context: ContextId, priority: Priority) -> Result<Slot, QueueFull> {
        let word = TAKEN | u32::from(priority.0) << 16 | u32::from(context.0);
        for slot in (0..SLOTS).filter_map(Slot::new) {
            if self.attached.has(slot) {
                continue;
            }
            // Release: `pick` sees what was written to the context before, even if a stale ready bit leads it here.
            // Acquire: our wake comes after the clearing of the bit in the `detach` that freed the slot.
            let Some(place) = self.slots.get(slot.index()) else { continue };
            if place.compare_exchange(FREE, word, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                // Release: who finds the bit finds the entry.
                self.attached.set(slot, Ordering::Release);
                // Relaxed: the owner counts contexts after it was kicked for them, or under a lock, which order more.
                self.count.fetch_add(1, Ordering::Relaxed);
                return Ok(slot);
            }
        }
        Err(QueueFull)
    }

    /// Frees a slot; the owner core, or another while the owner cannot be running the context.
    pub fn detach(&self, slot: Slot) {
        // The bits first, and the word with Release: whoever gets the slot next sets them after we cleared.
        self.ready.clear(slot, Ordering::Relaxed);
        self.attached.clear(slot, Ordering::Relaxed);
        self.count.fetch_sub(1, Ordering::Relaxed);
        if let Some(word) = self.slots.get(slot.index()) {
            word.store(FREE, Ordering::Release);
        }
    }

    /// Makes a context ready; any core, after it has made true what the context waits for. If the owner core may be
    /// waiting for an interrupt or running a guest, it needs a `KICK` too.
    pub fn wake(&self, slot: Slot) {
        self.ready.set(slot, Ordering::Release);
    }

    /// Makes a context not ready; the owner core. The caller re-checks afterwards what the context waits for, and wakes
    /// it again if that is true.
    ///
    /// Either a racing waker's change of the bit comes later than this one, and the bit stays set; or it comes earlier,
    /// and this one reads it (Acquire), so that the re-check sees the condition. No full barrier is needed.
    pub fn sleep(&self, slot: Slot) {
        self.ready.clear(slot, Ordering::Acquire);
    }

    /// The most urgent ready context; the owner core. Among equals the first one from `first` on, cyclically: passing
    /// the slot of what runs lets it go on, passing the one [after](Slot::after) it gives each its turn.
    #[inline]
    pub fn pick(&self, first: Slot) -> Option<(Slot, ContextId)> {
        let mut best: Option<(Slot, ContextId, Priority)> = None;
        let (start, bit) = first.place();
        let later = !bit.wrapping_sub(1);
        let mut index = start;
        // The first word twice: its upper part, and after all others its lower part.
        for nth in 0..=WORDS {
            let mask = match nth {
                0 => later,
                WORDS => !later,
                _ => u64::MAX,
            };
            // Acquire, with the bit: what the waker did before it set it.
            for slot in slots(index, self.ready.word(index) & mask) {
                // A late wake-up can leave the bit of a free slot set.
                if let Some((context, priority)) = self.entry(slot)
                    && best.is_none_or(|(_, _, best)| priority > best)
                {
                    best = Some((slot, context, priority));
                }
            }
            index = if index == WORDS - 1 { 0 } else { index.wrapping_add(1) };
        }
        best.map(|(slot, context, _)| (slot, context))
    }

    /// Whether the context in `slot` is ready; the owner core.
    pub fn is_ready(&self, slot: Slot) -> bool {
        self.ready.has(slot)
    }

    /// Whether another ready context has the same priority as the one in `slot`, so that the two share the core by time
    /// slices; the owner core.
    pub fn contenders(&self, slot: Slot) -> bool {
        let Some((_, own)) = self.entry(slot) else { return false };
        let contends = |other: Slot| other != slot && self.entry(other).is_some_and(|(_, priority)| priority == own);
        (0..WORDS).any(|index| slots(index, self.ready.word(index)).any(contends))
    }

    /// Every context that is attached, ready or not, with its slot.
    #[inline]
    pub fn entries(&self) -> impl Iterator<Item = (Slot, ContextId)> {
        self.those(|index| self.attached.word(index))
    }

    /// Every context that is attached and not ready, with its slot; the owner core.
    #[inline]
    pub fn sleepers(&self) -> impl Iterator<Item = (Slot, ContextId)> {
        self.those(|index| self.attached.word(index) & !self.ready.word(index))
    }

    /// Whether there is one; the owner core.
    #[inline]
    pub fn has_sleepers(&self) -> bool {
        (0..WORDS).any(|index| self.attached.word(index) & !self.ready.word(index) != 0)
    }

    #[inline]
    fn those(&self, word: impl Fn(usize) -> u64) -> impl Iterator<Item = (Slot, ContextId)> {
        (0..WORDS).flat_map(move |index| slots(index, word(index))).filter_map(|slot| Some((slot, self.entry(slot)?.0)))
    }

    /// The number of contexts that have a slot, asleep or ready.
    pub fn attached(&self) -> usize {
        self.count.load(Ordering::Relaxed) as usize
    }

    #[inline]
    fn entry(&self, slot: Slot) -> Option<(ContextId, Priority)> {
        let word = self.slots.get(slot.index())?.load(Ordering::Acquire);
        (word != FREE).then_some((ContextId(word as u16), Priority((word >> 16) as u8)))
    }
}
