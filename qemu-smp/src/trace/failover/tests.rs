use smp::trace::Event;

use super::*;
use crate::trace::tests::Memory;

const ALPHA: u16 = 0;
const BETA: u16 = 1;

/// The words of [`FailoverStep::Detected`].
fn detected(error: GroupError, role: Role, action: GroupAction) -> u64 {
    error as u64 | (role as u64) << 8 | (action as u64) << 16
}

/// What is read of these records: time, domain, step, second word.
fn groups(records: &[(u64, u16, FailoverStep, u64)]) -> Groups {
    let mut memory = Memory::new(1);
    for (time, domain, step, word) in records {
        memory.push(0, *time, Event::Failover, Some(*domain), *step as u64, *word);
    }
    from_trace(&memory.collector().finish().unwrap(), |domain| (domain < 2).then_some(0))
}

#[test]
fn a_takeover_has_its_steps() {
    use FailoverStep::{
        Confirmed, Detected, HandedOver, Injected, Notified, Raised, Ready, Restarts, Revoked, Stopped,
    };
    let found = groups(&[
        (5, BETA, Ready, 0),
        (10, ALPHA, Injected, InjectedFault::Hang as u64),
        (100, ALPHA, Detected, detected(GroupError::Heartbeat, Role::Primary, GroupAction::TakeOver)),
        (101, ALPHA, Stopped, 0),
        (102, ALPHA, Revoked, 0),
        (103, BETA, Raised, 2),
        (104, BETA, HandedOver, 3),
        (105, BETA, HandedOver, 4),
        (106, BETA, Notified, 2),
        (120, BETA, Confirmed, 2),
        (130, ALPHA, Restarts, 0),
        (140, ALPHA, Ready, 0),
    ]);
    let [takeover] = found.failovers.as_slice() else { panic!("{found:?}") };
    assert_eq!((takeover.from, takeover.to, takeover.epoch), (0, Some(1), Some(2)));
    assert_eq!((takeover.error, takeover.role), (GroupError::Heartbeat, Role::Primary));
    assert_eq!((takeover.stopped_us, takeover.revoked_us, takeover.raised_us), (Some(101.0), Some(102.0), Some(103.0)));
    assert_eq!((takeover.cores.as_slice(), takeover.handed_us), (&[3, 4][..], Some(105.0)));
    assert_eq!((takeover.detection_us(), takeover.takeover_us()), (Some(90.0), Some(6.0)));
    assert_eq!((takeover.confirmation_us(), takeover.restarted_us), (Some(20.0), Some(130.0)));
    assert!(takeover.is_takeover());
}

#[test]
fn a_takeover_whose_heir_fails_is_two_failures() {
    use FailoverStep::{Confirmed, Detected, Injected, NoStandby, Notified, Raised};
    let primary = detected(GroupError::Reset, Role::Primary, GroupAction::TakeOver);
    let promoted = detected(GroupError::Fault, Role::Promoted, GroupAction::TakeOver);
    let found = groups(&[
        (10, ALPHA, Injected, InjectedFault::Reset as u64),
        (11, ALPHA, Detected, primary),
        (12, BETA, Raised, 2),
        (13, BETA, Notified, 2),
        (13, BETA, Injected, InjectedFault::Crash as u64),
        (14, BETA, Detected, promoted),
        (15, ALPHA, Raised, 3),
        (16, ALPHA, Notified, 3),
        (17, ALPHA, Confirmed, 3),
        (50, ALPHA, Detected, primary),
        (51, ALPHA, NoStandby, 0),
    ]);
    let ends: Vec<_> = found.failovers.iter().map(|it| (it.from, it.to, it.epoch, it.injected_us)).collect();
    let expected = [(0, Some(1), Some(2), Some(10.0)), (1, Some(0), Some(3), Some(13.0)), (0, None, None, None)];
    assert_eq!(ends, expected);
    assert_eq!(found.failovers[0].confirmed_us, None);
    assert_eq!(found.failovers[1].confirmed_us, Some(17.0));
    assert!(found.failovers[2].no_standby);
}

#[test]
fn a_standby_s_restart_is_its_own() {
    use FailoverStep::{Detected, Restarts, TooOften};
    let standby = |action| detected(GroupError::Fault, Role::Standby, action);
    let found = groups(&[
        (10, BETA, Detected, standby(GroupAction::Restart)),
        (12, BETA, Restarts, 0),
        (20, BETA, Detected, standby(GroupAction::Restart)),
        (21, BETA, TooOften, 0),
    ]);
    let ends: Vec<_> = found.failovers.iter().map(|it| (it.restarted_us, it.too_often, it.is_takeover())).collect();
    assert_eq!(ends, [(Some(12.0), false, false), (None, true, false)]);
}

#[test]
fn who_had_no_time_is_counted_and_warnings_are_not() {
    use FailoverStep::{Detected, PutOff};
    let found = groups(&[
        (10, ALPHA, PutOff, 0),
        (20, ALPHA, PutOff, 1),
        (30, BETA, PutOff, 0),
        (40, ALPHA, Detected, detected(GroupError::Heartbeat, Role::Primary, GroupAction::TakeOver)),
    ]);
    assert_eq!((found.put_off, found.failovers.len()), (2, 1));
}

#[test]
fn checkpoints_are_summed_up() {
    use FailoverStep::{Checkpoint, Detected, RolledBack};
    let found = groups(&[
        (10, ALPHA, Checkpoint, 7 | 3000 << 32),
        (20, ALPHA, Checkpoint, 5 | 9000 << 32),
        (30, ALPHA, Detected, detected(GroupError::Fault, Role::Primary, GroupAction::RollBack)),
        (31, ALPHA, RolledBack, 12),
    ]);
    assert_eq!((found.checkpoint_pages, found.checkpoint_pauses_us), (12, vec![3.0, 9.0]));
    assert_eq!(found.failovers[0].rolled_back, Some(12));
}
