//! The instructions that no honest guest needs. All of this guest's `unsafe` is here.
#![allow(unsafe_code)]

use core::arch::asm;

/// Jumps to an address that holds no code of this guest.
pub fn jump(address: u64) -> ! {
    assert!(rt::arch::is_outside_image(address, 4));
    // SAFETY: nothing of this guest runs after that, wherever it leads.
    unsafe { asm!("br {}", in(reg) address, options(noreturn)) }
}

/// Executes an undefined instruction with the vectors at `vectors`.
pub fn undefined_with_vectors(vectors: u64) -> ! {
    assert!(rt::arch::is_outside_image(vectors, 0x800));
    // SAFETY: nothing of this guest runs after that.
    unsafe { asm!("msr vbar_el1, {}", "isb", "udf #0", in(reg) vectors, options(noreturn)) }
}

/// Loads two registers at once: a device access without a valid syndrome.
pub fn load_pair(address: u64) {
    assert!(rt::arch::is_outside_image(address, 8));
    // SAFETY: the address is no Rust object's.
    unsafe {
        asm!("ldp {a:w}, {b:w}, [{address}]", address = in(reg) address,
            a = out(reg) _, b = out(reg) _, options(nostack));
    }
}

/// Writes a system register: `Result<(), Exception>`.
macro_rules! try_write_register {
    ($name:expr, $value:expr) => {{
        let value: u64 = $value;
        let syndrome: u64;
        // SAFETY: for registers that this guest does not depend on; a fault is recovered from.
        #[allow(unsafe_code)]
        unsafe {
            core::arch::asm!(
                concat!("2: msr ", $name, ", {value}"),
                ".pushsection .recover, \"a\"", ".quad 2b", ".popsection",
                "isb",
                value = in(reg) value,
                inout("x9") 0u64 => syndrome,
                options(nostack),
            );
        }
        match syndrome {
            0 => Ok(()),
            syndrome => Err(rt::arch::Exception { syndrome }),
        }
    }};
}

/// Executes one instruction that may be undefined: `Result<(), Exception>`.
macro_rules! try_instruction {
    ($instruction:expr) => {{
        let syndrome: u64;
        // SAFETY: for instructions that touch no memory of Rust; a fault is recovered from.
        #[allow(unsafe_code)]
        unsafe {
            core::arch::asm!(
                concat!("2: ", $instruction),
                ".pushsection .recover, \"a\"", ".quad 2b", ".popsection",
                inout("x0") 0u64 => _,
                inout("x9") 0u64 => syndrome,
                options(nostack),
            );
        }
        match syndrome {
            0 => Ok(()),
            syndrome => Err(rt::arch::Exception { syndrome }),
        }
    }};
}

pub(crate) use {try_instruction, try_write_register};

/// Lets this context use FP and SIMD, and SVE and SME if they are there (CPACR_EL1.FPEN, ZEN, SMEN): what still
/// traps then is the hypervisor's doing.
pub fn enable_vectors() {
    // SAFETY: this guest's code uses none of them.
    unsafe { asm!("msr cpacr_el1, {}", "isb", in(reg) 0x0333_0000_u64, options(nostack)) };
}

macro_rules! vector_registers {
    ($($name:literal)*) => {
        /// The vector registers, lower and upper halves; they have to be enabled.
        pub fn read_vectors() -> [[u64; 2]; 32] {
            // SAFETY: reading them touches no memory.
            [$(unsafe {
                let (low, high): (u64, u64);
                asm!(".arch_extension fp", concat!("fmov {}, d", $name), concat!("fmov {}, v", $name, ".d[1]"),
                    out(reg) low, out(reg) high, options(nostack));
                [low, high]
            }),*]
        }

        /// Sets all vector registers; they have to be enabled.
        pub fn write_vectors(values: &[[u64; 2]; 32]) {
            // SAFETY: this guest's code uses none of them.
            unsafe {
                $(asm!(".arch_extension fp", concat!("fmov d", $name, ", {}"), concat!("fmov v", $name, ".d[1], {}"),
                    in(reg) values[$name][0], in(reg) values[$name][1], options(nostack));)*
            }
        }
    };
}

vector_registers! {
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
}
