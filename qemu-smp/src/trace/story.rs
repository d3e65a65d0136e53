//! What happened in a run, by domain, as the records tell it.

use std::collections::BTreeMap;

use domains::protocol::{EndKind, ReportKey, Rule};
use serde::Serialize;
use smp::trace::{Event, ExitReason, Record};
use trace_reader::Tagged;

use super::Trace;
use super::detail::{Detail, reason};

/// The stages of the boot by their numbers in [`Event::BootStage`], from 1.
const STAGES: [&str; 7] =
    ["entry", "mmu-on", "device-tree-read", "cores-up", "manifest-read", "domains-loaded", "domains-started"];

/// A stage of the boot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// Its name.
    pub stage: String,
    /// When it was reached, microseconds since the kernel was entered.
    pub at_us: f64,
    /// Cores at that time.
    pub cores: u64,
}

/// A rule that a domain broke.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// Microseconds since the kernel was entered.
    pub at_us: f64,
    /// The context that did it.
    pub context: Option<u16>,
    /// Where it was.
    pub pc: u64,
    /// ESR_EL2.
    pub esr: u64,
    /// FAR_EL2.
    pub far: u64,
    /// The rule.
    pub rule: String,
}

/// A domain's load over the governor's periods, in permille of the cores that it owned in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Load {
    /// How many periods.
    pub periods: u64,
    /// The mean.
    pub mean_permille: u64,
    /// The highest.
    pub max_permille: u64,
    /// The sum over all periods.
    #[serde(skip)]
    sum: u64,
}

impl Load {
    fn add(&mut self, permille: u64) {
        self.periods += 1;
        self.sum = self.sum.saturating_add(permille);
        self.mean_permille = self.sum / self.periods;
        self.max_permille = self.max_permille.max(permille);
    }
}

/// What a domain did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DomainStory {
    /// How often it was started.
    pub boots: u64,
    /// How it ended the last time, if it did. The summary has a place of its own for it.
    #[serde(skip)]
    pub end: Option<String>,
    /// The numbers that it reported: the last value of each.
    pub metrics: BTreeMap<String, u64>,
    /// Its faults.
    pub faults: Vec<Fault>,
    /// How often its contexts left for EL2, by reason; only reasons that occurred.
    pub exits: BTreeMap<&'static str, u64>,
    /// How often one of its contexts went on on another core.
    pub context_moves: u64,
    /// Its load, if the governor watched it.
    pub load: Option<Load>,
    /// How often the governor decided what about it, and why: `give high-load`.
    pub governor: BTreeMap<String, u64>,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Story {
    /// The boot.
    pub stages: Vec<Stage>,
    /// The domains by their indices.
    pub domains: Vec<DomainStory>,
    /// Cores that did not come up.
    pub failed_cores: Vec<u64>,
}

impl Story {
    /// Reads a trace of a machine with this many domains.
    pub fn from_trace(trace: &Trace, domains: usize) -> Self {
        let mut story = Self { domains: vec![DomainStory::default(); domains], ..Self::default() };
        for (domain, counts) in story.domains.iter_mut().zip(trace.exits.iter()) {
            let reasons = ExitReason::ALL.iter().zip(counts);
            let occurred = reasons.filter(|(_, count)| **count > 0);
            domain.exits = occurred.map(|(reason, count)| (reason.name(), *count)).collect();
        }
        for record in &trace.records {
            story.take(trace, record);
        }
        story
    }

    fn take(&mut self, trace: &Trace, record: &Record) {
        let Some(event) = record.event() else { return };
        let at_us = trace.microseconds(record.time);
        match event {
            Event::BootStage => {
                let number = usize::try_from(record.a).unwrap_or(usize::MAX);
                let name = STAGES.get(number.wrapping_sub(1));
                self.stages.push(Stage {
                    stage: name.map_or_else(|| format!("stage-{number}"), |name| (*name).to_owned()),
                    at_us,
                    cores: record.b,
                });
                return;
            }
            Event::CoreFailed => return self.failed_cores.push(record.a),
            _ => {}
        }
        let index = record.domain().map(usize::from);
        let Some(domain) = index.and_then(|index| self.domains.get_mut(index)) else {
            return;
        };
        match event {
            Event::DomainStart => {
                domain.boots = domain.boots.max(record.a).max(1);
                domain.end = None;
            }
            Event::DomainEnd => {
                domain.end = EndKind::from_code(record.a).map(|kind| kind.name().to_owned());
            }
            Event::Metric => {
                if let Some(key) = ReportKey::from_code(record.a) {
                    domain.metrics.insert(key.to_string(), record.b);
                }
            }
            Event::Fault => domain.faults.push(Fault {
                at_us,
                context: record.context(),
                pc: 0,
                esr: record.a,
                far: record.b,
                rule: String::new(),
            }),
            Event::FaultAt => {
                let context = record.context();
                let mut faults = domain.faults.iter_mut().rev();
                if let Some(fault) = faults.find(|fault| fault.context == context) {
                    fault.pc = record.a;
                    fault.rule = Rule::from_code(record.b).map_or("", Rule::name).to_owned();
                }
            }
            _ => domain.detail(record),
        }
    }
}

impl DomainStory {
    fn detail(&mut self, record: &Record) {
        match Detail::of(record) {
            Some(Detail::Context { .. }) => self.context_moves += 1,
            Some(Detail::Load { busy, .. }) => self.load.get_or_insert_default().add(busy),
            Some(Detail::Governor { decision, reason: code, .. }) => {
                *self.governor.entry(format!("{decision} {}", reason(code))).or_default() += 1;
            }
            _ => {}
        }
    }
}
