//! Many machines, several at a time, each with the faults that were drawn for it.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::calm::Calm;
use super::draw::{Case, Draw};
pub use super::report::Report;
use super::trial::Trial;
use super::verdict::{Judged, judge};
use crate::build::Verbosity;
use crate::bundle::Substitutes;
use crate::cli::{Clock, SetupArgs, Thread};
use crate::console::ConsoleId;
use crate::console::live::Place;
use crate::failure::{Code, Failure};
use crate::interrupt;
use crate::machine::Configuration;
use crate::run::{self, Draft, Hypervisor, Images, Plan, Refusal, Stop, Workshop};
use crate::scenario::{Scenario, Source};
use crate::ui::Ui;
use crate::workspace::{Workspace, shown};

/// The machine that is run again and again.
#[derive(Clone, Debug)]
pub struct Subject {
    plan: Plan,
    group: String,
    members: Vec<(ConsoleId, String)>,
    heartbeat_us: f64,
}

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where the faults are drawn from.
    pub seed: u64,
    /// The runs, by their numbers.
    pub runs: Range<u64>,
    /// The kinds of faults.
    pub kinds: Vec<Case>,
    /// Machines at a time.
    pub jobs: usize,
    /// Nothing is to fail, and this is to be looked at instead.
    pub calm: Option<Calm>,
}

/// The manifest's, for a group that names none.
const DEFAULT_HEARTBEAT_US: f64 = 500e3;

/// The cores of this host.
pub fn host_cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl Subject {
    /// Checks, fetches and builds what the machines of a scenario need. Its own events, faults and assertions do not
    /// count, and its service goes on for ever. A machine on which nothing is to fail has the host's clock.
    pub fn prepare(
        workspace: &Workspace,
        setup: &SetupArgs,
        path: &Path,
        calm: Option<Calm>,
        ui: Ui,
    ) -> Result<Self, Failure> {
        let source = Source::read(path)?;
        let mut scenario = Scenario::parse(&source)?;
        scenario.events.clear();
        scenario.faults.clear();
        scenario.assertions.clear();
        if let Some(calm) = calm {
            use_host_clock(&mut scenario);
            scenario.machine.time_limit.0 += calm.time;
        }
        let Some(group) = scenario.groups.first().cloned() else {
            return Err(Failure::new(Code::Usage, format!("{} has no group", shown(path)))
                .remedy("give a scenario with a [[group]] whose members count, such as failover.toml"));
        };
        for domain in scenario.domains.iter_mut().filter(|domain| group.members.contains(&domain.name)) {
            domain.cmdline = domain.cmdline.as_deref().map(without_end);
        }
        let draft = Draft::new(workspace, &source, &scenario, &Substitutes::default(), Refusal::ByHost)?;
        let workshop = Workshop { workspace, setup, ui, verbosity: Verbosity::Progress };
        let images = Images::make(&workshop, &[&draft], Hypervisor::Built)?;
        let console = |name: &String| Some((ConsoleId::named(&scenario, name)?, name.clone()));
        Ok(Self {
            members: group.members.iter().filter_map(console).collect(),
            heartbeat_us: group.heartbeat.map_or(DEFAULT_HEARTBEAT_US, |time| time.0.as_secs_f64() * 1e6),
            group: group.name,
            plan: Plan {
                configuration: Configuration::of(&scenario.machine),
                qemu: images.qemu().clone(),
                kernel: images.kernel().to_vec(),
                archive: images.archive(&draft)?,
                runs: workspace.campaign(),
                name: run::name_of(path),
                limit: Some(scenario.machine.time_limit.0),
                attach: None,
                view: Place::Nowhere,
                verbose: false,
                scenario,
            },
        })
    }

    /// One machine from its start to its judgement.
    fn run(&self, draw: Draw, calm: Option<Calm>) -> Result<Judged, Failure> {
        let mut trial = Trial::new(draw, calm, self.group.clone(), self.members.clone());
        let outcome = run::run_watched(&self.plan, &mut trial)?;
        if outcome.stop == Stop::Interrupted {
            return Err(Failure::interrupted());
        }
        let mut judged = judge(&draw, &trial, &self.plan.scenario, &outcome);
        if judged.ok {
            let _ = fs::remove_dir_all(&outcome.folder);
        } else {
            judged.logs = Some(shown(&outcome.folder));
        }
        Ok(judged)
    }
}

/// All its cores run at once, as time passes on the host. The deadlines of its groups were made for a clock that counts
/// instructions, if that was its clock; a group that names none has the manifest's.
fn use_host_clock(scenario: &mut Scenario) {
    if scenario.machine.clock == Clock::Instructions {
        for group in &mut scenario.groups {
            (group.heartbeat, group.start, group.progress) = (None, None, None);
        }
    }
    (scenario.machine.clock, scenario.machine.thread) = (Clock::Host, Thread::Multi);
}

/// A service that counts up to a number does not end before its time.
fn without_end(cmdline: &str) -> String {
    let word = |word: &str| match word.split_once("count=") {
        Some((prefix, _)) => format!("{prefix}count=0"),
        None => word.to_owned(),
    };
    cmdline.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// Runs all of them; `progress` hears how many are over, and how many of those are bad.
pub fn run(subject: &Subject, wanted: &Wanted, progress: impl Fn(u64, u64) + Sync) -> Result<Report, Failure> {
    let next = AtomicU64::new(wanted.runs.start);
    let results = Mutex::new(BTreeMap::new());
    let bad = AtomicU64::new(0);
    let work = || {
        while !interrupt::requested() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= wanted.runs.end {
                return;
            }
            let judged = subject.run(Draw::new(wanted.seed, number, &wanted.kinds), wanted.calm);
            match &judged {
                Ok(judged) if judged.ok => {}
                Ok(_) => drop(bad.fetch_add(1, Ordering::Relaxed)),
                // Without QEMU, or interrupted, the others would come to nothing either.
                Err(_) => next.store(wanted.runs.end, Ordering::Relaxed),
            }
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.insert(number, judged);
            progress(results.len() as u64, bad.load(Ordering::Relaxed));
        }
    };
    // QEMU dies with the thread that started it: each of these waits for its own.
    thread::scope(|scope| (0..wanted.jobs).for_each(|_| drop(scope.spawn(work))));
    interrupt::check()?;
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let results = results.into_values().collect::<Result<Vec<_>, _>>()?;
    Ok(Report::new(subject.plan.name.clone(), wanted.seed, subject.heartbeat_us, results))
}
