use domains::DomainId;
use domains::ledger::CoreState;
use smp::trace::Event;

use super::*;
use crate::trace::tests::Memory;

const NAMES: [&str; 2] = ["linux", "rt"];

fn trace(cores: u32) -> crate::trace::Trace {
    let mut memory = Memory::new(cores);
    for core in 0..u64::from(cores) {
        let owner = CoreState::Owned(DomainId::new(core as usize % 2).unwrap());
        memory.push(0, 10, Event::CoreOwner, None, core, CoreState::Idle.to_trace());
        memory.push(0, 2000 + core, Event::CoreOwner, None, core, owner.to_trace());
    }
    memory.push(0, 5000, Event::DomainEnd, Some(1), 1, 0);
    memory.collector().finish().unwrap()
}

#[test]
fn perfetto_gets_tracks_spans_and_instants() {
    let trace = trace(2);
    let text = perfetto::render(&trace, &CoreMap::from_trace(&trace), &NAMES);
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let events = file["traceEvents"].as_array().unwrap();
    let having = |phase: &str| events.iter().filter(|event| event["ph"] == phase).collect::<Vec<_>>();
    assert_eq!(having("M").len(), 3);
    let rt = having("X").into_iter().find(|event| event["name"] == "rt").unwrap();
    assert_eq!((rt["tid"].as_u64(), rt["ts"].as_f64()), (Some(1), Some(2001.0)));
    assert_eq!(rt["dur"].as_f64(), Some(2999.0));
    let end = having("i").into_iter().next().unwrap();
    assert_eq!(end["name"], "domain-end rt");
}

#[test]
fn the_picture_has_a_row_a_core_and_a_legend() {
    for cores in [1, 8, 64] {
        let map = CoreMap::from_trace(&trace(cores));
        let picture = svg::render(&map, &NAMES, "demo").unwrap();
        assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
        for text in ["linux", "idle", "off", "core", "[ms]", "demo"] {
            assert!(picture.contains(text), "{text}");
        }
        let rectangles = picture.matches("<rect").count();
        assert!(rectangles >= 3 * cores as usize, "{rectangles}");
    }
}
