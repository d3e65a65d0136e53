use super::*;

fn ready(group: &Group, members: &[u8]) {
    for member in members {
        assert_eq!(group.beat(*member).0, Beat::Ready);
    }
}

#[test]
fn a_standby_takes_over_once_the_primary_is_fenced() {
    let group = Group::new();
    assert_eq!(group.beat(0).0, Beat::Serves);
    assert_eq!(group.begin(0, false), Err(NotBegun::NoStandby));
    ready(&group, &[1]);
    assert_eq!(group.begin(1, false), Err(NotBegun::NotPrimary));
    assert_eq!(group.begin(0, false), Ok(()));
    assert_eq!(group.begin(0, false), Err(NotBegun::NotPrimary), "one detector sees to it");
    assert_eq!((group.beat(0).0, group.now().role(1)), (Beat::Late, Role::Standby));
    let next = group.promote(0).unwrap();
    assert_eq!((next.epoch, next.primary, next.ready), (2, 1, 0));
    assert_eq!((next.role(0), next.role(1)), (Role::Standby, Role::Promoted));
    assert_eq!(group.promote(0), None, "it is a standby now");
    assert_eq!((group.beat(1).0, group.beat(1).0), (Beat::Serves, Beat::Lives));
    ready(&group, &[0]);
}

#[test]
fn the_one_that_failed_meanwhile_is_not_chosen() {
    let group = Group::new();
    ready(&group, &[1, 2]);
    assert_eq!(group.begin(0, false), Ok(()));
    group.gone(1);
    assert_eq!(group.promote(0).map(|next| next.primary), Some(2));
    // Now there is none.
    assert_eq!(group.begin(2, false), Err(NotBegun::NoStandby));
    ready(&group, &[0]);
    assert_eq!(group.begin(2, false), Ok(()), "a new primary can fail before it serves");
    group.gone(0);
    let next = group.promote(2).unwrap();
    assert_eq!((next.epoch, next.primary, next.state), (3, 2, State::Promoted), "it begins anew itself");
}

#[test]
fn a_primary_begins_anew_in_a_new_epoch() {
    let group = Group::new();
    ready(&group, &[1]);
    assert_eq!(group.begin(0, true), Ok(()));
    assert_eq!(group.promote(0).map(|next| (next.epoch, next.primary, next.ready)), Some((2, 0, 2)));
}

#[test]
fn the_group_ends_with_its_primary() {
    let group = Group::new();
    ready(&group, &[1]);
    assert!(!group.end(1));
    assert!(group.end(0));
    assert!(!group.end(0));
    assert_eq!(group.begin(0, false), Err(NotBegun::NotPrimary));
    assert_eq!(group.beat(1).0, Beat::Lives);
}

#[test]
fn a_standby_that_has_left_is_not_ready() {
    let group = Group::new();
    ready(&group, &[1]);
    group.gone(1);
    // One of its contexts still runs.
    ready(&group, &[1]);
    assert_eq!(group.promote(1), None);
    assert_eq!((group.now().ready, group.now().epoch), (0, 1));
    assert_eq!(group.begin(0, false), Err(NotBegun::NoStandby));
}

#[test]
fn a_standby_that_was_chosen_while_it_stopped_passes_it_on() {
    for others in [&[][..], &[2]] {
        let group = Group::new();
        ready(&group, &[1]);
        assert_eq!(group.begin(0, false), Ok(()));
        assert_eq!(group.promote(0).map(|next| next.primary), Some(1));
        ready(&group, others);
        // Nobody began: it was stopped as a standby.
        let next = group.promote(1).unwrap();
        let primary = others.first().copied().unwrap_or(1);
        assert_eq!((next.epoch, next.primary, next.state, next.ready), (3, primary, State::Promoted, 0));
    }
}

#[test]
fn one_that_begins_anew_sees_that_it_is_fenced_again() {
    let group = Group::new();
    ready(&group, &[1]);
    assert_eq!(group.begin(0, true), Ok(()));
    assert_eq!(group.promote(0).map(|next| next.primary), Some(0));
    assert!(!group.gone(0).stops(0));
    assert_eq!(group.begin(0, false), Ok(()), "between its promotion and its start");
    assert!(group.gone(0).stops(0));
    assert!(!group.gone(1).stops(1), "it is not the standby that is fenced");
}

#[test]
fn nothing_follows_the_end() {
    let group = Group::new();
    ready(&group, &[1]);
    assert_eq!(group.begin(0, false), Ok(()));
    assert!(group.end(0), "a primary may end while it is fenced");
    assert_eq!((group.promote(0), group.promote(1)), (None, None));
    assert!(group.gone(1).stops(1));
    assert_eq!(group.beat(0).0, Beat::Lives);
}

/// Every word that two members and every call can lead to: epochs grow by one with each new primary, and only then;
/// the primary is never among the ready; only who begins makes it fenced.
#[test]
fn whatever_comes_the_word_says_something() {
    let calls: [fn(&Group, u8) -> bool; 6] = [
        |group, member| group.begin(member, false).is_ok(),
        |group, member| group.begin(member, true).is_ok(),
        |group, member| group.promote(member).is_some(),
        |group, member| group.beat(member).0 == Beat::Lives,
        |group, member| group.gone(member).state == State::Over,
        |group, member| group.end(member),
    ];
    let mut seen = vec![Group::new().now()];
    let mut at = 0;
    while let Some(before) = seen.get(at).copied() {
        at += 1;
        for (call, member) in calls.iter().flat_map(|call| [0, 1, 2].map(|member| (call, member))) {
            let group = Group(AtomicU64::new(before.to_word()));
            call(&group, member);
            let now = group.now();
            assert_eq!(Moment::from_word(now.to_word()), now);
            assert_eq!(now.ready & bit(now.primary), 0, "{before:?} {now:?}");
            assert!(now.epoch == before.epoch && now.primary == before.primary || now.state == State::Promoted);
            assert!(before.state != State::Over || now == Moment { ready: now.ready, ..before });
            let raised = now.epoch == before.epoch + 1 && before.primary == member;
            assert!(now.epoch == before.epoch || raised, "{before:?} {now:?}");
            if now.epoch < 4 && !seen.contains(&now) {
                seen.push(now);
            }
        }
    }
    assert!(seen.len() > 100, "{}", seen.len());
}

#[test]
fn one_that_cannot_begin_anew_is_replaced_by_who_gets_ready() {
    let group = Group::new();
    assert_eq!(group.begin(0, true), Ok(()));
    group.lose(1);
    assert_eq!(group.now().state, State::Renewing, "that is not the primary");
    group.lose(0);
    ready(&group, &[1]);
    assert_eq!(group.promote(0).map(|next| next.primary), Some(1));
}
