//! Suite `failover`: a short campaign of faults in a redundant service, each kind some times; a model of many; and one on a
//! host core that other load starves, in which nobody may be found to have failed.

use std::time::Duration;

use clap::ValueEnum;

use super::{Case, CaseResult, Context, failover_model};
use crate::failover::Case as FaultCase;
use crate::failover::calm::Calm;
use crate::failover::campaign::{self, Report, Subject, Wanted};
use crate::failure::Failure;
use crate::ui::{Detail, Ui};

/// Machines, each with a fault.
const RUNS: u64 = 36;

/// Machines at a time.
const JOBS: usize = 2;

/// Watched for so long without a fault, beside so many busy threads on one host core.
const STARVED: Duration = Duration::from_secs(15);
const HOST_LOAD: u16 = 2;

/// One case with many machines, and one for each kind of group that is watched.
pub fn cases(context: &Context) -> Result<Vec<Case>, Failure> {
    let context = context.clone();
    let mut cases = failover_model::cases(&context);
    let native = context.clone();
    cases.push(Case::alone("native", move || faults(&native)));
    for (name, scenario) in [("native-starved", "failover.toml"), ("linux-starved", "failover-linux.toml")] {
        let context = context.clone();
        cases.push(Case::alone(name, move || starved(&context, scenario)));
    }
    Ok(cases)
}

/// Each machine counts as a test.
fn faults(context: &Context) -> CaseResult {
    let wanted = Wanted { seed: 1, runs: 0..RUNS, kinds: FaultCase::value_variants().to_vec(), jobs: JOBS, calm: None };
    match campaign(context, "failover.toml", &wanted) {
        Err(failure) => CaseResult::fail(failure),
        Ok(report) => {
            let passed = report.results.iter().filter(|judged| judged.ok).count();
            let failed = report.results.len() - passed;
            let output = if failed > 0 { report.text() } else { String::new() };
            CaseResult { passed, failed, note: format!("{} faults", report.results.len()), output }
        }
    }
}

fn starved(context: &Context, scenario: &str) -> CaseResult {
    let calm = Some(Calm { time: STARVED, host_load: Some(HOST_LOAD) });
    let wanted = Wanted { seed: 1, runs: 0..1, kinds: vec![FaultCase::None], jobs: 1, calm };
    match campaign(context, scenario, &wanted) {
        Err(failure) => CaseResult::fail(failure),
        Ok(report) if !report.is_good() => CaseResult::fail(report.text()),
        Ok(report) => {
            let watched = report.results.iter().find_map(|judged| judged.watched);
            let part = watched.and_then(|watched| watched.host).map_or(0.0, |share| 100.0 * share.of_wanted());
            CaseResult::pass(format!("{part:.0} % of the time that QEMU wanted"))
        }
    }
}

fn campaign(context: &Context, scenario: &str, wanted: &Wanted) -> Result<Report, Failure> {
    let path = context.workspace.scenarios().join(scenario);
    let subject = Subject::prepare(&context.workspace, &context.setup, &path, wanted.calm, Ui::new(Detail::Work))?;
    campaign::run(&subject, wanted, |_, _| {})
}
