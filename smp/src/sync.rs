//! The one place that atomics, fences and shared cells come from: `core`'s in the kernel and on the host, loom's or
//! shuttle's in the models.

#[cfg(not(all(any(loom, shuttle), not(target_os = "none"))))]
pub use core::sync::atomic;
#[cfg(all(loom, not(target_os = "none")))]
pub use loom::{cell, sync::atomic};
#[cfg(all(shuttle, not(target_os = "none")))]
pub use shuttle::sync::atomic;

/// Interior mutability with the closure interface that loom can watch.
#[cfg(not(all(loom, not(target_os = "none"))))]
pub mod cell {
    /// A cell whose users see to exclusion themselves. It is not `Sync`: the type built on it says why it may be.
    #[derive(Debug, Default)]
    pub struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// A cell that holds `value`.
        pub const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        /// Calls `access` with a pointer to read through.
        #[inline(always)]
        pub fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
            access(self.0.get())
        }

        /// Calls `access` with a pointer to write through.
        #[inline(always)]
        pub fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            access(self.0.get())
        }
    }
}

/// Waits a little before looking again at a word that another core will change.
///
/// On the machine this is `wfe`: it returns at once if an event came since the last one (the event register latches),
/// so whoever changes the word calls [`notify`] afterwards and no event is lost (Arm ARM, D1.6 "Wait for Event").
#[inline(always)]
pub fn relax() {
    #[cfg(target_os = "none")]
    aarch64_cpu::asm::wfe();
    #[cfg(all(loom, not(target_os = "none")))]
    loom::thread::yield_now();
    #[cfg(all(shuttle, not(target_os = "none")))]
    shuttle::thread::yield_now();
    #[cfg(not(any(loom, shuttle, target_os = "none")))]
    core::hint::spin_loop();
}

/// Wakes every core that waits in [`relax`]; what the caller stored before is visible to them.
///
/// The barrier is needed: `sev` is no memory access and could overtake the store that the waiters wait for.
#[inline(always)]
pub fn notify() {
    #[cfg(target_os = "none")]
    {
        aarch64_cpu::asm::barrier::dsb(aarch64_cpu::asm::barrier::ISHST);
        aarch64_cpu::asm::sev();
    }
}
