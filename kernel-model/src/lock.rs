//! `smp::lock` and `spin::Once` for simulated cores: who waits lets others go on.

use crate::simulation::{step, wait_a_little};
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, OnceLock};

/// A lock like `smp::lock::SpinLock`.
#[derive(Debug, Default)]
pub struct SpinLock<T>(Mutex<T>);

impl<T> SpinLock<T> {
    /// A free lock over `value`.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Waits for this core's turn.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        step();
        loop {
            // All cores are on one thread: it is never poisoned without the world being over.
            if let Ok(guard) = self.0.try_lock() {
                return guard;
            }
            wait_a_little();
        }
    }

    /// The value, if nobody has it, for those who only look on.
    pub fn peek(&self) -> Option<impl Deref<Target = T>> {
        self.0.try_lock().ok()
    }
}

/// A value that is made once, like `spin::Once`.
#[derive(Debug)]
pub struct Once<T>(OnceLock<T>);

impl<T> Once<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Makes the value, if it is not there.
    pub fn call_once(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(make)
    }

    /// The value, if it is there.
    pub fn get(&self) -> Option<&T> {
        step();
        self.0.get()
    }
}
