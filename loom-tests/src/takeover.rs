//! Models of `failover`: a group's word and its members' health, with `domains::life` as the kernel has it.

use crate::harness::{Crossing, Depth, explore};
use crate::steps::{EARLY, Machine, Spec, Terms, core_id, domain_id, heir};
use domains::ledger::{CoreState, Heir};
use domains::life::{Left, Life, Phase};
use domains::manifest::Role;
use domains::protocol::EndKind;
use failover::group::{Beat, Group, NotBegun, State};
use failover::health::Health;
use failover::waiting::Waiting;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use loom::thread::{self, JoinHandle};
use std::sync::{Arc, Mutex};

/// When the first heartbeat is due, when the detectors look, and when the next heartbeat is due.
const DUE: u64 = 100;
const NOW: u64 = 150;
const NEXT: u64 = 200;

/// What a detector says that had time to look before.
fn in_time(_: bool) -> Option<(u64, bool)> {
    None
}

/// A member of the group.
struct Member {
    life: Life,
    health: Health,
    /// Its stage 2 lets it write the region.
    may_write: AtomicBool,
}

impl Member {
    /// It runs on so many contexts.
    fn running(contexts: usize) -> Self {
        let member = Self { life: Life::new(), health: Health::default(), may_write: AtomicBool::new(false) };
        assert!(member.life.loaded());
        (1..contexts).for_each(|_| member.life.join().unwrap());
        member.health.arm(Some(DUE));
        member
    }
}

/// A group whose first member serves, in its first epoch, and whose other members are ready.
struct World {
    group: Group,
    members: Vec<Member>,
    /// The epoch of the last write (as memory: loom looks for races).
    region: UnsafeCell<u32>,
    /// The epoch of each output. Not loom's: the observer orders nothing.
    outputs: Mutex<Vec<u32>>,
    crossing: Crossing,
}

// SAFETY: loom checks every access to `region`.
unsafe impl Sync for World {}
// SAFETY: plain data.
unsafe impl Send for World {}

impl World {
    fn new(contexts: &[usize]) -> Arc<Self> {
        let world = Self {
            group: Group::new(),
            members: contexts.iter().map(|contexts| Member::running(*contexts)).collect(),
            region: UnsafeCell::new(0),
            outputs: Mutex::default(),
            crossing: Crossing::default(),
        };
        assert_eq!(world.group.beat(0).0, Beat::Serves);
        (1..contexts.len() as u8).for_each(|member| assert_eq!(world.group.beat(member).0, Beat::Ready));
        world.members[0].may_write.store(true, Relaxed);
        Arc::new(world)
    }

    fn spawn<T: 'static>(self: &Arc<Self>, run: impl FnOnce(&Self) -> T + 'static) -> JoinHandle<T> {
        let world = Arc::clone(self);
        thread::spawn(move || run(&world))
    }

    fn member(&self, member: u8) -> &Member {
        &self.members[usize::from(member)]
    }

    /// A context of `member`, which believes to serve in `epoch`, writes; and says so to the outside.
    fn write(&self, member: u8, epoch: u32) {
        if self.member(member).may_write.load(Relaxed) {
            // SAFETY: loom checks that nobody else does so at the same time.
            self.region.with_mut(|region| unsafe {
                assert!(*region <= epoch, "epoch {epoch} writes after {}", *region);
                *region = epoch;
            });
            self.outputs.lock().unwrap().push(epoch);
        }
    }

    /// An error of a primary was found. Whether the caller saw to it.
    fn fail(&self, member: u8, kind: EndKind) -> bool {
        self.crossing.pass();
        let begun = match self.group.begin(member, false) {
            Err(NotBegun::NoStandby) => self.group.begin(member, true),
            begun => begun,
        };
        if begun.is_ok() {
            self.crossing.pass();
            self.member(member).life.stop(kind);
        }
        begun.is_ok()
    }

    /// A context leaves its core if its member stops; the last one fences the member. True: it left.
    fn leave_if_stopping(&self, member: u8) -> bool {
        self.crossing.pass();
        if self.member(member).life.now().phase != Phase::Stopping {
            return false;
        }
        if let Left::Last(_) = self.member(member).life.leave() {
            self.fenced(member);
        }
        true
    }

    /// Nothing of it runs any more: it loses its rights, and begins anew.
    fn fenced(&self, member: u8) {
        self.member(member).may_write.store(false, Relaxed);
        if let Some(next) = self.group.promote(member) {
            let promoted = self.member(next.primary);
            promoted.may_write.store(true, Relaxed);
            promoted.health.arm(Some(DUE));
        }
        self.member(member).life.restart();
        // Its group may have ended, or it is to be fenced again.
        if self.group.gone(member).stops(member) {
            self.member(member).life.stop(EndKind::Off);
        } else if self.group.now().primary != member {
            self.member(member).health.arm(None);
        }
    }

    /// All that is stopped leaves.
    fn settle(&self) {
        for member in 0..self.members.len() as u8 {
            while self.leave_if_stopping(member) {}
        }
        let epochs = self.outputs.lock().unwrap();
        assert!(epochs.is_sorted(), "{epochs:?}");
    }
}

