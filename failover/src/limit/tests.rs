use super::*;

#[test]
fn so_many_within_that_time() {
    let limit = Limit::default();
    let at = |now| limit.allow(now, 2, 100);
    assert_eq!([at(0), at(50), at(60), at(99)], [true, true, false, false]);
    assert_eq!([at(101), at(150), at(201), at(202)], [true, true, false, true]);
    assert!(!Limit::default().allow(5, 0, 100));
}

#[test]
fn no_time_of_that_length_has_more_than_twice_as_many() {
    for period in 1..120 {
        let limit = Limit::default();
        let allowed: Vec<u64> = (0..400).map(|n| n * period).filter(|now| limit.allow(*now, 3, 100)).collect();
        let most = allowed.iter().map(|from| allowed.iter().filter(|at| (*from..=from + 100).contains(at)).count());
        assert!(most.max() <= Some(6), "every {period}: {allowed:?}");
    }
}

#[test]
fn the_largest_numbers_do_not_wrap() {
    let limit = Limit::default();
    let late = u64::MAX >> 16;
    assert_eq!((0..70_000).filter(|_| limit.allow(late, u32::MAX, u32::MAX)).count(), 0xffff);
}
