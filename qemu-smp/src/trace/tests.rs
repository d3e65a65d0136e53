use std::io::{Seek, SeekFrom, Write};

use domains::DomainId;
use domains::ledger::CoreState;
use smp::core_id::CoreId;
use smp::trace::header::{MAGIC, VERSION};
use smp::trace::ring::SLOTS;
use smp::trace::{Event, ExitReason, Record};

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
    assert_eq!(states, [CoreState::Off, CoreState::Idle, domain(0), domain(1)]);
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
