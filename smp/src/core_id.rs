//! Which core: its dense index and its hardware affinity.

use core::fmt;

#[cfg(test)]
mod tests;

/// The most cores that one machine may have.
pub const MAX_CORES: usize = 512;

/// A core's dense index, in the order of the machine's device tree: 0 ≤ index < [`MAX_CORES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreId(u16);

impl CoreId {
    /// The machine's first core: it starts the others, and never goes off.
    pub const FIRST: Self = Self(0);

    /// The core with that index; `None` from [`MAX_CORES`] on.
    pub const fn new(index: usize) -> Option<Self> {
        if index < MAX_CORES { Some(Self(index as u16)) } else { None }
    }

    /// The index, below [`MAX_CORES`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for CoreId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The affinity fields of a core's `MPIDR_EL1` (Arm ARM, D19.2.102); every other bit is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mpidr(u64);

impl Mpidr {
    /// Aff3 in bits 39:32, Aff2 to Aff0 in bits 23:0.
    const AFFINITY: u64 = 0xff_00ff_ffff;

    /// The affinity in a register value, or in a device tree's `reg`.
    pub const fn from_raw(register: u64) -> Self {
        Self(register & Self::AFFINITY)
    }

    /// All affinity fields in their places in the register.
    pub const fn value(self) -> u64 {
        self.0
    }
}
