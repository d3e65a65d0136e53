//! Who owned which core when.

use domains::ledger::{CoreState, Heir};
use smp::trace::{Event, Record};
use trace_reader::Tagged;

use super::Trace;

/// A core's state over a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// When it began, microseconds since the kernel was entered.
    pub from_us: f64,
    /// When it ended.
    pub to_us: f64,
    /// What the core was for.
    pub state: CoreState,
}

/// The spans of every core, each core's without gaps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CoreMap {
    /// By core.
    pub cores: Vec<Vec<Span>>,
}

impl CoreMap {
    /// Reads the ledger's changes out of a trace.
    pub fn from_trace(trace: &Trace) -> Self {
        let end_us = trace.microseconds(trace.end());
        let mut changes = vec![vec![(0.0, CoreState::Off { held: false })]; trace.header.cores as usize];
        for record in &trace.records {
            if let Some((core, change)) = change(record)
                && let Some(changes) = changes.get_mut(core)
                && let Some((_, state)) = changes.last()
            {
                changes.push((trace.microseconds(record.time), change.after(*state)));
            }
        }
        let spans = |changes: Vec<(f64, CoreState)>| {
            let ends = changes.iter().skip(1).map(|(time, _)| *time);
            let ends: Vec<f64> = ends.chain([end_us]).collect();
            changes
                .into_iter()
                .zip(ends)
                .map(|((from_us, state), to_us)| Span { from_us, to_us, state })
                .filter(|span| span.to_us > span.from_us)
                .collect()
        };
        Self { cores: changes.into_iter().map(spans).collect() }
    }

    /// How many cores a domain owned: each time that the number changed, in microseconds, with
    /// the new number. A change of several cores at the same time is one; the end of the record
    /// is none.
    pub fn count(&self, domain: usize) -> Vec<(f64, usize)> {
        let end_us = self.end_us();
        let owned = self.cores.iter().flatten().filter(|span| owner(span.state) == Some(domain));
        let mut steps: Vec<(f64, isize)> =
            owned.flat_map(|span| [(span.from_us, 1), (span.to_us, -1)]).filter(|(time, _)| *time < end_us).collect();
        steps.sort_by(|left, right| left.0.total_cmp(&right.0));
        let (mut counts, mut now): (Vec<(f64, usize)>, isize) = (Vec::new(), 0);
        for (time, step) in steps {
            now += step;
            let count = usize::try_from(now).unwrap_or(0);
            match counts.last_mut() {
                Some(last) if last.0 == time => last.1 = count,
                _ => counts.push((time, count)),
            }
        }
        counts.dedup_by_key(|(_, count)| *count);
        counts
    }

    /// When the last span ends.
    pub fn end_us(&self) -> f64 {
        let ends = self.cores.iter().flatten().map(|span| span.to_us);
        ends.fold(0.0, f64::max)
    }
}

/// The index of the domain that a core in this state belongs to.
pub fn owner(state: CoreState) -> Option<usize> {
    state.owner().map(|domain| domain.index())
}

/// What a record says about a core's state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// It runs.
    Up,
    /// The ledger has this from now on.
    To(CoreState),
}

impl Change {
    /// The state of a core that was in `state` before.
    pub fn after(self, state: CoreState) -> CoreState {
        match (self, state) {
            (Self::To(state), _) => state,
            (Self::Up, CoreState::Off { .. } | CoreState::Waking(Heir::Pool | Heir::Off)) => CoreState::Idle,
            (Self::Up, CoreState::Waking(Heir::Domain(domain))) => CoreState::Owned(domain),
            // The ledger's record of the same moment was read first.
            (Self::Up, state) => state,
        }
    }
}

/// The core that a record is about, and what it says of its state.
pub fn change(record: &Record) -> Option<(usize, Change)> {
    let change = match record.event()? {
        Event::CoreUp => Change::Up,
        Event::CoreFailed => Change::To(CoreState::Failed),
        Event::CoreOwner => Change::To(CoreState::from_trace(record.b)?),
        _ => return None,
    };
    Some((usize::try_from(record.a).ok()?, change))
}
