//! Tests of what is read from rings, at rest and live.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

fn record(number: u64) -> Record {
    Record { time: number, tag: number << 20, a: !number, b: number * 3 }
}

fn filled(records: u64) -> Ring {
    let ring = empty();
    (0..records).for_each(|number| ring.push(record(number)));
    ring
}

fn read_all(ring: &Ring, from: u64) -> (Vec<Record>, Progress) {
    let mut records = Vec::new();
    let progress = read(ring, from, |record| records.push(record));
    (records, progress)
}

fn numbers(records: core::ops::Range<u64>) -> Vec<Record> {
    records.map(record).collect()
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
fn a_new_ring_has_nothing_to_read() {
    assert_eq!(read_all(&filled(0), 0), (vec![], Progress { next: 0, lost: 0 }));
}

#[test]
fn records_are_read_once_and_in_order() {
    let ring = filled(10);
    assert_eq!(read_all(&ring, 0), (numbers(0..10), Progress { next: 10, lost: 0 }));
    assert_eq!(read_all(&ring, 7), (numbers(7..10), Progress { next: 10, lost: 0 }));
    assert_eq!(read_all(&ring, 10), (vec![], Progress { next: 10, lost: 0 }));
    ring.push(record(10));
    assert_eq!(read_all(&ring, 10), (numbers(10..11), Progress { next: 11, lost: 0 }));
}

#[test]
fn the_oldest_records_are_lost_and_counted() {
    // One slot is always the writer's, so 254 records can be read.
    for written in [253, 254, 255, 256, 509, 510, 511, 1000] {
        let (records, progress) = read_all(&filled(written), 0);
        let lost = written.saturating_sub(254);
        assert_eq!(progress, Progress { next: written, lost });
        assert_eq!(records, numbers(lost..written));
    }
    let (records, progress) = read_all(&filled(1000), 900);
    assert_eq!((records, progress.lost), (numbers(900..1000), 0));
    let (records, progress) = read_all(&filled(1000), 700);
    assert_eq!((records, progress.lost), (numbers(746..1000), 46));
}

#[test]
fn a_position_beyond_the_head_starts_over_there() {
    let (records, progress) = read_all(&filled(5), 1000);
    assert_eq!((records, progress), (vec![], Progress { next: 5, lost: 0 }));
}

#[test]
fn a_reader_beside_a_writer_sees_whole_records_in_order() {
    let ring = empty::<SMALL>();
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
            let progress = read(&ring, from, |got| {
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
