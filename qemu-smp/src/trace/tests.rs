use std::io::{Seek, SeekFrom, Write};

use domains::DomainId;
use domains::ledger::{CoreState, Heir};
use smp::core_id::CoreId;
use smp::trace::header::{MAGIC, VERSION};
use smp::trace::ring::SLOTS;
use smp::trace::{Event, ExitReason, Record};

use super::detail::Step;
use super::moves::{End, Kind, Latency};
use super::*;

const RAM: u64 = 0x4000_0000;
const BYTES: u64 = 1 << 20;
const STRIDE: u64 = 12 << 10;

/// A memory file as a kernel leaves it.
pub struct Memory {
    file: std::fs::File,
    heads: Vec<u64>,
}

impl Memory {
    /// With a header for so many cores; the counter ticks once a microsecond, from 1000 on.
    pub fn new(cores: u32) -> Self {
        let file = tempfile::tempfile().unwrap();
        file.set_len(BYTES).unwrap();
        let mut memory = Self { file, heads: vec![0; cores as usize] };
        let version = u64::from(VERSION) | u64::from(cores) << 32;
        let words = [MAGIC, version, 1_000_000, 1000, RAM, STRIDE, RAM, BYTES];
        memory.put(BYTES - 4096, &words);
        memory
    }

    fn put(&mut self, offset: u64, words: &[u64]) {
        self.file.seek(SeekFrom::Start(offset)).unwrap();
        for word in words {
            self.file.write_all(&word.to_le_bytes()).unwrap();
        }
    }

    /// Writes a record, as its core does.
    pub fn push(&mut self, core: usize, time: u64, event: Event, domain: Option<u16>, a: u64, b: u64) {
        let tag = Record::tag(event, CoreId::new(core).unwrap(), domain, Some(0));
        let head = self.heads[core];
        let ring = core as u64 * STRIDE + 4096;
        self.put(ring + 32 * (1 + head % SLOTS as u64), &[1000 + time, tag, a, b]);
        self.heads[core] += 1;
        self.put(ring, &[head + 1]);
    }

    fn count(&mut self, core: usize, domain: usize, reason: ExitReason, count: u64) {
        let index = domain * ExitReason::COUNT + reason as usize;
        self.put(core as u64 * STRIDE + 8 * index as u64, &[count]);
    }

    /// A reader of it.
    pub fn collector(&self) -> Collector {
        Collector::new(self.file.try_clone().unwrap(), BYTES)
    }
}

fn owned(domain: usize) -> u64 {
    CoreState::Owned(DomainId::new(domain).unwrap()).to_trace()
}

#[test]
fn records_are_read_while_they_are_written() {
    let mut memory = Memory::new(2);
    let mut collector = memory.collector();
    collector.poll();
    memory.push(1, 20, Event::CoreUp, None, 0, 0);
    collector.poll();
    memory.push(0, 10, Event::BootStage, None, 1, 2);
    let trace = collector.finish().unwrap();
    let times: Vec<f64> = trace.records.iter().map(|it| trace.microseconds(it.time)).collect();
    assert_eq!(times, [10.0, 20.0]);
    assert_eq!(trace.lost, 0);
    assert_eq!(trace.header.cores, 2);
}

#[test]
fn overwritten_records_are_counted() {
    let mut memory = Memory::new(1);
    for time in 0..SLOTS as u64 + 45 {
        memory.push(0, time, Event::ConsoleInput, Some(0), 0, 0);
    }
    let trace = memory.collector().finish().unwrap();
    assert_eq!(trace.records.len() as u64 + trace.lost, SLOTS as u64 + 45);
    assert!(trace.lost >= 45);
}

#[test]
fn memory_without_a_usable_header_has_no_trace() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(BYTES).unwrap();
    assert!(Collector::new(file, BYTES).finish().is_none());
    let mut beyond = Memory::new(1);
    beyond.put(BYTES - 4096 + 32, &[RAM + BYTES]);
    assert!(beyond.collector().finish().is_none());
}

