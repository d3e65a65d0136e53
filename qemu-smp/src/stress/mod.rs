//! `corral stress`: random operations against a small specification.

mod args;
pub mod model;
mod orders;
pub mod qemu;
mod report;
mod spec;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

pub use args::{FailoverArgs, HotplugArgs, StressArgs, Subject};
use serde::Serialize;

use crate::failure::{Code, Failure};
use crate::ui::{Detail, Ui, say};
use crate::workspace::Workspace;

/// Cores that change hands in the model, faults there, and cores that orders move under QEMU.
const MOVES: u64 = 100_000;
const FAULTS: u64 = 10_000;
const ORDERED: u64 = 100;

/// Stresses what the user asked for.
pub fn command(workspace: &Workspace, args: &StressArgs) -> Result<Option<Code>, Failure> {
    match &args.subject {
        Subject::Hotplug(args) if args.qemu => on_qemu(workspace, args),
        Subject::Hotplug(HotplugArgs { cores, moves, seed, world, json, report, .. }) => {
            let (subject, events) = (model::Subject::Hotplug, moves.unwrap_or(MOVES));
            let wanted = model::Wanted { subject, cores: *cores, events, seed: *seed, only: *world };
            on_model(workspace, &wanted, *json, report.as_deref())
        }
        Subject::Failover(FailoverArgs { cores, faults, seed, world, json, report }) => {
            let (subject, events) = (model::Subject::Failover, faults.unwrap_or(FAULTS));
            let wanted = model::Wanted { subject, cores: *cores, events, seed: *seed, only: *world };
            on_model(workspace, &wanted, *json, report.as_deref())
        }
    }
}

fn on_model(
    workspace: &Workspace,
    wanted: &model::Wanted,
    as_json: bool,
    folder: Option<&Path>,
) -> Result<Option<Code>, Failure> {
    let ui = Ui::new(Detail::All);
    let model = model::build(workspace, ui)?;
    let work = ui.work(wanted.subject.work());
    let report = model.run(wanted, |events| work.percent(100.0 * events as f64 / wanted.events as f64))?;
    work.done(&format!("{} {} in {} worlds", report.events(), wanted.subject.events(), report.worlds));
    if let Some(folder) = folder {
        store(folder, &report)?;
    }
    if as_json {
        say(json(&report)?);
    } else {
        say(report.text());
    }
    Ok(report.violation.is_some().then_some(Code::Failed))
}

fn on_qemu(workspace: &Workspace, args: &HotplugArgs) -> Result<Option<Code>, Failure> {
    let moves = args.moves.unwrap_or(ORDERED);
    let load = args.load.unwrap_or_else(|| qemu::load_for(moves));
    let wanted = qemu::Wanted { cores: args.cores, moves, seed: args.seed, load };
    let plan = qemu::plan(workspace, &args.setup, Ui::new(Detail::Work), &wanted)?;
    let work = Ui::new(Detail::All).work("moving cores under QEMU");
    let ran = qemu::run(plan, &wanted, |step, moved| {
        work.at(&format!("{step}, {moved} of {} cores have moved", wanted.moves));
        work.percent(100.0 * moved as f64 / wanted.moves as f64);
    })?;
    let tally = &ran.report.tally;
    work.done(&format!("{} cores by {} orders", tally.moves(), tally.orders));
    if let Some(folder) = &args.report {
        crate::report::write(folder, &ran.report.run, &ran.plan.scenario, &ran.outcome)?;
        store(folder, &ran.report)?;
    }
    if args.json {
        say(json(&ran.report)?);
    } else {
        say(ran.report.text());
    }
    Ok(ran.report.code())
}

fn json(report: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(report)
        .map_err(|error| Failure::new(Code::Failed, "cannot write the report").why(error.to_string()))
}

fn store(folder: &Path, report: &impl Serialize) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::file("cannot create", folder, &error))?;
    let path = folder.join("report.json");
    fs::write(&path, json(report)?).map_err(|error| Failure::file("cannot write", &path, &error))
}
