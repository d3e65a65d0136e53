//! What only AArch64 knows: registers, exceptions, translation, the physical GIC and timers.
//!
//! With [`platform`](crate::platform), the one place in the kernel where `unsafe` is written.
#![allow(unsafe_code)]

pub mod boot;
pub mod cache;
pub mod context;
pub mod core_local;
pub mod exception;
pub mod gic;
pub mod id_registers;
pub mod mmu;
pub mod stage2;
pub mod sysreg;
pub mod timer;