#[test]
fn cores_have_owners_over_time() {
    let mut memory = Memory::new(3);
    for core in 0..3 {
        memory.push(0, 10, Event::CoreUp, None, core, 0);
    }
    memory.push(0, 20, Event::CoreOwner, None, 1, owned(0));
    memory.push(0, 20, Event::CoreOwner, None, 2, owned(0));
    memory.push(0, 30, Event::CoreOwner, None, 2, owned(1));
    memory.push(0, 40, Event::Verdict, None, 1, 0);
    let map = CoreMap::from_trace(&memory.collector().finish().unwrap());
    let states: Vec<CoreState> = map.cores[2].iter().map(|span| span.state).collect();
    let domain = |index| CoreState::Owned(DomainId::new(index).unwrap());
    assert_eq!(states, [CoreState::Off { held: false }, CoreState::Idle, domain(0), domain(1)]);
    for spans in &map.cores {
        assert_eq!(spans.first().unwrap().from_us, 0.0);
        assert_eq!(spans.last().unwrap().to_us, 40.0);
        assert!(spans.windows(2).all(|pair| pair[0].to_us == pair[1].from_us));
    }
    assert_eq!(map.count(0), [(20.0, 2), (30.0, 1)]);
    assert_eq!(map.count(1), [(30.0, 1)]);
    assert_eq!(map.count(2), []);
}

#[test]
fn the_story_tells_of_stages_domains_and_faults() {
    let mut memory = Memory::new(1);
    memory.push(0, 0, Event::BootStage, None, 1, 1);
    memory.push(0, 5, Event::BootStage, None, 4, 1);
    memory.push(0, 7, Event::DomainStart, Some(0), 1, 0);
    memory.push(0, 8, Event::Metric, Some(0), 1, 3);
    memory.push(0, 9, Event::Metric, Some(0), 1, 4);
    memory.push(0, 10, Event::Fault, Some(0), 0x9200_0000, 0x10);
    memory.push(0, 10, Event::FaultAt, Some(0), 0x4000_1000, 2);
    memory.push(0, 11, Event::DomainEnd, Some(0), 5, 0);
    memory.count(0, 0, ExitReason::Timer, 12);
    let story = Story::from_trace(&memory.collector().finish().unwrap(), 1);
    assert_eq!(story.stages[1].stage, "cores-up");
    assert_eq!(story.stages[1].at_us, 5.0);
    let domain = &story.domains[0];
    assert_eq!((domain.boots, domain.end.as_deref()), (1, Some("fault")));
    assert_eq!(domain.metrics["missed"], 4);
    assert_eq!(domain.exits["timer"], 12);
    assert_eq!(domain.faults[0].rule, "write");
    assert_eq!(domain.faults[0].pc, 0x4000_1000);
}

/// A machine in whose trace things happened to core 2 of domain 0.
fn moved(steps: &[(u64, Happened)]) -> Trace {
    let mut memory = Memory::new(4);
    memory.push(0, 1, Event::CoreUp, None, 2, 0);
    for (time, happened) in steps {
        match happened {
            Happened::Ledger(state) => memory.push(0, *time, Event::CoreOwner, None, 2, state.to_trace()),
            Happened::Step(order, step) => {
                memory.push(1, *time, Event::CoreMove, Some(0), 2 | order << 16, *step as u64);
            }
        }
    }
    memory.push(0, 1000, Event::Verdict, None, 1, 0);
    memory.collector().finish().unwrap()
}

enum Happened {
    Ledger(CoreState),
    Step(u64, Step),
}
use Happened::{Ledger, Step as At};

