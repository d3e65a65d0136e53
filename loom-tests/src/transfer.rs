//! Models of `hotplug::transfer`: cores that are ordered away from domains.

use crate::harness::{Depth, explore};
use crate::steps::{EARLY, LATE, Machine, Spec, Terms, core_id, domain_id, heir};
use domains::ledger::{CoreState, Heir};
use domains::life::Phase;
use domains::protocol::EndKind;
use hotplug::transfer::Reason;
use smp::mailbox::Requests;
use std::sync::Arc;

/// Two orders for one core, and one of them is cancelled, while the core looks at what was ordered: it ends with one
/// owner, and each order that was accepted has one end.
#[test]
fn of_two_orders_for_a_core_one_counts() {
    explore("transfer-two-orders", Depth::Preemptions(2), 20_000, || {
        let specs = [
            Spec { min: 1, start: 2, max: 2, cores: &[0, 1], contexts: &[Some(0), Some(1)] },
            Spec { min: 1, start: 1, max: 2, cores: &[2], contexts: &[Some(2), None] },
        ];
        let machine = Arc::new(Machine::start(3, &specs));
        // It has something to look at for another reason, as after a cancel.
        machine.post(core_id(1), Requests::ERRAND);
        let one = machine.spawn(|machine| {
            let ordered = machine.order(core_id(1), &machine.domains[0], heir(1), Terms::ask(1)).is_ok();
            ordered.then(|| machine.cancel(core_id(1), Reason::Cancelled).is_ok())
        });
        let other =
            machine.spawn(|machine| machine.order(core_id(1), &machine.domains[0], Heir::Pool, Terms::now(2)).is_ok());
        machine.resume(&machine.cores[1], EARLY);
        machine.resume(&machine.cores[1], EARLY);
        let (one, other) = (one.join().unwrap(), other.join().unwrap());
        machine.settle();
        let (first, second) = (machine.ended_once(1, one.is_some()), machine.ended_once(2, other));
        let expected = match (first, second) {
            (_, Some(Ok(Heir::Pool))) => CoreState::Idle,
            (Some(Ok(Heir::Domain(owner))), _) => CoreState::Owned(owner),
            _ => CoreState::Owned(domain_id(0)),
        };
        assert_eq!(machine.state(1), expected);
    });
}

/// An order is cancelled, and another one given, while the core looks whether the first one's deadline has passed: the
/// core does not leave for what was cancelled, nor for what its domain was not asked yet, nor ends it.
#[test]
fn a_deadline_is_that_of_the_order_that_counts() {
    for give_up in [false, true] {
        let name = if give_up { "transfer-cancel-give-up" } else { "transfer-cancel-deadline" };
        explore(name, Depth::Preemptions(3), 9_000, move || {
            let specs = [
                Spec { min: 1, start: 2, max: 2, cores: &[0, 1], contexts: &[Some(0), Some(1)] },
                Spec { min: 1, start: 1, max: 2, cores: &[2], contexts: &[Some(2), None] },
            ];
            let machine = Arc::new(Machine::start(3, &specs));
            let terms = if give_up { Terms::ask_only(1) } else { Terms::ask_shortly(1) };
            machine.order(core_id(1), &machine.domains[0], Heir::Pool, terms).unwrap();
            machine.resume(&machine.cores[1], EARLY);
            let operator = machine.spawn(|machine| {
                let cancelled = machine.cancel(core_id(1), Reason::Cancelled).is_ok();
                let ordered = machine.order(core_id(1), &machine.domains[0], heir(1), Terms::ask(2)).is_ok();
                (cancelled, ordered)
            });
            machine.timer_fired(&machine.cores[1], LATE);
            machine.resume(&machine.cores[1], LATE);
            let (cancelled, ordered) = operator.join().unwrap();
            let expected = match (ordered, cancelled || give_up) {
                (true, _) => CoreState::Asked(domain_id(0), heir(1)),
                (false, true) => CoreState::Owned(domain_id(0)),
                (false, false) => CoreState::Idle,
            };
            assert_eq!(machine.state(1), expected);
            machine.settle();
            let first = match (cancelled, give_up) {
                (true, _) => Err(Reason::Cancelled),
                (false, true) => Err(Reason::Timeout),
                (false, false) => Ok(Heir::Pool),
            };
            assert_eq!(machine.ended_once(1, true), Some(first));
            assert_eq!(machine.ended_once(2, ordered), ordered.then_some(Ok(heir(1))));
        });
    }
}

