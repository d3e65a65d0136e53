use super::*;
use crate::group::State;

#[test]
fn who_waits_is_seen_to_once() {
    let (group, waiting) = (Group::new(), Waiting::default());
    assert!(!waiting.is_on() && !waiting.end());
    assert_eq!(waiting.begin(&group).state, State::Promoted);
    assert!(waiting.is_on() && waiting.end());
    assert!(!waiting.is_on() && !waiting.end());
    group.beat(0);
    assert_eq!(waiting.begin(&group).state, State::Serving);
    assert!(group.end(0));
    assert_eq!(waiting.begin(&group).state, State::Over);
}
