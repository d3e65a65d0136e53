//! The summary for people.

use std::fmt::{self, Write};

use super::failovers::{Failovers, OneFailover};
use super::moves::Moves;
use super::{DomainSummary, Result, Summary};
use crate::console::{Log, printable};
use crate::run::verdict::Verdict;
use crate::trace::detail::percent;
use crate::trace::moves::Latency;
use crate::trace::rest::Rest;
use crate::workspace::shown;

/// Changes of a domain's cores that are shown; the rest is in the report.
const MOST_CHANGES: usize = 8;

/// Whether the logs' ends were seen by the user already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// They came by while the machine ran.
    Yes,
    /// At most one of them did.
    No,
}

/// The whole text. When something went wrong, the ends of the logs are the best hint; without a
/// verdict they are repeated even if they were seen.
pub fn render(summary: &Summary, logs: &[(String, Log)], seen: Seen) -> String {
    let helps = match summary.result {
        Result::Passed | Result::Interrupted => false,
        Result::Failed | Result::TimedOut => seen == Seen::No || summary.verdict.is_none(),
    };
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, summary, if helps { logs } else { &[] });
    text
}

fn write(out: &mut String, summary: &Summary, logs: &[(String, Log)]) -> fmt::Result {
    writeln!(out)?;
    for (name, log) in logs {
        write_tail(out, name, log)?;
    }
    writeln!(out, "machine    {}, QEMU {}", summary.machine, summary.qemu)?;
    write_boot(out, summary)?;
    for domain in &summary.domains {
        write_domain(out, domain)?;
    }
    write_failovers(out, &summary.failovers)?;
    write_moves(out, &summary.moves)?;
    write_rest(out, summary)?;
    write_exits(out, &summary.domains)?;
    if !summary.assertions.is_empty() {
        writeln!(out, "asserted")?;
    }
    for result in &summary.assertions {
        let mark = if result.passed { "ok    " } else { "FAILED" };
        writeln!(out, "  {mark} {}  ({})", result.assertion, result.found)?;
    }
    let verdict = match summary.verdict {
        Some(Verdict::Pass) => "pass",
        Some(Verdict::Fail) => "fail",
        None => "none",
    };
    writeln!(out, "verdict    {verdict}")?;
    let (records, lost) = (summary.trace_records, summary.trace_lost);
    writeln!(out, "trace      {records} records, {lost} lost")?;
    writeln!(out, "logs       {}", shown(summary.logs.as_ref()))?;
    let seconds = summary.elapsed_ms as f64 / 1e3;
    let word = match summary.result {
        Result::Passed => "passed",
        Result::Failed => "FAILED",
        Result::TimedOut => "TIMED OUT",
        Result::Interrupted => "INTERRUPTED",
    };
    writeln!(out, "\n{}: {word} in {seconds:.1} s", summary.scenario)?;
    for reason in &summary.reasons {
        writeln!(out, "  {}", reason.trim_end().replace('\n', "\n  "))?;
    }
    Ok(())
}

fn write_boot(out: &mut String, summary: &Summary) -> fmt::Result {
    if !summary.boot.is_empty() {
        write!(out, "boot      ")?;
        for stage in &summary.boot {
            write!(out, " {} {},", stage.stage, milliseconds(stage.at_us / 1e3))?;
        }
        out.pop();
        writeln!(out)?;
    }
    if !summary.failed_cores.is_empty() {
        writeln!(out, "cores      did not come up: {:?}", summary.failed_cores)?;
    }
    Ok(())
}