/// A core that its domain does not use is ordered away as the domain ends: that has an end, too.
#[test]
fn an_order_for_a_core_of_a_domain_that_ends_is_answered() {
    explore("transfer-order-end", Depth::Preemptions(3), 8_000, || {
        let spec = Spec { min: 1, start: 2, max: 2, cores: &[0, 1], contexts: &[Some(0), None] };
        let machine = Arc::new(Machine::start(2, &[spec]));
        machine.stop(&machine.domains[0], EndKind::Off);
        let operator =
            machine.spawn(|machine| machine.order(core_id(1), &machine.domains[0], Heir::Off, Terms::ask(1)).is_ok());
        machine.resume(&machine.cores[0], EARLY);
        let ordered = operator.join().unwrap();
        machine.settle();
        assert_eq!(machine.ended_once(1, ordered), ordered.then_some(Ok(Heir::Off)));
    });
}

/// Two cores of a domain that needs one are ordered away at once: one of them stays.
#[test]
fn two_orders_leave_a_domain_its_minimum() {
    explore("transfer-two-cores", Depth::Preemptions(3), 20_000, || {
        let spec = Spec { min: 1, start: 2, max: 2, cores: &[0, 1], contexts: &[Some(0), Some(1)] };
        let machine = Arc::new(Machine::start(2, &[spec]));
        let run = |machine: &Machine, core: usize| {
            let ordered = machine.order(core_id(core), &machine.domains[0], Heir::Pool, Terms::now(core as u32 + 1));
            machine.resume(&machine.cores[core], EARLY);
            ordered
        };
        let other = machine.spawn(move |machine| run(machine, 1));
        let ordered = [run(&machine, 0), other.join().unwrap()];
        machine.settle();
        assert!(ordered.contains(&Ok(())) && ordered.contains(&Err(Reason::BelowMin)), "{ordered:?}");
        for (core, ordered) in ordered.iter().enumerate() {
            let owner = if ordered.is_ok() { CoreState::Idle } else { CoreState::Owned(domain_id(0)) };
            assert_eq!(machine.state(core), owner);
            machine.ended_once(core as u32 + 1, ordered.is_ok());
        }
    });
}

/// A core is ordered away from its heir as soon as that has it: each order has its own end.
#[test]
fn a_core_that_just_came_is_ordered_on() {
    explore("transfer-order-again", Depth::Preemptions(3), 1_400, || {
        let specs = [
            Spec { min: 1, start: 2, max: 2, cores: &[0, 1], contexts: &[Some(0), Some(1)] },
            Spec { min: 1, start: 1, max: 2, cores: &[2], contexts: &[Some(2), None] },
        ];
        let machine = Arc::new(Machine::start(3, &specs));
        machine.order(core_id(1), &machine.domains[0], heir(1), Terms::now(1)).unwrap();
        let operator =
            machine.spawn(|machine| machine.order(core_id(1), &machine.domains[1], Heir::Pool, Terms::now(2)).is_ok());
        machine.resume(&machine.cores[1], EARLY);
        let again = operator.join().unwrap();
        machine.settle();
        assert_eq!(machine.ended_once(1, true), Some(Ok(heir(1))));
        assert_eq!(machine.ended_once(2, again), again.then_some(Ok(Heir::Pool)));
    });
}

