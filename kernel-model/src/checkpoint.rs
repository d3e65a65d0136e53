//! Checkpoints: the model's groups have none.

use crate::arch::core_local::CoreLocal;
use crate::arch::stage2::Right;
use crate::domain::Domain;
use crate::manifest::GroupSpec;
use crate::platform::arena::Arena;

/// The right to a page that was not written since.
pub const CLEAN: Right = Right::Execute;

/// A domain's checkpoints.
pub enum Checkpoints {}

impl Checkpoints {
    /// None.
    pub fn new(_arena: &Arena, _memory: u64, _contexts: usize, _spec: &GroupSpec<'_>) -> Option<Self> {
        None
    }

    /// Whether the domain goes on from one.
    pub fn begin(&self) -> bool {
        match *self {}
    }

    /// Whether there is one.
    pub fn is_good(&self, _domain: &Domain) -> bool {
        match *self {}
    }

    /// It begins anew.
    pub fn forget(&self, _domain: &Domain) {}

    /// It goes on from the last one.
    pub fn restore(&self, _core: &CoreLocal, _domain: &Domain) {}
}

/// When the next one is due; 0: never.
pub fn alarm(_core: &CoreLocal, _domain: &Domain) -> u64 {
    0
}

/// The domain gave a sign of life.
pub fn beat(_core: &CoreLocal, _domain: &Domain) {}

/// Nobody pauses.
pub fn attend(_core: &CoreLocal) {}
