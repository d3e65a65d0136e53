//! Runtime for small native guests of Corral at EL1: entry, console, timers, interrupts, further
//! contexts, hypercalls. A guest is a `fn main(&'static Boot) -> u64` named by [`main!`]; what it
//! returns is its exit code.
//!
//! The runtime serves both boards: `none` (console and interrupt control by hypercall) and `virt`
//! (PL011 and GICv3 by their registers), where it also runs on plain QEMU without Corral.
//!
//! Interrupts stay masked (PSTATE.I) unless a guest unmasks them: it waits with WFI and asks for
//! the next one, so nothing runs behind its back. Addresses are mapped one to one.

#![cfg_attr(not(test), no_std)]

mod args;
mod boot;
#[cfg(any(test, target_os = "none"))]
mod pack;

pub use args::Args;
pub use boot::{Board, Boot, BootError, MAX_CONTEXTS};
pub use replicated_log;

#[cfg(target_os = "none")]
pub mod arch;
#[cfg(target_os = "none")]
pub mod console;
#[cfg(target_os = "none")]
pub mod contexts;
#[cfg(target_os = "none")]
pub mod gic;
#[cfg(target_os = "none")]
pub mod hypercall;
#[cfg(target_os = "none")]
pub mod interrupts;
#[cfg(target_os = "none")]
pub mod psci;
#[cfg(target_os = "none")]
pub mod region;
#[cfg(target_os = "none")]
mod start;
#[cfg(target_os = "none")]
pub mod timer;

#[cfg(target_os = "none")]
pub use start::{boot, exit};
