//! Suite `failover`: a short campaign of faults in a redundant service, each kind some times; and a model of many.

use clap::ValueEnum;

use super::{Case, CaseResult, Context, failover_model};
use crate::failover::Case as FaultCase;
use crate::failover::campaign::{self, Subject, Wanted};
use crate::failure::Failure;
use crate::ui::{Detail, Ui};

/// Machines, each with a fault.
const RUNS: u64 = 36;

/// Machines at a time.
const JOBS: usize = 2;

/// One case with many machines.
pub fn cases(context: &Context) -> Result<Vec<Case>, Failure> {
    let context = context.clone();
    let mut cases = failover_model::cases(&context);
    cases.push(Case::alone("native", move || native(&context)));
    Ok(cases)
}

/// Each machine counts as a test.
fn native(context: &Context) -> CaseResult {
    let path = context.workspace.scenarios().join("failover.toml");
    let subject = Subject::prepare(&context.workspace, &context.setup, &path, Ui::new(Detail::Work));
    let wanted = Wanted { seed: 1, runs: 0..RUNS, kinds: FaultCase::value_variants().to_vec(), jobs: JOBS };
    match subject.and_then(|subject| campaign::run(&subject, &wanted, |_, _| {})) {
        Err(failure) => CaseResult::fail(failure),
        Ok(report) => {
            let passed = report.results.iter().filter(|judged| judged.ok).count();
            let failed = report.results.len() - passed;
            let output = if failed > 0 { report.text() } else { String::new() };
            CaseResult { passed, failed, note: format!("{} faults", report.results.len()), output }
        }
    }
}
