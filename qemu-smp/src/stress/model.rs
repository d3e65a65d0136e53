//! Worlds of the crate `kernel-model`, a process for each: what they were asked, and what came out.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::{Code, Failure};
use crate::process::{self, Limit};
use crate::setup::toolchain::cargo;
use crate::ui::Ui;
use crate::workspace::Workspace;

const PACKAGE: &str = "kernel-model";

/// Far longer than a world takes; one that runs on for ever is found by itself before that.
const LIMIT: Limit = Limit::After(Duration::from_secs(300));

/// A fault is tried after each turn of the scheduler up to this one; a move is over by then.
const LATEST: u64 = 400;

/// What worlds are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// Cores that move.
    #[default]
    Hotplug,
    /// Groups with faults.
    Failover,
}

impl Subject {
    /// Its word in `corral stress`.
    fn word(self) -> &'static str {
        match self {
            Self::Hotplug => "hotplug",
            Self::Failover => "failover",
        }
    }

    /// What is done.
    pub fn work(self) -> &'static str {
        match self {
            Self::Hotplug => "moving simulated cores",
            Self::Failover => "breaking simulated groups",
        }
    }

    /// What is counted.
    pub fn events(self) -> &'static str {
        match self {
            Self::Hotplug => "moves",
            Self::Failover => "faults",
        }
    }

    /// The model's word for one world, and how much happens in it. Then its domains have mostly ended, or rest in one
    /// another's way.
    fn world(self) -> (&'static str, u64) {
        match self {
            Self::Hotplug => ("world", 400),
            Self::Failover => ("failover", 60),
        }
    }

    fn count(self, world: &World) -> u64 {
        match self {
            Self::Hotplug => world.moves,
            Self::Failover => world.faults,
        }
    }
}

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// What happens.
    pub subject: Subject,
    /// The most cores of a machine.
    pub cores: u32,
    /// At least as many cores move, or faults happen.
    pub events: u64,
    /// Where all is drawn from.
    pub seed: u64,
    /// Only the world with this number.
    pub only: Option<u64>,
}

/// How often something happened: all of it, or by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Count {
    All(u64),
    Kinds(BTreeMap<String, u64>),
}

/// What a world says when it ends.
#[derive(Debug, Deserialize)]
struct World {
    moves: u64,
    faults: u64,
    steps: u64,
    counts: BTreeMap<String, Count>,
    violation: Option<String>,
    #[serde(default)]
    history: Vec<String>,
}

/// Something happened that must not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The world's number.
    pub world: u64,
    /// What happened.
    pub what: String,
    /// The last steps before it.
    pub history: Vec<String>,
}

/// What came out of all worlds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// See [`Wanted`].
    pub subject: Subject,
    /// See [`Wanted`].
    pub seed: u64,
    /// See [`Wanted`].
    pub cores: u32,
    /// Worlds that were run.
    pub worlds: u64,
    /// Cores that changed hands, went off or came back.
    pub moves: u64,
    /// Faults that were put into domains.
    pub faults: u64,
    /// Accesses to what cores share.
    pub steps: u64,
    pub(super) counts: BTreeMap<String, Count>,
    /// The first one.
    pub violation: Option<Violation>,
}

/// The model, built.
#[derive(Clone, Debug)]
pub struct Model {
    program: PathBuf,
}

/// One line of cargo's `--message-format=json`, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

/// Builds the model.
pub fn build(workspace: &Workspace, ui: Ui) -> Result<Model, Failure> {
    let mut command = cargo(workspace);
    command.args(["build", "--release", "--package", PACKAGE, "--message-format=json-render-diagnostics"]);
    let mut work = None;
    let finished = process::stream(&mut command, Limit::None, |_, line| {
        if line.trim_start().starts_with("Compiling") {
            work.get_or_insert_with(|| ui.work(format!("building {PACKAGE}"))).at(line.trim());
        }
    })?;
    if let Some(work) = work.filter(|_| finished.status.success()) {
        work.done("built");
    }
    let mut messages = finished.output.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    match messages.find_map(|message| message.executable) {
        Some(program) if finished.status.success() => Ok(Model { program }),
        _ => Err(Failure::new(Code::Failed, format!("cargo could not build {PACKAGE}"))
            .why(process::tail(&finished.errors, 60))),
    }
}

