use super::*;

#[test]
fn a_record_lies_in_memory_as_documented() {
    let record = Record::new(7, 3, b"hello").unwrap();
    assert_eq!(record.payload(), b"hello");
    let words = record.to_words();
    // By another implementation of FNV-1a.
    assert_eq!(words, [7, 5 << 32 | 3, 0x6f_6c6c_6568, 0, 0, 0, 0, 0x7444_43a8_dd47_366c]);
    assert_eq!(Record::from_words(words), Some(record));
}

#[test]
fn any_changed_bit_is_noticed() {
    let words = Record::new(u64::MAX, u32::MAX, &[0xff; PAYLOAD_MAX]).unwrap().to_words();
    assert!(Record::from_words(words).is_some());
    for bit in 0..512 {
        let mut changed = words;
        changed[bit / 64] ^= 1 << (bit % 64);
        assert_eq!(Record::from_words(changed), None, "bit {bit}");
    }
}

#[test]
fn a_length_beyond_the_payload_is_no_record() {
    let mut words = Record::new(1, 1, b"").unwrap().to_words();
    words[1] = 41 << 32 | 1;
    words[RECORD_WORDS - 1] = check(&words);
    assert_eq!(Record::from_words(words), None);
    assert_eq!(Record::new(1, 1, &[0; PAYLOAD_MAX + 1]), None);
}

#[test]
fn zeros_are_no_record() {
    assert_eq!(Record::from_words([0; RECORD_WORDS]), None);
}
