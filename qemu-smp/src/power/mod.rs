//! `corral power`: when idle cores go off, replayed over load traces. The rule is the one that the kernel runs
//! ([`IdlePolicy`](hotplug::idle::IdlePolicy)); beside it run simple time-outs and the optimum, which knows the future.

mod args;
mod csv;
mod energy;
mod generate;
mod picture;
pub mod random;
mod replay;
mod rule;
#[cfg(test)]
mod tests;
mod text;
mod trace;

use std::fs;
use std::path::Path;

use serde::Serialize;

pub use args::PowerArgs;
use replay::{Machine, Outcome};
use rule::Rule;
use trace::Trace;

use crate::failure::{Code, Failure};
use crate::interrupt;
use crate::ui::{Detail, Ui, say};
use crate::workspace::shown;

/// What one rule made of a trace.
#[derive(Clone, Debug, Serialize)]
struct Row {
    policy: String,
    #[serde(flatten)]
    outcome: Outcome,
    /// The cost in those of the optimum; none if that is 0 and this is not.
    cost_ratio: Option<f64>,
    /// A model, see `energy`: what being idle took, in joules, at least and at most.
    modelled_joules: [f64; 2],
}

/// A trace and what came out.
#[derive(Clone, Debug, Serialize)]
struct Replayed {
    #[serde(flatten)]
    trace: Trace,
    /// The optimum first.
    policies: Vec<Row>,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
struct Report {
    cores: u32,
    /// The generated traces' seed.
    seed: Option<u64>,
    break_even_us: u64,
    wake_latency_us: u64,
    energy: energy::Model,
    /// What `cost` means.
    cost: &'static str,
    traces: Vec<Replayed>,
}

const COST: &str = "core-seconds of idle power: idle and on counts as it is, off counts nothing, each time a core \
                    goes off counts one break-even for going off and coming back";

/// Replays what the user asked for.
pub fn command(args: &PowerArgs) -> Result<(), Failure> {
    let report = replay_all(args)?;
    if let Some(folder) = &args.report {
        write(folder, &report)?;
    }
    if args.json {
        say(json(&report)?);
    } else {
        say(text::render(&report));
        if let Some(folder) = &args.report {
            say(format_args!("picture    {}", shown(&folder.join("power.svg"))));
        }
    }
    Ok(())
}

fn replay_all(args: &PowerArgs) -> Result<Report, Failure> {
    let (break_even, wake_latency) = args.times()?;
    let traces = match &args.trace {
        Some(path) => vec![csv::read(path, args.cores)?],
        None => generate::all(args.seed, args.cores(), break_even),
    };
    let cores = traces.iter().map(|trace| trace.cores).max().unwrap_or(0);
    let machine = Machine { cores, break_even, wake_latency };
    let energy = energy::Model::new(args.idle_power);
    let work = Ui::new(Detail::All).work("replaying");
    let total = traces.len() * (Rule::ALL.len() + 1);
    let mut replayed = Vec::new();
    for (index, trace) in traces.into_iter().enumerate() {
        let optimum = replay::optimum(&trace, &machine);
        let mut policies = vec![row("optimum".to_owned(), optimum, &optimum, &energy)];
        for (done, rule) in Rule::ALL.into_iter().enumerate() {
            interrupt::check()?;
            work.at(&format!("{} with {}", trace.name, rule.name()));
            work.percent(100.0 * (index * (Rule::ALL.len() + 1) + done) as f64 / total as f64);
            let outcome = replay::replay(&trace, &machine, rule);
            policies.push(row(rule.name(), outcome, &optimum, &energy));
        }
        replayed.push(Replayed { trace, policies });
    }
    work.done(&format!("{} traces, {} policies", replayed.len(), Rule::ALL.len() + 1));
    Ok(Report {
        cores,
        seed: args.trace.is_none().then_some(args.seed),
        break_even_us: machine.break_even,
        wake_latency_us: machine.wake_latency,
        energy,
        cost: COST,
        traces: replayed,
    })
}

fn row(policy: String, outcome: Outcome, optimum: &Outcome, energy: &energy::Model) -> Row {
    let cost_ratio = if optimum.cost_s > 0.0 {
        Some(outcome.cost_s / optimum.cost_s)
    } else {
        (outcome.cost_s <= 0.0).then_some(1.0)
    };
    Row { policy, cost_ratio, modelled_joules: energy.joules(outcome.cost_s), outcome }
}

fn json(report: &Report) -> Result<String, Failure> {
    serde_json::to_string_pretty(report)
        .map_err(|error| Failure::new(Code::Failed, "cannot write the report").why(error.to_string()))
}

/// Writes `power.json`, `power.txt` and `power.svg`.
fn write(folder: &Path, report: &Report) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::file("cannot create", folder, &error))?;
    let picture =
        picture::render(report).map_err(|why| Failure::new(Code::Failed, "cannot draw the picture").why(why))?;
    let files = [("power.json", json(report)?), ("power.txt", text::render(report)), ("power.svg", picture)];
    for (name, content) in files {
        let path = folder.join(name);
        fs::write(&path, content).map_err(|error| Failure::file("cannot write", &path, &error))?;
    }
    Ok(())
}
