//! What came out of a campaign.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use domains::manifest::Role;
use serde::Serialize;

use super::calm::Watched;
use super::draw::Case;
use super::verdict::{Class, Judged};
use crate::trace::failover::Failover;
use crate::trace::moves::Latency;

/// Bad runs that are told in full.
const MOST_BAD: usize = 20;

/// A campaign.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The scenario.
    pub scenario: String,
    /// Where the faults were drawn from.
    pub seed: u64,
    /// The group's deadline for a heartbeat, in microseconds.
    pub heartbeat_us: f64,
    /// How often it came out how: all ways, also those that did not occur.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// From the fault to its detection.
    pub detection: Option<Latency>,
    /// From the detection until the new primary was told.
    pub takeover: Option<Latency>,
    /// From the detection until the new primary beat.
    pub confirmation: Option<Latency>,
    /// From the moment in which a primary did not serve any more to the first beat of the next one, which follows its
    /// first record. Since the last record before that it is at most a period of the service longer.
    pub outage: Option<Latency>,
    /// The same as multiples of the deadline: the least, the median, the most.
    pub outage_deadlines: Option<[f64; 3]>,
    /// From the last record before to the first one after, if the service says when.
    pub silence: Option<Latency>,
    /// The runs.
    pub results: Vec<Judged>,
}

impl Report {
    /// Sums runs up.
    pub fn new(scenario: String, seed: u64, heartbeat_us: f64, results: Vec<Judged>) -> Self {
        let of = |class: Class| results.iter().filter(|judged| judged.class == class).count() as u64;
        let outcomes = Class::ALL.into_iter().map(|class| (class.name(), of(class))).collect();
        let silence = Latency::of(results.iter().flat_map(|judged| &judged.silences_us).map(|time| *time as f64));
        let outage = Latency::of(results.iter().flat_map(outages));
        Self {
            scenario,
            seed,
            heartbeat_us,
            outcomes,
            detection: latency(&results, Failover::detection_us),
            takeover: latency(&results, takeover),
            confirmation: latency(&results, confirmation),
            outage,
            outage_deadlines: outage.map(|it| [it.min_us, it.median_us, it.max_us].map(|time| time / heartbeat_us)),
            silence,
            results,
        }
    }

    /// Whether the service survived each time.
    pub fn is_good(&self) -> bool {
        self.results.iter().all(|judged| judged.ok)
    }

    /// The kinds that occurred, in their order.
    pub fn kinds(&self) -> Vec<Case> {
        let mut kinds: Vec<Case> = self.results.iter().map(|judged| judged.case).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text.trim_end().to_owned()
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "{} runs of {}, seed {}", self.results.len(), self.scenario, self.seed)?;
        writeln!(out, "\n{:18} {:>5}  faults", "outcome", "runs")?;
        for class in Class::ALL {
            let of = |case: Case| self.results.iter().filter(|it| it.class == class && it.case == case).count();
            let kinds = self.kinds().into_iter().map(|case| (case, of(case))).filter(|(_, count)| *count > 0);
            let kinds: Vec<String> = kinds.map(|(case, count)| format!("{} {count}", case.name())).collect();
            let count = self.outcomes.get(class.name()).copied().unwrap_or(0);
            let mark = if class.is_good() || count == 0 { "" } else { "  BAD" };
            writeln!(out, "  {:16} {count:>5}  {}{mark}", class.name(), kinds.join(", "))?;
        }
        self.results.iter().try_for_each(|judged| write_watched(out, judged))?;
        if self.results.iter().any(|judged| judged.case != Case::None) {
            self.write_times(out)?;
        }
        let bad: Vec<&Judged> = self.results.iter().filter(|judged| !judged.ok).collect();
        for judged in bad.iter().take(MOST_BAD) {
            writeln!(out, "\nrun {}: {}: {}", judged.number, judged.faults, judged.outcome)?;
            judged.why.iter().try_for_each(|why| writeln!(out, "  {why}"))?;
            if let Some(logs) = &judged.logs {
                writeln!(out, "  logs {logs}")?;
            }
        }
        if bad.len() > MOST_BAD {
            writeln!(out, "\n{} more bad runs", bad.len() - MOST_BAD)?;
        }
        let word = if bad.is_empty() { "passed" } else { "FAILED" };
        writeln!(
            out,
            "\n{word}: {} of {} runs are as they should be",
            self.results.len() - bad.len(),
            self.results.len()
        )
    }

    fn write_times(&self, out: &mut String) -> fmt::Result {
        writeln!(
            out,
            "\n{:18} {:>5}  {:^29}  {:^29}  {:^29}",
            "machine time", "runs", "detection [ms]", "takeover [us]", "new primary beats [us]"
        )?;
        writeln!(out, "{:18} {:>5}{}", "fault", "", format!("  {:>9} {:>9} {:>9}", "min", "median", "max").repeat(3))?;
        for case in self.kinds() {
            let results: Vec<&Judged> = self.results.iter().filter(|judged| judged.case == case).collect();
            let row = [
                (latency(results.iter().copied(), Failover::detection_us), 1e-3),
                (latency(results.iter().copied(), takeover), 1.0),
                (latency(results.iter().copied(), confirmation), 1.0),
            ];
            write_row(out, &case.name(), results.len(), row)?;
        }
        let row = [(self.detection, 1e-3), (self.takeover, 1.0), (self.confirmation, 1.0)];
        write_row(out, "all", self.results.len(), row)?;
        writeln!(out)?;
        let silences = [
            ("without service", self.outage, "from the fault, or the fencing, to the new primary's first beat"),
            ("between records", self.silence, "from the last one before to the first one after"),
        ];
        for (name, latency, about) in silences {
            let Some(Latency { count, min_us, median_us, max_us }) = latency else { continue };
            let [min, median, max] = [min_us, median_us, max_us].map(|time| time / 1e3);
            writeln!(out, "{name:18} {count:>5}  min {min:.2} ms, median {median:.2} ms, max {max:.2} ms ({about})")?;
            let [min, median, max] = [min_us, median_us, max_us].map(|time| time / self.heartbeat_us);
            writeln!(out, "{:24}  {min:.2}, {median:.2}, {max:.2} times the heartbeat's deadline", "")?;
        }
        Ok(())
    }
}

