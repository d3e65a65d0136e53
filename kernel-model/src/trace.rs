//! The kernel's trace: what is worth knowing goes into the [`history`].

use crate::arch::context::Context;
use crate::arch::core_local::CoreLocal;
use crate::history::{self, note};
use crate::protocol::MAX_DOMAINS;
use crate::simulation::step;
use crate::teams;
pub use real_smp::trace::{Event, ExitReason};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

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

/// How often domains came to EL2 on one core.
#[derive(Debug, Default)]
pub struct Area {
    /// By domain.
    pub exits: Exits,
}

/// The counts.
#[derive(Debug, Default)]
pub struct Exits([AtomicU64; MAX_DOMAINS]);

impl Exits {
    /// Counts one exit.
    pub fn count(&self, domain: usize) {
        if let Some(count) = self.0.get(domain) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How many there were.
    pub fn of(&self, domain: usize) -> u64 {
        step();
        self.0.get(domain).map_or(0, |count| count.load(Relaxed))
    }
}

/// A record of now.
pub fn record(_core: &CoreLocal, event: Event, about: About<'_>, a: u64, b: u64) {
    step();
    let name = event.name();
    match event {
        Event::CoreOwner => return, // `check` sees it before
        Event::Load => return,      // much of nothing
        Event::ContextMove => history::count("context moves"),
        Event::DomainStart => {
            if let About::Domain(domain) = about {
                teams::begins(domain);
            }
        }
        Event::DomainRestart => history::count("restarts"),
        Event::DomainEnd => history::count("ends"),
        Event::CoreFailed => history::count("lost cores"),
        Event::Governor if b & 0xff != 3 => history::count("governor's decisions"),
        Event::Governor => history::count("governor's decisions that could not be done"),
        _ => {}
    }
    match about {
        About::Machine => note(|| format!("{name} a={a:#x} b={b:#x}")),
        About::Domain(domain) if event == Event::Failover => {
            teams::record(domain, a, b);
            note(|| format!("{name} domain={domain} step={a} details={b:#x}"));
        }
        About::Domain(domain) => note(|| format!("{name} domain={domain} a={a:#x} b={b:#x}")),
        About::Context(context) => {
            note(|| format!("{name} domain={} context={} a={a:#x} b={b:#x}", context.domain.id.index(), context.index));
        }
    }
}