#[test]
fn a_move_is_followed_from_asking_to_giving() {
    let id = |index| DomainId::new(index).unwrap();
    let (linux, rt) = (CoreState::Owned(id(0)), CoreState::Owned(id(1)));
    let to_rt = Heir::Domain(id(1));
    let trace = moved(&[
        (10, Ledger(linux)),
        (20, Ledger(CoreState::Asked(id(0), to_rt))),
        (21, At(7, Step::Asked)),
        (30, At(7, Step::Busy)),
        (35, At(7, Step::Asked)),
        (40, At(7, Step::Busy)),
        (50, At(7, Step::Deadline)),
        (60, At(7, Step::Taken)),
        (61, Ledger(rt)),
        (65, At(7, Step::Given)),
        // Its domain switches it off by itself.
        (120, Ledger(CoreState::Idle)),
        (121, At(0, Step::Given)),
        // From the pool.
        (210, Ledger(linux)),
        (220, At(8, Step::Given)),
        // Ordered to be taken at once.
        (230, Ledger(rt)),
        (231, At(11, Step::Given)),
        (240, Ledger(CoreState::Idle)),
        (241, At(12, Step::Given)),
        (250, Ledger(linux)),
        (251, At(13, Step::Given)),
        (300, Ledger(CoreState::Asked(id(0), Heir::Off))),
        (301, At(9, Step::Asked)),
        (310, At(9, Step::Refused)),
        (320, At(9, Step::Cancelled)),
        (321, Ledger(linux)),
        // The receiver is gone when the core is clean.
        (330, Ledger(CoreState::Asked(id(0), to_rt))),
        (340, At(10, Step::Taken)),
        (341, Ledger(CoreState::Idle)),
        (342, At(10, Step::Failed)),
        (350, Ledger(linux)),
        (360, Ledger(CoreState::Off { held: false })),
        (370, Ledger(CoreState::Waking(to_rt))),
        (390, Ledger(rt)),
        (400, Ledger(CoreState::Asked(id(1), Heir::Pool))),
    ]);
    let moves = moves::from_trace(&trace);
    let times: Vec<_> =
        moves.iter().map(|one| (one.order, one.end, one.asked_us, one.taken_us, one.given_us)).collect();
    let expected = [
        (7, End::Done, Some(20.0), Some(60.0), Some(65.0)),
        (0, End::Done, None, None, Some(121.0)),
        (8, End::Done, None, None, Some(220.0)),
        (11, End::Done, None, None, Some(231.0)),
        (12, End::Done, None, None, Some(241.0)),
        (13, End::Done, None, None, Some(251.0)),
        (9, End::Cancelled, Some(300.0), None, None),
        (10, End::Failed, Some(330.0), Some(340.0), None),
        (0, End::Done, Some(370.0), None, Some(390.0)),
        (0, End::Open, Some(400.0), None, None),
    ];
    assert_eq!(times, expected);
    let parties: Vec<_> = moves.iter().map(|one| (one.kind, one.from, one.to)).collect();
    let expected = [
        (Kind::Asked, Some(id(0)), to_rt),
        (Kind::Released, Some(id(1)), Heir::Pool),
        (Kind::FromPool, None, Heir::Domain(id(0))),
        (Kind::Asked, Some(id(0)), to_rt),
        (Kind::Asked, Some(id(1)), Heir::Pool),
        (Kind::FromPool, None, Heir::Domain(id(0))),
        (Kind::Asked, Some(id(0)), Heir::Off),
        (Kind::Asked, Some(id(0)), to_rt),
        (Kind::Woken, None, to_rt),
        (Kind::Asked, Some(id(1)), Heir::Pool),
    ];
    assert_eq!(parties, expected);
    assert_eq!((moves[0].busy, moves[0].deadline, moves[0].refused), (2, true, false));
    assert!(moves[6].refused);
}

