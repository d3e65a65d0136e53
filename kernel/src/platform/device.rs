//! Device registers by physical address.

use core::ptr::{read_volatile, write_volatile};

/// A block of device registers that EL2 has mapped.
#[derive(Clone, Copy, Debug)]
pub struct Registers(u64);

macro_rules! access {
    ($($read:ident $write:ident $type:ty;)*) => {
        $(
            /// Reads the register at `offset`.
            pub fn $read(self, offset: u64) -> $type {
                // SAFETY: the machine description names this address as a device's, and boot
                // mapped it as device memory; reading has no effect on EL2's memory.
                unsafe { read_volatile(self.0.wrapping_add(offset) as *const $type) }
            }

            /// Writes the register at `offset`.
            pub fn $write(self, offset: u64, value: $type) {
                // SAFETY: as for reading; GIC and UART registers do not write memory.
                unsafe { write_volatile(self.0.wrapping_add(offset) as *mut $type, value) }
            }
        )*
    };
}

impl Registers {
    /// Registers from `base` on.
    pub const fn new(base: u64) -> Self {
        Self(base)
    }

    access! {
        read32 write32 u32;
        read64 write64 u64;
    }
}