/// A heartbeat against two detectors: it comes in time, and nobody expires it, or one of them does, and it is late.
#[test]
fn a_heartbeat_is_in_time_or_late() {
    explore("health-beat-deadline", Depth::Exhaustive, 20, || {
        let health = Arc::new(Health::default());
        health.arm(Some(DUE));
        let spawn = |run: fn(&Health) -> bool| {
            let health = Arc::clone(&health);
            thread::spawn(move || run(&health))
        };
        let detectors = [spawn(|health| health.expire(NOW, in_time)), spawn(|health| health.expire(NOW, in_time))];
        let in_time = health.beat(|| NEXT);
        let expired = detectors.map(|detector| detector.join().unwrap()).iter().filter(|expired| **expired).count();
        assert_eq!(expired, usize::from(!in_time));
        assert_eq!(health.due(), in_time.then_some(NEXT));
    });
}

/// A detector that comes late puts the deadline off while another one, in time, lets it expire and a heartbeat comes: the
/// heartbeat is in time, or only the other one learns that it was not.
#[test]
fn who_comes_late_puts_the_deadline_off() {
    explore("health-put-off", Depth::Exhaustive, 20, || {
        let health = Arc::new(Health::default());
        health.arm(Some(DUE));
        let spawn = |run: fn(&Health) -> bool| {
            let health = Arc::clone(&health);
            thread::spawn(move || run(&health))
        };
        let late = spawn(|health| health.expire(NOW, |_| Some((NOW + 1, true))));
        let other = spawn(|health| health.expire(NOW, in_time));
        let in_time = health.beat(|| NEXT);
        let (late, expired) = (late.join().unwrap(), other.join().unwrap());
        assert_eq!((late, expired), (false, !in_time));
        assert_eq!(health.due(), in_time.then_some(NEXT));
    });
}

/// Two contexts of a domain beat, and the deadline is that of the later one.
#[test]
fn of_two_heartbeats_the_later_counts() {
    explore("health-two-beats", Depth::Exhaustive, 20, || {
        let health = Arc::new(Health::default());
        let clock = Arc::new(AtomicU64::new(DUE));
        health.arm(Some(DUE));
        let beat = |health: &Health, clock: &AtomicU64| assert!(health.beat(|| clock.fetch_add(1, Relaxed)));
        let other = {
            let (health, clock) = (Arc::clone(&health), Arc::clone(&clock));
            thread::spawn(move || beat(&health, &clock))
        };
        beat(&health, &clock);
        other.join().unwrap();
        assert_eq!(health.due(), Some(clock.load(Relaxed) - 1));
    });
}

/// A life begins with a new deadline while the old one expires: it does not expire the new one.
#[test]
fn an_old_deadline_does_not_end_a_new_life() {
    explore("health-arm-deadline", Depth::Exhaustive, 4, || {
        let health = Arc::new(Health::default());
        health.arm(Some(DUE));
        let detector = {
            let health = Arc::clone(&health);
            thread::spawn(move || health.expire(NOW, in_time))
        };
        health.arm(Some(NEXT));
        assert_eq!(health.due(), Some(NEXT));
        detector.join().unwrap();
        assert_eq!(health.due(), Some(NEXT));
    });
}

