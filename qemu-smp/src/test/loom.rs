//! Suite `loom`: the models of everything that cores share. A model that explored nothing proves
//! nothing, so executions are counted.

use std::process::Command;

use super::{Case, CaseResult, Context};
use crate::failure::Failure;
use crate::process;
use crate::setup::toolchain::cargo;
use crate::workspace::Workspace;

/// One case: all models, in one `cargo test`.
pub fn cases(context: &Context) -> Result<Vec<Case>, Failure> {
    let workspace = context.workspace.clone();
    Ok(vec![Case::alone("models", move || {
        let mut command = cargo_loom(&workspace, "test");
        match process::capture(command.args(["--release", "--no-fail-fast"]), super::cargo::LIMIT) {
            Ok(finished) => judge(&finished.output, &finished.errors, finished.status.success()),
            Err(failure) => CaseResult::fail(failure),
        }
    })])
}

/// A cargo command for the models.
pub fn cargo_loom(workspace: &Workspace, subcommand: &str) -> Command {
    let mut command = cargo(workspace);
    command
        .args([subcommand, "--package", "loom-tests"])
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", workspace.loom_target());
    command
}

/// What a run of the models came to.
pub fn judge(output: &str, errors: &str, success: bool) -> CaseResult {
    let (passed, mut failed) = super::cargo::counts(output);
    let models: Vec<u64> = output.lines().filter_map(executions).collect();
    let mut complaint = String::new();
    if models.len() < passed || models.contains(&0) {
        complaint = format!("{passed} tests passed, but only {} models ran\n", models.len());
        failed += 1;
    }
    if passed + failed == 0 || (!success && failed == 0) {
        complaint.push_str(&process::tail(errors, 40));
        failed += 1;
    }
    let total: u64 = models.iter().sum();
    CaseResult {
        passed,
        failed,
        note: format!("{} models, {total} executions", models.len()),
        output: format!("{complaint}\n{}", process::tail(output, 60)),
    }
}

/// The count in `loom: NAME: COUNT executions`.
fn executions(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("loom: ")?;
    let count = rest.strip_suffix(" executions")?.rsplit(' ').next()?;
    count.parse().ok()
}
