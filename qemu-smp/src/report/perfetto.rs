//! The trace in Chrome's trace event format, which Perfetto opens: a track for each core with who
//! owned it, and everything else as instants on the core that recorded it.

use domains::ledger::CoreState;
use serde_json::{Value, json};
use smp::trace::{Event, Record};

use crate::trace::{CoreMap, Trace, owner};

/// Chrome's format wants processes: the cores are one.
const CORES: u32 = 1;

/// The file's text.
pub fn render(trace: &Trace, map: &CoreMap, names: &[&str]) -> String {
    let mut events = vec![json!({
        "ph": "M", "pid": CORES, "name": "process_name", "args": { "name": "cores" }
    })];
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
    let shown = |record: &&Record| record.event() != Some(Event::CoreOwner);
    let instants = trace.records.iter().filter(shown);
    events.extend(instants.map(|record| instant(trace, record, names)));
    json!({ "displayTimeUnit": "ns", "traceEvents": events }).to_string()
}

fn instant(trace: &Trace, record: &Record, names: &[&str]) -> Value {
    let name = record.event().map_or("unknown", Event::name);
    let domain = record.domain().map(|index| {
        let name = names.get(usize::from(index));
        name.map_or_else(|| index.to_string(), |name| (*name).to_owned())
    });
    json!({
        "ph": "i", "s": "t", "pid": CORES,
        "tid": record.core().map(|core| core.index()),
        "name": domain.as_ref().map_or_else(|| name.to_owned(), |domain| format!("{name} {domain}")),
        "cat": name,
        "ts": trace.microseconds(record.time),
        "args": {
            "domain": domain,
            "context": record.context(),
            "a": format!("{:#x}", record.a),
            "b": format!("{:#x}", record.b)
        }
    })
}

/// What a core is for, with the domain's name.
pub fn label(state: CoreState, names: &[&str]) -> String {
    let name = owner(state).and_then(|index| names.get(index)).copied().unwrap_or("?");
    match state {
        CoreState::Owned(_) => name.to_owned(),
        CoreState::Releasing(_) => format!("{name} (releasing)"),
        CoreState::Off => "off".to_owned(),
        CoreState::Waking => "waking".to_owned(),
        CoreState::Idle => "idle".to_owned(),
        CoreState::Failed => "failed".to_owned(),
    }
}
