//! System registers by name, where `aarch64-cpu` names none or a list of them is handled alike.

/// Reads a system register.
macro_rules! read {
    ($name:expr) => {{
        let value: u64;
        // SAFETY: every register named in this kernel can be read at EL2 without a side effect
        // on memory or on the stack (Arm ARM D19; GIC specification 12.2 and 12.4).
        unsafe { core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value, options(nomem, nostack)) }
        value
    }};
}

/// Writes a system register. Only for registers whose value cannot break Rust's rules for EL2's
/// own memory: guest state, the virtual and physical CPU interface, timers, traps.
macro_rules! write {
    ($name:expr, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: no register written through this macro takes part in EL2's own translation or
        // control flow; those are written in `boot.s` alone.
        unsafe { core::arch::asm!(concat!("msr ", $name, ", {}"), in(reg) value, options(nostack)) }
    }};
}

pub(crate) use {read, write};

/// Instruction synchronization barrier.
pub fn isb() {
    aarch64_cpu::asm::barrier::isb(aarch64_cpu::asm::barrier::SY);
}

/// Data synchronization barrier, full system.
pub fn dsb() {
    aarch64_cpu::asm::barrier::dsb(aarch64_cpu::asm::barrier::SY);
}

/// Waits for an interrupt (masked ones wake too).
pub fn wait_for_interrupt() {
    dsb();
    aarch64_cpu::asm::wfi();
}

/// Lets whoever this core waits for have the processor, where several cores share one.
pub fn yield_now() {
    // SAFETY: a hint.
    unsafe { core::arch::asm!("yield", options(nomem, nostack)) }
}
