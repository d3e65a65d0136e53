//! Tests of rings, tables and header, live and in their bytes.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::*;
use crate::core_id::CoreId;

fn record(number: u64) -> Record {
    Record { time: number, tag: number << 20, a: !number, b: number * 3 }
}

fn filled(records: u64) -> Ring {
    let ring = Ring::new();
    (0..records).for_each(|number| ring.push(record(number)));
    ring
}

fn bytes_of<T>(value: &T) -> Vec<u8> {
    // SAFETY: only called on the `repr(C)` types of this module, which are made of initialised words without gaps and
    // which nobody writes meanwhile.
    unsafe { core::slice::from_raw_parts((&raw const *value).cast::<u8>(), size_of::<T>()) }.to_vec()
}

/// Its words in memory.
fn words_of<T>(value: &T) -> Vec<u64> {
    bytes_of(value).as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

fn read(ring: &Ring, from: u64) -> (Vec<Record>, Progress) {
    let mut records = Vec::new();
    let progress = ring.read(from, |record| records.push(record));
    (records, progress)
}

fn numbers(records: core::ops::Range<u64>) -> Vec<Record> {
    records.map(record).collect()
}

#[test]
fn layouts_are_what_the_host_expects() {
    assert_eq!(size_of::<Record>(), 32);
    assert_eq!(size_of::<Ring>(), 8192);
    assert_eq!(core::mem::offset_of!(Area, ring), 4096);
    assert_eq!(size_of::<Exits>(), 4096);
    assert_eq!(size_of::<Area>(), 3 * 4096);
    assert_eq!(size_of::<Header>(), 64);
    assert_eq!(header::MAGIC.to_le_bytes(), *b"CORLTRC1");
}

#[test]
fn tags_hold_their_fields() {
    let core = CoreId::new(511).unwrap();
    let tag = Record::tag(Event::ContextOn, core, Some(31), Some(7));
    assert_eq!(tag, 0x0007_001f_01ff_0008);
    let record = Record { tag, ..record(0) };
    assert_eq!(record.event(), Some(Event::ContextOn));
    assert_eq!(record.core(), Some(core));
    assert_eq!((record.domain(), record.context()), (Some(31), Some(7)));

    let tag = Record::tag(Event::CoreUp, core, None, None);
    assert_eq!(tag, 0xffff_ffff_01ff_0002);
    let record = Record { tag, ..record };
    assert_eq!((record.domain(), record.context()), (None, None));

    let nonsense = Record { tag: u64::MAX, ..record };
    assert_eq!((nonsense.event(), nonsense.core()), (None, None));
}

#[test]
fn codes_and_names_are_unique() {
    for (index, event) in Event::ALL.into_iter().enumerate() {
        assert_eq!(event as usize, index + 1);
        assert_eq!(Event::from_code(event as u64), Some(event));
    }
    assert_eq!(Event::from_code(0), None);
    assert_eq!(Event::from_code(19), None);
    for (index, reason) in ExitReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index);
        assert!(index < ExitReason::COUNT);
    }
    let names: std::collections::HashSet<_> = Event::ALL.map(Event::name).into_iter().collect();
    assert_eq!(names.len(), Event::ALL.len());
    let names: std::collections::HashSet<_> = ExitReason::ALL.map(ExitReason::name).into();
    assert_eq!(names.len(), ExitReason::ALL.len());
}

#[test]
fn a_new_ring_has_nothing_to_read() {
    assert_eq!(read(&filled(0), 0), (vec![], Progress { next: 0, lost: 0 }));
}

#[test]
fn records_are_read_once_and_in_order() {
    let ring = filled(10);
    assert_eq!(read(&ring, 0), (numbers(0..10), Progress { next: 10, lost: 0 }));
    assert_eq!(read(&ring, 7), (numbers(7..10), Progress { next: 10, lost: 0 }));
    assert_eq!(read(&ring, 10), (vec![], Progress { next: 10, lost: 0 }));
    ring.push(record(10));
    assert_eq!(read(&ring, 10), (numbers(10..11), Progress { next: 11, lost: 0 }));
}

