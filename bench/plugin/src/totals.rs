//! All instructions of each vCPU, and where it was at its SMCs and its first WFI.

use crate::qemu::{
    NO_REGISTERS, PluginId, qemu_plugin_register_vcpu_insn_exec_cb, qemu_plugin_register_vcpu_tb_exec_cb,
    qemu_plugin_tb_get_insn, qemu_plugin_tb_n_insns, word,
};
use crate::{VCPUS, write_out};
use std::{
    ffi::{c_uint, c_void},
    fmt::Write,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

const MARKS: usize = 64;
const SMC_0: u32 = 0xd400_0003;
const WFI: u32 = 0xd503_207f;

struct Vcpu {
    count: AtomicU64,
    first_wfi: AtomicU64,
    marks: AtomicUsize,
    smc: [AtomicU64; MARKS],
}

static VCPU: [Vcpu; VCPUS] = [const {
    Vcpu {
        count: AtomicU64::new(0),
        first_wfi: AtomicU64::new(0),
        marks: AtomicUsize::new(0),
        smc: [const { AtomicU64::new(0) }; MARKS],
    }
}; VCPUS];

fn vcpu(index: c_uint) -> Option<&'static Vcpu> {
    VCPU.get(index as usize)
}

extern "C" fn block_runs(index: c_uint, instructions: *mut c_void) {
    if let Some(vcpu) = vcpu(index) {
        vcpu.count.fetch_add(instructions as u64, Relaxed);
    }
}

extern "C" fn smc_runs(index: c_uint, _: *mut c_void) {
    let Some(vcpu) = vcpu(index) else { return };
    if let Some(mark) = vcpu.smc.get(vcpu.marks.fetch_add(1, Relaxed)) {
        mark.store(vcpu.count.load(Relaxed), Relaxed);
    }
}

extern "C" fn wfi_runs(index: c_uint, _: *mut c_void) {
    if let Some(vcpu) = vcpu(index) {
        let count = vcpu.count.load(Relaxed);
        let _ = vcpu.first_wfi.compare_exchange(0, count, Relaxed, Relaxed);
    }
}

/// SMC and WFI end a translation block, so the block's count, added when it begins, is exact there.
pub extern "C" fn block_translated(_: PluginId, block: *mut c_void) {
    // SAFETY: QEMU passes a valid block; instructions are asked for within its count, and the
    // bytes of one are read within its size.
    unsafe {
        let count = qemu_plugin_tb_n_insns(block);
        qemu_plugin_register_vcpu_tb_exec_cb(block, block_runs, NO_REGISTERS, count as *mut c_void);
        for index in 0..count {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            let callback = match word(instruction) {
                Some(SMC_0) => smc_runs,
                Some(WFI) => wfi_runs,
                _ => continue,
            };
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, callback, NO_REGISTERS, std::ptr::null_mut());
        }
    }
}

pub extern "C" fn at_exit(_: PluginId, _: *mut c_void) {
    let mut text = String::new();
    for (index, vcpu) in VCPU.iter().enumerate() {
        let total = vcpu.count.load(Relaxed);
        if total == 0 {
            continue;
        }
        let used = vcpu.marks.load(Relaxed).min(MARKS);
        let marks: Vec<_> = vcpu.smc.iter().take(used).map(|mark| mark.load(Relaxed).to_string()).collect();
        let first_wfi = vcpu.first_wfi.load(Relaxed);
        let _ = writeln!(text, "vcpu={index} total={total} first_wfi={first_wfi} smc={}", marks.join(","));
    }
    write_out(&text);
}
