//! System registers by name.

/// Reads a system register that may not exist: `Result<u64, Exception>`.
#[macro_export]
macro_rules! try_read_register {
    ($name:expr) => {{
        let (value, syndrome): (u64, u64);
        // SAFETY: a read changes nothing that Rust knows of; a fault is recovered from.
        unsafe {
            core::arch::asm!(
                concat!("2: mrs {value}, ", $name),
                ".pushsection .recover, \"a\"", ".quad 2b", ".popsection",
                value = inout(reg) 0u64 => value,
                inout("x9") 0u64 => syndrome,
                options(nostack),
            );
        }
        match syndrome {
            0 => Ok(value),
            syndrome => Err($crate::arch::Exception { syndrome }),
        }
    }};
}

macro_rules! registers {
    ($($name:ident: $access:tt,)*) => {$(
        #[doc = concat!("The register ", stringify!($name), ".")]
        pub mod $name {
            registers!(@$access $name);
        }
    )*};
    (@read $name:ident) => {
        /// Its value.
        pub fn read() -> u64 {
            let value: u64;
            // SAFETY: a register that is always there; reading it touches no memory.
            unsafe {
                core::arch::asm!(
                    concat!("mrs {}, ", stringify!($name)),
                    out(reg) value,
                    options(nostack),
                );
            }
            value
        }
    };
    (@write $name:ident) => {
        /// Sets it, with effect before the next instruction.
        pub fn write(value: u64) {
            // SAFETY: it controls timers or interrupts, no memory; the handler is always there.
            unsafe {
                core::arch::asm!(
                    concat!("msr ", stringify!($name), ", {}"),
                    "isb",
                    in(reg) value,
                    options(nostack),
                );
            }
        }
    };
    (@read_write $name:ident) => {
        registers!(@read $name);
        registers!(@write $name);
    };
    (@unsafe_write $name:ident) => {
        /// Sets it, with effect before the next instruction.
        ///
        /// # Safety
        /// The value decides where the code goes on after an exception.
        pub unsafe fn write(value: u64) {
            // SAFETY: the caller's.
            unsafe {
                core::arch::asm!(
                    concat!("msr ", stringify!($name), ", {}"),
                    "isb",
                    in(reg) value,
                    options(nostack),
                );
            }
        }
    };
}

registers! {
    mpidr_el1: read,
    esr_el1: read,
    far_el1: read,
    vbar_el1: unsafe_write,
    cntfrq_el0: read,
    cntvct_el0: read,
    cntpct_el0: read,
    cntv_ctl_el0: read_write,
    cntv_cval_el0: read_write,
    cntv_tval_el0: read_write,
    cntp_ctl_el0: read_write,
    cntp_cval_el0: read_write,
    cntp_tval_el0: read_write,
    icc_sre_el1: read_write,
    icc_ctlr_el1: read_write,
    icc_pmr_el1: read_write,
    icc_bpr1_el1: read_write,
    icc_ap1r0_el1: read,
    icc_rpr_el1: read,
    icc_hppir1_el1: read,
    icc_iar1_el1: read,
    icc_eoir1_el1: write,
    icc_dir_el1: write,
    icc_igrpen1_el1: read_write,
    icc_sgi1r_el1: write,
}
