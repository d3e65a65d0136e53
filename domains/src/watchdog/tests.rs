use super::*;
use crate::mmio::AccessSize;

fn read(watchdog: &mut Watchdog, offset: u64) -> u32 {
    watchdog.control(&Access { offset, size: AccessSize::Word, kind: AccessKind::Read }, 0).0
}

fn write(watchdog: &mut Watchdog, offset: u64, value: u64, now: u64) -> bool {
    watchdog.control(&Access { offset, size: AccessSize::Word, kind: AccessKind::Write(value) }, now).1
}

#[test]
fn it_lives_while_it_runs_and_is_refreshed() {
    let mut watchdog = Watchdog::default();
    assert!(!watchdog.refresh(5), "it does not run");
    assert_eq!(watchdog.patience(), None);
    assert!(!write(&mut watchdog, WOR, 1000, 10));
    assert!(write(&mut watchdog, WCS, 1, 20), "switching it on is a sign of life");
    assert_eq!(watchdog.patience(), Some(2000));
    assert_eq!([WCS, WOR, WCV, WCV_HIGH].map(|offset| read(&mut watchdog, offset)), [1, 1000, 1020, 0]);
    assert!(watchdog.refresh(u64::from(u32::MAX)));
    assert_eq!([WCV, WCV_HIGH].map(|offset| read(&mut watchdog, offset)), [999, 1]);
    assert!(!write(&mut watchdog, WCS, 0, 0));
    assert_eq!(watchdog.patience(), None);
}

#[test]
fn the_compare_value_can_be_written() {
    let mut watchdog = Watchdog::default();
    assert!(!write(&mut watchdog, WCV, 7, 0) && !write(&mut watchdog, WCV_HIGH, 1, 0));
    assert_eq!([WCV, WCV_HIGH].map(|offset| read(&mut watchdog, offset)), [7, 1]);
}

#[test]
fn what_is_not_there_reads_as_zero() {
    let mut watchdog = Watchdog::default();
    assert_eq!([0x20, 0xffc, W_IIDR].map(|offset| read(&mut watchdog, offset)), [0, 0, IIDR]);
    assert!(!write(&mut watchdog, 0xc, 1, 0));
}
