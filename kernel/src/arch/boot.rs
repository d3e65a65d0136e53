//! The way from reset to Rust: `boot.s`, and the power-on of further cores.

use super::core_local::CoreLocal;
use super::mmu;
use core::arch::{asm, global_asm};
use core::mem::offset_of;
use smp::core_id::Mpidr;

global_asm!(
    include_str!("boot.s"),
    early_tables = sym mmu::early_tables,
    boot_mmu = sym mmu::BOOT_MMU,
    primary_main = sym crate::boot::primary_main,
    secondary_main = sym crate::boot::secondary_main,
    stack_top = const offset_of!(CoreLocal, stack_top),
);

unsafe extern "C" {
    fn secondary_entry() -> !;
}

/// Physical address at which a core that PSCI switches on begins.
pub fn secondary_entry_address() -> u64 {
    secondary_entry as *const () as u64
}

/// Leaves the boot stack for the core's own and goes on in `function`.
pub fn continue_on_own_stack(core: &'static CoreLocal, function: extern "C" fn(&'static CoreLocal) -> !) -> ! {
    let (top, core) = (core.stack_top, core::ptr::from_ref(core));
    // SAFETY: 1. `stack_top` is the end of this core's own stack, mapped and used by nobody yet.
    // 2. `function` never returns, so nothing below it on the old stack is needed again.
    unsafe { asm!("mov sp, {}", "br {}", in(reg) top, in(reg) function, in("x0") core, options(noreturn)) }
}

/// Affinity of the core that runs this.
pub fn affinity() -> Mpidr {
    Mpidr::from_raw(super::sysreg::read!("mpidr_el1"))
}
