//! Models of `smp::trace` and its reader: one writer, one reader that it overtakes.

use loom::{sync::Arc, thread};
use smp::trace::{Record, Ring};
use trace_reader::Progress;

use crate::harness::{Crossing, Depth, explore};

/// As few slots as there can be: one that can be read and one that is the writer's.
type SmallRing = Ring<2>;

fn record(number: u64) -> Record {
    let word = number + 1;
    Record { time: word, tag: word, a: word, b: word }
}

/// A ring with that many records, and a thread that writes that many more.
fn writing(before: u64, more: u64) -> (Arc<SmallRing>, Arc<Crossing>) {
    let ring = Arc::<SmallRing>::new(trace_reader::empty());
    (0..before).for_each(|number| ring.push(record(number)));
    let crossing = Arc::new(Crossing::default());
    let writer = (Arc::clone(&ring), Arc::clone(&crossing));
    thread::spawn(move || {
        writer.1.pass();
        (before..before + more).for_each(|number| writer.0.push(record(number)));
    });
    (ring, crossing)
}

/// Reads from `from` on; whatever is accepted is whole and is the record of that number.
fn read((ring, crossing): &(Arc<SmallRing>, Arc<Crossing>), from: u64) -> Progress {
    crossing.pass();
    let mut seen = 0;
    let mut last = None;
    let progress = trace_reader::read(ring, from, |got| {
        assert_eq!(got, record(got.time - 1), "torn");
        assert!(got.time > from && last.is_none_or(|last| got.time > last));
        last = Some(got.time);
        seen += 1;
    });
    assert_eq!(seen + progress.lost, progress.next - from);
    progress
}

/// The reader copies record 1 while the writer writes record 2 beside it and record 3 over it.
#[test]
fn an_overwritten_record_is_not_accepted() {
    explore("trace-overwrite", Depth::Exhaustive, 50_000, || {
        let ring = writing(2, 2);
        read(&ring, 0);
    });
}

/// The reader sees a head that is just being stored: the record below it is there.
#[test]
fn a_record_below_the_head_is_whole() {
    explore("trace-publish", Depth::Exhaustive, 30, || {
        let ring = writing(0, 1);
        let progress = read(&ring, 0);
        assert!(progress.next <= 1);
        assert_eq!(progress.lost, 0);
    });
}
