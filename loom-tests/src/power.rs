//! Models of cores that go off and wake: `kernel/src/power.rs` over `domains::ledger` and `hotplug::grant`.

use crate::harness::{Depth, explore};
use crate::steps::{EARLY, LATE, LATER, Machine, Spec, Terms, core_id, domain_id, heir};
use domains::ledger::{CoreState, Heir};
use domains::life::Phase;
use domains::protocol::EndKind;
use hotplug::transfer::Reason;
use smp::core_set::CoreSet;
use std::sync::Arc;

/// An idle core goes off while a guest's CPU_ON and an order for another domain both want it: one gets it, and it comes.
#[test]
fn a_core_that_goes_off_is_woken_for_one() {
    explore("power-off-wake", Depth::Preemptions(3), 1_500, || {
        let specs = [
            Spec { min: 1, start: 2, max: 2, cores: &[0], contexts: &[Some(0), None] },
            Spec { min: 1, start: 1, max: 2, cores: &[1], contexts: &[Some(1), None] },
        ];
        let machine = Arc::new(Machine::start(3, &specs));
        let idle = machine.spawn(|machine| machine.idle(&machine.cores[2]));
        let order = machine.spawn(|machine| {
            machine.domains[1].quota.expect_some().unwrap();
            assert!(machine.cores[2].errand.expect_report(1));
            machine.wake(CoreSet::from_iter([core_id(2)]), heir(1), LATE);
        });
        let claimed = machine.cpu_on(&machine.cores[0], &machine.domains[0].contexts[1]).is_ok();
        let off = idle.join().unwrap();
        order.join().unwrap();
        machine.settle();
        let end = machine.reports(1);
        let expected = match (claimed, off) {
            (true, _) => CoreState::Owned(domain_id(0)),
            (false, true) => CoreState::Owned(domain_id(1)),
            (false, false) => panic!("idle, and nobody got it"),
        };
        assert_eq!(machine.state(2), expected);
        assert_eq!(end, [if claimed { Err(Reason::Busy) } else { Ok(heir(1)) }]);
    });
}

/// An idle core is ordered off while a guest's CPU_ON wants it: it goes, and stays, or the order has failed.
#[test]
fn a_core_is_ordered_off_or_claimed() {
    explore("power-off-order", Depth::Preemptions(3), 6_000, || {
        let specs = [Spec { min: 1, start: 2, max: 2, cores: &[0], contexts: &[Some(0), None] }];
        let machine = Arc::new(Machine::start(2, &specs));
        let operator = machine.spawn(|machine| machine.order_off(core_id(1), 1));
        let guest = machine.spawn(|machine| machine.cpu_on(&machine.cores[0], &machine.domains[0].contexts[1]).is_ok());
        let off = !machine.resume(&machine.cores[1], EARLY) && machine.idle_ordered(&machine.cores[1]);
        assert!(operator.join().unwrap());
        let started = guest.join().unwrap();
        let off = off || !machine.resume(&machine.cores[1], LATE) && machine.idle_ordered(&machine.cores[1]);
        machine.settle();
        assert!(off != started);
        assert_eq!(machine.ended_once(1, true), Some(if off { Ok(Heir::Off) } else { Err(Reason::Busy) }));
    });
}

/// An idle core is ordered off, claimed by a guest's CPU_ON, and ordered away from there: each order has its own end.
#[test]
fn a_core_is_ordered_off_and_away() {
    explore("power-off-order-away", Depth::Preemptions(3), 200, || {
        let specs = [Spec { min: 1, start: 2, max: 2, cores: &[0], contexts: &[Some(0), None] }];
        let machine = Arc::new(Machine::start(2, &specs));
        let operator = machine.spawn(|machine| machine.order_off(core_id(1), 1));
        machine.cpu_on(&machine.cores[0], &machine.domains[0].contexts[1]).unwrap();
        machine.order(core_id(1), &machine.domains[0], Heir::Pool, Terms::ask(2)).unwrap();
        let noted = operator.join().unwrap();
        machine.settle();
        assert_eq!(machine.ended_once(1, noted), noted.then_some(Err(Reason::Busy)));
        assert_eq!(machine.ended_once(2, true), Some(Ok(Heir::Pool)));
    });
}

/// An idle core is ordered off just as it goes off by itself: it is off, and held.
#[test]
fn a_core_that_goes_off_is_held_off() {
    explore("power-off-twice", Depth::Exhaustive, 300, || {
        let machine = Arc::new(Machine::start(1, &[]));
        let operator = machine.spawn(|machine| machine.order_off(core_id(0), 1));
        let off = machine.idle(&machine.cores[0]);
        assert!(operator.join().unwrap());
        assert!(off || machine.idle(&machine.cores[0]));
        assert_eq!(machine.state(0), CoreState::Off { held: true });
        assert_eq!(machine.ended_once(1, true), Some(Ok(Heir::Off)));
    });
}

