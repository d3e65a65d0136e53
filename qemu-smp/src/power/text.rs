//! The results for people.

use std::fmt::{self, Write};

use super::{Report, Row};

/// The whole text.
pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, report);
    text
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    let ms = |microseconds: u64| microseconds as f64 / 1e3;
    writeln!(
        out,
        "machine    {} cores in the pool, break-even {} ms, wake latency {} ms",
        report.cores,
        ms(report.break_even_us),
        ms(report.wake_latency_us)
    )?;
    if let Some(seed) = report.seed {
        writeln!(out, "seed       {seed}")?;
    }
    writeln!(out, "cost       {}", report.cost)?;
    writeln!(out, "bound      corral <= 2 x optimum + one break-even a core")?;
    let power = report.energy.idle_power;
    writeln!(out, "energy     a MODEL, not measured: cost x {power} mW")?;
    writeln!(out, "           from: {}", report.energy.source)?;
    for replayed in &report.traces {
        let trace = &replayed.trace;
        let seconds = trace.end as f64 / 1e6;
        writeln!(out, "\n{}: {} ({} s, {} changes)", trace.name, trace.about, number(seconds), trace.steps.len())?;
        writeln!(
            out,
            "  {:<12} {:>9} {:>9} {:>9} {:>12} {:>12} {:>10} {:>17}",
            "policy", "off/idle", "wake-ups", "too short", "unmet core-s", "cost core-s", "x optimum", "model J"
        )?;
        for row in &replayed.policies {
            write_row(out, row)?;
        }
    }
    Ok(())
}

fn write_row(out: &mut String, row: &Row) -> fmt::Result {
    let outcome = &row.outcome;
    let ratio = row.cost_ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
    let [low, high] = row.modelled_joules.map(number);
    writeln!(
        out,
        "  {:<12} {:>7.1} % {:>9} {:>9} {:>12} {:>12} {ratio:>10} {:>17}",
        row.policy,
        100.0 * outcome.off_of_idle,
        outcome.wake_ups,
        outcome.too_short,
        number(outcome.unmet_s),
        number(outcome.cost_s),
        format!("{low} to {high}")
    )
}

/// Three digits that count.
fn number(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (2.0 - value.abs().log10().floor()).clamp(0.0, 6.0) as usize };
    format!("{value:.digits$}")
}