/// Two detectors, one of which would have the primary begin anew: one of them sees to it, as it wanted.
#[test]
fn of_two_detectors_one_counts() {
    explore("takeover-two-detectors", Depth::Exhaustive, 10, || {
        let world = World::new(&[1, 1]);
        let other = world.spawn(|world| {
            world.crossing.pass();
            let begun = world.group.begin(0, true).is_ok();
            begun && world.member(0).life.stop(EndKind::Fault)
        });
        let one = world.fail(0, EndKind::Reset);
        let other = other.join().unwrap();
        assert!(one != other);
        assert_eq!(world.member(0).life.now().kind, if one { EndKind::Reset } else { EndKind::Fault });
        world.settle();
        let now = world.group.now();
        assert_eq!((now.epoch, now.primary, now.state), (2, u8::from(one), State::Promoted));
        assert_eq!(world.member(0).life.now().boots, 2);
    });
}

/// Both contexts of a primary write while it is stopped, and the standby writes as soon as it sees that it is the
/// primary: nothing of the old epoch comes after the first of the new one.
#[test]
fn nothing_of_an_old_epoch_comes_late() {
    explore("takeover-late-write", Depth::Preemptions(3), 1_000, || {
        let world = World::new(&[2, 1]);
        // Its contexts write to the same place, one of them only before the other has begun.
        let one = world.spawn(|world| {
            world.write(0, 1);
            world.leave_if_stopping(0)
        });
        let next = world.spawn(|world| {
            let now = world.group.now();
            if now.role(1) == Role::Promoted {
                world.write(1, now.epoch);
            }
        });
        world.fail(0, EndKind::Fault);
        assert!(world.leave_if_stopping(0));
        let (_, ()) = (one.join().unwrap(), next.join().unwrap());
        world.settle();
        let now = world.group.now();
        assert_eq!((now.epoch, now.primary), (2, 1));
        world.write(0, 1);
        world.write(1, now.epoch);
        world.settle();
    });
}

/// The same where the standby's contexts learn of it by their heartbeats, of which one is the first.
#[test]
fn whoever_learns_of_the_epoch_sees_what_was_written_before() {
    explore("takeover-two-heartbeats", Depth::Preemptions(3), 1_000, || {
        let world = World::new(&[1, 2]);
        let run = |world: &World| {
            let (beat, now) = world.group.beat(1);
            let serves = now.role(1) != Role::Standby;
            if serves {
                assert!(matches!(beat, Beat::Serves | Beat::Lives));
                // SAFETY: loom checks that nobody writes at the same time.
                assert_eq!(world.region.with(|region| unsafe { *region }), 1);
            }
            beat
        };
        let contexts = [world.spawn(run), world.spawn(run)];
        world.write(0, 1);
        world.fail(0, EndKind::Fault);
        assert!(world.leave_if_stopping(0));
        let beats = contexts.map(|context| context.join().unwrap());
        let confirmed = beats.iter().filter(|beat| **beat == Beat::Serves).count();
        assert_eq!(world.group.now().state == State::Serving, confirmed == 1);
        assert!(confirmed <= 1);
    });
}

/// A standby fails, for itself, while the primary is replaced: with it, or with the other one, or, if it was chosen and
/// there is no other, with the next life of it. Whoever is the primary in the end lives, and in an epoch of its own.
#[test]
fn a_standby_fails_during_a_takeover() {
    for (others, name) in [(0, "takeover-standby-fails"), (1, "takeover-one-of-two-fails")] {
        explore(name, Depth::Preemptions(3), 100, move || {
            let world = World::new(&vec![1; others + 2]);
            let standby = world.spawn(|world| {
                world.crossing.pass();
                world.group.gone(1);
                world.member(1).life.stop(EndKind::Fault);
                // A context that has not seen it yet.
                world.group.beat(1);
                let chosen = world.group.now().primary == 1;
                assert!(world.leave_if_stopping(1));
                chosen
            });
            world.fail(0, EndKind::Reset);
            assert!(world.leave_if_stopping(0));
            let chosen = standby.join().unwrap();
            world.settle();
            let now = world.group.now();
            assert_eq!(now.ready & 1 << now.primary, 0);
            // Of each epoch but the first one life was the primary.
            let primary = world.member(now.primary);
            assert_eq!(primary.life.now().phase, if now.primary < 2 { Phase::Loading } else { Phase::Running });
            let expected = match (now.primary, others) {
                (0, 0) | (2, 1) => 2..=3,
                (1, 0) => 2..=3,
                // The old primary has not become ready: nothing is left but the one that failed.
                _ => unreachable!("{now:?}"),
            };
            assert!(expected.contains(&now.epoch), "{now:?}");
            assert!(!chosen || now.epoch == 3, "{now:?}");
            assert_eq!([0, 1].map(|member| world.member(member).life.now().boots), [2, 2]);
        });
    }
}

