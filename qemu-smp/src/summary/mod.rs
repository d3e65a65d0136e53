//! How a run went, as data: what `--json` prints, reports contain and the text is made of.

pub mod failovers;
mod moves;
#[cfg(test)]
mod tests;
pub mod text;

use serde::Serialize;

use crate::failure::Code;
use crate::run::verdict::{AssertionResult, Verdict};
use crate::run::{Outcome, Plan, Stop};
use crate::scenario::Scenario;
use crate::trace::moves::Latency;
use crate::trace::rest::{self, Rest};
use crate::trace::{self, CoreMap, DomainStory, Stage, Story};
use failovers::Failovers;
use moves::Moves;

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Result {
    /// The verdict is a pass and every assertion holds.
    Passed,
    /// Something is not as it should be.
    Failed,
    /// It took too long.
    TimedOut,
    /// It was interrupted, or the user left.
    Interrupted,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The scenario's name.
    pub scenario: String,
    /// What came out.
    pub result: Result,
    /// Why it did not pass.
    pub reasons: Vec<String>,
    /// The machine in a few words.
    pub machine: String,
    /// QEMU's version.
    pub qemu: String,
    /// Wall-clock time of the run.
    pub elapsed_ms: u64,
    /// The kernel's verdict.
    pub verdict: Option<Verdict>,
    /// The scenario's assertions.
    pub assertions: Vec<AssertionResult>,
    /// The domains in the order of the scenario.
    pub domains: Vec<DomainSummary>,
    /// The stages of the kernel's boot.
    pub boot: Vec<Stage>,
    /// Cores that did not come up.
    pub failed_cores: Vec<u64>,
    /// The moves of cores between owners.
    pub moves: Moves,
    /// The failures of groups' members, and what followed.
    pub failovers: Failovers,
    /// How long the cores were off, and how often.
    pub rest: Vec<Rest>,
    /// From asking cores to wake until they ran.
    pub wake_latency: Option<Latency>,
    /// Records read.
    pub trace_records: usize,
    /// Records overwritten before they could be read.
    pub trace_lost: u64,
    /// Where the logs are.
    pub logs: String,
}

/// A domain in a run.
#[derive(Clone, Debug, Serialize)]
pub struct DomainSummary {
    /// Its name.
    pub name: String,
    /// How it ended; `running` if it did not.
    pub end: String,
    /// How it should have ended, as the kernel says.
    pub expected: Option<&'static str>,
    /// Whether it ended so, as the kernel says.
    pub ok: Option<bool>,
    /// How many cores it owned over time.
    pub cores: Vec<CoreCount>,
    /// What the trace tells.
    #[serde(flatten)]
    pub story: DomainStory,
}

/// How many cores a domain owned from some time on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CoreCount {
    /// Milliseconds since the kernel was entered.
    pub from_ms: f64,
    /// The number.
    pub cores: usize,
}

impl Summary {
    /// Sums a run up.
    pub fn new(plan: &Plan, outcome: &Outcome) -> Self {
        let scenario = &plan.scenario;
        let mut story =
            outcome.trace.as_ref().map(|trace| Story::from_trace(trace, scenario.domains.len())).unwrap_or_default();
        // A trace may have lost some; the log has all.
        story.domains.resize(scenario.domains.len(), DomainStory::default());
        for (domain, story) in scenario.domains.iter().zip(&mut story.domains) {
            story.metrics.extend(outcome.kernel.metrics.get(&domain.name).cloned().unwrap_or_default());
        }
        let map = outcome.trace.as_ref().map(CoreMap::from_trace);
        let story_of = |name: &str| {
            let index = scenario.domains.iter().position(|domain| domain.name == name)?;
            story.domains.get(index)
        };
        let names: Vec<&str> = scenario.domains.iter().map(|domain| domain.name.as_str()).collect();
        let moves = outcome.trace.as_ref().map(trace::moves::from_trace).unwrap_or_default();
        let assertions = outcome.assertions.results(story_of, &outcome.kernel);
        let reasons = reasons(outcome, &assertions);
        Self {
            scenario: plan.name.clone(),
            result: result(outcome, &reasons),
            reasons,
            machine: plan.configuration.describe(),
            qemu: plan.qemu.version.clone(),
            elapsed_ms: u64::try_from(outcome.elapsed.as_millis()).unwrap_or(u64::MAX),
            verdict: outcome.kernel.verdict,
            assertions,
            domains: domains(scenario, outcome, &story, map.as_ref()),
            boot: story.stages,
            failed_cores: story.failed_cores,
            moves: Moves::new(&moves, &names),
            failovers: Failovers::new(scenario, outcome.trace.as_ref()),
            rest: map.as_ref().map(|map| rest::of(map, break_even_us(scenario))).unwrap_or_default(),
            wake_latency: map.as_ref().and_then(rest::wake_latency),
            trace_records: outcome.trace.as_ref().map_or(0, |trace| trace.records.len()),
            trace_lost: outcome.trace.as_ref().map_or(0, |trace| trace.lost),
            logs: outcome.folder.display().to_string(),
        }
    }

