use domains::DomainId;
use domains::ledger::{CoreState, Heir};
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
    let text = perfetto::render(&trace, &CoreMap::from_trace(&trace), &NAMES, &[]);
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
        let picture = svg::render(&map, &NAMES, "demo", &[]).unwrap();
        assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
        for text in ["linux", "idle", "off", "core", "[ms]", "demo"] {
            assert!(picture.contains(text), "{text}");
        }
        let rectangles = picture.matches("<rect").count();
        assert!(rectangles >= 3 * cores as usize, "{rectangles}");
    }
}

#[test]
fn perfetto_gets_moves_loads_and_the_governor_s_reasons() {
    let mut memory = Memory::new(2);
    let (linux, rt) = (DomainId::new(0).unwrap(), DomainId::new(1).unwrap());
    memory.push(0, 10, Event::CoreOwner, None, 1, CoreState::Asked(linux, Heir::Domain(rt)).to_trace());
    for (time, step) in [(11, 1), (31, 5), (36, 6)] {
        memory.push(0, time, Event::CoreMove, Some(0), 1 | 7 << 16, step);
    }
    memory.push(0, 40, Event::Governor, Some(1), 1, 1 | 2 << 8 | 1000 << 16);
    memory.push(0, 50, Event::Load, Some(1), 250, 4);
    let trace = memory.collector().finish().unwrap();
    let text = perfetto::render(&trace, &CoreMap::from_trace(&trace), &NAMES, &[]);
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let find = |name: &str| file["traceEvents"].as_array().unwrap().iter().find(|event| event["name"] == name);
    let asked = find("linux is asked").unwrap();
    assert_eq!((asked["ts"].as_f64(), asked["dur"].as_f64()), (Some(10.0), Some(21.0)));
    assert_eq!((&asked["args"]["to"], &asked["args"]["order"]), (&"rt".into(), &7.into()));
    assert_eq!(find("on to rt").unwrap()["dur"].as_f64(), Some(5.0));
    let governor = find("governor rt: give core 1: folded, load 100.0%").unwrap();
    assert_eq!((&governor["ph"], &governor["args"]["reason"]), (&"i".into(), &"folded".into()));
    let load = find("busy cores of rt").unwrap();
    assert_eq!((&load["args"]["busy"], &load["args"]["idle"]), (&1.0.into(), &3.0.into()));
    assert!(find("linux (asked, for rt)").is_some());
}

#[test]
fn the_picture_tells_asked_off_held_and_waking_apart() {
    let mut memory = Memory::new(1);
    let (linux, rt) = (DomainId::new(0).unwrap(), DomainId::new(1).unwrap());
    let states = [
        CoreState::Idle,
        CoreState::Owned(linux),
        CoreState::Asked(linux, Heir::Domain(rt)),
        CoreState::Releasing(linux, Heir::Domain(rt)),
        CoreState::Off { held: false },
        CoreState::Off { held: true },
        CoreState::Waking(Heir::Pool),
        CoreState::Failed,
    ];
    for (index, state) in states.into_iter().enumerate() {
        memory.push(0, 1000 * index as u64, Event::CoreOwner, None, 0, state.to_trace());
    }
    memory.push(0, 9000, Event::Verdict, None, 1, 0);
    let picture =
        svg::render(&CoreMap::from_trace(&memory.collector().finish().unwrap()), &NAMES, "demo", &[]).unwrap();
    for text in ["idle", "linux", "linux (asked)", "linux (releasing)", "off", "off (held)", "waking", "failed"] {
        assert!(picture.lines().any(|line| line.trim() == text), "{text}");
    }
    let fills: std::collections::BTreeSet<&str> =
        picture.split("<rect").filter_map(|rectangle| rectangle.split("fill=\"").nth(1)?.split('"').next()).collect();
    // Seven colours and two shades of the first, of which the picture has the colour and the opacity apart.
    assert!(fills.len() >= 7, "{fills:?}");
}

#[test]
fn a_failover_is_in_the_trace_and_in_the_picture() {
    use domains::manifest::{GroupAction, GroupError, InjectedFault, Role};
    let mut memory = Memory::new(2);
    let detected = GroupError::Heartbeat as u64 | (Role::Primary as u64) << 8 | (GroupAction::TakeOver as u64) << 16;
    let steps = [
        (10, 0, 12, InjectedFault::Hang as u64),
        (110, 0, 1, detected),
        (112, 0, 2, 0),
        (113, 1, 4, 2),
        (114, 1, 6, 2),
        (120, 1, 7, 2),
    ];
    steps.into_iter().for_each(|(time, domain, step, word)| {
        memory.push(0, time, Event::Failover, Some(domain), step, word);
    });
    let trace = memory.collector().finish().unwrap();
    let text = "[machine]\ncores = 2\nmemory = \"64MiB\"\n\
                [[domain]]\nname = \"linux\"\nimage = \"x\"\nmemory = \"2MiB\"\n\
                [[domain]]\nname = \"rt\"\nimage = \"x\"\nmemory = \"2MiB\"\n\
                [[group]]\nname = \"pair\"\nmembers = [\"linux\", \"rt\"]\n";
    let scenario = Scenario::parse(&crate::scenario::Source::of_text(text)).unwrap();
    let failovers = crate::summary::failovers::Failovers::new(&scenario, Some(&trace)).list;
    let map = CoreMap::from_trace(&trace);
    let text = perfetto::render(&trace, &map, &NAMES, &failovers);
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let spans =
        file["traceEvents"].as_array().unwrap().iter().filter(|event| event["cat"] == "failover" && event["ph"] == "X");
    let spans: Vec<_> = spans.map(|span| (span["name"].as_str().unwrap(), span["dur"].as_f64().unwrap())).collect();
    assert_eq!(spans[0], ("pair: linux has failed", 100.0));
    assert_eq!(spans.last(), Some(&("pair: rt begins", 6.0)));
    assert!(text.contains("heartbeat of the primary, take-over follows"), "{text}");
    let json = serde_json::to_value(&failovers).unwrap();
    assert_eq!((&json[0]["from"], &json[0]["to"], &json[0]["fault"]), (&"linux".into(), &"rt".into(), &"hang".into()));
    assert!(svg::render(&map, &NAMES, "demo", &failovers).unwrap().contains("linux -&gt; rt"));
}
