//! A QEMU TCG plugin (plugin API version 1, QEMU 7 and later) that counts the instructions of each
//! vCPU by itself. QEMU's own instruction clock counts all vCPUs together, and TCG has no PMU that
//! tells the truth; so this is the only exact way to see what one core executed.
//!
//! Arguments: `out=FILE`. When QEMU ends, FILE holds a line for each vCPU that ran:
//! `vcpu=N total=T first_wfi=W smc=A,B,…` with the counts at which the vCPU executed its SMC
//! instructions (the first 64), and its first WFI (0: none).
//!
//! Debian ships neither the plugin header nor a library to link; the few prototypes below are
//! those of QEMU's documented interface.

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    fmt::Write,
    sync::{
        OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// Version of the plugin interface that this plugin speaks; QEMU looks for this symbol.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 1;

type PluginId = u64;
const NO_REGISTERS: c_int = 0;

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: PluginId, callback: extern "C" fn(PluginId, *mut c_void));
    fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: *mut c_void,
        callback: extern "C" fn(c_uint, *mut c_void),
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut c_void,
        callback: extern "C" fn(c_uint, *mut c_void),
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_atexit_cb(id: PluginId, callback: extern "C" fn(PluginId, *mut c_void), data: *mut c_void);
    fn qemu_plugin_tb_n_insns(block: *const c_void) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const c_void, index: usize) -> *mut c_void;
    fn qemu_plugin_insn_data(instruction: *const c_void) -> *const u8;
    fn qemu_plugin_insn_size(instruction: *const c_void) -> usize;
}

const VCPUS: usize = 512;
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
static OUTPUT: OnceLock<String> = OnceLock::new();

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
extern "C" fn block_translated(_: PluginId, block: *mut c_void) {
    // SAFETY: QEMU passes a valid block; instructions are asked for within its count, and the
    // bytes of one are read within its size.
    unsafe {
        let count = qemu_plugin_tb_n_insns(block);
        qemu_plugin_register_vcpu_tb_exec_cb(block, block_runs, NO_REGISTERS, count as *mut c_void);
        for index in 0..count {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            if qemu_plugin_insn_size(instruction) != 4 {
                continue;
            }
            let callback = match qemu_plugin_insn_data(instruction).cast::<u32>().read_unaligned() {
                SMC_0 => smc_runs,
                WFI => wfi_runs,
                _ => continue,
            };
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, callback, NO_REGISTERS, std::ptr::null_mut());
        }
    }
}

extern "C" fn at_exit(_: PluginId, _: *mut c_void) {
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
    if let Some(path) = OUTPUT.get()
        && let Err(why) = std::fs::write(path, text)
    {
        eprintln!("instruction-counter: cannot write {path}: {why}");
    }
}

/// QEMU calls this when it loads the plugin; 0 means that it may go on.
///
/// # Safety
/// `arguments` points at `count` C strings, as QEMU's interface says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: PluginId,
    _info: *const c_void,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    for index in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: by the contract above.
        let argument = unsafe { CStr::from_ptr(*arguments.add(index)) }.to_string_lossy();
        if let Some(path) = argument.strip_prefix("out=") {
            let _ = OUTPUT.set(path.to_owned());
        }
    }
    if OUTPUT.get().is_none() {
        eprintln!("instruction-counter: out=FILE is missing");
        return -1;
    }
    // SAFETY: the callbacks have the types that the interface names, and live as long as QEMU.
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
        qemu_plugin_register_atexit_cb(id, at_exit, std::ptr::null_mut());
    }
    0
}
