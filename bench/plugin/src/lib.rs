//! A QEMU TCG plugin that counts the instructions of each vCPU by itself. QEMU's own instruction clock counts all vCPUs
//! together, and TCG has no PMU that tells the truth; so this is the only exact way to see what one core executed.
//!
//! Arguments: `out=FILE`. When QEMU ends, FILE holds a line for each vCPU that ran:
//! `vcpu=N total=T first_wfi=W smc=A,B,…` with the counts at which the vCPU executed its SMC instructions (the first
//! 64), and its first WFI (0: none).
//!
//! With `from=OFFSET size=BYTES`, only instructions are counted that lie there in the machine's RAM, whatever address
//! the vCPU sees them at; and FILE holds a line for each marker instruction (`hint #0x7f`) that any vCPU executed
//! elsewhere: `vcpu=N since=V:COUNT,V:COUNT,…`, what each vCPU has executed since the last one, or since `hint #0x7e` if that
//! came later. With `places=1` too, such a line ends with ` places=V:ADDRESS:COUNT,…` (in hexadecimal); with `steps=1`, with ` steps=V:REST:SMC/SMC/…,…`:
//! what the vCPU had executed of it at its first WFI or ERET, and at each SMC.
//!
//! With `sum=1` (and one host thread for all vCPUs), FILE holds a line for each marker instruction: `all=N kernel=K calls=C`,
//! the instructions of all vCPUs together since the last one, those of them that lie in the range (0 without one), and
//! the HVCs and SMCs elsewhere.

mod marks;
mod qemu;
mod sums;
mod totals;

use qemu::{PluginId, qemu_plugin_register_atexit_cb, qemu_plugin_register_vcpu_tb_trans_cb};
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    sync::OnceLock,
};

/// Version of the plugin interface that this plugin speaks; QEMU looks for this symbol.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 1;

/// The most that QEMU's virt board has.
const VCPUS: usize = 512;

static OUTPUT: OnceLock<String> = OnceLock::new();

fn write_out(text: &str) {
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
    let mut range = [None, None];
    let (mut places, mut steps, mut sum) = (false, false, false);
    for index in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: by the contract above.
        let argument = unsafe { CStr::from_ptr(*arguments.add(index)) }.to_string_lossy();
        match argument.split_once('=') {
            Some(("out", path)) => drop(OUTPUT.set(path.to_owned())),
            Some(("from", offset)) => range[0] = offset.parse().ok(),
            Some(("size", bytes)) => range[1] = bytes.parse().ok(),
            Some(("places", value)) => places = value == "1",
            Some(("steps", value)) => steps = value == "1",
            Some(("sum", value)) => sum = value == "1",
            _ => {}
        }
    }
    if OUTPUT.get().is_none() {
        eprintln!("instruction-counter: out=FILE is missing");
        return -1;
    }
    // SAFETY: the callbacks have the types that the interface names, and live as long as QEMU.
    unsafe {
        if sum {
            let [from, size] = range.map(Option::unwrap_or_default);
            sums::set(from, size);
            qemu_plugin_register_vcpu_tb_trans_cb(id, sums::block_translated);
            qemu_plugin_register_atexit_cb(id, sums::at_exit, std::ptr::null_mut());
        } else if let [Some(from), Some(size)] = range {
            marks::set(from, size, places, steps);
            qemu_plugin_register_vcpu_tb_trans_cb(id, marks::block_translated);
            qemu_plugin_register_atexit_cb(id, marks::at_exit, std::ptr::null_mut());
        } else {
            qemu_plugin_register_vcpu_tb_trans_cb(id, totals::block_translated);
            qemu_plugin_register_atexit_cb(id, totals::at_exit, std::ptr::null_mut());
        }
    }
    0
}
