//! The core life cycle: the order in which cores come up ([`bring_up`]), how a domain gets a core
//! and gives it back ([`grant`]), and how a context begins on the core that it got ([`start`]).
#![cfg_attr(not(test), no_std)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
#![forbid(unsafe_code)]

pub mod bring_up;
pub mod grant;
pub mod start;