/// Whoever waited long enough gives a core up that just comes: it is the heir's or has failed, and what it was to wake is
/// woken.
#[test]
fn a_core_that_comes_late_has_failed_or_not() {
    explore("wake-fail", Depth::Exhaustive, 35_000, || {
        let specs = [Spec { min: 1, start: 1, max: 4, cores: &[0], contexts: &[Some(0), None, None, None] }];
        let machine = Arc::new(Machine::start(4, &specs));
        for core in [1, 2, 3] {
            assert!(machine.idle(&machine.cores[core]));
            machine.domains[0].quota.expect_some().unwrap();
            assert!(machine.cores[core].errand.expect_report(core as u32));
        }
        machine.wake(CoreSet::from_iter([1, 2, 3].map(core_id)), heir(0), LATE);
        assert_eq!(machine.take_started(), [1, 2]);
        machine.secondary_main(&machine.cores[2], LATE);
        let late = machine.spawn(|machine| machine.secondary_main(&machine.cores[1], LATER));
        machine.watch(&machine.cores[0], LATER);
        late.join().unwrap();
        machine.settle();
        let failed = machine.state(1) == CoreState::Failed;
        assert_eq!(machine.ended_once(1, true), Some(if failed { Err(Reason::Lost) } else { Ok(heir(0)) }));
        for core in [2, 3] {
            assert_eq!(machine.ended_once(core as u32, true), Some(Ok(heir(0))));
            assert_eq!(machine.state(core), CoreState::Owned(domain_id(0)));
        }
    });
}

/// The domain for which a core comes ends meanwhile: the core is idle then, or off again, and the domain owns none.
#[test]
fn a_core_that_comes_for_a_domain_that_ends_is_idle() {
    explore("wake-heir-ends", Depth::Preemptions(3), 2_000, || {
        let specs = [
            Spec { min: 1, start: 1, max: 1, cores: &[0], contexts: &[Some(0)] },
            Spec { min: 1, start: 1, max: 2, cores: &[1], contexts: &[Some(1), None] },
        ];
        let machine = Arc::new(Machine::start(3, &specs));
        assert!(machine.idle(&machine.cores[2]));
        machine.domains[1].quota.expect_some().unwrap();
        assert!(machine.cores[2].errand.expect_report(1));
        machine.wake(CoreSet::from_iter([core_id(2)]), heir(1), LATE);
        assert_eq!(machine.take_started(), [2]);
        let coming = machine.spawn(|machine| machine.secondary_main(&machine.cores[2], LATE));
        machine.stop(&machine.domains[1], EndKind::Failed);
        machine.resume(&machine.cores[1], LATE);
        coming.join().unwrap();
        machine.settle();
        assert_eq!(machine.domains[1].life.now().phase, Phase::Ended);
        assert_eq!([machine.state(1), machine.state(2)], [CoreState::Idle; 2]);
        machine.ended_once(1, true);
    });
}

/// A core that a CPU_ON woke comes late: the CPU is on there, or off, and its core does not count.
#[test]
fn a_cpu_whose_core_comes_late_is_on_or_off() {
    explore("wake-fail-cpu-on", Depth::Exhaustive, 9_000, || {
        let specs = [Spec { min: 1, start: 2, max: 2, cores: &[0], contexts: &[Some(0), None] }];
        let machine = Arc::new(Machine::start(2, &specs));
        let context = &machine.domains[0].contexts[1];
        assert!(machine.idle(&machine.cores[1]));
        machine.cpu_on(&machine.cores[0], context).unwrap();
        assert_eq!(machine.take_started(), [1]);
        let late = machine.spawn(|machine| machine.secondary_main(&machine.cores[1], LATER));
        machine.watch(&machine.cores[0], LATER);
        late.join().unwrap();
        machine.settle();
        assert!((machine.state(1) == CoreState::Failed) != context.is_on());
        // There is no other core: it is on already, or cannot be.
        assert!(machine.cpu_on(&machine.cores[0], context).is_err());
    });
}

/// A core that was woken before is woken again, while a watcher looks: it has its time.
#[test]
fn a_core_is_not_given_up_before_its_time() {
    explore("wake-watch", Depth::Exhaustive, 40, || {
        let specs = [Spec { min: 1, start: 1, max: 2, cores: &[0], contexts: &[Some(0), None] }];
        let machine = Arc::new(Machine::start(2, &specs));
        for _ in 0..2 {
            assert!(machine.idle(&machine.cores[1]));
            machine.wake(CoreSet::from_iter([core_id(1)]), Heir::Pool, LATE);
            machine.take_started();
            machine.secondary_main(&machine.cores[1], LATE);
        }
        assert!(machine.idle(&machine.cores[1]));
        let waker = machine.spawn(|machine| machine.wake(CoreSet::from_iter([core_id(1)]), Heir::Pool, LATER));
        machine.watch(&machine.cores[0], LATER);
        waker.join().unwrap();
        machine.settle();
        assert_eq!(machine.state(1), CoreState::Idle);
    });
}
