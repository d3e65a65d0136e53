//! Device registers by physical address.

/// A block of device registers that EL2 has mapped.
#[derive(Clone, Copy, Debug)]
pub struct Registers(u64);

impl Registers {
    /// Registers from `base` on.
    pub const fn new(base: u64) -> Self {
        Self(base)
    }

    /// Reads the register of 32 bits at `offset`.
    pub fn read32(self, offset: u64) -> u32 {
        // SAFETY: the machine description names this address as a device's, and boot
        // mapped it as device memory; reading has no effect on EL2's memory.
        unsafe { (self.0.wrapping_add(offset) as *mut u32).read_volatile() }
    }

    /// Reads the register of 64 bits at `offset`.
    pub fn read64(self, offset: u64) -> u64 {
        // SAFETY: as in `read32`.
        unsafe { (self.0.wrapping_add(offset) as *mut u64).read_volatile() }
    }

    /// Writes the register of 32 bits at `offset`.
    pub fn write32(self, offset: u64, value: u32) {
        // SAFETY: as in `read32`; GIC and UART registers do not write memory.
        unsafe { (self.0.wrapping_add(offset) as *mut u32).write_volatile(value) }
    }

    /// Writes the register of 64 bits at `offset`.
    pub fn write64(self, offset: u64, value: u64) {
        // SAFETY: as in `write32`.
        unsafe { (self.0.wrapping_add(offset) as *mut u64).write_volatile(value) }
    }
}