fn write_domain(out: &mut String, domain: &DomainSummary) -> fmt::Result {
    let story = &domain.story;
    write!(out, "domain     {}: end {}", domain.name, domain.end)?;
    match (domain.ok, domain.expected) {
        (Some(true), _) => write!(out, " as expected")?,
        (Some(false), Some(expected)) => write!(out, " (expected {expected})")?,
        _ => {}
    }
    writeln!(out, ", {} boot{}", story.boots, if story.boots == 1 { "" } else { "s" })?;
    if !domain.cores.is_empty() {
        write!(out, "           cores:")?;
        for count in domain.cores.iter().take(MOST_CHANGES) {
            write!(out, " {} from {},", count.cores, milliseconds(count.from_ms))?;
        }
        out.pop();
        if domain.cores.len() > MOST_CHANGES {
            write!(out, ", {} more changes", domain.cores.len() - MOST_CHANGES)?;
        }
        writeln!(out)?;
    }
    for (name, value) in &story.metrics {
        writeln!(out, "           {name} = {value}")?;
    }
    if let Some(load) = story.load {
        let (mean, max) = (percent(load.mean_permille), percent(load.max_permille));
        writeln!(out, "           load: mean {mean}, highest {max} in {} periods", load.periods)?;
    }
    if !story.governor.is_empty() {
        let decisions = story.governor.iter().map(|(what, count)| format!("{what} {count}"));
        writeln!(out, "           governor: {}", decisions.collect::<Vec<_>>().join(", "))?;
    }
    if story.context_moves > 0 {
        writeln!(out, "           contexts that went on on another core: {}", story.context_moves)?;
    }
    for fault in &story.faults {
        writeln!(
            out,
            "           fault at {}: context {} rule {} pc {:#x} esr {:#x} far {:#x}",
            milliseconds(fault.at_us / 1e3),
            fault.context.map_or_else(|| "?".to_owned(), |context| context.to_string()),
            fault.rule,
            fault.pc,
            fault.esr,
            fault.far
        )?;
    }
    Ok(())
}

fn write_failovers(out: &mut String, failovers: &Failovers) -> fmt::Result {
    for one in failovers.list.iter().take(MOST_CHANGES) {
        write_failover(out, one)?;
    }
    if failovers.list.len() > MOST_CHANGES {
        writeln!(out, "           {} more failures of groups' members", failovers.list.len() - MOST_CHANGES)?;
    }
    if failovers.put_off > 0 {
        writeln!(out, "           {} deadlines put off, as a core had no time to run", failovers.put_off)?;
    }
    if let Failovers { checkpoint_pause: Some(pause), checkpoint_pages, page_writes, .. } = failovers {
        let Latency { count, min_us, median_us, max_us } = pause;
        let pauses = format!("{min_us:.1} {median_us:.1} {max_us:.1} us (min median max)");
        writeln!(
            out,
            "checkpoint {count} made, pause {pauses}, {checkpoint_pages} pages copied, {page_writes} write faults"
        )?;
    }
    Ok(())
}

/// `failover   counter: alpha failed at 210.00 ms (heartbeat), beta is the primary of epoch 2`, and how long that took.
fn write_failover(out: &mut String, one: &OneFailover) -> fmt::Result {
    let OneFailover { group, from, to, failover } = one;
    let (role, error, at) = (failover.role, failover.error, milliseconds(failover.detected_us / 1e3));
    write!(out, "failover   {group}: {role} {from} failed at {at} ({error}), ")?;
    match (to, failover.epoch) {
        (Some(_), Some(epoch)) if failover.rolled_back.is_some() => {
            writeln!(out, "goes on from its checkpoint as the primary of epoch {epoch}")?;
        }
        (Some(to), Some(epoch)) if to == from => writeln!(out, "begins anew as the primary of epoch {epoch}")?,
        (Some(to), Some(epoch)) => writeln!(out, "{to} is the primary of epoch {epoch}")?,
        _ if failover.too_often => writeln!(out, "restarted too often: stopped")?,
        _ if failover.no_standby => writeln!(out, "no standby was ready: restarted")?,
        _ => writeln!(out, "{}", failover.action)?,
    }
    let since = failover.detected_us;
    let steps = [
        ("core found silent", failover.silent_us),
        ("stopped", failover.stopped_us),
        ("revoked", failover.revoked_us),
        ("epoch", failover.raised_us),
        ("cores", failover.handed_us),
        ("notified", failover.notified_us),
        ("confirmed", failover.confirmed_us),
        ("back as standby", failover.restarted_us),
    ];
    let mut parts: Vec<String> = Vec::new();
    parts.extend(failover.detection_us().map(|time| format!("detected after {}", milliseconds(time / 1e3))));
    let done = steps.into_iter().filter_map(|(step, time)| Some((step, time? - since)));
    parts.extend(done.map(|(step, time)| format!("{step} +{time:.1} us")));
    if let Some(pages) = failover.rolled_back {
        parts.push(format!("{pages} pages rolled back"));
    }
    if parts.is_empty() { Ok(()) } else { writeln!(out, "           {}", parts.join(", ")) }
}

