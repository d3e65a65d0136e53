//! Cases of the suite `failover`: the crate `failover-model`: whole failovers on simulated cores, with faults; and that it notices what
//! is left out.

use std::process::Command;

use super::{Case, CaseResult, Context};
use crate::failure::Failure;
use crate::process::{self, tail};
use crate::setup::toolchain::cargo;
use crate::workspace::Workspace;

const FAULTS: &str = "10000";
const SEED: &str = "1";
/// Lines that are shown.
const SHOWN: usize = 60;

/// One for the faults, and one for each flaw.
pub fn cases(context: &Context) -> Vec<Case> {
    let case = |name: &'static str, run: fn(&Workspace) -> Result<CaseResult, Failure>| {
        let workspace = context.workspace.clone();
        Case::alone(name, move || run(&workspace).unwrap_or_else(CaseResult::fail))
    };
    vec![case("model", faults), case("model-notices", flaws)]
}

/// A cargo command for the model.
pub fn cargo_shuttle(workspace: &Workspace, subcommand: &str) -> Command {
    let mut command = cargo(workspace);
    command
        .args([subcommand, "--package", "failover-model"])
        .env("RUSTFLAGS", "--cfg shuttle")
        .env("CARGO_TARGET_DIR", workspace.shuttle_target());
    command
}

fn model(workspace: &Workspace, words: &[&str]) -> Result<process::Finished, Failure> {
    let mut command = cargo_shuttle(workspace, "run");
    process::capture(command.args(["--release", "--quiet", "--"]).args(words), super::cargo::LIMIT)
}

fn faults(workspace: &Workspace) -> Result<CaseResult, Failure> {
    let ran = model(workspace, &["faults", FAULTS, SEED])?;
    let count = |what: &str| {
        let line = ran.output.lines().find_map(|line| line.strip_suffix(what)?.split_whitespace().last()?.parse().ok());
        line.unwrap_or(0u64)
    };
    let (faults, takeovers) = (count("  faults"), count("  takeovers"));
    if !ran.status.success() || faults < FAULTS.parse().unwrap_or(u64::MAX) || takeovers == 0 {
        return Ok(CaseResult::fail(format!("{}\n{}", tail(&ran.output, SHOWN), tail(&ran.errors, SHOWN))));
    }
    Ok(CaseResult { output: ran.output.clone(), ..CaseResult::pass(format!("{faults} faults, {takeovers} takeovers")) })
}

fn flaws(workspace: &Workspace) -> Result<CaseResult, Failure> {
    let names = model(workspace, &["flaws"])?;
    let mut result = CaseResult::default();
    for name in names.output.lines() {
        let ran = model(workspace, &["flaw", name, FAULTS, SEED])?;
        if ran.status.code() == Some(1) && ran.errors.contains("BROKEN") {
            result.passed += 1;
        } else {
            result.failed += 1;
            result.output.push_str(&format!("{name} was not noticed\n{}\n", tail(&ran.errors, SHOWN)));
        }
    }
    if result.passed + result.failed == 0 {
        return Ok(CaseResult::fail(tail(&names.errors, SHOWN)));
    }
    result.note = format!("{} flaws", result.passed + result.failed);
    Ok(result)
}
