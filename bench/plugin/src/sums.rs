//! The instructions of all vCPUs together between two marks. All vCPUs run on one host thread, so QEMU itself may add.

use crate::marks::{MARK, RAM};
use crate::qemu::{
    ADD_U64, NO_REGISTERS, PluginId, qemu_plugin_insn_haddr, qemu_plugin_insn_vaddr,
    qemu_plugin_register_vcpu_insn_exec_cb, qemu_plugin_register_vcpu_insn_exec_inline, qemu_plugin_tb_get_insn,
    qemu_plugin_tb_n_insns, word,
};
use crate::write_out;
use std::{
    ffi::{c_uint, c_void},
    fmt::Write,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// HVC and SMC, with any number.
const CALLS: [u32; 2] = [0xd400_0002, 0xd400_0003];
const CALL_MASK: u32 = 0xffe0_001f;

static RANGE: OnceLock<(u64, u64)> = OnceLock::new();
/// The host's address of the RAM.
static HOST: OnceLock<u64> = OnceLock::new();
static ALL: AtomicU64 = AtomicU64::new(0);
static KERNEL: AtomicU64 = AtomicU64::new(0);
static CALLED: AtomicU64 = AtomicU64::new(0);
static LINES: Mutex<String> = Mutex::new(String::new());

/// What lies in `size` bytes of the RAM from the offset `from` is the kernel's.
pub fn set(from: u64, size: u64) {
    let _ = RANGE.set((from, size));
}

extern "C" fn marked(_: c_uint, _: *mut c_void) {
    let [all, kernel, calls] = [&ALL, &KERNEL, &CALLED].map(|count| count.swap(0, Relaxed));
    if let Ok(mut lines) = LINES.lock() {
        let _ = writeln!(lines, "all={all} kernel={kernel} calls={calls}");
    }
}

/// A block is translated.
pub extern "C" fn block_translated(_: PluginId, block: *mut c_void) {
    let Some(&(from, size)) = RANGE.get() else { return };
    // SAFETY: QEMU passes a valid block, instructions are asked for within its count, and what is added to lives as
    // long as QEMU, whose vCPUs all run on one thread.
    unsafe {
        for index in 0..qemu_plugin_tb_n_insns(block) {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            let add = |count: &'static AtomicU64| {
                qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD_U64, count.as_ptr().cast(), 1);
            };
            add(&ALL);
            let (seen, host) = (qemu_plugin_insn_vaddr(instruction), qemu_plugin_insn_haddr(instruction) as u64);
            let base = *HOST.get_or_init(|| host.wrapping_sub(seen.wrapping_sub(RAM)));
            if host.wrapping_sub(base).wrapping_sub(from) < size {
                add(&KERNEL);
                continue;
            }
            match word(instruction) {
                Some(MARK) => {
                    qemu_plugin_register_vcpu_insn_exec_cb(instruction, marked, NO_REGISTERS, std::ptr::null_mut());
                }
                Some(word) if CALLS.contains(&(word & CALL_MASK)) => add(&CALLED),
                _ => {}
            }
        }
    }
}

/// QEMU ends.
pub extern "C" fn at_exit(_: PluginId, _: *mut c_void) {
    if let Ok(lines) = LINES.lock() {
        write_out(&lines);
    }
}
