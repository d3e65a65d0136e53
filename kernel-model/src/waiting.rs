//! `failover::waiting`, with a step before each access.

use crate::group::{Group, Moment};
use crate::simulation::step;
use real_failover::waiting::Waiting as Real;

/// Whether a member waits.
#[derive(Debug, Default)]
pub struct Waiting(Real);

impl Waiting {
    /// It waits from now on.
    pub fn begin(&self, group: &Group) -> Moment {
        step();
        self.0.begin(group.real())
    }

    /// It waits.
    pub fn is_on(&self) -> bool {
        step();
        self.0.is_on()
    }

    /// It waits no more.
    pub fn end(&self) -> bool {
        step();
        self.0.end()
    }
}
