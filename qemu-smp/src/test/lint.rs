//! Suite `lint`: size limits, the format, and clippy without a warning.

use std::fs;

use super::cargo::succeeds;
use super::{Case, CaseResult, Context, failover_model, loom, size};
use crate::failure::Failure;
use crate::setup::toolchain::{self, cargo};
use crate::ui::{Detail, Ui};

/// Clippy's arguments after cargo's.
const NO_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];

/// Crates that are built for the target, beside the native guests.
const TARGET_PACKAGES: [&str; 5] = ["kernel", "smp", "domains", "hotplug", "failover"];

/// A case for the format, and one for each way to build.
pub fn cases(context: &Context) -> Result<Vec<Case>, Failure> {
    let format = {
        let workspace = context.workspace.clone();
        move || succeeds(cargo(&workspace).args(["fmt", "--all", "--check"]))
    };
    let host = {
        let workspace = context.workspace.clone();
        move || succeeds(cargo(&workspace).args(["clippy", "--quiet", "--all-targets"]).args(NO_WARNINGS))
    };
    let models = {
        let workspace = context.workspace.clone();
        move || succeeds(loom::cargo_loom(&workspace, "clippy").args(["--quiet", "--all-targets"]).args(NO_WARNINGS))
    };
    let failovers = {
        let workspace = context.workspace.clone();
        move || {
            succeeds(
                failover_model::cargo_shuttle(&workspace, "clippy").args(["--quiet", "--release"]).args(NO_WARNINGS),
            )
        }
    };
    let target = {
        let workspace = context.workspace.clone();
        let packages = target_packages(context);
        move || match toolchain::ensure(&workspace, Ui::new(Detail::Work)) {
            Err(failure) => CaseResult::fail(failure),
            Ok(toolchain) => {
                let mut command = toolchain.cargo(&workspace, "clippy");
                command.arg("--quiet");
                for package in &packages {
                    command.args(["--package", package]);
                }
                succeeds(command.args(NO_WARNINGS))
            }
        }
    };
    let lines = {
        let workspace = context.workspace.clone();
        move || size::lines(&workspace)
    };
    let image = {
        let context = context.clone();
        move || size::image(&context)
    };
    Ok(vec![
        Case::alone("lines", lines),
        Case::alone("image", image),
        Case::alone("format", format),
        Case::alone("clippy-host", host),
        Case::alone("clippy-models", models),
        Case::alone("clippy-failovers", failovers),
        Case::alone("clippy-target", target),
    ])
}

fn target_packages(context: &Context) -> Vec<String> {
    let guests = context.workspace.root().join("guests");
    let mut packages: Vec<String> = fs::read_dir(guests)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    packages.sort();
    let fixed = TARGET_PACKAGES.map(str::to_owned);
    fixed.into_iter().chain(packages).collect()
}
