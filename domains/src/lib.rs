//! Domains and their contexts, as far as they can be said without hardware.
//!
//! A domain is an address space, a set of contexts (virtual CPUs), a set of cores and what it was
//! granted. The kernel is a thin shell round what is here: it brings the registers, this crate
//! decides. Everything is `no_std`, owns no statics and allocates nothing; whatever comes from a
//! guest or from a file is checked here, and answered, never obeyed.
//!
//! | module | what |
//! |---|---|
//! | [`manifest`], [`archive`], [`tree`] | what the machine is to be divided into, and its files |
//! | [`ledger`] | who owns which core: one atomic word a core |
//! | [`psci`] | the guest's calls, and the power state of each context |
//! | [`life`] | a domain's start, stop and restart |
//! | [`vgic`], [`pl011`], [`watchdog`], [`mmio`] | the devices of the virtual board, and how they are accessed |
//! | [`guest_fdt`], [`fdt_writer`] | the device tree that a guest is given |
//! | [`protocol`] | strings, numbers and framing shared with guests and host |
#![cfg_attr(not(test), no_std)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
#![forbid(unsafe_code)]

pub mod archive;
pub mod control;
mod displayed;
mod domain_id;
pub mod fdt_writer;
pub mod guest_fdt;
pub mod ledger;
pub mod life;
pub mod manifest;
pub mod mmio;
pub mod pl011;
pub mod protocol;
pub mod psci;
pub mod stolen;
pub mod tree;
pub mod vgic;
pub mod watchdog;

pub use domain_id::DomainId;