/// The new primary fails while the old one, as a standby, becomes ready: that takes over, or the new one begins anew.
#[test]
fn the_new_primary_fails_while_the_old_one_restarts() {
    explore("takeover-restart", Depth::Exhaustive, 50, || {
        let world = World::new(&[1, 1]);
        world.fail(0, EndKind::Fault);
        assert!(world.leave_if_stopping(0));
        let old = world.spawn(|world| {
            world.crossing.pass();
            assert!(world.member(0).life.loaded());
            assert_eq!(world.group.beat(0).0, Beat::Ready);
        });
        assert!(world.fail(1, EndKind::Fault));
        assert!(world.leave_if_stopping(1));
        old.join().unwrap();
        world.settle();
        let now = world.group.now();
        assert_eq!((now.epoch, now.state), (3, State::Promoted));
        assert_eq!(now.ready, if now.primary == 0 { 0 } else { 1 });
        assert_eq!([0, 1].map(|member| world.member(member).life.now().boots), [2, 2]);
    });
}

/// An operator orders a failover while the primary resets itself: it is replaced once.
#[test]
fn an_order_meets_the_primarys_own_reset() {
    explore("takeover-order-reset", Depth::Exhaustive, 50, || {
        let world = World::new(&[1, 1]);
        let operator = world.spawn(|world| world.fail(0, EndKind::Failed));
        let own = world.fail(0, EndKind::Reset);
        // If the operator was first, its stop comes yet.
        let left = world.leave_if_stopping(0);
        let ordered = operator.join().unwrap();
        assert!(own != ordered && (left || ordered));
        world.settle();
        let now = world.group.now();
        assert_eq!((now.epoch, now.primary, now.ready), (2, 1, 0));
        assert_eq!(world.member(0).life.now().boots, 2);
    });
}

/// A primary that begins anew fails again before it has: it is stopped, by who found that or by itself.
#[test]
fn a_primary_that_begins_anew_can_fail_at_once() {
    explore("takeover-begin-restart", Depth::Exhaustive, 100, || {
        let world = World::new(&[1, 1]);
        world.group.gone(1);
        assert!(world.fail(0, EndKind::Reset));
        let detector = world.spawn(|world| world.fail(0, EndKind::Fault));
        assert!(world.leave_if_stopping(0));
        let again = detector.join().unwrap();
        world.settle();
        let (now, life) = (world.group.now(), world.member(0).life.now());
        let expected = if again { 3 } else { 2 };
        assert_eq!((now.epoch, now.state, now.primary), (expected, State::Promoted, 0));
        assert_eq!((life.phase, life.boots), (Phase::Loading, expected));
    });
}

/// The first heartbeat of a new primary against its deadline: it serves, or is fenced and begins anew.
#[test]
fn a_new_primary_beats_in_time_or_begins_anew() {
    explore("takeover-promoted-deadline", Depth::Exhaustive, 10, || {
        let world = World::new(&[1, 1]);
        world.fail(0, EndKind::Fault);
        assert!(world.leave_if_stopping(0));
        let detector = world.spawn(|world| {
            world.crossing.pass();
            world.member(1).health.expire(NOW, in_time) && world.fail(1, EndKind::Fault)
        });
        world.crossing.pass();
        let beat = world.member(1).health.beat(|| NEXT).then(|| world.group.beat(1).0);
        let failed = detector.join().unwrap();
        assert_eq!(beat, (!failed).then_some(Beat::Serves));
        world.settle();
        let now = world.group.now();
        let expected = if failed { (3, State::Promoted) } else { (2, State::Serving) };
        assert_eq!((now.epoch, now.state, now.primary), (expected.0, expected.1, 1));
    });
}

