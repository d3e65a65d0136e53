//! How long cores were off, how often they slept and woke, and which sleeps did not pay.

use domains::ledger::CoreState;
use serde::Serialize;

use super::moves::Latency;
use super::{CoreMap, Span};

/// A core's rest, from when it first ran to the end of the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rest {
    /// The core.
    pub core: usize,
    /// How long it was off, microseconds.
    pub off_us: f64,
    /// The share of the time that it was off, 0 to 1: its off-residency.
    pub off_share: f64,
    /// The share of the time that it was on and belonged to nobody.
    pub idle_share: f64,
    /// How often it went off.
    pub sleeps: usize,
    /// How often it was woken.
    pub wakes: usize,
    /// How often it was woken before being off had paid, sleeps that were ordered aside; `None` if it is not known
    /// when that is.
    pub too_short: Option<usize>,
}

/// The rest of each core that ever ran. `break_even_us`: how long a core has to be off for it to pay.
pub fn of(map: &CoreMap, break_even_us: Option<f64>) -> Vec<Rest> {
    map.cores.iter().enumerate().filter_map(|(core, spans)| of_core(core, spans, break_even_us)).collect()
}

/// How long it took from asking cores to wake until they ran.
pub fn wake_latency(map: &CoreMap) -> Option<Latency> {
    let pairs = map.cores.iter().flat_map(|spans| spans.windows(2));
    Latency::of(pairs.filter_map(|pair| match pair {
        [wakes, next] if matches!(wakes.state, CoreState::Waking(_)) && next.state != CoreState::Failed => {
            Some(wakes.to_us - wakes.from_us)
        }
        _ => None,
    }))
}

fn of_core(core: usize, spans: &[Span], break_even_us: Option<f64>) -> Option<Rest> {
    let is_off = |span: &Span| matches!(span.state, CoreState::Off { .. });
    let starts = |span: &Span| is_off(span) || matches!(span.state, CoreState::Waking(_) | CoreState::Failed);
    let first = spans.iter().position(|span| !starts(span))?;
    let lived = spans.get(first..)?;
    let total_us = lived.last()?.to_us - lived.first()?.from_us;
    let sum = |of: &dyn Fn(&Span) -> bool| -> f64 {
        lived.iter().filter(|span| of(span)).map(|span| span.to_us - span.from_us).sum()
    };
    let off_us = sum(&is_off);
    let idle_us = sum(&|span| span.state == CoreState::Idle);
    let share = |us: f64| if total_us > 0.0 { us / total_us } else { 0.0 };
    // Held and not held in a row is one sleep.
    let sleeps: Vec<&[Span]> =
        lived.chunk_by(|a, b| is_off(a) == is_off(b)).filter(|run| run.iter().any(is_off)).collect();
    let last_us = lived.last()?.to_us;
    let length_us = |run: &[Span]| Some(run.last()?.to_us - run.first()?.from_us);
    let woken: Vec<&[Span]> =
        sleeps.iter().copied().filter(|run| run.last().is_some_and(|span| span.to_us < last_us)).collect();
    let ordered = |run: &[Span]| run.iter().any(|span| span.state == CoreState::Off { held: true });
    let too_short = break_even_us.map(|limit| {
        let short = |run: &&&[Span]| !ordered(run) && length_us(run).is_some_and(|length| length < limit);
        woken.iter().filter(short).count()
    });
    Some(Rest {
        core,
        off_us,
        off_share: share(off_us),
        idle_share: share(idle_us),
        sleeps: sleeps.len(),
        wakes: woken.len(),
        too_short,
    })
}
