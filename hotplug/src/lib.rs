//! The core life cycle: the order in which cores come up ([`bring_up`]), how a domain gets a core that nobody has
//! ([`grant`]) and how a context begins on it ([`start`]); how a core changes hands ([`transfer`]) and where its contexts
//! go on ([`placement`]); when an idle core goes off ([`idle`]), and who is given which core ([`governor`], [`order`]).
#![cfg_attr(not(test), no_std)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
#![forbid(unsafe_code)]

pub mod bring_up;
pub mod governor;
pub mod grant;
pub mod idle;
pub mod order;
pub mod placement;
pub mod start;
pub mod transfer;
