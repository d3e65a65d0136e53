//! The vectors: guarded instructions are stepped over, interrupts go to
//! [`crate::interrupts`], everything else ends the guest with exit code 102.

use super::registers::{esr_el1, far_el1, mpidr_el1, vbar_el1};
use core::arch::global_asm;

const FRAME_BYTES: usize = size_of::<Frame>();
const SYNCHRONOUS: u64 = 4;
const INTERRUPT: u64 = 5;
const EXIT_UNEXPECTED_EXCEPTION: u64 = 102;

/// Why a guarded instruction could not be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// ESR_EL1.
    pub syndrome: u64,
}

impl Exception {
    /// The exception class, ESR_EL1.EC (0: undefined instruction).
    pub fn class(self) -> u64 {
        self.syndrome >> 26 & 0x3f
    }

    /// What a guarded instruction left in its syndrome register: 0 if nothing happened, since a
    /// syndrome has at least bit 25 (IL: a 32-bit instruction) set.
    pub(super) fn check(syndrome: u64) -> Result<(), Self> {
        match syndrome {
            0 => Ok(()),
            syndrome => Err(Self { syndrome }),
        }
    }
}

#[repr(C)]
struct Frame {
    x: [u64; 31],
    elr: u64,
    spsr: u64,
    padding: u64,
}

/// Sets this context's vectors.
pub fn install_vectors() {
    unsafe extern "C" {
        static vectors: u8;
    }
    // SAFETY: the symbol is the vector table below, aligned to 2 KiB.
    unsafe { vbar_el1::write(&raw const vectors as u64) };
    super::barrier();
}

extern "C" fn exception(frame: &mut Frame, vector: u64) {
    match vector {
        INTERRUPT => crate::interrupts::take(),
        SYNCHRONOUS if recover(frame) => {}
        _ => {
            let [esr, far, mpidr] = [esr_el1::read(), far_el1::read(), mpidr_el1::read()];
            crate::println!(
                "exception: vector={vector} esr={esr:#x} far={far:#x} elr={:#x} mpidr={mpidr:#x}",
                frame.elr
            );
            crate::exit(EXIT_UNEXPECTED_EXCEPTION)
        }
    }
}

/// Steps over the instruction if it is guarded, with the syndrome in its x9.
fn recover(frame: &mut Frame) -> bool {
    unsafe extern "C" {
        static __recover_start: u64;
        static __recover_end: u64;
    }
    // SAFETY: the linker script puts both symbols round one array of addresses.
    let guarded = unsafe {
        let start = &raw const __recover_start;
        let count = (&raw const __recover_end).offset_from_unsigned(start);
        core::slice::from_raw_parts(start, count)
    };
    if !guarded.contains(&frame.elr) {
        return false;
    }
    frame.x[9] = esr_el1::read();
    frame.elr += 4;
    true
}

global_asm!(
    r#"
    .macro vector number
        .balign 0x80
        sub     sp, sp, #{frame}
        stp     x0, x1, [sp]
        mov     x1, #\number
        b       save
    .endm

    .section .text.vectors, "ax"
    .balign 0x800
    .global vectors
vectors:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        vector \n
    .endr

    .balign 0x80
save:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x2, elr_el1
    stp     x30, x2, [sp, #240]
    mrs     x3, spsr_el1
    str     x3, [sp, #256]
    mov     x0, sp
    bl      {exception}
    ldr     x3, [sp, #256]
    msr     spsr_el1, x3
    ldp     x30, x2, [sp, #240]
    msr     elr_el1, x2
    ldp     x28, x29, [sp, #224]
    ldp     x26, x27, [sp, #208]
    ldp     x24, x25, [sp, #192]
    ldp     x22, x23, [sp, #176]
    ldp     x20, x21, [sp, #160]
    ldp     x18, x19, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp]
    add     sp, sp, #{frame}
    eret
"#,
    frame = const FRAME_BYTES,
    exception = sym exception,
);
