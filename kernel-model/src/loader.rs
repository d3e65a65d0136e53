//! Loading: the guest begins anew.

use crate::arch::core_local::CoreLocal;
use crate::arch::mmu::BLOCK;
use crate::domain::Domain;
use crate::guest;
use crate::psci::Entry;
use crate::simulation;
use std::sync::atomic::Ordering::Relaxed;

real_domains::displayed! {
    /// Why a domain cannot be loaded.
    pub enum LoadError {
        Never = "it always can",
    }
}

/// Loads the next piece of a domain, of which there are as many as its memory says; whether that was the last.
///
/// # Errors
/// None.
pub fn step(_core: &CoreLocal, domain: &Domain) -> Result<bool, LoadError> {
    simulation::step();
    let done = domain.loaded.load(Relaxed).wrapping_add(BLOCK);
    domain.loaded.store(done, Relaxed);
    Ok(done >= domain.spec.memory.size)
}

/// Makes the guest one that has done nothing yet.
///
/// # Errors
/// None.
pub fn load(_core: &CoreLocal, domain: &Domain) -> Result<Entry, LoadError> {
    simulation::step();
    guest::begin_anew(domain);
    Ok(Entry { address: domain.spec.memory.base, context_id: 0 })
}
