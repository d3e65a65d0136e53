//! Corral's EL2 kernel: a thin shell round `smp` and `domains`.
//!
//! From outside in: [`arch`] knows AArch64, [`platform`] the machine; [`boot`] brings the cores
//! up; [`domain`] makes domains out of the manifest; [`schedule`] chooses what a core runs;
//! [`exits`] answers what guests do; [`transfer`] moves cores between domains and [`power`] switches
//! idle ones off, as [`govern`] decides or [`operate`] is told.
//!
//! Nothing here may panic on what a guest does: indexing and arithmetic that could are denied.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[cfg(target_os = "none")]
mod arch;
#[cfg(target_os = "none")]
mod boot;
#[cfg(target_os = "none")]
mod console;
#[cfg(target_os = "none")]
mod domain;
#[cfg(target_os = "none")]
mod exits;
#[cfg(target_os = "none")]
mod fail;
#[cfg(target_os = "none")]
mod govern;
#[cfg(target_os = "none")]
mod loader;
#[cfg(target_os = "none")]
mod operate;
#[cfg(target_os = "none")]
mod platform;
#[cfg(target_os = "none")]
mod power;
#[cfg(target_os = "none")]
mod schedule;
#[cfg(target_os = "none")]
mod trace;
#[cfg(target_os = "none")]
mod transfer;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!(
        "the kernel runs at EL2: build it with --target aarch64-unknown-none-softfloat, or use `cargo corral run`"
    );
}
