use super::*;
use std::cell::Cell;

/// What a detector says that had time to look before.
fn in_time(_: bool) -> Option<(u64, bool)> {
    None
}

#[test]
fn a_deadline_expires_once() {
    let health = Health::default();
    assert!(!health.expire(u64::MAX, in_time), "nothing is expected");
    health.arm(Some(100));
    assert_eq!((health.due(), health.expire(99, in_time)), (Some(100), false));
    assert!(health.expire(100, in_time));
    assert_eq!((health.due(), health.expire(200, in_time), health.beat(|| 300)), (None, false, false));
    health.arm(Some(0));
    assert!(health.expire(2, in_time));
}

#[test]
fn a_heartbeat_moves_it() {
    let health = Health::default();
    health.arm(Some(100));
    assert!(health.beat(|| 200));
    assert!(!health.expire(199, in_time));
    assert!(health.expire(200, in_time));
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
        assert!(health.expire(100, in_time));
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
    assert!(!health.expire(100, in_time), "nothing is expected");
    assert!(health.beat(|| 50), "who begins to beat is watched");
    assert_eq!((health.expire(49, in_time), health.expire(50, in_time)), (false, true));
    health.arm(Some(200));
    assert_eq!((health.due(), health.expire(150, in_time)), (Some(200), false), "a new life has a new deadline");
}

#[test]
fn who_comes_late_puts_it_off() {
    let health = Health::default();
    health.arm(Some(100));
    assert!(!health.expire(99, |_| panic!("it is not due")));
    for _ in 0..2 {
        for at in 0..MOST_OFTEN {
            let (now, next) = (100 + 10 * at, 110 + 10 * at);
            assert!(!health.expire(now, |_| Some((next, false))));
            assert_eq!(health.due(), Some(next));
        }
        assert!(health.beat(|| 100), "and then it counts anew");
    }
    for _ in 0..MOST_OFTEN {
        assert!(!health.expire(100, |_| Some((100, true))));
    }
    assert!(health.expire(100, |_| Some((200, true))), "not for ever");
    assert_eq!((health.due(), health.expire(300, |_| Some((400, true)))), (None, false));
}

#[test]
fn there_is_a_warning_until_somebody_comes_late_or_it_beats() {
    let health = Health::default();
    health.arm(Some(100));
    let put_off = |was: bool, is: bool| {
        assert!(!health.expire(100, |warned| {
            assert_eq!(warned, was);
            Some((100, is))
        }));
    };
    put_off(false, true);
    put_off(true, true);
    put_off(true, false);
    put_off(false, true);
    assert!(health.beat(|| 100));
    put_off(false, true);
    assert!(health.expire(100, |warned| (!warned).then_some((200, true))));
}

#[test]
fn a_deadline_that_was_put_off_expires_in_time() {
    let health = Health::default();
    health.arm(Some(100));
    assert!(!health.expire(150, |_| Some((200, true))));
    assert!(!health.expire(199, in_time));
    assert!(health.expire(200, in_time));
}

#[test]
fn who_is_late_does_not_put_off_what_was_replaced() {
    let health = Health::default();
    health.arm(Some(100));
    let beats = |_| {
        assert!(health.beat(|| 300));
        Some((200, true))
    };
    assert!(!health.expire(150, beats));
    assert_eq!(health.due(), Some(300));
}
