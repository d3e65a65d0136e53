//! Loading: the guest begins anew.

use crate::arch::core_local::CoreLocal;
use crate::domain::Domain;
use crate::guest;
use crate::simulation::step;

/// Why a domain cannot be loaded.
#[derive(Debug)]
pub enum LoadError {}

impl LoadError {
    /// What is wrong.
    pub const fn text(&self) -> &'static str {
        match *self {}
    }
}

/// Where the first context begins.
pub struct Start {
    /// First instruction.
    pub entry: u64,
    /// Device tree.
    pub device_tree: u64,
}

/// Makes the guest one that has done nothing yet.
///
/// # Errors
/// None.
pub fn load(_core: &CoreLocal, domain: &Domain) -> Result<Start, LoadError> {
    step();
    guest::begin_anew(domain);
    Ok(Start { entry: domain.spec.memory.base, device_tree: 0 })
}
