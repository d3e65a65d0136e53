//! What became of one machine of a campaign.

use domains::manifest::{Board, GroupError, InjectedFault};
use serde::Serialize;
use smp::trace::ExitReason;

use super::calm::Watched;
use super::draw::{Case, Draw};
use super::observer::Finding;
use super::trial::{Stage, Trial};
use crate::run::{Outcome, Stop};
use crate::scenario::Scenario;
use crate::summary::failovers::{Failovers, OneFailover};
use crate::trace::Story;
use crate::trace::failover::Failover;

smp::named! {
    /// How it came out.
    pub enum Class {
        /// A standby took over, and there is a standby again.
        TakenOver = 0 "taken over",
        /// The primary served all the time; if the standby failed, it came back.
        WentOn = 1 "went on",
        /// The primary began anew in its place.
        Restarted = 2 "restarted",
        /// The service goes on, without a standby: a core is lost.
        Alone = 3 "goes on alone",
        /// The group ended: no core that answers was left for it.
        Ended = 4 "nobody left",
        /// Two primaries at once.
        SplitBrain = 5 "split brain",
        /// Records were acknowledged and lost.
        Lost = 6 "committed loss",
        /// Records were acknowledged twice.
        Twice = 7 "double commit",
        /// Records were skipped, or a primary did not say that it is one.
        Gap = 8 "out of order",
        /// The service did not go on.
        Silence = 9 "no recovery",
        /// The service goes on, and no standby came back.
        Unhealed = 10 "no standby again",
        /// A member was found to have failed that had not.
        FalseAlarm = 11 "false alarm",
        /// A domain outside the group noticed something.
        Disturbed = 12 "bystander hit",
        /// The kernel gave up, or did not do what it was ordered to.
        Kernel = 13 "kernel failed",
    }
}

impl Class {
    /// Whether that may be.
    pub fn is_good(self) -> bool {
        (self as u32) < Self::SplitBrain as u32
    }
}

/// A run and its judgement.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// Its number; with the seed it says what was done.
    pub number: u64,
    /// What failed.
    pub case: Case,
    /// The faults, in a few words.
    pub faults: String,
    /// How it came out.
    pub outcome: &'static str,
    /// Whether that may be.
    pub ok: bool,
    /// Why it may not be.
    pub why: Vec<String>,
    /// What the observer found.
    pub findings: Vec<Finding>,
    /// Records that were acknowledged.
    pub acknowledged: u64,
    /// What the kernel did.
    pub failovers: Vec<OneFailover>,
    /// How often a member was given more time for a sign of life, as one of the cores had none to run.
    pub put_off: usize,
    /// How the service went, if nothing was to fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched: Option<Watched>,
    /// From one record to the next, each time that the service was interrupted, if its lines say when.
    pub silences_us: Vec<u64>,
    /// Trace records that were overwritten before they could be read.
    pub trace_lost: u64,
    /// Time on the host.
    pub elapsed_ms: u64,
    /// Where the logs are, if they were kept.
    pub logs: Option<String>,
    /// The same as `outcome`.
    #[serde(skip)]
    pub class: Class,
}

/// Judges a run.
pub fn judge(draw: &Draw, trial: &Trial, scenario: &Scenario, outcome: &Outcome) -> Judged {
    let Failovers { list: failovers, put_off, .. } = Failovers::new(scenario, outcome.trace.as_ref());
    let (class, why) = class(draw, trial, scenario, outcome, &failovers);
    let observer = trial.observer();
    Judged {
        number: draw.number,
        case: draw.case,
        faults: draw.about(),
        outcome: class.name(),
        ok: class.is_good(),
        why,
        findings: observer.findings().to_vec(),
        acknowledged: observer.acknowledged(),
        failovers,
        put_off,
        watched: trial.watched(),
        silences_us: observer.silences_us(),
        trace_lost: outcome.trace.as_ref().map_or(0, |trace| trace.lost),
        elapsed_ms: u64::try_from(outcome.elapsed.as_millis()).unwrap_or(u64::MAX),
        logs: None,
        class,
    }
}