#[test]
fn the_oldest_records_are_lost_and_counted() {
    // One slot is always the writer's, so 254 records can be read.
    for written in [253, 254, 255, 256, 509, 510, 511, 1000] {
        let (records, progress) = read(&filled(written), 0);
        let lost = written.saturating_sub(254);
        assert_eq!(progress, Progress { next: written, lost });
        assert_eq!(records, numbers(lost..written));
    }
    let (records, progress) = read(&filled(1000), 900);
    assert_eq!((records, progress.lost), (numbers(900..1000), 0));
    let (records, progress) = read(&filled(1000), 700);
    assert_eq!((records, progress.lost), (numbers(746..1000), 46));
}

#[test]
fn a_position_beyond_the_head_starts_over_there() {
    let (records, progress) = read(&filled(5), 1000);
    assert_eq!((records, progress), (vec![], Progress { next: 5, lost: 0 }));
}

/// As the host's reader takes it: the head, then every slot; the head's slot has the oldest record.
#[test]
fn a_ring_lies_in_memory_as_the_host_reads_it() {
    for written in [0, 3, 255, 256, 1000] {
        let mut words = vec![0; 4 * 256];
        words[0] = written;
        for Record { time, tag, a, b } in numbers(0..written) {
            words[4 * (1 + time as usize % 255)..][..4].copy_from_slice(&[time, tag, a, b]);
        }
        assert_eq!(words_of(&filled(written)), words);
    }
}

#[test]
fn a_reader_beside_a_writer_sees_whole_records_in_order() {
    let ring = Ring::<SMALL>::new();
    let stop = AtomicBool::new(false);
    const SMALL: usize = 8;
    thread::scope(|threads| {
        threads.spawn(|| {
            (0..200_000).for_each(|number| ring.push(record(number)));
            stop.store(true, Ordering::Release);
        });
        let (mut from, mut seen, mut lost) = (0, 0, 0);
        loop {
            let stopped = stop.load(Ordering::Acquire);
            let mut last = None;
            let progress = ring.read(from, |got| {
                assert_eq!(got, record(got.time), "torn");
                assert!(last.is_none_or(|last| got.time > last) && got.time >= from);
                last = Some(got.time);
                seen += 1;
            });
            lost += progress.lost;
            from = progress.next;
            if stopped {
                break;
            }
        }
        assert_eq!((from, seen + lost), (200_000, 200_000));
    });
}

#[test]
fn exits_are_counted_by_domain_and_reason() {
    // SAFETY: a table of atomics, for which zero is a value.
    let exits: Exits = unsafe { core::mem::zeroed() };
    for _ in 0..3 {
        exits.count(0, ExitReason::Hypercall);
    }
    exits.count(31, ExitReason::Other);
    exits.count(32, ExitReason::Other);
    exits.count(usize::MAX, ExitReason::Other);
    let counts = words_of(&exits);
    assert_eq!(counts[ExitReason::Hypercall as usize], 3);
    assert_eq!(counts[31 * ExitReason::COUNT + ExitReason::Other as usize], 1);
    assert_eq!(counts.iter().sum::<u64>(), 4);
}

#[test]
fn a_header_says_what_was_published() {
    let fields = HeaderFields {
        cores: 512,
        counter_hz: 62_500_000,
        boot_ticks: 3,
        area_base: 0x4fe0_0000,
        area_stride: 0x3000,
        ram_base: 0x4000_0000,
        ram_size: 0x1000_0000,
    };
    let header = Header::default();
    assert_eq!(words_of(&header), [0; 8], "not published yet");
    header.publish(&fields);
    assert_eq!(bytes_of(&header)[..16], *b"CORLTRC1\x01\0\0\0\0\x02\0\0");
    assert_eq!(words_of(&header)[2..], [62_500_000, 3, 0x4fe0_0000, 0x3000, 0x4000_0000, 0x1000_0000]);
}
