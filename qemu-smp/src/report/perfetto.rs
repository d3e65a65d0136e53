//! The trace in Chrome's trace event format, which Perfetto opens: a track for each core with who
//! owned it, one for each core's moves with their steps, a counter for each domain's load, and everything else as
//! instants on the core that recorded it.

use domains::ledger::Heir;
use serde_json::{Value, json};
use smp::trace::{Event, Record};

use crate::trace::detail::{self, Detail, Named, heir, label};
use crate::trace::moves::{self, Move};
use crate::trace::{CoreMap, Trace};

/// Chrome's format wants processes: the cores are one, their moves another, the domains' loads a third.
const CORES: u32 = 1;
const MOVES: u32 = 2;
const LOADS: u32 = 3;

/// The file's text.
pub fn render(trace: &Trace, map: &CoreMap, names: &[&str]) -> String {
    let mut events = vec![process(CORES, "cores")];
    for (core, spans) in map.cores.iter().enumerate() {
        events.push(json!({
            "ph": "M", "pid": CORES, "tid": core, "name": "thread_name",
            "args": { "name": format!("core {core}") }
        }));
        events.extend(spans.iter().map(|span| {
            json!({
                "ph": "X", "pid": CORES, "tid": core,
                "name": label(span.state, names),
                "cat": "owner",
                "ts": span.from_us, "dur": span.to_us - span.from_us
            })
        }));
    }
    let moves = moves::from_trace(trace);
    if !moves.is_empty() {
        events.push(process(MOVES, "moves"));
        events.extend(moves.iter().flat_map(|of| steps(of, names)));
    }
    let loads = trace.records.iter().filter_map(|record| load(trace, record, names));
    let mut loads = loads.peekable();
    if loads.peek().is_some() {
        events.push(process(LOADS, "load"));
        events.extend(loads);
    }
    let shown = |record: &&Record| !matches!(record.event(), Some(Event::CoreOwner | Event::Load));
    let instants = trace.records.iter().filter(shown);
    events.extend(instants.map(|record| instant(trace, record, names)));
    json!({ "displayTimeUnit": "ns", "traceEvents": events }).to_string()
}

fn process(id: u32, name: &str) -> Value {
    json!({ "ph": "M", "pid": id, "name": "process_name", "args": { "name": name } })
}

/// The steps of a move that took time.
fn steps(of: &Move, names: &[&str]) -> Vec<Value> {
    let from = of.from.map_or("pool", |domain| heir(Heir::Domain(domain), names));
    let to = heir(of.to, names);
    let step = |name: String, from_us: Option<f64>, to_us: Option<f64>| {
        let (from_us, to_us) = (from_us?, to_us?);
        Some(json!({
            "ph": "X", "pid": MOVES, "tid": of.core, "name": name, "cat": "move",
            "ts": from_us, "dur": to_us - from_us,
            "args": {
                "order": of.order, "from": from, "to": to, "end": of.end,
                "busy": of.busy, "refused": of.refused, "deadline": of.deadline
            }
        }))
    };
    let asking = step(format!("{from} is asked"), of.asked_us, of.taken_us);
    let giving = step(format!("on to {to}"), of.taken_us, of.given_us);
    let waking = of.taken_us.is_none().then(|| step(format!("woken for {to}"), of.asked_us, of.given_us)).flatten();
    [asking, giving, waking].into_iter().flatten().collect()
}

fn load(trace: &Trace, record: &Record, names: &[&str]) -> Option<Value> {
    let Some(Detail::Load { busy, cores }) = Detail::of(record) else { return None };
    let name = names.get(usize::from(record.domain()?))?;
    // Cores that were busy: permille of those that it had.
    let busy = busy as f64 * cores as f64 / 1e3;
    Some(json!({
        "ph": "C", "pid": LOADS, "name": format!("busy cores of {name}"),
        "ts": trace.microseconds(record.time), "args": { "busy": busy, "idle": cores as f64 - busy }
    }))
}

fn instant(trace: &Trace, record: &Record, names: &[&str]) -> Value {
    let name = record.event().map_or("unknown", Event::name);
    let domain = record.domain().map(|index| {
        let name = names.get(usize::from(index));
        name.map_or_else(|| index.to_string(), |name| (*name).to_owned())
    });
    let detail = Detail::of(record);
    let title = domain.as_ref().map_or_else(|| name.to_owned(), |domain| format!("{name} {domain}"));
    let title = match detail {
        Some(detail) => format!("{title}: {}", Named(detail, names)),
        None => title,
    };
    let reason = match detail {
        Some(Detail::Governor { reason, .. }) => Some(detail::reason(reason)),
        _ => None,
    };
    json!({
        "ph": "i", "s": "t", "pid": CORES,
        "tid": record.core().map(|core| core.index()),
        "name": title,
        "cat": name,
        "ts": trace.microseconds(record.time),
        "args": {
            "domain": domain,
            "context": record.context(),
            "reason": reason,
            "a": format!("{:#x}", record.a),
            "b": format!("{:#x}", record.b)
        }
    })
}
