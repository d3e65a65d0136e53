//! Trace records of the kernel, and the header by which the host finds them.

use crate::arch::context::Context;
use crate::arch::core_local::CoreLocal;
use crate::arch::timer;
use smp::trace::{Event, ExitReason, Record};

/// Writes a record of now to the running core's ring.
pub fn record(core: &CoreLocal, event: Event, about: About<'_>, a: u64, b: u64) {
    record_at(core, event, about, timer::now(), a, b);
}

/// Writes a record of something that happened at `time` (counter ticks).
pub fn record_at(core: &CoreLocal, event: Event, about: About<'_>, time: u64, a: u64, b: u64) {
    let (domain, context) = match about {
        About::Machine => (None, None),
        About::Domain(domain) => (Some(domain as u16), None),
        About::Context(context) => (Some(context.domain.id.index() as u16), Some(context.index)),
    };
    let tag = Record::tag(event, core.id, domain, context);
    core.trace().ring.push(Record { time, tag, a, b });
}

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

/// Counts an exit of `context` on the running core.
pub fn count(core: &CoreLocal, context: &Context, reason: ExitReason) {
    core.trace().exits.count(context.domain.id.index(), reason);
}