/// A guest's CPU_OFF, its CPU_ON of the same context, and an order that takes the core at once.
#[test]
fn a_core_moves_while_its_guest_switches_it_off_and_on() {
    explore("transfer-psci-move", Depth::Preemptions(2), 5_000, || {
        let specs = [
            Spec { min: 1, start: 2, max: 2, cores: &[0, 1], contexts: &[Some(0), Some(1)] },
            Spec { min: 1, start: 1, max: 2, cores: &[2], contexts: &[Some(2), None] },
        ];
        let machine = Arc::new(Machine::start(3, &specs));
        let operator =
            machine.spawn(|machine| machine.order(core_id(1), &machine.domains[0], heir(1), Terms::now(1)).is_ok());
        let caller = machine.spawn(|machine| {
            let context = &machine.domains[0].contexts[1];
            machine.cpu_on(&machine.cores[0], context).is_ok() || machine.cpu_on(&machine.cores[0], context).is_ok()
        });
        machine.cpu_off(&machine.cores[1]);
        machine.resume(&machine.cores[1], EARLY);
        let (ordered, started) = (operator.join().unwrap(), caller.join().unwrap());
        machine.settle();
        machine.ended_once(1, ordered);
        assert_eq!(machine.domains[0].contexts[1].is_on(), started);
        assert!(!ordered || machine.state(1) == CoreState::Owned(domain_id(1)));
    });
}

/// The deadline passes while another core of the domain tries CPU_ON of a context that is still on: it goes on there.
#[test]
fn a_core_is_taken_at_its_deadline_while_its_guest_switches_it_on() {
    explore("transfer-deadline-psci", Depth::Preemptions(3), 12_000, || {
        let specs = [
            Spec { min: 1, start: 2, max: 2, cores: &[0, 1], contexts: &[Some(0), Some(1)] },
            Spec { min: 1, start: 1, max: 2, cores: &[2], contexts: &[Some(2), None] },
        ];
        let machine = Arc::new(Machine::start(3, &specs));
        machine.order(core_id(1), &machine.domains[0], heir(1), Terms::ask_shortly(1)).unwrap();
        machine.resume(&machine.cores[1], EARLY);
        let guest = machine.spawn(|machine| {
            machine.resume(&machine.cores[0], LATE);
            // Whichever context this core has now goes off, and comes on again.
            let (_, context) = machine.cores[0].current().unwrap();
            machine.cpu_off(&machine.cores[0]);
            if machine.resume(&machine.cores[0], LATE) {
                let _ = machine.cpu_on(&machine.cores[0], machine.context(context));
            }
        });
        machine.timer_fired(&machine.cores[1], LATE);
        machine.resume(&machine.cores[1], LATE);
        guest.join().unwrap();
        machine.settle();
        machine.ended_once(1, true);
    });
}

/// Its heir ends, or starts anew, while a core comes to it: the core is the heir's as long as that lives, or idle.
#[test]
fn a_core_never_goes_to_an_heir_that_ended() {
    for restarts in [false, true] {
        let name = if restarts { "heir-restarts" } else { "heir-ends" };
        explore(name, Depth::Preemptions(3), 5_000, move || {
            let specs = [
                Spec { min: 1, start: 2, max: 2, cores: &[0, 1], contexts: &[Some(0), Some(1)] },
                Spec { min: 1, start: 1, max: 2, cores: &[2], contexts: &[Some(2), None] },
            ];
            let mut machine = Machine::start(3, &specs);
            machine.domains[1].restarts = restarts;
            let machine = Arc::new(machine);
            machine.order(core_id(1), &machine.domains[0], heir(1), Terms::now(1)).unwrap();
            let ending = machine.spawn(|machine| {
                machine.stop(&machine.domains[1], EndKind::Failed);
                machine.resume(&machine.cores[2], EARLY);
            });
            machine.resume(&machine.cores[1], EARLY);
            ending.join().unwrap();
            machine.settle();
            machine.ended_once(1, true);
            let moment = machine.domains[1].life.now();
            assert_eq!((moment.phase, moment.boots), if restarts { (Phase::Running, 2) } else { (Phase::Ended, 1) });
        });
    }
}
