//! A fair spin lock.
//!
//! Tickets make it fair: cores enter in the order in which they asked, so a core that takes the lock in a loop (for a
//! guest that floods its console, say) delays another by at most one turn per core that was there before.
//! EL2 runs with interrupts masked, so a holder is never interrupted, and nothing may wait for a guest while it holds one.

use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::cell::UnsafeCell;
use crate::sync::{notify, relax};

#[cfg(test)]
mod tests;

/// A value that one core at a time may use. Taking it twice on one core waits for ever.
#[derive(Debug, Default)]
pub struct SpinLock<T> {
    /// The ticket that the next core to ask gets.
    next: AtomicU32,
    /// The ticket that may enter.
    serving: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands `&mut T` to one core at a time (see `Guard`), so sharing the lock only ever sends the value
// from core to core, for which `T: Send` is enough.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// A free lock over `value`.
    #[cfg(not(all(loom, not(target_os = "none"))))]
    pub const fn new(value: T) -> Self {
        Self { next: AtomicU32::new(0), serving: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// A free lock over `value`; loom's constructors are not `const`.
    #[cfg(all(loom, not(target_os = "none")))]
    pub fn new(value: T) -> Self {
        Self { next: AtomicU32::new(0), serving: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// Waits for this core's turn; the turn ends when the guard is dropped.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        // Relaxed: the ticket only orders cores. What the last holder did comes with `serving`.
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        while self.serving.load(Ordering::Acquire) != ticket {
            relax();
        }
        Guard { lock: self, ticket, value: PhantomData }
    }
}

/// A core's turn with the value of a [`SpinLock`].
///
/// Invariant: exactly the guard whose ticket equals `serving` exists. Tickets are unique as long as fewer than 2^32
/// cores wait, and only the guard's drop moves `serving` on.
#[derive(Debug)]
pub struct Guard<'a, T> {
    lock: &'a SpinLock<T>,
    ticket: u32,
    /// Makes the guard `Send` and `Sync` only where `&mut T` is.
    value: PhantomData<&'a mut T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: by the invariant no other guard exists, so nobody else refers to the value; the result borrows
        // this guard, so it cannot outlive the turn or overlap a `deref_mut`.
        self.lock.value.with(|value| unsafe { &*value })
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: by the invariant no other guard exists, and the result borrows this one mutably.
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let next = self.ticket.wrapping_add(1);
        self.lock.serving.store(next, Ordering::Release);
        notify();
    }
}
