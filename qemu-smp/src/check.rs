//! `corral check`: is a scenario well-formed, would the kernel take it, are its files there?

use std::path::Path;

use crate::bundle::{Bundle, Substitutes};
use crate::cli::CheckArgs;
use crate::failure::Failure;
use crate::manifest;
use crate::scenario::{self, Scenario, Source};
use crate::ui::say;
use crate::workspace::{Workspace, shown};

/// Checks the scenario that the user named.
pub fn command(workspace: &Workspace, args: &CheckArgs) -> Result<(), Failure> {
    let path = scenario::find(workspace, &args.scenario)?;
    let scenario = file(workspace, &path)?;
    say(format_args!(
        "{}: ok: {} cores, {}, {} domains, {} events, {} assertions",
        shown(&path),
        scenario.machine.cores,
        scenario.machine.memory,
        scenario.domains.len(),
        scenario.events.len(),
        scenario.assertions.len()
    ));
    Ok(())
}

/// Checks a scenario file.
pub fn file(workspace: &Workspace, path: &Path) -> Result<Scenario, Failure> {
    let source = Source::read(path)?;
    let scenario = Scenario::parse(&source)?;
    let bundle = Bundle::plan(workspace, &source, &scenario, &Substitutes::default())?;
    manifest::checked(&source, &scenario, &bundle)?;
    Ok(scenario)
}