impl Model {
    /// Runs worlds, as many at a time as there are cores, until enough has happened; `progress` is told how much did.
    pub fn run(&self, wanted: &Wanted, progress: impl Fn(u64) + Sync) -> Result<Report, Failure> {
        let next = AtomicU64::new(wanted.only.unwrap_or(0));
        let (happened, over) = (AtomicU64::new(0), AtomicBool::new(false));
        let ended = Mutex::new(BTreeMap::new());
        let work = || {
            while !over.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let world = self.world(wanted, number);
                let events = world.as_ref().map_or(0, |world| wanted.subject.count(world));
                let happened = happened.fetch_add(events, Ordering::Relaxed) + events;
                progress(happened);
                let failed = world.as_ref().map_or(true, |world| world.violation.is_some());
                if failed || happened >= wanted.events || wanted.only.is_some() {
                    over.store(true, Ordering::Relaxed);
                }
                ended.lock().unwrap_or_else(PoisonError::into_inner).insert(number, world);
            }
        };
        let workers = if wanted.only.is_some() { 1 } else { workers() };
        thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
        let Wanted { subject, seed, cores, .. } = *wanted;
        let mut report = Report { subject, seed, cores, ..Report::default() };
        // In the order of their numbers, however fast each was.
        for (number, world) in ended.into_inner().unwrap_or_else(PoisonError::into_inner) {
            report.add(number, world?);
        }
        Ok(report)
    }

    fn world(&self, wanted: &Wanted, number: u64) -> Result<World, Failure> {
        let seed = wanted.seed.wrapping_mul(1_000_003).wrapping_add(number);
        let (word, events) = wanted.subject.world();
        self.say(&[word.to_owned(), seed.to_string(), wanted.cores.to_string(), events.to_string()])
    }

    /// Runs the program to its end, which is a line of JSON.
    fn say(&self, arguments: &[String]) -> Result<World, Failure> {
        let finished = process::capture(Command::new(&self.program).args(arguments), LIMIT)?;
        serde_json::from_str(&finished.output).map_err(|error| {
            Failure::new(Code::Failed, format!("`{PACKAGE} {}` did not say how it ended", arguments.join(" ")))
                .why(format!("{error}\n{}", process::tail(&finished.errors, 40)))
        })
    }

    /// The names of the faults that can be tried.
    pub fn faults(&self) -> Result<Vec<String>, Failure> {
        let finished = process::capture(Command::new(&self.program).arg("faults"), LIMIT)?;
        Ok(finished.output.lines().map(str::to_owned).collect())
    }

    /// Tries a fault at many moments; what was violated at the first of them at which something was.
    pub fn fault(&self, name: &str) -> Result<Option<String>, Failure> {
        let next = AtomicU64::new(0);
        let found = Mutex::new(BTreeMap::new());
        let work = || {
            loop {
                let delay = next.fetch_add(1, Ordering::Relaxed);
                if delay >= LATEST {
                    return;
                }
                let arguments = ["fault".to_owned(), name.to_owned(), delay.to_string()];
                let text = self.say(&arguments).map(|world| {
                    let again = format!("again: cargo run --release -p {PACKAGE} -- {}", arguments.join(" "));
                    world.violation.map(|what| format!("{}\n{name}: {what}\n{again}", world.history.join("\n")))
                });
                if !matches!(text, Ok(None)) {
                    next.store(LATEST, Ordering::Relaxed);
                    found.lock().unwrap_or_else(PoisonError::into_inner).insert(delay, text);
                }
            }
        };
        thread::scope(|scope| (0..workers()).for_each(|_| drop(scope.spawn(work))));
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.into_values().next().unwrap_or(Ok(None))
    }
}

fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl Report {
    fn add(&mut self, number: u64, world: World) {
        self.worlds += 1;
        self.moves += world.moves;
        self.faults += world.faults;
        self.steps += world.steps;
        for (what, count) in world.counts {
            match (self.counts.get_mut(&what), count) {
                (Some(Count::All(sum)), Count::All(count)) => *sum += count,
                (Some(Count::Kinds(sums)), Count::Kinds(kinds)) => {
                    kinds.into_iter().for_each(|(kind, count)| *sums.entry(kind).or_default() += count);
                }
                (_, count) => drop(self.counts.insert(what, count)),
            }
        }
        if let Some(what) = world.violation
            && self.violation.is_none()
        {
            self.violation = Some(Violation { world: number, what, history: world.history });
        }
    }

    /// How much happened of what it is about.
    pub fn events(&self) -> u64 {
        match self.subject {
            Subject::Hotplug => self.moves,
            Subject::Failover => self.faults,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "seed       {}\nworlds     {} of up to {} cores\n{:<10} {}\nsteps      {}",
            self.seed,
            self.worlds,
            self.cores,
            self.subject.events(),
            self.events(),
            self.steps
        );
        for (what, count) in &self.counts {
            // Writing to a string cannot fail.
            let _ = match count {
                Count::All(count) => write!(text, "\n{what:<20} {count}"),
                Count::Kinds(kinds) => {
                    let sum: u64 = kinds.values().sum();
                    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
                    write!(text, "\n{what:<20} {sum}: {}", kinds.join(", "))
                }
            };
        }
        let _ = match &self.violation {
            None => write!(text, "\nresult     all held"),
            Some(violation) => write!(text, "\n{}\nresult     VIOLATED", self.complaint(violation)),
        };
        text
    }

    /// What happened, after which steps, and how to see it again.
    pub fn complaint(&self, violation: &Violation) -> String {
        let (subject, seed, cores, world) = (self.subject.word(), self.seed, self.cores, violation.world);
        format!(
            "{}\nviolated   {}\nagain      cargo corral stress {subject} --cores {cores} --seed {seed} --world {world}",
            violation.history.join("\n"),
            violation.what
        )
    }
}