    /// The code to exit with; none is success.
    pub fn code(&self) -> Option<Code> {
        match self.result {
            Result::Passed => None,
            Result::Failed => Some(Code::Failed),
            Result::TimedOut => Some(Code::TimedOut),
            Result::Interrupted => Some(Code::Interrupted),
        }
    }
}

/// How long a core has to be off for it to pay, if the scenario says so.
fn break_even_us(scenario: &Scenario) -> Option<f64> {
    scenario.power.as_ref().map(|power| power.break_even.0.as_secs_f64() * 1e6)
}

fn domains(scenario: &Scenario, outcome: &Outcome, story: &Story, map: Option<&CoreMap>) -> Vec<DomainSummary> {
    let summary = |(index, domain): (usize, &crate::scenario::Domain)| {
        let mut story = story.domains.get(index).cloned().unwrap_or_default();
        let verdict = outcome.kernel.domains.get(&domain.name);
        if let Some(verdict) = verdict {
            story.boots = story.boots.max(u64::from(verdict.boots));
        }
        let counts = map.map(|map| map.count(index)).unwrap_or_default();
        let end =
            verdict.map(|verdict| verdict.end.to_owned()).or(story.end.clone()).unwrap_or_else(|| "running".to_owned());
        DomainSummary {
            name: domain.name.clone(),
            end,
            expected: verdict.map(|verdict| verdict.expected),
            ok: verdict.map(|verdict| verdict.ok),
            cores: counts.into_iter().map(|(from_us, cores)| CoreCount { from_ms: from_us / 1e3, cores }).collect(),
            story,
        }
    };
    scenario.domains.iter().enumerate().map(summary).collect()
}

fn result(outcome: &Outcome, reasons: &[String]) -> Result {
    match outcome.stop {
        // A verdict that was there when the user left stands.
        Stop::Interrupted | Stop::Left if outcome.kernel.verdict.is_none() => Result::Interrupted,
        Stop::TimedOut(_) => Result::TimedOut,
        _ if reasons.is_empty() => Result::Passed,
        _ => Result::Failed,
    }
}

fn reasons(outcome: &Outcome, assertions: &[AssertionResult]) -> Vec<String> {
    let mut reasons = Vec::new();
    match &outcome.stop {
        Stop::Off => {}
        Stop::Failed(said) => reasons.push(format!("QEMU gave up: {}", said.trim())),
        Stop::TimedOut(limit) => {
            reasons.push(format!("still running after {} s", limit.as_secs_f64()));
        }
        Stop::Interrupted => reasons.push("interrupted".to_owned()),
        Stop::Left => reasons.push("the terminal was left before the end".to_owned()),
    }
    match outcome.kernel.verdict {
        Some(Verdict::Pass) => {}
        Some(Verdict::Fail) => {
            reasons.push("the kernel's verdict is: fail".to_owned());
            let bad = outcome.kernel.domains.iter().filter(|(_, domain)| !domain.ok);
            reasons.extend(bad.map(|(name, domain)| {
                let (end, expected) = (domain.end, domain.expected);
                format!("domain {name} ended with {end}, expected {expected}")
            }));
        }
        None if matches!(outcome.stop, Stop::Interrupted | Stop::Left) => {}
        None => reasons.push("the kernel gave no verdict".to_owned()),
    }
    reasons.extend(outcome.kernel.complaint.clone());
    let failed = assertions.iter().filter(|result| !result.passed);
    reasons.extend(failed.map(|result| format!("{}: {}", result.assertion, result.found)));
    reasons
}
