//! `corral run`: from a scenario to a judged run.

mod log_line;
mod prepare;
mod session;
#[cfg(test)]
mod tests;
mod timeline;
pub mod verdict;

use std::path::Path;

pub(crate) use log_line::LogLine;
pub use prepare::{Draft, Hypervisor, Images, Refusal, Workshop};
pub use session::{Guide, Outcome, Plan, Stop, Watcher, run, run_guided, run_watched};

use crate::build::Verbosity;
use crate::bundle::Substitutes;
use crate::cli::{Clock, RunArgs};
use crate::console::live::Place;
use crate::failure::{Code, Failure};
use crate::machine::Configuration;
use crate::report;
use crate::scenario::{self, Scenario, Source};
use crate::summary::Summary;
use crate::summary::text::{self, Seen};
use crate::ui::{Detail, Ui, say};
use crate::workspace::Workspace;

/// Runs a scenario and tells how it went; the code to exit with.
pub fn command(workspace: &Workspace, args: &RunArgs) -> Result<Option<Code>, Failure> {
    let plan = plan(workspace, args)?;
    let outcome = run(&plan)?;
    let summary = Summary::new(&plan, &outcome);
    let seen = if args.attach.is_some() { Seen::No } else { Seen::Yes };
    let text = text::render(&summary, &outcome.logs, seen);
    if args.json {
        eprint!("{text}");
        say(report::json(&summary)?);
    } else {
        say(text.trim_end());
    }
    if let Some(folder) = &args.report {
        report::write(folder, &summary, &plan.scenario, &outcome)?;
        eprintln!("report: {}", folder.display());
    }
    Ok(summary.code())
}

/// Checks, fetches and builds what the run needs.
fn plan(workspace: &Workspace, args: &RunArgs) -> Result<Plan, Failure> {
    let path = scenario::find(workspace, args.scenario())?;
    let source = Source::read(&path)?;
    let mut scenario = Scenario::parse(&source)?;
    let mut configuration = Configuration::from_args(&scenario.machine, &args.machine);
    if args.attach.is_some() && !args.machine.icount {
        // A person's time passes as everywhere.
        configuration.clock = Clock::Host;
    }
    scenario.machine = configuration.machine.clone();
    let substitutes = Substitutes { kernel: args.kernel.clone(), initramfs: args.initramfs.clone() };
    let draft = Draft::new(workspace, &source, &scenario, &substitutes, Refusal::ByHost)?;
    let workshop = Workshop {
        workspace,
        setup: &args.setup,
        ui: Ui::new(Detail::Work),
        verbosity: if args.verbose { Verbosity::Everything } else { Verbosity::Progress },
    };
    let hypervisor = args.hypervisor.as_deref().map_or(Hypervisor::Built, Hypervisor::File);
    let images = Images::make(&workshop, &[&draft], hypervisor)?;
    // A person at the terminal takes as long as it takes.
    let limit = match (args.timeout, &args.attach) {
        (Some(timeout), _) => Some(timeout.0),
        (None, Some(_)) => None,
        (None, None) => Some(scenario.machine.time_limit.0),
    };
    Ok(Plan {
        configuration,
        qemu: images.qemu().clone(),
        kernel: images.kernel().to_vec(),
        archive: images.archive(&draft)?,
        runs: workspace.runs(),
        name: name_of(&path),
        limit,
        attach: args.attach.clone(),
        view: if args.json { Place::Errors } else { Place::Output },
        verbose: args.verbose,
        scenario,
    })
}

/// The name of a scenario file, fit for a folder's name.
pub fn name_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.chars().map(|character| if character.is_alphanumeric() { character } else { '-' }).collect()
}
