//! What came of random orders to a machine.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::orders::Given;
use super::qemu::{Counts, Wanted};
use crate::ctl::reply::Reply;
use crate::failure::Code;
use crate::summary::{Result as RunResult, Summary};
use crate::trace::moves::Latency;

/// Counts of orders.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// All of them.
    pub orders: u64,
    /// By verb.
    pub kinds: Counts,
    /// Those that were refused, by reason.
    pub refused: Counts,
    /// Cores for which one failed, by reason.
    pub failed: Counts,
    /// Cores for which one was done, by where they went.
    pub done: Counts,
    /// Contexts that had to go on on other cores.
    pub folded: u64,
    /// From giving an order to its end, for those that were accepted, seen from the host.
    pub took: Option<Latency>,
    #[serde(skip)]
    times_us: Vec<f64>,
}

impl Tally {
    /// Adds an order that is over.
    pub fn add(&mut self, given: &Given, replies: &[Reply], took: Duration) {
        self.orders += 1;
        let count = |counts: &mut Counts, name: &str| *counts.entry(name.to_owned()).or_default() += 1;
        count(&mut self.kinds, given.kind);
        for reply in replies {
            let reason = reply.value("reason").unwrap_or_default();
            match reply.says() {
                Some("refused") => count(&mut self.refused, reason),
                Some("failed") => count(&mut self.failed, reason),
                Some("accepted") => self.times_us.push(took.as_secs_f64() * 1e6),
                Some("done") => {
                    count(&mut self.done, reply.value("to").unwrap_or_default());
                    self.folded += u64::from(reply.number("folded").unwrap_or(0));
                }
                _ => {}
            }
        }
    }

    /// Cores for which an order was done.
    pub fn moves(&self) -> u64 {
        self.done.values().sum()
    }

    /// Sums the times up.
    pub fn order_latency(&mut self) {
        self.took = Latency::of(self.times_us.drain(..));
    }
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where the orders were drawn from.
    pub seed: u64,
    /// Cores of the machine.
    pub cores: u32,
    /// Counts of orders.
    #[serde(flatten)]
    pub tally: Tally,
    /// What was not as it should be.
    pub violation: Option<String>,
    /// The last orders before it.
    pub history: Vec<String>,
    /// The run.
    pub run: Summary,
    #[serde(skip)]
    wanted: Wanted,
}

impl Report {
    /// Puts it together.
    pub fn new(
        wanted: Wanted,
        tally: Tally,
        violation: Option<String>,
        history: Vec<String>,
        mut run: Summary,
    ) -> Self {
        if violation.is_some() {
            // It was ended for this.
            run.result = RunResult::Failed;
        }
        let history = if violation.is_some() { history } else { Vec::new() };
        Self { seed: wanted.seed, cores: wanted.cores, wanted, tally, violation, history, run }
    }

    /// The code to exit with; none is success.
    pub fn code(&self) -> Option<Code> {
        match self.violation {
            Some(_) => Some(Code::Failed),
            None => self.run.code(),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let Self { tally, run, .. } = self;
        let mut text = format!(
            "seed       {}\nmachine    {}\norders     {}: {}",
            self.seed,
            run.machine,
            tally.orders,
            counts(&tally.kinds)
        );
        // Writing to a string cannot fail.
        let mut line = |name: &str, value: String| {
            let _ = write!(text, "\n{name:<10} {value}");
        };
        let sum = |counts: &Counts| counts.values().sum::<u64>();
        let off = tally.done.get("off").copied().unwrap_or(0);
        line("done", format!("{} cores: {}", tally.moves(), counts(&tally.done)));
        line("off", format!("{off} by order, {} in all", run.rest.iter().map(|rest| rest.sleeps).sum::<usize>()));
        let moves = &run.moves;
        let (given, woken, released) = (moves.from_pool, moves.woken, moves.released);
        line(
            "moves",
            format!(
                "{} of cores: {} taken from domains, {released} given up by guests, {given} from the pool, {woken} woken",
                moves.moved(),
                moves.done
            ),
        );
        line("folded", format!("{} contexts", tally.folded));
        line("refused", format!("{} orders: {}", sum(&tally.refused), counts(&tally.refused)));
        line("failed", format!("{} cores: {}", sum(&tally.failed), counts(&tally.failed)));
        line("took", format!("{} from an order to its end, by the host's clock", latency(tally.took.as_ref())));
        line("asked", format!("{} from asking for a core to giving it", latency(run.moves.asked_to_given.as_ref())));
        line("woken", latency(run.wake_latency.as_ref()));
        line("logs", run.logs.clone());
        self.history.iter().for_each(|order| line("before", order.clone()));
        if let Some(violation) = &self.violation {
            line("violated", violation.clone());
        } else if run.result != RunResult::Interrupted {
            run.reasons.iter().for_each(|reason| line("because", reason.clone()));
        }
        match self.code() {
            None => line("result", "all held".to_owned()),
            Some(Code::Interrupted) => line("result", "interrupted".to_owned()),
            Some(_) => {
                let Wanted { cores, moves, seed, load } = self.wanted;
                let again = "draws the same, but a machine's times differ";
                let command = format!("cargo corral stress hotplug --qemu --cores {cores} --moves {moves}");
                line("again", format!("{command} --seed {seed} --load {load}   ({again})"));
                line("result", "FAILED".to_owned());
            }
        }
        text
    }
}

fn counts(counts: &Counts) -> String {
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if counts.is_empty() { "-".to_owned() } else { counts.join(", ") }
}

fn latency(latency: Option<&Latency>) -> String {
    let ms = |us: f64| format!("{:.3} ms", us / 1e3);
    latency.map_or("-".to_owned(), |it| {
        format!("{} / {} / {} (min, median, max of {})", ms(it.min_us), ms(it.median_us), ms(it.max_us), it.count)
    })
}
