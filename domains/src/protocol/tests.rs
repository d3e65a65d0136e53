use super::*;

fn framed(writes: &[(Tag, &[u8])]) -> Vec<u8> {
    let (mut mux, mut line) = (Mux::default(), Vec::new());
    for (tag, bytes) in writes {
        mux.write(*tag, bytes, |byte| line.push(byte));
    }
    line
}

fn split(line: &[u8]) -> Vec<(Tag, u8)> {
    let mut splitter = Splitter::new();
    line.iter().filter_map(|&byte| splitter.push(byte)).collect()
}

#[test]
fn what_is_framed_is_split_again() {
    let writes: [(Tag, &[u8]); 5] = [
        (Tag::Kernel, b"boot\n"),
        (Tag::Domain(0), b"a\x01\x010\x01"),
        (Tag::Domain(31), b"z"),
        (Tag::Domain(31), b"\x01"),
        (Tag::Kernel, b""),
    ];
    let expected: Vec<_> = writes.iter().flat_map(|(tag, bytes)| bytes.iter().map(|&byte| (*tag, byte))).collect();
    assert_eq!(split(&framed(&writes)), expected);
}

#[test]
fn a_switch_is_sent_only_when_the_console_changes() {
    assert_eq!(framed(&[(Tag::Domain(0), b"a"), (Tag::Domain(0), b"b")]), b"\x011ab");
    assert_eq!(framed(&[(Tag::Kernel, b"")]), b"");
}

#[test]
fn every_tag_has_its_own_byte_and_none_is_the_switch() {
    let tags = (0..MAX_DOMAINS as u8).map(Tag::Domain).chain([Tag::Kernel]);
    for tag in tags {
        assert_ne!(tag.byte(), SWITCH);
        assert_eq!(Tag::from_byte(tag.byte()), Some(tag));
    }
    assert_eq!((0..=255).filter_map(Tag::from_byte).count(), MAX_DOMAINS + 1);
}

#[test]
fn an_unknown_tag_is_skipped() {
    assert_eq!(split(b"a\x01\xffb"), [(Tag::Kernel, b'a'), (Tag::Kernel, b'b')]);
}

#[test]
fn a_log_line_starts_with_its_stamp() {
    let stamp = LogStamp { microseconds: 1_234, core: 3 };
    assert_eq!(format!("{stamp} {RUN_MODULE}: {VERDICT_PASS}"), "[    0.001234  3] run: verdict: pass");
}

#[test]
fn a_domain_result_says_whether_it_is_the_expected_one() {
    let expected = ExpectedEnd::Off;
    let good = DomainResult { name: "linux", end: EndKind::Off, boots: 1, expected };
    assert_eq!(good.to_string(), "domain: name=linux end=off boots=1 expected=off ok");
    let bad = DomainResult { end: EndKind::Fault, ..good };
    assert_eq!(bad.to_string(), "domain: name=linux end=fault boots=1 expected=off FAILED");
    assert!(DomainResult { expected: ExpectedEnd::Any, ..bad }.is_ok());
}

#[test]
fn names_and_codes_lead_back() {
    for kind in EndKind::ALL {
        assert_eq!(EndKind::from_name(kind.name()), Some(kind));
        assert_eq!(EndKind::from_code(kind as u64), Some(kind));
    }
    for rule in Rule::ALL {
        assert_eq!(Rule::from_code(rule as u64), Some(rule));
        assert!(!rule.text().is_empty());
    }
    for key in ReportKey::ALL {
        assert_eq!(ReportKey::from_code(key as u64), Some(key));
        assert_eq!(ReportKey::from_name(&key.to_string()), Some(key));
    }
    assert_eq!(ReportKey::from_code(320), None);
    assert_eq!(ReportKey::from_name("user-64"), None);
    assert_eq!(ExpectedEnd::from_name("any"), Some(ExpectedEnd::Any));
    assert_eq!(ExpectedEnd::from_name("never"), None);
    assert_eq!(EndKind::from_code(7), None);
    assert_eq!(Rule::from_code(0), None);
}

#[test]
fn console_bytes_are_unpacked_low_byte_first() {
    let (bytes, count) = hypercall::unpack(&[9, 0x0807_0605_0403_0201, 9, 0, 0, 0, 0]).unwrap();
    assert_eq!(bytes[..count], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let (bytes, count) = hypercall::unpack(&[48, 0, 0, 0, 0, 0, 0x3000_0000_0000_0000]).unwrap();
    assert_eq!((count, bytes[47]), (48, 0x30));
    assert_eq!(hypercall::unpack(&[49, 0, 0, 0, 0, 0, 0]), None);
    assert_eq!(hypercall::unpack(&[u64::MAX, 0, 0, 0, 0, 0, 0]), None);
}

#[test]
fn the_uid_is_answered_low_byte_first() {
    let uid = 0x5a1c_3f70_6e52_4b0d_9d64_c077_1a1c_07a1_u128.to_be_bytes();
    assert_eq!(hypercall::UID_WORDS.map(u32::to_le_bytes).as_flattened(), uid);
    // Arm DEN 0028: the first word must not read as "unknown function".
    assert_ne!(hypercall::UID_WORDS[0], u32::MAX);
}
