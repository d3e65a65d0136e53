use super::*;

#[test]
fn a_round_is_committed_or_cancelled() {
    let pause = Pause::default();
    assert_eq!((pause.gathering(), pause.holds(1)), (None, false));
    assert!(pause.begin(1) && !pause.begin(2));
    assert_eq!((pause.gathering(), pause.holds(1), pause.holds(2)), (Some(1), true, false));
    pause.cancel(2);
    assert!(pause.commit(1));
    pause.cancel(1);
    assert_eq!((pause.gathering(), pause.holds(1), pause.begin(3)), (None, true, false));
    pause.end();
    assert!(!pause.holds(1) && pause.begin(3));
    pause.cancel(3);
    assert!(!pause.holds(3) && !pause.commit(3));
}
