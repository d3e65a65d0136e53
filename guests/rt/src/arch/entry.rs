//! First instructions of every context. They switch the MMU on before any store, so that all
//! contexts see memory as cacheable from the first access on.

use crate::MAX_CONTEXTS;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

const STACK_BYTES: usize = 16 * 1024;

#[repr(C, align(16))]
struct Stacks(core::cell::UnsafeCell<[[u8; STACK_BYTES]; MAX_CONTEXTS]>);

// SAFETY: only ever accessed through the stack pointer of the context that owns the stack.
unsafe impl Sync for Stacks {}

static STACKS: Stacks = Stacks(core::cell::UnsafeCell::new([[0; STACK_BYTES]; MAX_CONTEXTS]));

const GIB: u64 = 1 << 30;
const NORMAL: u64 = 0;
const DEVICE: u64 = 1;
/// Attribute 0: normal memory, write back, allocating; attribute 1: Device-nGnRE.
const MAIR: u64 = 0x04ff;
/// 39 bits of address, 4 KiB granule, inner shareable, write back; 40 bits of physical address.
const TCR: u64 = 25 | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23) | (2 << 32);
/// The bits that are 1 in every version of the architecture, MMU, caches, stack alignment check.
const SCTLR: u64 = 0x30d0_0800 | 1 | (1 << 2) | (1 << 3) | (1 << 12);

#[repr(C, align(4096))]
struct Table([AtomicU64; 512]);

/// The level 1 table: 511 GiB one to one, the first GiB (where the board has its devices) as
/// device memory. Where nothing is, stage 2 says so.
static TABLE: Table = Table({
    let mut entries = [const { AtomicU64::new(0) }; 512];
    let mut index = 0;
    while index < entries.len() {
        let kind = match index {
            0 => (DEVICE << 2) | NEVER_EXECUTE,
            _ => NORMAL << 2,
        };
        if index != ALIAS {
            entries[index] = AtomicU64::new((index as u64 * GIB) | BLOCK | kind);
        }
        index += 1;
    }
    entries
});

/// A valid block, accessed, inner shareable.
const BLOCK: u64 = 1 | (1 << 10) | (3 << 8);
const READ_ONLY: u64 = 1 << 7;
const NEVER_EXECUTE: u64 = 3 << 53;
/// The last GiB, where [`set_alias`] maps, and nothing is before.
const ALIAS: usize = 511;

/// Maps the last GiB of the address space, read-only, to the one that `address` lies in, which has to be the same
/// one each time, since the TLB is left alone. Answers [`alias_of`] the address.
pub fn set_alias(address: u64) -> u64 {
    TABLE.0[ALIAS].store((address & !(GIB - 1)) | BLOCK | READ_ONLY | NEVER_EXECUTE, Relaxed);
    super::barrier();
    alias_of(address)
}

/// The second virtual address that an address has after [`set_alias`].
pub const fn alias_of(address: u64) -> u64 {
    ALIAS as u64 * GIB + address % GIB
}

/// What a further context needs to start: its address goes through CPU_ON's context id.
#[repr(C)]
pub struct SecondaryStart {
    stack_top: AtomicU64,
    job: AtomicU64,
    argument: AtomicU64,
    found: [AtomicU64; FOUND.len()],
}

/// What the entry code looks at before it changes it: x1 to x30 ORed, and the registers that it sets itself.
const FOUND: [&str; 8] =
    ["x1 to x30", "sctlr_el1", "ttbr0_el1", "tcr_el1", "mair_el1", "vbar_el1", "sp_el1", "contextidr_el1"];

impl SecondaryStart {
    /// Nothing to start.
    pub const fn empty() -> Self {
        Self {
            stack_top: AtomicU64::new(0),
            job: AtomicU64::new(0),
            argument: AtomicU64::new(0),
            found: [const { AtomicU64::new(0) }; FOUND.len()],
        }
    }

    /// The state in which the context was entered last: names and values.
    pub fn found(&self) -> [(&'static str, u64); FOUND.len()] {
        core::array::from_fn(|index| (FOUND[index], self.found[index].load(Relaxed)))
    }

    /// Fills it for the context with this index; it has to be off.
    pub fn prepare(&self, context: usize, job: fn(u64), argument: u64) {
        assert!(context < MAX_CONTEXTS, "context {context} has no stack");
        let stacks = STACKS.0.get() as u64;
        let stack_top = stacks + ((context + 1) * STACK_BYTES) as u64;
        self.stack_top.store(stack_top, Relaxed);
        self.job.store(job as usize as u64, Relaxed);
        self.argument.store(argument, Relaxed);
        super::barrier();
    }

    fn run(&self) {
        // SAFETY: `prepare` stored a `fn(u64)` there, and the context was started after that.
        let job: fn(u64) = unsafe { core::mem::transmute(self.job.load(Relaxed) as usize) };
        job(self.argument.load(Relaxed));
    }
}

/// The entry point for CPU_ON; the context id is the address of a prepared [`SecondaryStart`].
pub fn secondary_entry() -> u64 {
    unsafe extern "C" {
        fn _start_secondary();
    }
    _start_secondary as *const () as u64
}

extern "C" fn start_secondary(start: &SecondaryStart) -> ! {
    crate::start::secondary(|| start.run())
}

global_asm!(
    r#"
    .macro enable_mmu
        msr     spsel, #1
        adrp    x2, {table}
        msr     ttbr0_el1, x2
        ldr     x2, ={mair}
        msr     mair_el1, x2
        ldr     x2, ={tcr}
        msr     tcr_el1, x2
        isb
        ldr     x2, ={sctlr}
        msr     sctlr_el1, x2
        isb
    .endm

    .section .text.entry, "ax"
    .global _start
_start: // x0: the device tree
    .irp n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
        orr     x1, x1, x\n
    .endr
    tlbi    vmalle1
    dsb     nsh
    enable_mmu
    adrp    x2, __bss_start
    add     x2, x2, :lo12:__bss_start
    adrp    x3, __bss_end
    add     x3, x3, :lo12:__bss_end
1:  cmp     x2, x3
    b.hs    2f
    stp     xzr, xzr, [x2], #16
    b       1b
2:  adrp    x2, {stacks}
    add     x2, x2, :lo12:{stacks}
    add     sp, x2, #{stack_bytes}
    mov     x29, xzr
    mov     x30, xzr
    b       {start}

    .global _start_secondary
_start_secondary: // x0: a SecondaryStart. The TLB is left as it is: what it holds of others may not be visible here.
    .irp n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
        orr     x1, x1, x\n
    .endr
    mrs     x3, sctlr_el1
    mrs     x4, ttbr0_el1
    mrs     x5, tcr_el1
    mrs     x6, mair_el1
    mrs     x7, vbar_el1
    msr     spsel, #1
    mov     x8, sp
    mrs     x9, contextidr_el1
    enable_mmu
    add     x2, x0, #{found}
    stp     x1, x3, [x2]
    stp     x4, x5, [x2, #16]
    stp     x6, x7, [x2, #32]
    stp     x8, x9, [x2, #48]
    ldr     x2, [x0]
    mov     sp, x2
    mov     x29, xzr
    mov     x30, xzr
    b       {start_secondary}
    .ltorg
"#,
    table = sym TABLE,
    mair = const MAIR,
    tcr = const TCR,
    sctlr = const SCTLR,
    found = const core::mem::offset_of!(SecondaryStart, found),
    stacks = sym STACKS,
    stack_bytes = const STACK_BYTES,
    start = sym crate::start::start,
    start_secondary = sym start_secondary,
);