fn class(
    draw: &Draw,
    trial: &Trial,
    scenario: &Scenario,
    outcome: &Outcome,
    failovers: &[OneFailover],
) -> (Class, Vec<String>) {
    let findings = trial.observer().findings();
    if let Some(worst) = findings.iter().map(of_finding).min_by_key(|class| *class as u32) {
        return (worst, findings.iter().map(ToString::to_string).collect());
    }
    if let Some(complaint) = &outcome.kernel.complaint {
        return (Class::Kernel, vec![complaint.clone()]);
    }
    if let Stop::Failed(said) = &outcome.stop {
        return (Class::Kernel, vec![format!("QEMU gave up: {}", said.trim())]);
    }
    if let Some(refusal) = trial.refusal() {
        return (Class::Kernel, vec![format!("an order was refused: {refusal}")]);
    }
    let false_alarms: Vec<String> = failovers.iter().filter(|one| is_unprovoked(&one.failover)).map(alarm).collect();
    if !false_alarms.is_empty() && outcome.trace.as_ref().is_some_and(|trace| trace.lost == 0) {
        return (Class::FalseAlarm, false_alarms);
    }
    let is_replaced = trial.observer().terms().len() > 1;
    if draw.case == Case::None && (is_replaced || !trial.alarms().is_empty()) {
        return (Class::FalseAlarm, trial.alarms().to_vec());
    }
    let disturbed = disturbed(scenario, outcome);
    if !disturbed.is_empty() {
        return (Class::Disturbed, disturbed);
    }
    let silent = |fault| fault == Some(InjectedFault::Silent);
    let may_end = silent(draw.second) && (silent(draw.fault) || draw.case == Case::DuringTakeover);
    if trial.stage() != Stage::Over {
        if outcome.kernel.verdict.is_some() && may_end {
            return (Class::Ended, Vec::new());
        }
        let how = match &outcome.stop {
            Stop::TimedOut(limit) => format!("nothing for {} s on the host", limit.as_secs()),
            _ => "the machine ended".to_owned(),
        };
        return (Class::Silence, vec![how]);
    }
    match (trial.is_redundant(), silent(draw.fault) || silent(draw.second)) {
        (false, true) => (Class::Alone, Vec::new()),
        (false, false) => (Class::Unhealed, vec!["no standby came back".to_owned()]),
        _ if matches!(draw.case, Case::Standby | Case::None) => (Class::WentOn, Vec::new()),
        _ if trial.is_replaced() || draw.case == Case::DuringTakeover => (Class::TakenOver, Vec::new()),
        _ => (Class::Restarted, Vec::new()),
    }
}

/// What happened to domains that are in no group: they run as if nothing had, and none of their cores is called to EL2.
fn disturbed(scenario: &Scenario, outcome: &Outcome) -> Vec<String> {
    let Some(trace) = &outcome.trace else { return Vec::new() };
    let story = Story::from_trace(trace, scenario.domains.len());
    let others = scenario.domains.iter().zip(&story.domains).enumerate();
    let others = others.filter(|(index, _)| scenario.group_of(*index).is_none());
    let what = others.filter_map(|(_, (domain, story))| {
        let kicks = story.exits.get(ExitReason::Kick.name()).copied().unwrap_or(0);
        let is_native = domain.board.as_deref() == Some(Board::None.name());
        let what = match story {
            _ if story.boots > 1 => format!("started {} times", story.boots),
            _ if !story.faults.is_empty() => "had a fault".to_owned(),
            _ if story.context_moves > 0 => "had to change cores".to_owned(),
            _ if is_native && kicks > 0 => format!("was called to EL2 {kicks} times"),
            _ => return None,
        };
        Some(format!("{} {what}", domain.name))
    });
    what.collect()
}

fn of_finding(finding: &Finding) -> Class {
    match finding {
        Finding::SplitBrain { .. } => Class::SplitBrain,
        Finding::Lost { .. } => Class::Lost,
        Finding::Twice { .. } => Class::Twice,
        Finding::Gap { .. } | Finding::Unannounced { .. } => Class::Gap,
    }
}

/// Nobody had put a fault into the member, nor ordered anything.
fn is_unprovoked(failover: &Failover) -> bool {
    failover.injected_us.is_none() && failover.error != GroupError::Order
}

fn alarm(one: &OneFailover) -> String {
    let failover = &one.failover;
    let at = failover.detected_us / 1e3;
    format!("{} {} was found to have failed at {at:.2} ms ({})", failover.role, one.from, failover.error)
}
