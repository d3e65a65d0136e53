//! Loading: the guest begins anew.

use crate::arch::core_local::CoreLocal;
use crate::domain::Domain;
use crate::guest;
use crate::simulation::step;

real_domains::displayed! {
    /// Why a domain cannot be loaded.
    pub enum LoadError {
        Never = "it always can",
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
