//! The trace in Chrome's trace event format, which Perfetto opens: a track for each core with who
//! owned it, one for each core's moves with their steps, one for each group's failovers with theirs, a counter for each domain's load, and everything else as
//! instants on the core that recorded it.

use domains::ledger::Heir;
use serde_json::{Value, json};
use smp::trace::{Event, Record};
use trace_reader::Tagged;

use crate::summary::failovers::OneFailover;
use crate::trace::detail::{self, Detail, Named, heir, label};
use crate::trace::moves::{self, Move};
use crate::trace::{CoreMap, Trace};

/// Chrome's format wants processes: the cores are one, their moves another, the domains' loads and the groups two more.
const CORES: u32 = 1;
const MOVES: u32 = 2;
const LOADS: u32 = 3;
const GROUPS: u32 = 4;

/// The file's text.
pub fn render(trace: &Trace, map: &CoreMap, names: &[&str], failovers: &[OneFailover]) -> String {
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
    if !failovers.is_empty() {
        events.push(process(GROUPS, "failovers"));
        events.extend(failovers.iter().flat_map(failover));
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

/// The steps of a failover, each from the end of the one before; the first begins with the fault, if one was injected.
fn failover(one: &OneFailover) -> Vec<Value> {
    let OneFailover { group, from, to, failover } = one;
    let new = to.as_deref().unwrap_or("nobody");
    let steps = [
        (format!("{from} has failed"), Some(failover.detected_us)),
        (format!("{from} is stopped"), failover.stopped_us),
        (format!("{from} is revoked"), failover.revoked_us),
        ("the epoch is raised".to_owned(), failover.raised_us),
        (format!("cores go to {new}"), failover.handed_us),
        (format!("{new} is notified"), failover.notified_us),
        (format!("{new} begins"), failover.confirmed_us),
    ];
    let mut since = failover.injected_us.unwrap_or(failover.detected_us);
    let arguments = serde_json::to_value(one).unwrap_or_default();
    let step = |(name, at): (String, Option<f64>)| {
        let (begin, end) = (since, at?);
        since = end;
        let whole = (end > begin).then_some(end - begin)?;
        Some(json!({
            "ph": "X", "pid": GROUPS, "tid": failover.group, "name": format!("{group}: {name}"), "cat": "failover",
            "ts": begin, "dur": whole, "args": arguments
        }))
    };
    steps.into_iter().filter_map(step).collect()
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
