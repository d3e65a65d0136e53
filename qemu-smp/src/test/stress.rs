//! Suite `stress`: the model of cores that move and of groups that fail, in random worlds and with faults at each step; and
//! orders to a machine.

use std::sync::{Arc, OnceLock};

use super::{Case, CaseResult, Context};
use crate::failure::Failure;
use crate::stress::model::{self, Model, Subject, Wanted};
use crate::stress::qemu;
use crate::ui::{Detail, Ui};

const CORES: u32 = 8;

/// Random worlds: the most cores of each, and the seed.
const WORLDS: [(u32, u64); 3] = [(CORES, 1), (4, 2), (16, 3)];

/// Cores that move in those of one seed.
const MOVES: u64 = 100_000;

/// The same of groups, with how many faults.
const GROUPS: [(u32, u64, u64); 3] = [(CORES, 1, 10_000), (4, 2, 2_000), (16, 3, 2_000)];

/// Cores that orders move on a machine under QEMU.
const ON_QEMU: qemu::Wanted = qemu::Wanted { cores: CORES, moves: 30, seed: 1, load: qemu::load_for(30) };

/// One for the faults, one for each seed's worlds, and one under QEMU.
pub fn cases(context: &Context) -> Result<Vec<Case>, Failure> {
    let model: Arc<OnceLock<Result<Model, Failure>>> = Arc::default();
    let on_model = |name: &str, run: Box<dyn Fn(&Model) -> CaseResult + Send + Sync>| {
        let (context, model) = (context.clone(), Arc::clone(&model));
        // Each uses all of the host's cores.
        Case::alone(name, move || {
            let built = model.get_or_init(|| model::build(&context.workspace, Ui::new(Detail::Work)));
            match built {
                Ok(model) => run(model),
                Err(failure) => CaseResult::fail(failure),
            }
        })
    };
    let faults = on_model("faults", Box::new(faults));
    let worlds = |name: &str, subject, cores, seed, events| {
        let wanted = Wanted { subject, cores, events, seed, only: None };
        on_model(&format!("{name}-{cores}-cores-seed-{seed}"), Box::new(move |model| worlds(model, &wanted)))
    };
    let moving = WORLDS.map(|(cores, seed)| worlds("worlds", Subject::Hotplug, cores, seed, MOVES));
    let failing = GROUPS.map(|(cores, seed, faults)| worlds("failover", Subject::Failover, cores, seed, faults));
    let on_qemu = {
        let context = context.clone();
        Case::shared("qemu", move || run_on_qemu(&context))
    };
    Ok([faults, on_qemu].into_iter().chain(moving).chain(failing).collect())
}

fn run_on_qemu(context: &Context) -> CaseResult {
    let plan = qemu::plan(&context.workspace, &context.setup, Ui::new(Detail::Work), &ON_QEMU);
    match plan.and_then(|plan| qemu::run(plan, &ON_QEMU, |_, _| {})) {
        Err(failure) => CaseResult::fail(failure),
        Ok(ran) if ran.report.code().is_some() => CaseResult::fail(ran.report.text()),
        Ok(ran) => {
            let tally = &ran.report.tally;
            CaseResult::pass(format!("{} cores moved by {} orders", tally.moves(), tally.orders))
        }
    }
}

fn worlds(model: &Model, wanted: &Wanted) -> CaseResult {
    let work = Ui::new(Detail::Work).work(format!("{} with seed {}", wanted.subject.work(), wanted.seed));
    match model.run(wanted, |events| work.percent(100.0 * events as f64 / wanted.events as f64)) {
        Err(failure) => CaseResult::fail(failure),
        Ok(report) => match &report.violation {
            Some(violation) => CaseResult::fail(report.complaint(violation)),
            None => {
                let (events, what, worlds) = (report.events(), wanted.subject.events(), report.worlds);
                CaseResult { output: report.text(), ..CaseResult::pass(format!("{events} {what} in {worlds} worlds")) }
            }
        },
    }
}

fn add_failure(result: &mut CaseResult, what: &str) {
    result.failed += 1;
    result.output.push_str(what);
    result.output.push('\n');
}

/// Every fault at many moments; each counts as a test.
fn faults(model: &Model) -> CaseResult {
    let names = match model.faults() {
        Ok(names) => names,
        Err(failure) => return CaseResult::fail(failure),
    };
    let mut result = CaseResult::default();
    for name in &names {
        match model.fault(name) {
            Ok(None) => result.passed += 1,
            Ok(Some(what)) => add_failure(&mut result, &what),
            Err(failure) => add_failure(&mut result, &failure.to_string()),
        }
    }
    if names.is_empty() {
        add_failure(&mut result, "no fault was tried");
    }
    result.note = format!("{} faults", names.len());
    result
}
