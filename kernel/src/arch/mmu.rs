//! EL2's own translation (stage 1, 4 KiB granule, 39-bit identity map).
//!
//! Invariants
//! - W^X: nothing is both writable and executable (also enforced by SCTLR_EL2.WXN).
//! - Mapped are: the kernel image, the reserved area at the end of RAM, device registers, the
//!   boot archive (read-only). Guest memory is not, except through [`with_window`].
//! - Tables only gain entries after boot, except the window entries, each of which belongs to one
//!   core; so no lock is needed and only window entries are ever invalidated.

use super::cache;
use super::core_local::CoreLocal;
use super::sysreg::{dsb, isb, read};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Bytes of a page (translation granule).
pub const PAGE: u64 = 4096;
/// Bytes that a level 2 block maps.
pub const BLOCK: u64 = 2 << 20;
/// Where the per-core copy windows stand: the last GiB of the 39-bit space.
const WINDOWS: u64 = 511 << 30;

/// A translation table of either stage (Arm ARM D8.3).
#[repr(C, align(4096))]
pub struct Table([AtomicU64; 512]);

impl Table {
    /// A table that translates nothing.
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 512])
    }

    /// The descriptor that translates `address` at `level` (1, 2 or 3).
    pub fn entry(&self, address: u64, level: u32) -> &AtomicU64 {
        let shift = 39u32.saturating_sub(level.saturating_mul(9));
        let index = (address >> shift) & 511;
        // The mask keeps the index below 512.
        self.0.get(index as usize).unwrap_or(&self.0[0])
    }

    /// Translates nothing any more.
    pub fn clear(&self) {
        self.0.iter().for_each(|entry| entry.store(0, Relaxed));
    }

    /// Physical address (EL2 runs identity-mapped).
    pub fn address(&self) -> u64 {
        core::ptr::from_ref(self) as u64
    }
}

/// What may be done with a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Kernel text.
    Execute,
    /// Constants and the boot archive.
    Read,
    /// EL2's data.
    Write,
    /// Device registers (nGnRE).
    Device,
}

/// What descriptors of both stages have in common: that they are some.
pub const VALID: u64 = 1;
/// A table at levels 1 and 2, a page at level 3.
pub const TABLE_OR_PAGE: u64 = 2;
/// Accesses need not be noted.
pub const ACCESS_FLAG: u64 = 1 << 10;
/// All cores see the same.
pub const INNER_SHAREABLE: u64 = 3 << 8;
const AP_RES1: u64 = 1 << 6;
const READ_ONLY: u64 = 1 << 7;
/// No instructions are fetched.
pub const EXECUTE_NEVER: u64 = 1 << 54;
const NORMAL: u64 = 1 << 2; // attribute index 1 of MAIR
/// Output address bits of a descriptor (48-bit addresses).
pub const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

impl Access {
    const fn bits(self) -> u64 {
        let common = VALID | ACCESS_FLAG | AP_RES1;
        match self {
            Self::Execute => common | NORMAL | INNER_SHAREABLE | READ_ONLY,
            Self::Read => common | NORMAL | INNER_SHAREABLE | READ_ONLY | EXECUTE_NEVER,
            Self::Write => common | NORMAL | INNER_SHAREABLE | EXECUTE_NEVER,
            Self::Device => common | EXECUTE_NEVER,
        }
    }
}

/// Register values that `boot.s` loads: MAIR, TCR, TTBR0, SCTLR.
#[repr(C, align(64))]
pub struct BootMmu([AtomicU64; 4]);
pub static BOOT_MMU: BootMmu = BootMmu([const { AtomicU64::new(0) }; 4]);

static ROOT: Table = Table::new();
/// Tables come from here: how many are needed is bounded by the layout (a level 2 table for each
/// GiB touched, a level 3 table for each 2 MiB with guard pages in it).
static POOL: [Table; 24] = [const { Table::new() }; 24];
static POOL_USED: AtomicUsize = AtomicUsize::new(0);

/// No table is left for a mapping.
#[derive(Debug)]
pub struct OutOfTables;

fn take_table() -> Option<&'static Table> {
    POOL.get(POOL_USED.fetch_add(1, Relaxed))
}

/// The table that an entry of either stage leads to, made by `take_table` if there is none yet.
///
/// # Errors
/// There is none to take.
pub fn next_level(
    entry: &AtomicU64,
    mut take_table: impl FnMut() -> Option<&'static Table>,
) -> Result<&'static Table, OutOfTables> {
    let value = entry.load(Relaxed);
    if value & VALID == 0 {
        let table = take_table().ok_or(OutOfTables)?;
        entry.store(table.address() | TABLE_OR_PAGE | VALID, Relaxed);
        return Ok(table);
    }
    // SAFETY: valid descriptors that lead to tables are only written above, with the address of a `Table` that lives as
    // long as the kernel: `map` passes blocks over, and a guest's RAM and its single pages do not share a block.
    Ok(unsafe { &*((value & ADDRESS) as *const Table) })
}

