use super::*;
use std::cell::Cell;

#[test]
fn a_deadline_expires_once() {
    let health = Health::default();
    assert!(!health.expire(u64::MAX), "nothing is expected");
    health.arm(Some(100));
    assert_eq!((health.due(), health.expire(99)), (Some(100), false));
    assert!(health.expire(100));
    assert_eq!((health.due(), health.expire(200), health.beat(|| 300)), (None, false, false));
    health.arm(Some(0));
    assert!(health.expire(2));
}

#[test]
fn a_heartbeat_moves_it() {
    let health = Health::default();
    health.arm(Some(100));
    assert!(health.beat(|| 200));
    assert!(!health.expire(199));
    assert!(health.expire(200));
}

#[test]
fn a_slow_heartbeat_takes_nothing_back() {
    let (health, clock) = (Health::default(), Cell::new(100));
    health.arm(Some(100));
    // Another context beats after this one has looked, and read the clock.
    let slow = || {
        let now = clock.replace(200);
        assert!(now == 200 || health.beat(|| clock.get()));
        now
    };
    assert!(health.beat(slow));
    assert_eq!(health.due(), Some(200));
}

#[test]
fn a_heartbeat_that_meets_the_end_is_late() {
    let health = Health::default();
    health.arm(Some(100));
    let expires = || {
        assert!(health.expire(100));
        200
    };
    assert!(!health.beat(expires));
    assert_eq!(health.due(), None);
}

#[test]
fn a_deadline_that_was_replaced_does_not_expire() {
    let health = Health::default();
    health.arm(Some(100));
    health.arm(None);
    assert!(!health.expire(100), "nothing is expected");
    assert!(health.beat(|| 50), "who begins to beat is watched");
    assert_eq!((health.expire(49), health.expire(50)), (false, true));
    health.arm(Some(200));
    assert_eq!((health.due(), health.expire(150)), (Some(200), false), "a new life has a new deadline");
}
