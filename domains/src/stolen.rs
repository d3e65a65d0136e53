//! Time that others ran in a context's stead, as guests are told of it (Arm DEN 0057, *Paravirtualized Time for
//! Arm-based Systems*): one structure a context, in memory that the guest reads.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Where the structures begin in a guest's addresses; nothing of the board is there.
pub const BASE: u64 = 0x090a_0000;

/// One context's structure.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct StolenTime {
    revision: AtomicU32,
    attributes: AtomicU32,
    nanoseconds: AtomicU64,
}

impl StolenTime {
    /// Of a context that always ran.
    const fn new() -> Self {
        Self { revision: AtomicU32::new(0), attributes: AtomicU32::new(0), nanoseconds: AtomicU64::new(0) }
    }

    /// Others ran for so long; by the context's core only.
    pub fn add(&self, nanoseconds: u64) {
        self.nanoseconds.store(self.nanoseconds.load(Relaxed).wrapping_add(nanoseconds), Relaxed);
    }

    /// The context begins anew.
    pub fn reset(&self) {
        self.nanoseconds.store(0, Relaxed);
    }
}

/// The guest's address of the structure of the context with that index.
pub fn address(context: u16) -> Option<u64> {
    u64::from(context).checked_mul(size_of::<StolenTime>() as u64)?.checked_add(BASE)
}

/// The structures of all contexts of a domain, in whole pages.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct StolenPages([StolenTime; 128]);

impl StolenPages {
    /// For contexts that always ran. A constant: it is too large for a stack.
    pub const fn new() -> Self {
        Self([const { StolenTime::new() }; 128])
    }

    /// The structure of the context with that index, of which there are at most 128.
    pub fn of(&self, context: usize) -> &StolenTime {
        self.0.get(context).unwrap_or(&self.0[0])
    }
}
