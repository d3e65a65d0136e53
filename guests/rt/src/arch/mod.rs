//! All that is AArch64, and all that is `unsafe`, in this runtime.
//!
//! Every instruction that may end in an exception of the guest's own (an access to a register or
//! an address that may not exist, an SMC) is *guarded*: it lists itself in the section `.recover`,
//! and the exception handler steps over it and hands its caller the syndrome instead.

mod entry;
mod exceptions;
mod memory;
mod registers;
mod smccc;

pub use entry::{SecondaryStart, alias_of, secondary_entry, set_alias};
pub use exceptions::{Exception, install_vectors};
pub use memory::{Width, is_outside_image};
pub use registers::*;
pub use smccc::{Conduit, call, call_wide};

use core::arch::asm;

/// Waits until an interrupt is pending for this context, masked by PSTATE.I or not.
pub fn wait_for_interrupt() {
    // SAFETY: it waits; no memory or register changes. The barrier completes earlier stores.
    unsafe { asm!("dsb sy", "wfi", options(nostack)) };
}

/// Lets others run for a moment, in a loop that waits for another context.
pub fn relax() {
    // SAFETY: a hint.
    unsafe { asm!("yield", options(nostack)) };
}

/// Executes a hint that nothing else uses and that does nothing, so that who watches the machine sees where it is
/// (`bench/plugin`).
pub fn mark() {
    // SAFETY: hints that are not allocated are NOPs (Arm ARM C6.2.132).
    unsafe { asm!("hint #0x7f", options(nostack)) };
}

/// Another such hint: what was counted since the last one does not count.
pub fn mark_anew() {
    // SAFETY: as above.
    unsafe { asm!("hint #0x7e", options(nostack)) };
}

/// Completes all earlier accesses and register writes.
pub fn barrier() {
    // SAFETY: barriers.
    unsafe { asm!("dsb sy", "isb", options(nostack)) };
}

/// Lets interrupts through to the vector; the runtime counts and ends them
/// ([`crate::interrupts::taken`]).
pub fn unmask_interrupts() {
    // SAFETY: the handler touches only atomics and its own stack frame.
    unsafe { asm!("msr daifclr, #2", "isb", options(nostack)) };
}

/// Keeps interrupts from the vector, as at the start.
pub fn mask_interrupts() {
    // SAFETY: it only masks.
    unsafe { asm!("msr daifset, #2", "isb", options(nostack)) };
}

/// The slice of the flattened device tree at `address`, if its header is there.
pub(crate) fn device_tree_at(address: u64) -> Option<&'static [u8]> {
    const MAGIC: u32 = 0xd00d_feed;
    let magic = u32::load(address).ok()?;
    let size = u32::load(address.checked_add(4)?).ok()?;
    if u32::from_be(magic) != MAGIC {
        return None;
    }
    let size = u32::from_be(size) as usize;
    memory::protect_device_tree(address..address.checked_add(size as u64)?);
    // SAFETY: (1) the loader put a tree of that many bytes there; (2) `protect_device_tree` keeps
    // every later store of this guest away from it.
    Some(unsafe { core::slice::from_raw_parts(address as *const u8, size) })
}
