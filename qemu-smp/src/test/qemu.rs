//! Suite `qemu`: scenarios on machines, each on every machine of its matrix; and bad manifests
//! that the kernel has to refuse by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::scenarios::{ScenarioFile, files};
use super::{Case, CaseResult, Context};
use crate::build::Verbosity;
use crate::bundle::Substitutes;
use crate::cli::Thread;
use crate::console::live::Place;
use crate::failure::Failure;
use crate::machine::Configuration;
use crate::run::verdict::Verdict;
use crate::run::{self, Draft, Hypervisor, Images, Outcome, Plan, Refusal, Workshop};
use crate::scenario::{Scenario, Source, Variant};
use crate::summary::text::{self, Seen};
use crate::summary::{Result as RunResult, Summary};
use crate::ui::{Detail, Ui};

/// Scenarios in this folder are tests even without a `[test]` table.
const TESTS: &str = "tests/";

/// A case for each scenario and machine.
pub fn cases(context: &Context) -> Result<Vec<Case>, Failure> {
    let mut subjects = Vec::new();
    for file in files(context)? {
        if file.is_bad() {
            subjects.extend(refused(context, &file));
        } else {
            subjects.extend(tested(context, &file)?);
        }
    }
    let laboratory = Arc::new(Laboratory {
        context: context.clone(),
        subjects,
        images: OnceLock::new(),
        complained: AtomicBool::new(false),
    });
    let case = |index: usize, subject: &Subject| {
        let running = Arc::clone(&laboratory);
        let run = move || CaseResult::from_result(running.run(index));
        match subject.scenario.machine.thread {
            Thread::Single => Case::shared(&subject.name, run),
            Thread::Multi => Case::alone(&subject.name, run),
        }
    };
    Ok(laboratory.subjects.iter().enumerate().map(|(index, subject)| case(index, subject)).collect())
}

/// What a run has to come to.
#[derive(Clone, Debug)]
enum Expected {
    /// It passes.
    Pass,
    /// The kernel refuses the manifest and says this.
    Refusal(String),
}

/// A scenario on a machine.
struct Subject {
    name: String,
    folder: String,
    scenario: Scenario,
    draft: Draft,
    expected: Expected,
}

/// The subjects of a scenario that is a test: one for each machine of its matrix.
fn tested(context: &Context, file: &ScenarioFile) -> Result<Vec<Subject>, Failure> {
    let source = Source::read(&file.path)?;
    let scenario = Scenario::parse(&source)?;
    let matrix = match &scenario.test {
        Some(test) if !test.matrix.is_empty() => test.matrix.clone(),
        None if !file.name.starts_with(TESTS) => Vec::new(),
        _ => vec![Variant::default()],
    };
    let subject = |variant: &Variant| {
        let mut scenario = scenario.clone();
        scenario.machine = Configuration::from_variant(&scenario.machine, variant).machine;
        let machine = &scenario.machine;
        let name = match variant {
            Variant { cpu: None, thread: None, cores: None } => file.name.clone(),
            _ => format!("{} [{} {} {}]", file.name, machine.cpu, machine.cores, machine.thread.name()),
        };
        let none = Substitutes::default();
        Ok(Subject {
            name,
            folder: run::name_of(&file.path),
            draft: Draft::new(&context.workspace, &source, &scenario, &none, Refusal::ByHost)?,
            scenario,
            expected: Expected::Pass,
        })
    };
    matrix.iter().map(subject).collect()
}

/// The subject of a manifest that the host refuses: the kernel has to refuse it too, in the same
/// words. None if the host cannot even write it as a manifest.
fn refused(context: &Context, file: &ScenarioFile) -> Option<Subject> {
    let source = Source::read(&file.path).ok()?;
    let scenario = Scenario::parse(&source).ok()?;
    let draft = |refusal| Draft::new(&context.workspace, &source, &scenario, &Substitutes::default(), refusal);
    draft(Refusal::ByHost).err()?;
    Some(Subject {
        name: format!("{} at boot", file.name),
        folder: run::name_of(&file.path),
        draft: draft(Refusal::ByKernel).ok()?,
        scenario: scenario.clone(),
        expected: Expected::Refusal(file.expected_error().ok()?),
    })
}

/// All subjects, and what their machines start from: made once, by whoever comes first.
struct Laboratory {
    context: Context,
    subjects: Vec<Subject>,
    images: OnceLock<Result<Images, Failure>>,
    /// Whether a case has said why there are no images.
    complained: AtomicBool,
}

impl Laboratory {
    fn images(&self) -> &Result<Images, Failure> {
        self.images.get_or_init(|| {
            let workshop = Workshop {
                workspace: &self.context.workspace,
                setup: &self.context.setup,
                ui: Ui::new(Detail::Work),
                verbosity: Verbosity::Progress,
            };
            let drafts: Vec<&Draft> = self.subjects.iter().map(|subject| &subject.draft).collect();
            Images::make(&workshop, &drafts, Hypervisor::Built)
        })
    }

    fn run(&self, index: usize) -> Result<String, String> {
        let subject = self.subjects.get(index).ok_or("there is no such case")?;
        let images = self.images().as_ref().map_err(|failure| match self.complained.swap(true, Ordering::Relaxed) {
            false => failure.to_string(),
            true => "there is nothing to boot, see above".to_owned(),
        })?;
        let scenario = subject.scenario.clone();
        let plan = Plan {
            configuration: Configuration::from_variant(&scenario.machine, &Variant::default()),
            qemu: images.qemu().clone(),
            kernel: images.kernel().to_vec(),
            archive: images.archive(&subject.draft).map_err(|failure| failure.to_string())?,
            runs: self.context.workspace.runs(),
            name: subject.folder.clone(),
            limit: Some(scenario.machine.time_limit.0),
            attach: None,
            view: Place::Nowhere,
            verbose: false,
            scenario,
        };
        let outcome = run::run(&plan).map_err(|failure| failure.to_string())?;
        judge(&subject.expected, &plan, &outcome)
    }
}

fn judge(expected: &Expected, plan: &Plan, outcome: &Outcome) -> Result<String, String> {
    let summary = Summary::new(plan, outcome);
    let shown = || text::render(&summary, &outcome.logs, Seen::No);
    match expected {
        Expected::Pass if summary.result == RunResult::Passed => Ok(String::new()),
        Expected::Pass => Err(shown()),
        Expected::Refusal(words) => {
            let kernel = outcome.logs.first().map(|(_, log)| log.tail()).unwrap_or_default();
            let said = kernel.iter().any(|line| line.contains(words));
            if said && outcome.kernel.verdict == Some(Verdict::Fail) {
                return Ok("refused".to_owned());
            }
            Err(format!("the kernel should say: {words}\n{}", shown()))
        }
    }
}
