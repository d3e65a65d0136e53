//! QEMU's plugin interface, version 1 (QEMU 7 and later). Debian ships neither its header nor a library to link; these
//! few prototypes are those of QEMU's documented interface.

use std::ffi::{c_int, c_uint, c_void};

/// QEMU's number for a plugin.
pub type PluginId = u64;
/// A callback that looks at no register of the guest.
pub const NO_REGISTERS: c_int = 0;
/// An inline operation: adds to a `u64`, not atomically.
pub const ADD_U64: c_int = 0;
/// A callback at each execution: the vCPU's index, and what was registered with it.
pub type Executed = extern "C" fn(c_uint, *mut c_void);

unsafe extern "C" {
    pub fn qemu_plugin_register_vcpu_tb_trans_cb(id: PluginId, callback: extern "C" fn(PluginId, *mut c_void));
    pub fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: *mut c_void,
        callback: Executed,
        flags: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut c_void,
        callback: Executed,
        flags: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_inline(
        instruction: *mut c_void,
        operation: c_int,
        target: *mut c_void,
        operand: u64,
    );
    pub fn qemu_plugin_register_atexit_cb(
        id: PluginId,
        callback: extern "C" fn(PluginId, *mut c_void),
        data: *mut c_void,
    );
    pub fn qemu_plugin_tb_n_insns(block: *const c_void) -> usize;
    pub fn qemu_plugin_tb_get_insn(block: *const c_void, index: usize) -> *mut c_void;
    fn qemu_plugin_insn_data(instruction: *const c_void) -> *const u8;
    fn qemu_plugin_insn_size(instruction: *const c_void) -> usize;
    pub fn qemu_plugin_insn_vaddr(instruction: *const c_void) -> u64;
    pub fn qemu_plugin_insn_haddr(instruction: *const c_void) -> *const c_void;
}

/// The A64 instruction's word.
///
/// # Safety
/// `instruction` is one of a block that is being translated.
pub unsafe fn word(instruction: *const c_void) -> Option<u32> {
    // SAFETY: the caller's; the bytes are read within their size.
    unsafe {
        (qemu_plugin_insn_size(instruction) == 4)
            .then(|| qemu_plugin_insn_data(instruction).cast::<u32>().read_unaligned())
    }
}
