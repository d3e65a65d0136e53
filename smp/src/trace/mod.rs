//! What each core writes for the host to read while the machine runs: a ring of records and a table of exits.
//!
//! The host sees the machine's RAM as a file. The machine's last page holds the [`Header`], which says where the
//! [`Area`] of each core is. Areas are little endian, and all zeroes is a valid, empty area.

pub mod event;
pub mod exits;
pub mod header;
pub mod ring;

pub use event::Event;
pub use exits::{ExitReason, Exits};
pub use header::Header;
pub use ring::{Record, Ring};

#[cfg(test)]
mod tests;

/// What one core writes: 12 KiB.
#[derive(Debug)]
#[repr(C)]
pub struct Area {
    /// How often it left a guest, and why.
    pub exits: Exits,
    /// What happened on it last.
    pub ring: Ring,
}
