//! First instructions of every context. They switch the MMU on before any store, so that all
//! contexts see memory as cacheable from the first access on.

use crate::MAX_CONTEXTS;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};

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
struct Table([u64; 512]);

/// The level 1 table: 512 GiB one to one, the first GiB (where the board has its devices) as
/// device memory. Where nothing is, stage 2 says so.
static TABLE: Table = Table({
    let mut entries = [0; 512];
    let mut index = 0;
    while index < entries.len() {
        const BLOCK: u64 = 1;
        const ACCESSED: u64 = 1 << 10;
        const INNER_SHAREABLE: u64 = 3 << 8;
        const NEVER_EXECUTE: u64 = 3 << 53;
        let kind = match index {
            0 => (DEVICE << 2) | NEVER_EXECUTE,
            _ => NORMAL << 2,
        };
        entries[index] = (index as u64 * GIB) | BLOCK | ACCESSED | INNER_SHAREABLE | kind;
        index += 1;
    }
    entries
});

/// What a further context needs to start: its address goes through CPU_ON's context id.
#[repr(C)]
pub struct SecondaryStart {
    stack_top: AtomicU64,
    job: AtomicU64,
    argument: AtomicU64,
}

impl SecondaryStart {
    /// Nothing to start.
    pub const fn empty() -> Self {
        Self { stack_top: AtomicU64::new(0), job: AtomicU64::new(0), argument: AtomicU64::new(0) }
    }

    /// Fills it for the context with this index; it has to be off.
    pub fn prepare(&self, context: usize, job: fn(u64), argument: u64) {
        assert!(context < MAX_CONTEXTS, "context {context} has no stack");
        let stacks = STACKS.0.get() as u64;
        let stack_top = stacks + ((context + 1) * STACK_BYTES) as u64;
        self.stack_top.store(stack_top, Ordering::Relaxed);
        self.job.store(job as usize as u64, Ordering::Relaxed);
        self.argument.store(argument, Ordering::Relaxed);
        super::barrier();
    }

    fn run(&self) {
        // SAFETY: `prepare` stored a `fn(u64)` there, and the context was started after that.
        let job: fn(u64) = unsafe { core::mem::transmute(self.job.load(Ordering::Relaxed) as usize) };
        job(self.argument.load(Ordering::Relaxed));
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
        tlbi    vmalle1
        dsb     nsh
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
_start_secondary: // x0: a SecondaryStart
    enable_mmu
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
    stacks = sym STACKS,
    stack_bytes = const STACK_BYTES,
    start = sym crate::start::start,
    start_secondary = sym start_secondary,
);