/// How a machine went on which nothing was broken.
fn write_watched(out: &mut String, judged: &Judged) -> fmt::Result {
    let Some(Watched { elapsed_ms, longest_pause_ms, host }) = judged.watched else { return Ok(()) };
    let seconds = |milliseconds: u64| milliseconds as f64 / 1e3;
    writeln!(
        out,
        "\nrun {}: watched for {:.1} s on the host; {} records, at most {longest_pause_ms} ms between two; \
         {} deadlines put off as a core had no time to run",
        judged.number,
        seconds(elapsed_ms),
        judged.acknowledged,
        judged.put_off,
    )?;
    let Some(share) = host else { return Ok(()) };
    writeln!(
        out,
        "  host core {} beside {} busy threads: QEMU ran for {:.1} s of {:.1} s ({:.0} %), and was \
         ready and had to wait for {:.1} s (it got {:.0} % of what it wanted)",
        share.core,
        share.busy_threads,
        seconds(share.ran_ms),
        seconds(share.elapsed_ms),
        100.0 * share.of_core(),
        seconds(share.waited_ms),
        100.0 * share.of_wanted(),
    )
}

fn write_row(out: &mut String, name: &str, runs: usize, row: [(Option<Latency>, f64); 3]) -> fmt::Result {
    write!(out, "  {name:16} {runs:>5}")?;
    for (latency, unit) in row {
        match latency {
            Some(Latency { min_us, median_us, max_us, .. }) => {
                let [min, median, max] = [min_us, median_us, max_us].map(|time| time * unit);
                write!(out, "  {min:>9.2} {median:>9.2} {max:>9.2}")?;
            }
            None => write!(out, "  {:>9} {:>9} {:>9}", "-", "-", "-")?,
        }
    }
    writeln!(out)
}

fn latency<'a>(results: impl IntoIterator<Item = &'a Judged>, of: fn(&Failover) -> Option<f64>) -> Option<Latency> {
    let failovers = results.into_iter().flat_map(|judged| &judged.failovers);
    Latency::of(failovers.filter_map(|one| of(&one.failover)))
}

/// The times without service in a run: several failures in a row without a primary between them are one.
fn outages(judged: &Judged) -> Vec<f64> {
    let mut since = None;
    let mut outages = Vec::new();
    for failover in judged.failovers.iter().map(|one| &one.failover).filter(|it| it.role != Role::Standby) {
        since = since.or(failover.silent_since_us());
        if let Some(until) = failover.confirmed_us {
            outages.extend(since.take().map(|since| until - since));
        }
    }
    outages
}

/// Only of those that had an heir: a primary that begins anew in its place is told nothing.
pub fn takeover(failover: &Failover) -> Option<f64> {
    failover.takeover_us().filter(|_| failover.is_takeover())
}

fn confirmation(failover: &Failover) -> Option<f64> {
    failover.confirmation_us().filter(|_| failover.is_takeover())
}
