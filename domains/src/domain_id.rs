//! Which domain.

use crate::protocol::MAX_DOMAINS;

/// A domain's index, in the order of the manifest: below [`MAX_DOMAINS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainId(u8);

impl DomainId {
    /// The domain with that index; `None` from [`MAX_DOMAINS`] on.
    pub const fn new(index: usize) -> Option<Self> {
        if index < MAX_DOMAINS { Some(Self(index as u8)) } else { None }
    }

    /// The index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