#[test]
fn latencies_have_a_median() {
    assert_eq!(Latency::of([].into_iter()), None);
    let three = Latency { count: 3, min_us: 1.0, median_us: 2.0, max_us: 9.0 };
    assert_eq!(Latency::of([9.0, 1.0, 2.0].into_iter()), Some(three));
    assert_eq!(Latency::of([4.0, 1.0, 2.0, 9.0].into_iter()).unwrap().median_us, 3.0);
}

#[test]
fn rest_counts_sleeps_and_those_that_did_not_pay() {
    let off = |held| Ledger(CoreState::Off { held });
    let waking = || Ledger(CoreState::Waking(Heir::Pool));
    let idle = || Ledger(CoreState::Idle);
    // Up from 1 to 1000: off 100 to 120 (short), 200 to 400 (long), 500 to 510 (ordered), 900 to the end.
    let trace = moved(&[
        (100, off(false)),
        (120, waking()),
        (130, idle()),
        (200, off(false)),
        (400, waking()),
        (401, idle()),
        (500, off(true)),
        (505, off(false)),
        (510, waking()),
        (511, idle()),
        (900, off(false)),
    ]);
    let map = CoreMap::from_trace(&trace);
    let rest = rest::of(&map, Some(50.0));
    let [rest] = rest.as_slice() else { panic!("the others never ran: {rest:?}") };
    assert_eq!((rest.core, rest.sleeps, rest.wakes, rest.too_short), (2, 4, 3, Some(1)));
    assert_eq!(rest.off_us, 20.0 + 200.0 + 10.0 + 100.0);
    assert!((rest.off_share - 330.0 / 999.0).abs() < 1e-9);
    assert_eq!(rest::of(&map, None)[0].too_short, None);
    let wakes = Latency { count: 3, min_us: 1.0, median_us: 1.0, max_us: 10.0 };
    assert_eq!(rest::wake_latency(&map), Some(wakes));
}

#[test]
fn a_core_that_wakes_for_a_domain_is_that_one_s_however_its_records_are_ordered() {
    let rt = CoreState::Owned(DomainId::new(1).unwrap());
    for up_first in [true, false] {
        let mut memory = Memory::new(3);
        let heir = Heir::Domain(DomainId::new(1).unwrap());
        memory.push(0, 10, Event::CoreOwner, None, 2, CoreState::Waking(heir).to_trace());
        let (up, owner) = if up_first { (20, 21) } else { (21, 20) };
        memory.push(2, up.min(owner), if up_first { Event::CoreUp } else { Event::CoreOwner }, None, 2, rt.to_trace());
        memory.push(2, up.max(owner), if up_first { Event::CoreOwner } else { Event::CoreUp }, None, 2, rt.to_trace());
        memory.push(0, 40, Event::Verdict, None, 1, 0);
        let map = CoreMap::from_trace(&memory.collector().finish().unwrap());
        assert_eq!(map.cores[2].last().unwrap().state, rt);
        assert!(map.cores[2].iter().all(|span| span.state != CoreState::Idle));
    }
}

#[test]
fn the_story_has_loads_and_the_governor_s_reasons() {
    let mut memory = Memory::new(1);
    for busy in [200, 400, 900] {
        memory.push(0, busy, Event::Load, Some(0), busy, 2);
    }
    for time in [901, 902] {
        memory.push(0, time, Event::Governor, Some(0), 0xffff, 1 | 1 << 8 | 900 << 16);
    }
    memory.push(0, 903, Event::Governor, Some(0), 3, 2 | 200 << 8 | 900 << 16);
    memory.push(0, 904, Event::ContextMove, Some(0), 1 | 2 << 16, 3);
    let story = Story::from_trace(&memory.collector().finish().unwrap(), 1);
    let domain = &story.domains[0];
    let load = domain.load.unwrap();
    assert_eq!((load.periods, load.mean_permille, load.max_permille), (3, 500, 900));
    assert_eq!(domain.governor["give high-load"], 2);
    assert_eq!(domain.governor["take reason-200"], 1);
    assert_eq!(domain.context_moves, 1);
}
