//! What follows when a domain fails.
//!
//! A domain outside all groups is restarted from its pristine image, or that was its end; the manifest says which, and
//! how often ([`after`]). In a [`group`](group::Group) a standby takes over.
#![cfg_attr(not(test), no_std)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![forbid(unsafe_code)]

use domains::manifest::{Action, DomainSpec};
use domains::protocol::EndKind;

pub mod dirty;
pub mod group;
pub mod health;
pub mod limit;
pub mod pause;
pub mod waiting;
pub mod warden;

#[cfg(all(test, not(loom)))]
mod tests;

/// What follows when `domain` stopped for the reason `kind` in its `boots`-th life.
pub fn after(domain: &DomainSpec<'_>, kind: EndKind, boots: u32) -> Action {
    let wanted = match kind {
        EndKind::Fault | EndKind::Hung => domain.on_fault,
        EndKind::Reset => domain.on_reset,
        // It said that it is done.
        EndKind::Off | EndKind::Exit | EndKind::Failed | EndKind::Running => Action::Stop,
    };
    // No crash loop: the first life is not a restart.
    if boots > domain.restarts_max { Action::Stop } else { wanted }
}
