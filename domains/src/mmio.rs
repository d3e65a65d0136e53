//! What the kernel and the devices of the virtual board say to each other: trapped accesses to
//! device memory, and the levels of interrupt lines.

/// How much an access moves (`ESR_EL2.ISS.SAS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessSize {
    /// 8 bits.
    Byte = 1,
    /// 16 bits.
    Half = 2,
    /// 32 bits.
    Word = 4,
    /// 64 bits.
    Double = 8,
}

impl AccessSize {
    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self as u64
    }

    /// The low bits of a value that an access of this size carries.
    pub const fn mask(self) -> u64 {
        u64::MAX.wrapping_shr(64u32.wrapping_sub(8u32.wrapping_mul(self as u32)))
    }
}

/// Which way an access goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKind {
    /// The guest waits for a value.
    Read,
    /// The guest stores this value; bits beyond the access's size are ignored.
    Write(u64),
}

/// One trapped access of a guest to device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Bytes from the start of the device's window.
    pub offset: u64,
    /// How much is moved.
    pub size: AccessSize,
    /// Read or write.
    pub kind: AccessKind,
}

/// The level of an interrupt line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Not asserted.
    Low,
    /// Asserted.
    High,
}
