//! The failures of groups' members in a run, with names.

use serde::Serialize;
use smp::trace::ExitReason;

use crate::scenario::Scenario;
use crate::trace::Trace;
use crate::trace::failover::{self, Failover};
use crate::trace::moves::Latency;

/// All of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Failovers {
    /// From a fault that was injected to its detection.
    pub detection: Option<Latency>,
    /// From the detection until the new primary was told.
    pub takeover: Option<Latency>,
    /// From the detection until the new primary beat.
    pub confirmation: Option<Latency>,
    /// For how long a primary stood still for a checkpoint.
    pub checkpoint_pause: Option<Latency>,
    /// The pages that were copied for checkpoints.
    pub checkpoint_pages: u64,
    /// How often a member was given more time for a sign of life, as one of the cores had none to run.
    pub put_off: usize,
    /// The first writes to pages that came to EL2 for that: more than one for a page that several CPUs write at once.
    pub page_writes: u64,
    /// Each, by the time of its detection.
    pub list: Vec<OneFailover>,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct OneFailover {
    /// The group.
    pub group: String,
    /// Who failed.
    pub from: String,
    /// Who served then: it again, or another one.
    pub to: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub failover: Failover,
}

impl Failovers {
    /// Reads a trace.
    pub fn new(scenario: &Scenario, trace: Option<&Trace>) -> Self {
        let groups = trace.map(|trace| failover::from_trace(trace, |domain| scenario.group_of(domain)));
        let groups = groups.unwrap_or_default();
        let name = |domain: usize| scenario.domains.get(domain).map_or("?", |domain| domain.name.as_str()).to_owned();
        let named = |failover: &Failover| OneFailover {
            group: scenario.groups.get(failover.group).map_or("?", |group| group.name.as_str()).to_owned(),
            from: name(failover.from),
            to: failover.to.map(name),
            failover: failover.clone(),
        };
        let all = &groups.failovers;
        Self {
            detection: Latency::of(all.iter().filter_map(Failover::detection_us)),
            takeover: Latency::of(all.iter().filter_map(Failover::takeover_us)),
            confirmation: Latency::of(all.iter().filter_map(Failover::confirmation_us)),
            checkpoint_pause: Latency::of(groups.checkpoint_pauses_us.iter().copied()),
            checkpoint_pages: groups.checkpoint_pages,
            put_off: groups.put_off,
            page_writes: trace.map_or(0, page_writes),
            list: all.iter().map(named).collect(),
        }
    }
}

fn page_writes(trace: &Trace) -> u64 {
    trace.exits.iter().filter_map(|row| row.get(ExitReason::PageWrite as usize)).sum()
}
