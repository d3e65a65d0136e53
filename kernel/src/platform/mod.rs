//! The machine around the cores, as its device tree tells: memory, devices, firmware.
#![allow(unsafe_code)]

pub mod arena;
pub mod device;
pub mod firmware;
pub mod machine;
pub mod memory;
pub mod uart;
