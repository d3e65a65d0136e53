//! `corral bench`: hands over to the crate `bench`, which is built on this one.

use std::process::Command;

use crate::cli::BenchArgs;
use crate::failure::{Code, Failure};
use crate::workspace::Workspace;

/// Builds and runs the benchmarks; their exit code is the command's.
pub fn command(workspace: &Workspace, args: &BenchArgs) -> Result<Option<Code>, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--release", "--package", "bench", "--"])
        .args(&args.arguments)
        .current_dir(workspace.root())
        .status()
        .map_err(|error| Failure::new(Code::Failed, "cannot run cargo").why(error.to_string()))?;
    Ok(Code::from_status(status.code()))
}
