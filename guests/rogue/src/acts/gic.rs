//! What the GICv3 specification (Arm IHI 0069) asks of a `virt` board's interrupt controller, and
//! what other hypervisors got wrong.

mod access;
mod peers;
mod priority;
mod sgi;
mod state;

use rt::Args;
use rt::interrupts::{self, PRIORITY};
use rt::timer::Timer;

/// All checks of this act, with all contexts of the domain.
pub fn conformance(_: Args<'_>) {
    for sgi in 0..16 {
        interrupts::enable(sgi, PRIORITY);
    }
    interrupts::enable(Timer::Virtual.interrupt(), PRIORITY);
    access::frames();
    access::sizes();
    priority::all();
    state::private();
    let peers = peers::start();
    sgi::all(peers);
    state::shared(peers);
    peers::stop();
}
