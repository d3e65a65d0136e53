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

cfg_if::cfg_if! {
    if #[cfg(target_os = "none")] {
        mod arch;
        mod boot;
        mod checkpoint;
        mod console;
        mod domain;
        mod exits;
        mod fail;
        mod govern;
        mod loader;
        mod operate;
        mod platform;
        mod power;
        mod schedule;
        mod takeover;
        mod trace;
        mod transfer;
    } else {
        fn main() {
            eprintln!(
                "the kernel runs at EL2: build it with --target aarch64-unknown-none-softfloat, or `cargo corral run`"
            );
        }
    }
}
