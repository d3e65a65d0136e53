//! Suite `unit`: `cargo test` of the crates that run on the host.

use std::process::Command;
use std::time::Duration;

use super::{Case, CaseResult, Context};
use crate::failure::Failure;
use crate::process::{self, Limit, tail};
use crate::setup::toolchain::cargo;

const PACKAGES: [&str; 10] = [
    "smp",
    "domains",
    "hotplug",
    "failover",
    "trace-reader",
    "rt",
    "replicated-log",
    "counter",
    "metronome",
    "qemu-smp",
];

/// Longer than a first build takes.
pub const LIMIT: Limit = Limit::After(Duration::from_secs(30 * 60));

/// Lines of a failing command that are shown.
const SHOWN: usize = 60;

/// A case for each crate.
pub fn cases(context: &Context) -> Result<Vec<Case>, Failure> {
    let case = |package: &'static str| {
        let workspace = context.workspace.clone();
        Case::alone(package, move || test(cargo(&workspace).args(["test", "--no-fail-fast", "--package", package])))
    };
    Ok(PACKAGES.into_iter().map(case).collect())
}

/// Runs a `cargo test` and counts the tests that ran.
pub fn test(command: &mut Command) -> CaseResult {
    let finished = match process::capture(command, LIMIT) {
        Ok(finished) => finished,
        Err(failure) => return CaseResult::fail(failure),
    };
    let (passed, mut failed) = counts(&finished.output);
    if !finished.status.success() && failed == 0 {
        // It did not even build, or died on the way.
        failed = 1;
    }
    let mut output = tail(&finished.output, SHOWN);
    if passed + failed == 0 || !finished.output.contains("test result:") {
        output = format!("{}\n{output}", tail(&finished.errors, SHOWN));
    }
    if passed + failed == 0 {
        failed = 1;
        output = format!("no test ran\n{output}");
    }
    CaseResult { passed, failed, note: format!("{passed} tests"), output }
}

/// Runs a command that passes or fails as a whole.
pub fn succeeds(command: &mut Command) -> CaseResult {
    match process::capture(command, LIMIT) {
        Ok(finished) if finished.status.success() => CaseResult::pass(""),
        Ok(finished) => {
            let shown = format!("{}\n{}", finished.output, finished.errors);
            CaseResult::fail(tail(&shown, SHOWN))
        }
        Err(failure) => CaseResult::fail(failure),
    }
}

/// Adds up `test result: ok. 12 passed; 0 failed; ...`.
pub fn counts(output: &str) -> (usize, usize) {
    let results = output.lines().filter_map(|line| line.split("test result: ").nth(1));
    let number = |result: &str, word: &str| {
        let words: Vec<&str> = result.split([' ', ';']).collect();
        let at = words.iter().position(|it| *it == word);
        at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok()).unwrap_or(0usize)
    };
    results
        .fold((0, 0), |(passed, failed), result| (passed + number(result, "passed"), failed + number(result, "failed")))
}