fn write_moves(out: &mut String, moves: &Moves) -> fmt::Result {
    if moves.list.is_empty() {
        return Ok(());
    }
    write!(out, "moves      {} of cores that were asked for", moves.done)?;
    let others = [
        (moves.cancelled, "cancelled"),
        (moves.failed, "failed"),
        (moves.open, "not over"),
        (moves.deadline_passed, "past the deadline"),
        (moves.from_pool, "from the pool"),
        (moves.woken, "woken"),
        (moves.released, "given up by their domains"),
    ];
    for (count, word) in others.into_iter().filter(|(count, _)| *count > 0) {
        write!(out, ", {count} {word}")?;
    }
    writeln!(out)?;
    let steps = [
        ("asked to taken", moves.asked_to_taken),
        ("taken to given", moves.taken_to_given),
        ("asked to given", moves.asked_to_given),
    ];
    for (step, latency) in steps {
        write_latency(out, step, latency)?;
    }
    Ok(())
}

fn write_latency(out: &mut String, what: &str, latency: Option<Latency>) -> fmt::Result {
    let Some(Latency { count, min_us, median_us, max_us }) = latency else { return Ok(()) };
    let [min, median, max] = [min_us, median_us, max_us].map(|time| milliseconds(time / 1e3));
    writeln!(out, "           {what}: {count} times, min {min}, median {median}, max {max}")
}

/// All cores together; each is in the report.
fn write_rest(out: &mut String, summary: &Summary) -> fmt::Result {
    let rest = &summary.rest;
    let sum = |of: fn(&Rest) -> usize| rest.iter().map(of).sum::<usize>();
    let sleeps = sum(|rest| rest.sleeps);
    if sleeps == 0 {
        return Ok(());
    }
    let mean = rest.iter().map(|rest| rest.off_share).sum::<f64>() / rest.len() as f64;
    let slept = rest.iter().filter(|rest| rest.sleeps > 0).count();
    write!(
        out,
        "off        {:.1}% of the time of all cores; {slept} cores slept {sleeps} times, woke {} times",
        100.0 * mean,
        sum(|rest| rest.wakes)
    )?;
    if rest.iter().any(|rest| rest.too_short.is_some()) {
        write!(out, ", {} sleeps too short", sum(|rest| rest.too_short.unwrap_or(0)))?;
    }
    writeln!(out)?;
    write_latency(out, "waking", summary.wake_latency)
}

/// A table with a column for each reason that occurred anywhere.
fn write_exits(out: &mut String, domains: &[DomainSummary]) -> fmt::Result {
    let mut reasons: Vec<&str> = domains.iter().flat_map(|domain| domain.story.exits.keys().copied()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    if reasons.is_empty() {
        return Ok(());
    }
    let width = domains.iter().map(|domain| domain.name.len()).max().unwrap_or(0);
    write!(out, "exits      {:width$}", "")?;
    for reason in &reasons {
        write!(out, " {reason:>8}")?;
    }
    writeln!(out)?;
    for domain in domains {
        write!(out, "           {:width$}", domain.name)?;
        for reason in &reasons {
            let count = domain.story.exits.get(reason).copied().unwrap_or(0);
            write!(out, " {count:>width$}", width = reason.len().max(8))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_tail(out: &mut String, name: &str, log: &Log) -> fmt::Result {
    writeln!(out, "--- the end of {name}'s log ({})", shown(log.path()))?;
    for line in log.tail() {
        writeln!(out, "{}", printable(&line))?;
    }
    writeln!(out)
}

fn milliseconds(value: f64) -> String {
    if value >= 1000.0 { format!("{:.2} s", value / 1e3) } else { format!("{value:.2} ms") }
}
