//! The instructions of a piece of RAM that each vCPU executes between two marks.
//!
//! Each instruction has a callback of its own: a block may end early, and one that meets a device register under an
//! instruction clock is begun twice.

use crate::qemu::{
    NO_REGISTERS, PluginId, qemu_plugin_insn_haddr, qemu_plugin_insn_vaddr, qemu_plugin_register_vcpu_insn_exec_cb,
    qemu_plugin_tb_get_insn, qemu_plugin_tb_n_insns, word,
};
use crate::{VCPUS, write_out};
use std::{
    collections::BTreeMap,
    ffi::{c_uint, c_void},
    fmt::Write,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The marker instruction.
pub const MARK: u32 = 0xd503_2fff;
/// The instruction after which everything is counted anew.
const MARK_ANEW: u32 = 0xd503_2fdf;
const SMC_0: u32 = 0xd400_0003;
const WFI: u32 = 0xd503_207f;
const ERET: u32 = 0xd69f_03e0;
/// SMCs of one vCPU between two marks that are noted.
const SMCS: usize = 64;
/// Where QEMU's virt board has its RAM. The first instruction of all is there, before any MMU is on.
pub const RAM: u64 = 0x4000_0000;

struct Range {
    from: u64,
    size: u64,
    places: bool,
    steps: bool,
}

/// What a vCPU had executed at its SMCs, and when it first came to rest (WFI) or left the kernel (ERET).
#[derive(Default)]
struct Steps {
    smc: Vec<u64>,
    rest: Option<u64>,
}

static RANGE: OnceLock<Range> = OnceLock::new();
/// The host's address of the RAM.
static HOST: OnceLock<u64> = OnceLock::new();
static COUNTS: [AtomicU64; VCPUS] = [const { AtomicU64::new(0) }; VCPUS];
static PLACES: Mutex<BTreeMap<(c_uint, u64), u64>> = Mutex::new(BTreeMap::new());
static STEPS: Mutex<BTreeMap<c_uint, Steps>> = Mutex::new(BTreeMap::new());
static LINES: Mutex<String> = Mutex::new(String::new());

/// Counts what lies in `size` bytes of the RAM from the offset `from`.
pub fn set(from: u64, size: u64, places: bool, steps: bool) {
    let _ = RANGE.set(Range { from, size, places, steps });
}

extern "C" fn counted(vcpu: c_uint, _: *mut c_void) {
    if let Some(count) = COUNTS.get(vcpu as usize) {
        count.fetch_add(1, Relaxed);
    }
}

extern "C" fn counted_at(vcpu: c_uint, address: *mut c_void) {
    counted(vcpu, address);
    if let Ok(mut places) = PLACES.lock() {
        *places.entry((vcpu, address as u64)).or_default() += 1;
    }
}

fn step(vcpu: c_uint, note: impl FnOnce(&mut Steps, u64)) {
    if let (Some(count), Ok(mut steps)) = (COUNTS.get(vcpu as usize), STEPS.lock()) {
        note(steps.entry(vcpu).or_default(), count.load(Relaxed));
    }
}

extern "C" fn smc_runs(vcpu: c_uint, _: *mut c_void) {
    step(vcpu, |steps, count| {
        if steps.smc.len() < SMCS {
            steps.smc.push(count);
        }
    });
}

extern "C" fn rests(vcpu: c_uint, _: *mut c_void) {
    step(vcpu, |steps, count| steps.rest = steps.rest.or(Some(count)));
}

extern "C" fn marked(vcpu: c_uint, _: *mut c_void) {
    let Ok(mut lines) = LINES.lock() else { return };
    let counts = COUNTS.iter().enumerate().map(|(index, count)| (index, count.swap(0, Relaxed)));
    let since: Vec<_> =
        counts.filter(|(_, count)| *count > 0).map(|(index, count)| format!("{index}:{count}")).collect();
    let _ = write!(lines, "vcpu={vcpu} since={}", since.join(","));
    if let Ok(mut places) = PLACES.lock().map(|mut places| std::mem::take(&mut *places))
        && !places.is_empty()
    {
        let all: Vec<_> = std::mem::take(&mut places)
            .iter()
            .map(|((vcpu, place), count)| format!("{vcpu:x}:{place:x}:{count:x}"))
            .collect();
        let _ = write!(lines, " places={}", all.join(","));
    }
    if let Ok(steps) = STEPS.lock().map(|mut steps| std::mem::take(&mut *steps))
        && !steps.is_empty()
    {
        let all: Vec<_> = steps
            .iter()
            .map(|(vcpu, Steps { smc, rest })| {
                let smc: Vec<_> = smc.iter().map(u64::to_string).collect();
                format!("{vcpu}:{}:{}", rest.unwrap_or_default(), smc.join("/"))
            })
            .collect();
        let _ = write!(lines, " steps={}", all.join(","));
    }
    lines.push('\n');
}

extern "C" fn marked_anew(_: c_uint, _: *mut c_void) {
    COUNTS.iter().for_each(|count| count.store(0, Relaxed));
    if let (Ok(mut places), Ok(mut steps)) = (PLACES.lock(), STEPS.lock()) {
        places.clear();
        steps.clear();
    }
}

/// A block is translated.
pub extern "C" fn block_translated(_: PluginId, block: *mut c_void) {
    let Some(range) = RANGE.get() else { return };
    // SAFETY: QEMU passes a valid block, and instructions are asked for within its count.
    unsafe {
        for index in 0..qemu_plugin_tb_n_insns(block) {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            let (seen, host) = (qemu_plugin_insn_vaddr(instruction), qemu_plugin_insn_haddr(instruction) as u64);
            let base = *HOST.get_or_init(|| host.wrapping_sub(seen.wrapping_sub(RAM)));
            let offset = host.wrapping_sub(base);
            let (callback, data) = if offset.wrapping_sub(range.from) < range.size {
                if range.places { (counted_at as _, RAM.wrapping_add(offset)) } else { (counted as _, 0) }
            } else if word(instruction) == Some(MARK) {
                (marked as _, 0)
            } else if word(instruction) == Some(MARK_ANEW) {
                (marked_anew as _, 0)
            } else {
                continue;
            };
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, callback, NO_REGISTERS, data as *mut c_void);
            let step = match word(instruction) {
                Some(SMC_0) if range.steps => smc_runs,
                Some(WFI | ERET) if range.steps => rests,
                _ => continue,
            };
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, step, NO_REGISTERS, std::ptr::null_mut());
        }
    }
}

/// QEMU ends.
pub extern "C" fn at_exit(_: PluginId, _: *mut c_void) {
    if let Ok(lines) = LINES.lock() {
        write_out(&lines);
    }
}
