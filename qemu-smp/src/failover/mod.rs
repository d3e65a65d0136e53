//! `corral failover`: a campaign of faults against a redundant service, judged from outside.

mod args;
pub mod calm;
pub mod campaign;
mod draw;
mod observer;
mod picture;
mod report;
mod starved;
#[cfg(test)]
mod tests;
mod trial;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

pub use args::FailoverArgs;
use calm::Calm;
use campaign::{Subject, Wanted};
pub use draw::Case;

use crate::failure::{Code, Failure};
use crate::interrupt;
use crate::scenario;
use crate::ui::{Detail, Ui, say};
use crate::workspace::Workspace;

/// Machines of a campaign.
const RUNS: u64 = 20;

/// Runs a campaign and tells what came out.
pub fn command(workspace: &Workspace, args: &FailoverArgs) -> Result<Option<Code>, Failure> {
    let default = PathBuf::from(if args.linux { "failover-linux" } else { "failover" });
    let path = scenario::find(workspace, args.scenario.as_deref().unwrap_or(&default))?;
    let calm = args.no_fault.map(|time| Calm { time: time.0, host_load: args.host_load });
    let subject = Subject::prepare(workspace, &args.setup, &path, calm, Ui::new(Detail::Work))?;
    let runs = args.runs.unwrap_or(if calm.is_some() { 1 } else { RUNS });
    let wanted = Wanted {
        seed: args.seed,
        runs: args.only.map_or(0..runs, |number| number..number + 1),
        kinds: match calm {
            Some(_) => vec![Case::None],
            None if args.kinds.is_empty() => Case::value_variants().to_vec(),
            None => args.kinds.clone(),
        },
        jobs: args.jobs.map_or_else(|| if calm.is_some() { 1 } else { campaign::host_cores() }, usize::from),
        calm,
    };
    let work = Ui::new(Detail::All).work(if calm.is_some() { "watching" } else { "breaking primaries" });
    let total = wanted.runs.end - wanted.runs.start;
    let report = campaign::run(&subject, &wanted, |done, bad| {
        work.at(&format!("{done} of {total} runs, {bad} bad"));
        work.percent(100.0 * done as f64 / total.max(1) as f64);
    })?;
    work.done(&format!("{} runs", report.results.len()));
    let json_to_output = args.json.as_deref() == Some(Path::new("-"));
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|error| Failure::new(Code::Failed, "cannot write the results").why(error.to_string()))?;
        if json_to_output { say(text) } else { store(path, &text)? }
    }
    if let Some(path) = &args.picture {
        let drawn = picture::render(&report);
        store(path, &drawn.map_err(|why| Failure::new(Code::Failed, "cannot draw the picture").why(why))?)?;
    }
    if json_to_output {
        eprintln!("{}", report.text())
    } else {
        say(report.text())
    }
    interrupt::check()?;
    Ok((!report.is_good()).then_some(Code::Failed))
}

fn store(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::file("cannot write", path, &error))
}
