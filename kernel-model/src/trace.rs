//! The kernel's trace: what is worth knowing goes into the [`history`].

use crate::arch::context::Context;
use crate::arch::core_local::CoreLocal;
use crate::history::{self, note};
use crate::simulation::step;
pub use real_smp::trace::{Event, ExitReason};

/// What a record is about.
#[derive(Clone, Copy)]
pub enum About<'a> {
    /// The machine or a core.
    Machine,
    /// The domain with this index.
    Domain(usize),
    /// A context and its domain.
    Context(&'a Context),
}

/// A record of now.
pub fn record(_core: &CoreLocal, event: Event, about: About<'_>, a: u64, b: u64) {
    step();
    let name = event.name();
    match event {
        Event::CoreOwner => return, // `check` sees it before
        Event::Load => return,      // much of nothing
        Event::ContextMove => history::count("context moves"),
        Event::DomainRestart => history::count("restarts"),
        Event::DomainEnd => history::count("ends"),
        Event::CoreFailed => history::count("lost cores"),
        Event::Governor if b & 0xff != 3 => history::count("governor's decisions"),
        Event::Governor => history::count("governor's decisions that could not be done"),
        _ => {}
    }
    match about {
        About::Machine => note(|| format!("{name} a={a:#x} b={b:#x}")),
        About::Domain(domain) => note(|| format!("{name} domain={domain} a={a:#x} b={b:#x}")),
        About::Context(context) => {
            note(|| format!("{name} domain={} context={} a={a:#x} b={b:#x}", context.domain.id.index(), context.index));
        }
    }
}
