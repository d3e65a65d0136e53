//! Tests of rings, tables and header, live and in their bytes.

use super::*;

fn record(number: u64) -> Record {
    Record { time: number, tag: number << 20, a: !number, b: number * 3 }
}

fn filled(records: u64) -> Ring {
    // SAFETY: a head and slots of atomics, for which zero is a value.
    let ring: Ring = unsafe { core::mem::zeroed() };
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
fn codes_and_names_are_unique() {
    for (index, event) in Event::ALL.into_iter().enumerate() {
        assert_eq!(event as usize, index + 1);
        assert_eq!(Event::from_code(event as u64), Some(event));
    }
    assert_eq!(Event::from_code(0), None);
    assert_eq!(Event::from_code(20), None);
    for (index, reason) in ExitReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index);
        assert!(index < ExitReason::COUNT);
    }
    let names: std::collections::HashSet<_> = Event::ALL.map(Event::name).into_iter().collect();
    assert_eq!(names.len(), Event::ALL.len());
    let names: std::collections::HashSet<_> = ExitReason::ALL.map(ExitReason::name).into();
    assert_eq!(names.len(), ExitReason::ALL.len());
}

/// As the host's reader takes it: the head, then every slot; the head's slot has the oldest record.
#[test]
fn a_ring_lies_in_memory_as_the_host_reads_it() {
    for written in [0, 3, 255, 256, 1000] {
        let mut words = vec![0; 4 * 256];
        words[0] = written;
        for Record { time, tag, a, b } in (0..written).map(record) {
            words[4 * (1 + time as usize % 255)..][..4].copy_from_slice(&[time, tag, a, b]);
        }
        assert_eq!(words_of(&filled(written)), words);
    }
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
    let header = Header::default();
    assert_eq!(words_of(&header), [0; 8], "not published yet");
    header.publish([1 | 512 << 32, 62_500_000, 3, 0x4fe0_0000, 0x3000, 0x4000_0000, 0x1000_0000]);
    assert_eq!(bytes_of(&header)[..16], *b"CORLTRC1\x01\0\0\0\0\x02\0\0");
    assert_eq!(words_of(&header)[2..], [62_500_000, 3, 0x4fe0_0000, 0x3000, 0x4000_0000, 0x1000_0000]);
}
