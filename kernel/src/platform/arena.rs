//! Memory for what lives as long as the kernel: taken once at boot, never given back.
//!
//! Layout of the reserved area at the end of RAM, from low to high: arena, the cores' blocks,
//! one page for the trace header (the host finds it as the last page of RAM).

use crate::arch::core_local::layout;
use crate::arch::mmu;
use crate::platform::machine::Region;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use smp::core_id::CoreId;
use smp::trace::Header;

/// Arena bytes beside what grows with the number of cores.
const ARENA_BASE: u64 = 1 << 20;
/// Arena bytes for each core: its context, and what its domain keeps for it.
const ARENA_PER_CORE: u64 = 4096;

/// The reserved area.
#[derive(Debug)]
pub struct Arena {
    /// All of it.
    pub area: Region,
    next: AtomicU64,
    blocks: u64,
}

impl Arena {
    /// Lays out the reserved area at the end of `ram` and maps it, leaving guard pages out.
    ///
    /// # Errors
    /// RAM is too small, or tables ran out.
    pub fn reserve(ram: Region, cores: usize) -> Result<Self, &'static str> {
        let cores = cores as u64;
        let header = ram.end().wrapping_sub(mmu::PAGE);
        let blocks = header.wrapping_sub(cores.wrapping_mul(layout::BLOCK));
        let start = blocks.wrapping_sub(ARENA_BASE.wrapping_add(cores.wrapping_mul(ARENA_PER_CORE)))
            & !mmu::BLOCK.wrapping_sub(1);
        if start <= ram.start || start > ram.end() {
            return Err("not enough RAM for the kernel's own data");
        }
        let map = |from, to| mmu::map(from, to, mmu::Access::Write).map_err(|_| "no translation table left");
        map(start, blocks)?;
        for n in 0..cores {
            let block = blocks.wrapping_add(n.wrapping_mul(layout::BLOCK));
            map(block.wrapping_add(mmu::PAGE), block.wrapping_add(layout::BLOCK))?;
        }
        map(header, ram.end())?;
        Ok(Self { area: Region { start, length: ram.end().wrapping_sub(start) }, next: AtomicU64::new(start), blocks })
    }

    /// An arena in a region of its own: whole blocks that nobody else has.
    ///
    /// # Errors
    /// No translation table is left.
    pub fn over(area: Region) -> Result<Self, mmu::OutOfTables> {
        mmu::map(area.start, area.end(), mmu::Access::Write)?;
        Ok(Self { area, next: AtomicU64::new(area.start), blocks: area.end() })
    }

    /// Physical address of a core's block.
    pub fn block(&self, core: CoreId) -> u64 {
        self.blocks.wrapping_add((core.index() as u64).wrapping_mul(layout::BLOCK))
    }

    /// The trace header, in the last page of RAM.
    pub fn header(&self) -> &'static Header {
        let address = self.area.end().wrapping_sub(mmu::PAGE) as *const Header;
        // SAFETY: mapped for ever, page-aligned, and all atomics.
        unsafe { &*address }
    }

    fn take(&self, bytes: u64, align: u64) -> Option<u64> {
        let start = |next: u64| next.checked_next_multiple_of(align);
        let end = |next| start(next)?.checked_add(bytes).filter(|end| *end <= self.blocks);
        start(self.next.fetch_update(Relaxed, Relaxed, end).ok()?)
    }

    /// Fills the arena with `count` values for ever; `None` when it is full.
    pub fn place_all<T>(&self, count: usize, mut make: impl FnMut(usize) -> T) -> Option<&'static mut [T]> {
        let bytes = (size_of::<T>() as u64).checked_mul(count as u64)?;
        let first = self.take(bytes, align_of::<T>() as u64)? as *mut T;
        for n in 0..count {
            // SAFETY: fresh, aligned, mapped memory for `count` values that nothing else is given.
            unsafe { first.add(n).write(make(n)) }
        }
        // SAFETY: all `count` values were written just now; the arena lives for ever.
        Some(unsafe { core::slice::from_raw_parts_mut(first, count) })
    }

    /// Pages of the arena, for ever, with whatever is in them; `None` when it is full.
    pub fn bytes(&self, length: u64) -> Option<&'static mut [u8]> {
        let first = self.take(length, mmu::PAGE)? as *mut u8;
        // SAFETY: fresh, mapped memory that nothing else is given; all bytes are values.
        Some(unsafe { core::slice::from_raw_parts_mut(first, length as usize) })
    }

    /// Moves `value` into the arena for ever; `None` when it is full.
    pub fn place<T>(&self, value: T) -> Option<&'static T> {
        let address = self.take(size_of::<T>() as u64, align_of::<T>() as u64)? as *mut T;
        // SAFETY: fresh, aligned, mapped memory that nothing else is given.
        unsafe {
            address.write(value);
            Some(&*address)
        }
    }
}
