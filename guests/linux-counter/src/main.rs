//! The counting service as a program for Linux, on the group's region as a block device. It is told its role on
//! standard input, one line each time: `primary EPOCH` or `standby EPOCH`.
//!
//!   linux-counter DEVICE [period-us=N (10000)] [count=N: ends after that number (0: never)]
//!
//! There is no C library for arm64 where Corral is built: this is built like a native guest, for no operating system,
//! and calls Linux itself. All that is `unsafe` is in [`linux`].

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod device;
#[cfg(target_os = "none")]
mod linux;
#[cfg(target_os = "none")]
mod program;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("linux-counter runs in a Linux domain: build it for aarch64-unknown-none-softfloat");
}
