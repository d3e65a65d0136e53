//! Stage 2: a domain's intermediate physical addresses (39 bits, 4 KiB granule, level 1 start).
//!
//! RAM is given in 2 MiB blocks, so a domain needs a level 1 table and one level 2 table for each
//! GiB. Device windows are left unmapped: every access to them traps.

use super::mmu::{ADDRESS, BLOCK, OutOfTables, PAGE, Table, next_level};
use super::sysreg::{dsb, isb, read, write};
use core::sync::atomic::Ordering::Relaxed;

// Page descriptor: as a block, but read only and not executable.
const DATA_PAGE: u64 = 3 | 0xf << 2 | 1 << 6 | 3 << 8 | 1 << 10 | 1 << 54;

/// A domain's stage 2 translation.
pub struct Stage2 {
    root: &'static Table,
    vmid: u8,
}

// Block descriptor: normal write-back, read and write, inner shareable, access flag (Arm ARM D8.3.2).
const RAM_BLOCK: u64 = 1 | 0xf << 2 | 3 << 6 | 3 << 8 | 1 << 10;

/// A page, not a block.
const PAGE_BIT: u64 = 1 << 1;

/// What a domain may do with a piece of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Read and write.
    Write,
    /// Read and execute.
    Execute,
    /// Read, write and execute.
    All,
}

impl Right {
    const fn block(self, physical: u64) -> u64 {
        const WRITE: u64 = 1 << 7;
        const NO_FETCH: u64 = 1 << 54;
        match self {
            Self::None => 0,
            Self::Read => physical | RAM_BLOCK & !WRITE | NO_FETCH,
            Self::Write => physical | RAM_BLOCK | NO_FETCH,
            Self::Execute => physical | RAM_BLOCK & !WRITE,
            Self::All => physical | RAM_BLOCK,
        }
    }
}

impl Stage2 {
    /// An empty translation for `vmid`, rooted in a zeroed table.
    pub const fn new(root: &'static Table, vmid: u8) -> Self {
        Self { root, vmid }
    }

    /// Maps `[ipa, ipa + length)` to `physical`, read, write and execute: whole blocks, as the manifest's memory and
    /// what is free for it are.
    ///
    /// # Errors
    /// No memory for a table.
    pub fn map_ram(
        &self,
        ipa: u64,
        physical: u64,
        length: u64,
        take_table: impl FnMut() -> Option<&'static Table>,
    ) -> Result<(), OutOfTables> {
        self.map_blocks(ipa, physical, length, Right::All, take_table)
    }

    fn map_blocks(
        &self,
        ipa: u64,
        physical: u64,
        length: u64,
        right: Right,
        mut take_table: impl FnMut() -> Option<&'static Table>,
    ) -> Result<(), OutOfTables> {
        for block in 0..length >> BLOCK.trailing_zeros() {
            let offset = block.wrapping_mul(BLOCK);
            let at = ipa.wrapping_add(offset);
            let level2 = next_level(self.root.entry(at, 1), &mut take_table)?;
            level2.entry(at, 2).store(right.block(physical.wrapping_add(offset)), Relaxed);
        }
        dsb();
        Ok(())
    }

    /// [`map_ram`](Self::map_ram) page by page, for [`set_page`](Self::set_page).
    ///
    /// # Errors
    /// No memory for a table.
    pub fn map_pages(
        &self,
        ipa: u64,
        physical: u64,
        length: u64,
        mut take_table: impl FnMut() -> Option<&'static Table>,
    ) -> Result<(), OutOfTables> {
        for offset in (0..length).step_by(PAGE as usize) {
            let at = ipa.wrapping_add(offset);
            let level2 = next_level(self.root.entry(at, 1), &mut take_table)?;
            let level3 = next_level(level2.entry(at, 2), &mut take_table)?;
            level3.entry(at, 3).store(Right::All.block(physical.wrapping_add(offset)) | PAGE_BIT, Relaxed);
        }
        dsb();
        Ok(())
    }

    /// Changes the right to the page at `ipa`, which [`map_pages`](Self::map_pages) mapped. What TLBs hold stays there.
    pub fn set_page(&self, ipa: u64, right: Right) {
        let level3 =
            next_level(self.root.entry(ipa, 1), || None).and_then(|level2| next_level(level2.entry(ipa, 2), || None));
        if let Ok(level3) = level3 {
            let entry = level3.entry(ipa, 3);
            entry.store(right.block(entry.load(Relaxed) & ADDRESS) | PAGE_BIT, Relaxed);
        }
    }

    /// Maps `[ipa, ipa + length)` to `physical`, for data only, with this right. What TLBs hold of it stays there.
    ///
    /// # Errors
    /// See [`OutOfTables`].
    pub fn map_shared(
        &self,
        ipa: u64,
        physical: u64,
        length: u64,
        right: Right,
        take_table: impl FnMut() -> Option<&'static Table>,
    ) -> Result<(), OutOfTables> {
        self.map_blocks(ipa, physical, length, right, take_table)
    }

    /// Maps nothing any more. What TLBs hold stays there.
    pub fn cut(&self) {
        self.root.clear();
    }

    /// Maps the page at `ipa` to `physical`, for reading only.
    ///
    /// # Errors
    /// No memory for a table.
    pub fn map_data_page(
        &self,
        ipa: u64,
        physical: u64,
        mut take_table: impl FnMut() -> Option<&'static Table>,
    ) -> Result<(), OutOfTables> {
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

/// Forgets what this core's TLB holds of a page, at this IPA and at this virtual address of the guest, as more may be done
/// there now. The translation is entered.
pub fn forget_page(ipa: u64, address: u64) {
    const NUMBER: u64 = (1 << 44) - 1;
    dsb();
    // SAFETY: only guest translations are dropped; by stage 2 first, then what was made of both (Arm ARM D8.14.5).
    unsafe {
        core::arch::asm!(
            "tlbi ipas2e1, {ipa}", "dsb nsh", "tlbi vaae1, {address}", "dsb nsh",
            ipa = in(reg) ipa >> 12, address = in(reg) address >> 12 & NUMBER, options(nostack)
        );
    }
    isb();
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
