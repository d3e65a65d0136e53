use super::Lateness;

#[test]
fn nothing_yet() {
    let lateness = Lateness::new(1000);
    assert_eq!(lateness.to_string(), "ticks=0 missed=0 lateness_ns min=0 mean=0 max=0");
    assert_eq!(lateness.histogram().count(), 0);
}

#[test]
fn a_tick_within_its_period_is_not_missed() {
    let mut lateness = Lateness::new(1000);
    assert_eq!(lateness.record(0), 1);
    assert_eq!(lateness.record(999), 1);
    assert_eq!(lateness.to_string(), "ticks=2 missed=0 lateness_ns min=0 mean=499 max=999");
    assert_eq!(lateness.histogram().collect::<Vec<_>>(), [(1, 1), (1024, 1)]);
}

#[test]
fn every_deadline_that_passed_counts() {
    let mut lateness = Lateness::new(1000);
    assert_eq!(lateness.record(1000), 2);
    assert_eq!(lateness.record(3999), 4);
    assert_eq!(lateness.ticks(), 6);
    assert_eq!(lateness.missed(), 4);
}

#[test]
fn extremes_do_not_overflow() {
    let mut lateness = Lateness::new(0);
    lateness.record(u64::from(u32::MAX));
    assert_eq!(lateness.max_ns(), u64::from(u32::MAX));
    assert_eq!(lateness.histogram().collect::<Vec<_>>(), [(1 << 31, 1)]);
}
