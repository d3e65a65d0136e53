use super::*;

fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn record(number: u64) -> Record {
    Record { time: number, tag: number << 20, a: !number, b: number * 3 }
}

/// The bytes of a ring with so many records, laid out as `smp` tests that they are.
fn filled(records: u64) -> Vec<u8> {
    let mut words = vec![0; ring::WORDS * (SLOTS + 1)];
    words[0] = records;
    for number in 0..records {
        let Record { time, tag, a, b } = record(number);
        let slot = 1 + number as usize % SLOTS;
        words[slot * ring::WORDS..][..ring::WORDS].copy_from_slice(&[time, tag, a, b]);
    }
    bytes_of(&words)
}

/// The ring of a machine that has stopped.
fn at_rest(bytes: &[u8]) -> Option<Snapshot<'_>> {
    let head = head(bytes)?;
    Some(Snapshot { head_before: head, bytes, head_after: head })
}

fn numbers(records: core::ops::Range<u64>) -> Vec<Record> {
    records.map(record).collect()
}

/// Reads a ring live and from its bytes; both must agree.
#[test]
fn bytes_are_read_as_a_live_ring_is() {
    for written in [0, 5, 10, 253, 254, 255, 256, 300, 509, 510, 511, 1000] {
        let ring: Ring = trace_reader::empty();
        (0..written).for_each(|number| ring.push(record(number)));
        let bytes = filled(written);
        for from in [0, 3, 7, 10, 700, 900, 1000] {
            let (mut live, mut parsed) = (Vec::new(), Vec::new());
            let progress = trace_reader::read(&ring, from, |record| live.push(record));
            let snapshot = at_rest(&bytes).unwrap();
            assert_eq!(snapshot.read(from, |record| parsed.push(record)), Some(progress));
            assert_eq!(live, parsed, "{from} of {written}");
        }
    }
}

#[test]
fn a_snapshot_drops_what_was_overwritten_while_it_was_made() {
    let bytes = filled(300);
    let read = |head_before, head_after| {
        let mut records = Vec::new();
        let snapshot = Snapshot { head_before, bytes: &bytes, head_after };
        let progress = snapshot.read(0, |record| records.push(record)).unwrap();
        (records, progress)
    };
    // Since the head was 290, ten records were written and the next may be half there.
    let (records, progress) = read(290, 300);
    assert_eq!(records, numbers(46..290));
    assert_eq!(progress, Progress { next: 290, lost: 46 });
    // The writer went round once: nothing is left of what there was.
    let (records, progress) = read(290, 545);
    assert_eq!((records, progress), (vec![], Progress { next: 290, lost: 290 }));
}

#[test]
fn bytes_that_are_no_ring_are_refused() {
    let bytes = filled(3);
    for length in [0, 7, 8, 32, 8191] {
        let read = at_rest(&bytes[..length]).and_then(|ring| ring.read(0, drop));
        assert_eq!(read, None, "{length} bytes");
    }
    // Whatever a damaged file says, reading ends.
    let nonsense = vec![0xff; 8192];
    let progress = at_rest(&nonsense).unwrap().read(0, drop).unwrap();
    assert_eq!(progress.next, u64::MAX);
}

#[test]
fn exits_are_found_by_domain_and_reason() {
    let mut words = [0; 512];
    words[ExitReason::Hypercall as usize] = 3;
    words[31 * ExitReason::COUNT + ExitReason::Other as usize] = 1;
    let bytes = bytes_of(&words);
    let counts = exits(&bytes).unwrap();
    assert_eq!(counts[0][ExitReason::Hypercall as usize], 3);
    assert_eq!(counts[31][ExitReason::Other as usize], 1);
    assert_eq!(counts.as_flattened().iter().sum::<u64>(), 4);
    assert_eq!(exits(&bytes[1..]), None);
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
    assert_eq!(header(&[0; 64]), None, "not published yet");
    let version_and_cores = 512 << 32 | u64::from(VERSION);
    let mut bytes = bytes_of(&[MAGIC, version_and_cores, 62_500_000, 3, 0x4fe0_0000, 0x3000, 0x4000_0000, 0x1000_0000]);
    assert_eq!(header(&bytes), Some(fields));
    assert_eq!(header(&bytes[..63]), None);
    bytes[8] = 2;
    assert_eq!(header(&bytes), None, "another version");
}