/// Maps `[start, end)` onto itself. Both are taken out to page bounds.
///
/// # Errors
/// The pool of tables is used up.
pub fn map(start: u64, end: u64, access: Access) -> Result<(), OutOfTables> {
    let mut at = start & !(PAGE - 1);
    while at < end {
        let level2 = next_level(ROOT.entry(at, 1), take_table)?;
        let entry = level2.entry(at, 2);
        if entry.load(Relaxed) & (TABLE_OR_PAGE | VALID) == VALID {
            at = (at & !(BLOCK - 1)).wrapping_add(BLOCK); // mapped as a block already
            continue;
        }
        let whole = at & (BLOCK - 1) == 0 && end.wrapping_sub(at) >= BLOCK && entry.load(Relaxed) == 0;
        if whole {
            entry.store(at | access.bits(), Relaxed);
            at = at.wrapping_add(BLOCK);
        } else {
            next_level(entry, take_table)?.entry(at, 3).store(at | access.bits() | TABLE_OR_PAGE, Relaxed);
            at = at.wrapping_add(PAGE);
        }
    }
    dsb();
    isb();
    Ok(())
}

/// The size of physical addresses, for TCR_EL2 and VTCR_EL2: 48 bits at most.
pub fn physical_range() -> u64 {
    (read!("id_aa64mmfr0_el1") & 0xf).min(5)
}

unsafe extern "C" {
    static __image_start: u8;
    static __text_end: u8;
    static __rodata_end: u8;
    static __boot_stack_guard: u8;
    static __image_end: u8;
}

/// Physical bounds of the kernel image with its data and boot stack.
pub fn image() -> core::ops::Range<u64> {
    (&raw const __image_start) as u64..(&raw const __image_end) as u64
}

/// Builds what the first core needs to run with the MMU on: its image, the device tree (which may
/// be up to 2 MiB long) and the windows' table. Runs with the MMU off: no read-modify-write
/// atomics on shared data here but the pool counter, and no other core is up.
pub extern "C" fn early_tables(device_tree: u64) {
    let image = image();
    let text_end = (&raw const __text_end) as u64;
    let rodata_end = (&raw const __rodata_end) as u64;
    let guard = (&raw const __boot_stack_guard) as u64;
    let all = map(image.start, text_end, Access::Execute)
        .and_then(|()| map(text_end, rodata_end, Access::Read))
        .and_then(|()| map(rodata_end, guard, Access::Write))
        .and_then(|()| map(guard.wrapping_add(PAGE), image.end, Access::Write))
        .and_then(|()| map(device_tree & !(BLOCK - 1), (device_tree & !(BLOCK - 1)).wrapping_add(BLOCK), Access::Read))
        .and_then(|()| next_level(ROOT.entry(WINDOWS, 1), take_table).map(|_| ()));
    if all.is_err() {
        return; // the first access then faults, with nothing to say it to
    }
    let [mair, tcr, ttbr, sctlr] = &BOOT_MMU.0;
    mair.store(0xff04, Relaxed); // 0: device nGnRE, 1: normal write-back
    // RES1 bits, PS, 4 KiB granule, inner shareable, write-back walks, T0SZ = 25.
    tcr.store(1 << 31 | 1 << 23 | physical_range() << 16 | 3 << 12 | 1 << 10 | 1 << 8 | 25, Relaxed);
    ttbr.store(ROOT.address(), Relaxed);
    // RES1 bits, WXN, I, SA, C, M.
    sctlr.store(0x30c5_0830 | 1 << 19 | 1 << 12 | 1 << 3 | 1 << 2 | 1, Relaxed);
    cache::clean(&BOOT_MMU);
}

/// Gives `body` the bytes `[physical, physical + length)` of memory that EL2 does not map
/// otherwise, through this core's window. The range must lie within one 2 MiB block; `None` if
/// it does not.
pub fn with_window<T>(core: &CoreLocal, physical: u64, length: u64, body: impl FnOnce(&mut [u8]) -> T) -> Option<T> {
    let offset = physical & (BLOCK - 1);
    if offset.checked_add(length)? > BLOCK {
        return None;
    }
    let window = WINDOWS.wrapping_add(BLOCK.wrapping_mul(core.id.index() as u64));
    let entry = next_level(ROOT.entry(WINDOWS, 1), take_table).ok()?.entry(window, 2);
    entry.store((physical & !(BLOCK - 1)) | Access::Write.bits(), Relaxed);
    dsb();
    isb();
    // SAFETY: 1. the window is this core's alone, so the slice aliases nothing of EL2's; 2. it is
    // mapped, normal memory for the whole length; 3. `body` cannot keep the slice.
    let bytes = unsafe { core::slice::from_raw_parts_mut(window.wrapping_add(offset) as *mut u8, length as usize) };
    let result = body(bytes);
    entry.store(0, Relaxed);
    dsb();
    // SAFETY: invalidates a translation that nothing uses any more.
    unsafe { core::arch::asm!("tlbi vae2is, {}", in(reg) window >> 12, options(nostack)) }
    dsb();
    isb();
    Some(result)
}
