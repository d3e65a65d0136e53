//! Cache maintenance by address (Arm ARM D7.5).

use super::sysreg::{dsb, isb, read};

/// Makes what was written to `value` visible to observers that do not use the caches: cores with their MMU off.
pub fn clean<T: ?Sized>(value: &T) {
    // CTR_EL0.DminLine: log2 of the words in the smallest data cache line.
    let line = 4u64.wrapping_shl(((read!("ctr_el0") >> 16) & 0xf) as u32);
    let start = core::ptr::from_ref(value).cast::<u8>() as u64;
    let mut at = start & !line.wrapping_sub(1);
    while at < start.wrapping_add(size_of_val(value) as u64) {
        // SAFETY: cleaning writes back what memory should hold anyway.
        unsafe { core::arch::asm!("dc cvac, {}", in(reg) at, options(nostack)) }
        at = at.wrapping_add(line);
    }
    dsb();
}

/// Clears memory.
pub fn clear(bytes: &mut [u8]) {
    // DCZID_EL0: block size as log2 of words; DZP forbids the instruction.
    let zero_id = read!("dczid_el0");
    let block = 4u64.wrapping_shl((zero_id & 0xf) as u32);
    let (start, length) = (bytes.as_ptr() as u64, bytes.len() as u64);
    if zero_id & 1 << 4 != 0 || (start | length) & block.wrapping_sub(1) != 0 {
        bytes.fill(0);
        return;
    }
    for n in 0..length.checked_div(block).unwrap_or(0) {
        let at = start.wrapping_add(n.wrapping_mul(block));
        // SAFETY: `at` is aligned to the block, which lies within `bytes`.
        unsafe { core::arch::asm!("dc zva, {}", in(reg) at, options(nostack)) }
    }
}

/// Forgets stale instructions after guest memory was written.
pub fn invalidate_instructions() {
    dsb();
    // SAFETY: instructions are only fetched again.
    unsafe { core::arch::asm!("ic ialluis", options(nostack)) }
    dsb();
    isb();
}
