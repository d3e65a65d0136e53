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

pub use args::{HotplugArgs, StressArgs, Subject};
use serde::Serialize;

use crate::failure::{Code, Failure};
use crate::ui::{Detail, Ui, say};
use crate::workspace::Workspace;

/// Cores that change hands in the model, and orders under QEMU.
const MOVES: u64 = 100_000;
const ORDERS: u64 = 200;

/// Stresses what the user asked for.
pub fn command(workspace: &Workspace, args: &StressArgs) -> Result<Option<Code>, Failure> {
    let Subject::Hotplug(args) = &args.subject;
    if args.qemu { on_qemu(workspace, args) } else { on_model(workspace, args) }
}

fn on_model(workspace: &Workspace, args: &HotplugArgs) -> Result<Option<Code>, Failure> {
    let ui = Ui::new(Detail::All);
    let model = model::build(workspace, ui)?;
    let moves = args.moves.unwrap_or(MOVES);
    let wanted = model::Wanted { cores: args.cores, moves, seed: args.seed, only: args.world };
    let work = ui.work("moving simulated cores");
    let report = model.run(&wanted, |moved| work.percent(100.0 * moved as f64 / moves as f64))?;
    work.done(&format!("{} moves in {} worlds", report.moves, report.worlds));
    if let Some(folder) = &args.report {
        store(folder, &report)?;
    }
    if args.json {
        say(json(&report)?);
    } else {
        say(report.text());
    }
    Ok(report.violation.is_some().then_some(Code::Failed))
}

fn on_qemu(workspace: &Workspace, args: &HotplugArgs) -> Result<Option<Code>, Failure> {
    let orders = args.moves.unwrap_or(ORDERS);
    let load = args.load.unwrap_or_else(|| qemu::load_for(orders));
    let wanted = qemu::Wanted { cores: args.cores, orders, seed: args.seed, load };
    let plan = qemu::plan(workspace, &args.setup, Ui::new(Detail::Work), &wanted)?;
    let work = Ui::new(Detail::All).work("moving cores under QEMU");
    let ran = qemu::run(plan, &wanted, |step, orders| {
        work.at(&format!("{step}, {orders} of {} orders are over", wanted.orders));
        work.percent(100.0 * orders as f64 / wanted.orders as f64);
    })?;
    work.done(&format!("{} orders", ran.report.tally.orders));
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
