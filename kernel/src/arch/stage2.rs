//! Stage 2: a domain's intermediate physical addresses (39 bits, 4 KiB granule, level 1 start).
//!
//! RAM is given in 2 MiB blocks, so a domain needs a level 1 table and one level 2 table for each
//! GiB. Device windows are left unmapped: every access to them traps.

use super::mmu::{ADDRESS, BLOCK, Table};
use super::sysreg::{dsb, isb, read, write};
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

// Page descriptor: as a block, but read only and not executable.
const DATA_PAGE: u64 = 3 | 0xf << 2 | 1 << 6 | 3 << 8 | 1 << 10 | 1 << 54;

/// A domain's stage 2 translation.
pub struct Stage2 {
    root: &'static Table,
    vmid: u8,
}

/// Why a range could not be mapped.
#[derive(Debug)]
pub enum MapError {
    /// Start, target or length is not a multiple of 2 MiB.
    Alignment,
    /// No memory for a table.
    NoMemory,
}

// Block descriptor: normal write-back, read and write, inner shareable, access flag (Arm ARM D8.3.2).
const RAM_BLOCK: u64 = 1 | 0xf << 2 | 3 << 6 | 3 << 8 | 1 << 10;

impl Stage2 {
    /// An empty translation for `vmid`, rooted in a zeroed table.
    pub const fn new(root: &'static Table, vmid: u8) -> Self {
        Self { root, vmid }
    }

    /// Maps `[ipa, ipa + length)` to `physical`, read, write and execute.
    ///
    /// # Errors
    /// See [`MapError`].
    pub fn map_ram(
        &self,
        ipa: u64,
        physical: u64,
        length: u64,
        mut take_table: impl FnMut() -> Option<&'static Table>,
    ) -> Result<(), MapError> {
        if (ipa | physical | length) & (BLOCK - 1) != 0 {
            return Err(MapError::Alignment);
        }
        for block in 0..length >> BLOCK.trailing_zeros() {
            let offset = block.wrapping_mul(BLOCK);
            let at = ipa.wrapping_add(offset);
            let level2 = next_level(self.root.entry(at, 1), &mut take_table)?;
            level2.entry(at, 2).store(physical.wrapping_add(offset) | RAM_BLOCK, Relaxed);
        }
        dsb();
        Ok(())
    }

    /// Maps the page at `ipa` to `physical`, for reading only.
    ///
    /// # Errors
    /// See [`MapError`].
    pub fn map_data_page(
        &self,
        ipa: u64,
        physical: u64,
        mut take_table: impl FnMut() -> Option<&'static Table>,
    ) -> Result<(), MapError> {
        let level2 = next_level(self.root.entry(ipa, 1), &mut take_table)?;
        let level3 = next_level(level2.entry(ipa, 2), &mut take_table)?;
        level3.entry(ipa, 3).store(physical | DATA_PAGE, Relaxed);
        dsb();
        Ok(())
    }

    /// Makes it the translation of this core's guest.
    pub fn enter(&self) {
        write!("vtcr_el2", vtcr());
        write!("vttbr_el2", self.root.address() | u64::from(self.vmid) << 48);
        isb();
    }

    /// Forgets, on all cores, what the TLBs hold of this VMID. This translation must be entered.
    pub fn invalidate(&self) {
        dsb();
        // SAFETY: only guest translations are dropped.
        unsafe { core::arch::asm!("tlbi vmalls12e1is", options(nostack)) }
        dsb();
        isb();
    }
}

/// The table that an entry leads to, made if there is none yet.
fn next_level(
    entry: &AtomicU64,
    take_table: &mut impl FnMut() -> Option<&'static Table>,
) -> Result<&'static Table, MapError> {
    if entry.load(Relaxed) == 0 {
        entry.store(take_table().ok_or(MapError::NoMemory)?.address() | 3, Relaxed);
    }
    // SAFETY: entries of these tables that lead to others are only written above, with the address of a `Table` that
    // lives as long as the kernel; RAM and single pages do not share a block.
    Ok(unsafe { &*((entry.load(Relaxed) & ADDRESS) as *const Table) })
}

/// Another context than the last one runs on this core: what that left in the TLB was its own, as a guest need not
/// tell its CPUs' translations apart (Arm ARM D8.15.1). The translation is entered.
pub fn forget_last() {
    // SAFETY: only guest translations and instructions are dropped.
    unsafe { core::arch::asm!("tlbi vmalls12e1", "ic iallu", "dsb nsh", options(nostack)) }
    isb();
}

/// Leaves nothing in this core's TLB of the translation that was entered last, and translates by none.
pub fn leave() {
    forget_last();
    write!("vttbr_el2", 0);
    isb();
}

/// VTCR_EL2 for these tables: RES1, PS, 4 KiB, inner shareable, write-back walks, level 1, T0SZ 25.
fn vtcr() -> u64 {
    let physical_range = (read!("id_aa64mmfr0_el1") & 0xf).min(5);
    1 << 31 | physical_range << 16 | 3 << 12 | 1 << 10 | 1 << 8 | 1 << 6 | 25
}