/// A core of the old primary is ordered away, for another domain or the pool, while it is fenced, and its cores are the
/// standby's: each of them has one owner in the end, and quotas count it.
#[test]
fn a_core_is_ordered_away_during_a_takeover() {
    for (to, name) in [(heir(2), "takeover-core-move"), (Heir::Pool, "takeover-core-pool")] {
        explore(name, Depth::Preemptions(2), 500, move || {
            let specs = [
                Spec { min: 1, start: 2, max: 2, cores: &[0, 1], contexts: &[Some(0), Some(1)] },
                Spec { min: 1, start: 1, max: 3, cores: &[2], contexts: &[Some(2), None, None] },
                Spec { min: 1, start: 1, max: 2, cores: &[3], contexts: &[Some(3), None] },
            ];
            let mut machine = Machine::start(4, &specs);
            machine.domains[0].heir = Some(domain_id(1));
            let machine = Arc::new(machine);
            let operator =
                machine.spawn(move |machine| machine.order(core_id(1), &machine.domains[0], to, Terms::now(1)).is_ok());
            machine.stop(&machine.domains[0], EndKind::Reset);
            machine.resume(&machine.cores[1], EARLY);
            machine.resume(&machine.cores[0], EARLY);
            let ordered = operator.join().unwrap();
            machine.settle();
            assert_eq!(machine.state(0), CoreState::Owned(domain_id(1)));
            let expected = match (machine.ended_once(1, ordered), to) {
                (None, _) => CoreState::Owned(domain_id(1)),
                (Some(Ok(_)), Heir::Pool) => CoreState::Idle,
                (Some(end), _) => {
                    assert_eq!(end, Ok(to));
                    CoreState::Owned(domain_id(2))
                }
            };
            assert_eq!(machine.state(1), expected);
        });
    }
}

/// The group ends while a standby begins anew: that ends, too.
#[test]
fn no_standby_outlives_its_group() {
    explore("takeover-end-restart", Depth::Exhaustive, 20, || {
        let world = World::new(&[1, 1]);
        assert!(world.member(1).life.stop(EndKind::Fault));
        let standby = world.spawn(|world| world.leave_if_stopping(1));
        assert!(world.group.end(0));
        world.member(1).life.stop(EndKind::Off);
        assert!(standby.join().unwrap());
        let life = world.member(1).life.now();
        assert_eq!((life.phase, life.kind, life.boots), (Phase::Stopping, EndKind::Off, 2));
    });
}

/// A group, a member of it that comes to wait, and what that has done before.
struct Waits(Group, Waiting, UnsafeCell<u32>);

// SAFETY: loom checks every access to the cell.
unsafe impl Sync for Waits {}
// SAFETY: plain data.
unsafe impl Send for Waits {}

/// A member comes to wait while the new primary says that it serves, or the group ends: it is seen to once, by one who
/// finds what it did before.
#[test]
fn who_waits_is_seen_to_once() {
    for (name, ends) in [("takeover-wait-serves", false), ("takeover-wait-end", true)] {
        explore(name, Depth::Exhaustive, 10, move || {
            let shared = Arc::new(Waits(Group::new(), Waiting::default(), UnsafeCell::new(0)));
            let changer = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let Waits(group, waiting, left) = &*shared;
                    let changed = if ends { group.end(0) } else { group.beat(0).0 == Beat::Serves };
                    assert!(changed);
                    let sees = waiting.end();
                    // SAFETY: loom checks it.
                    sees && left.with(|left| unsafe { *left }) == 1
                })
            };
            let Waits(group, waiting, left) = &*shared;
            // SAFETY: loom checks it.
            left.with_mut(|left| unsafe { *left = 1 });
            let now = waiting.begin(group).state;
            let sees = matches!(now, State::Serving | State::Over) && waiting.end();
            assert!(sees ^ changer.join().unwrap(), "it is seen to once");
        });
    }
}
