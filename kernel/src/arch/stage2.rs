//! Stage 2: a domain's intermediate physical addresses (39 bits, 4 KiB granule, level 1 start).
//!
//! RAM is given in 2 MiB blocks, so a domain needs a level 1 table and one level 2 table for each
//! GiB; in pages, where checkpoints follow what is written. Device windows are left unmapped: every
//! access to them traps.

use super::mmu::{self, BLOCK, OutOfTables, PAGE, Table, next_level};
use super::mmu::{ACCESS_FLAG, EXECUTE_NEVER, INNER_SHAREABLE, TABLE_OR_PAGE, VALID};
use super::sysreg::{dsb, isb, write};
use crate::platform::machine::Region;
use core::sync::atomic::Ordering::Relaxed;

/// A domain's stage 2 translation.
pub struct Stage2 {
    root: &'static Table,
    vmid: u8,
}

/// What one entry maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// 4 KiB.
    Page = PAGE as isize,
    /// 2 MiB.
    Block = BLOCK as isize,
}

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
    /// A descriptor: normal write-back, inner shareable, access flag (Arm ARM D8.3.2).
    const fn to(self, physical: u64, grain: Grain) -> u64 {
        const RAM: u64 = VALID | 0xf << 2 | 1 << 6 | INNER_SHAREABLE | ACCESS_FLAG;
        const WRITE: u64 = 1 << 7;
        let right = match self {
            Self::None => return 0,
            Self::Read => EXECUTE_NEVER,
            Self::Write => WRITE | EXECUTE_NEVER,
            Self::Execute => 0,
            Self::All => WRITE,
        };
        let page = if let Grain::Page = grain { TABLE_OR_PAGE } else { 0 };
        physical | RAM | right | page
    }
}

impl Stage2 {
    /// An empty translation for `vmid`, rooted in a zeroed table.
    pub const fn new(root: &'static Table, vmid: u8) -> Self {
        Self { root, vmid }
    }

    /// Maps `memory`, whole grains of one kind, at `ipa`, with this right. What TLBs hold of it stays there until
    /// [`invalidate`](Self::invalidate).
    ///
    /// # Errors
    /// No memory for a table.
    pub fn map(
        &self,
        ipa: u64,
        memory: Region,
        grain: Grain,
        right: Right,
        mut take_table: impl FnMut() -> Option<&'static Table>,
    ) -> Result<(), OutOfTables> {
        for offset in (0..memory.length).step_by(grain as usize) {
            let at = ipa.wrapping_add(offset);
            let level2 = next_level(self.root.entry(at, 1), &mut take_table)?;
            let entry = match grain {
                Grain::Block => level2.entry(at, 2),
                Grain::Page => next_level(level2.entry(at, 2), &mut take_table)?.entry(at, 3),
            };
            entry.store(right.to(memory.start.wrapping_add(offset), grain), Relaxed);
        }
        Ok(())
    }

    /// Maps nothing any more. What TLBs hold stays there.
    pub fn cut(&self) {
        self.root.clear();
    }

    /// Makes it the translation of this core's guest.
    pub fn enter(&self) {
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

/// VTCR_EL2, the same on all cores and for all domains, for these tables: RES1, PS, 4 KiB, inner shareable, write-back
/// walks, level 1, T0SZ 25.
pub fn control() -> u64 {
    1 << 31 | mmu::physical_range() << 16 | 3 << 12 | 1 << 10 | 1 << 8 | 1 << 6 | 25
}
