//! What cores are and what they share: identities, one shim for everything atomic, and the few structures
//! that cores touch together (lock, mailbox, run queue, trace ring).
//!
//! Each structure's protocol is small enough for the models in `loom-tests`, which run this very source.
//! The crate owns no statics and knows no hardware beyond "wait for an event" and "send an event".
#![cfg_attr(not(test), no_std)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod core_id;
pub mod core_set;
pub mod lock;
pub mod mailbox;
mod named;
pub mod run_queue;
pub mod sync;
pub mod trace;

/// The numbers of the bits that are set, lowest first.
#[inline(always)]
pub fn bits(word: impl Into<u64>) -> impl Iterator<Item = u32> {
    let mut left = word.into();
    core::iter::from_fn(move || {
        let bit = (left != 0).then(|| left.trailing_zeros())?;
        left &= left.wrapping_sub(1);
        Some(bit)
    })
}
