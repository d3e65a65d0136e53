//! `smp::mailbox`, with a step before each access.

use crate::simulation::step;
use real_smp::mailbox::Mailbox as Real;
pub use real_smp::mailbox::{Doorbell, Requests};

/// The requests that wait for one core.
#[derive(Debug, Default)]
pub struct Mailbox(Real);

impl Mailbox {
    /// Adds requests.
    pub fn post(&self, requests: Requests) -> Doorbell {
        step();
        self.0.post(requests)
    }

    /// Empties the box.
    pub fn take(&self) -> Requests {
        step();
        self.0.take()
    }

    /// Whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        step();
        self.0.is_empty()
    }
}
