//! Reports of a run as files.

mod perfetto;
mod svg;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use crate::failure::{Code, Failure};
use crate::run::Outcome;
use crate::scenario::Scenario;
use crate::summary::Summary;
use crate::trace::CoreMap;

/// The summary as JSON.
pub fn json(summary: &Summary) -> Result<String, Failure> {
    serde_json::to_string_pretty(summary)
        .map_err(|error| Failure::new(Code::Failed, "cannot write the summary").why(error.to_string()))
}

/// Writes `report.json`, the logs and, if there is a trace, `trace.json` and `cores.svg`.
pub fn write(folder: &Path, summary: &Summary, scenario: &Scenario, outcome: &Outcome) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::file("cannot create", folder, &error))?;
    store(folder, "report.json", json(summary)?.as_bytes())?;
    for (name, log) in &outcome.logs {
        let target = folder.join(format!("{name}.log"));
        fs::copy(log.path(), &target).map_err(|error| Failure::file("cannot write", &target, &error))?;
    }
    let Some(trace) = &outcome.trace else {
        return Ok(());
    };
    let map = CoreMap::from_trace(trace);
    let names: Vec<&str> = scenario.domains.iter().map(|domain| domain.name.as_str()).collect();
    let failovers = &summary.failovers.list;
    store(folder, "trace.json", perfetto::render(trace, &map, &names, failovers).as_bytes())?;
    let picture = svg::render(&map, &names, &summary.scenario, failovers)
        .map_err(|why| Failure::new(Code::Failed, "cannot draw the core map").why(why))?;
    store(folder, "cores.svg", picture.as_bytes())
}

fn store(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let path = folder.join(name);
    fs::write(&path, bytes).map_err(|error| Failure::file("cannot write", &path, &error))
}
