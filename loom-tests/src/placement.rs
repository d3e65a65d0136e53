//! Models of `hotplug::placement`: contexts that go on on another core.

use crate::harness::{Depth, explore};
use crate::steps::{EARLY, Machine, Spec, Terms, core_id};
use domains::ledger::{CoreState, Heir};
use std::sync::Arc;

/// A context is folded onto another core while it is interrupted, and its new core runs and looks.
#[test]
fn an_interrupt_finds_a_context_that_is_folded() {
    explore("fold-wake-up", Depth::Preemptions(3), 4_000, || {
        let spec = Spec { min: 1, start: 2, max: 2, cores: &[0, 1], contexts: &[Some(0), Some(1)] };
        let machine = Arc::new(Machine::start(2, &[spec]));
        machine.wait(&machine.cores[0]);
        machine.order(core_id(1), &machine.domains[0], Heir::Pool, Terms::now(1)).unwrap();
        let leaving = machine.spawn(|machine| machine.resume(&machine.cores[1], EARLY));
        let interrupting = machine.spawn(|machine| machine.interrupt(&machine.domains[0].contexts[1]));
        machine.resume(&machine.cores[0], EARLY);
        leaving.join().unwrap();
        interrupting.join().unwrap();
        machine.settle();
        assert_eq!(machine.domains[0].contexts[1].seat.now(), Some(core_id(0)));
    });
}

/// A core is taken from a domain that is given another: no context is folded in the end, whether the core had one or two.
#[test]
fn a_folded_context_goes_to_a_core_that_is_given() {
    for (name, contexts) in [("fold-give", &[Some(0), Some(1)][..]), ("unfold-fold", &[Some(0), Some(0), Some(1)][..])]
    {
        explore(name, Depth::Preemptions(2), 1_000, move || {
            let spec = Spec { min: 1, start: 2, max: 3, cores: &[0, 1], contexts };
            let machine = Arc::new(Machine::start(3, &[spec]));
            machine.order(core_id(0), &machine.domains[0], Heir::Pool, Terms::now(1)).unwrap();
            let governor = machine.spawn(|machine| {
                machine.give(&machine.cores[2], core_id(2), &machine.domains[0]).unwrap();
            });
            machine.resume(&machine.cores[0], EARLY);
            governor.join().unwrap();
            machine.settle();
            assert_eq!(machine.state(0), CoreState::Idle);
        });
    }
}

/// A domain with three contexts on one core is given two more at once: each gets another context.
#[test]
fn two_cores_that_are_given_want_two_contexts() {
    explore("unfold-two", Depth::Preemptions(2), 1_300, || {
        let spec = Spec { min: 1, start: 1, max: 3, cores: &[0], contexts: &[Some(0), Some(0), Some(0)] };
        let machine = Arc::new(Machine::start(3, &[spec]));
        let give = |machine: &Machine, core: usize| {
            machine.give(&machine.cores[core], core_id(core), &machine.domains[0]).unwrap();
        };
        let other = machine.spawn(move |machine| give(machine, 2));
        give(&machine, 1);
        other.join().unwrap();
        machine.settle();
    });
}

/// A domain with two contexts on one core is given another, while the one that is wanted is interrupted.
#[test]
fn an_interrupt_finds_a_context_that_is_unfolded() {
    explore("unfold-wake-up", Depth::Preemptions(3), 3_000, || {
        let spec = Spec { min: 1, start: 1, max: 2, cores: &[0], contexts: &[Some(0), Some(0)] };
        let machine = Arc::new(Machine::start(2, &[spec]));
        let interrupting = machine.spawn(|machine| machine.interrupt(&machine.domains[0].contexts[0]));
        let giving = machine.spawn(|machine| {
            machine.give(&machine.cores[1], core_id(1), &machine.domains[0]).unwrap();
            machine.resume(&machine.cores[1], EARLY);
        });
        machine.resume(&machine.cores[0], EARLY);
        interrupting.join().unwrap();
        giving.join().unwrap();
        machine.settle();
    });
}

/// Two of three cores are taken from a domain at once: what one sends to the other goes on from there.
#[test]
fn a_context_never_goes_to_a_core_that_leaves() {
    explore("migrate-release", Depth::Preemptions(3), 60_000, || {
        let spec = Spec { min: 1, start: 3, max: 3, cores: &[0, 1, 2], contexts: &[Some(0), Some(1), Some(2)] };
        let machine = Arc::new(Machine::start(3, &[spec]));
        machine.order(core_id(0), &machine.domains[0], Heir::Pool, Terms::now(1)).unwrap();
        let other = machine.spawn(|machine| {
            machine.order(core_id(1), &machine.domains[0], Heir::Pool, Terms::now(2)).unwrap();
            machine.resume(&machine.cores[1], EARLY);
        });
        machine.resume(&machine.cores[0], EARLY);
        other.join().unwrap();
        machine.settle();
        for core in [0, 1] {
            assert_eq!(machine.state(core), CoreState::Idle);
            machine.ended_once(core as u32 + 1, true);
        }
    });
}

/// A domain is given a core while its guest switches a CPU on, and another domain's does too.
#[test]
fn a_core_that_is_given_and_one_that_a_guest_takes_keep_the_quota() {
    for takes_idle in [false, true] {
        let name = if takes_idle { "governor-cpu-on-beyond" } else { "governor-cpu-on" };
        explore(name, Depth::Preemptions(3), 30_000, move || {
            // Beyond its grant the guest takes what is idle, while the governor raises the grant.
            let start = if takes_idle { 1 } else { 2 };
            let specs = [
                Spec { min: 1, start, max: 2, cores: &[0], contexts: &[Some(0), None] },
                Spec { min: 1, start: 2, max: 2, cores: &[1], contexts: &[Some(1), None] },
            ];
            let mut machine = Machine::start(3, &specs);
            machine.domains[0].takes_idle = takes_idle;
            let machine = Arc::new(machine);
            let on = |machine: &Machine, domain: usize| {
                machine.cpu_on(&machine.cores[domain], &machine.domains[domain].contexts[1]).is_ok()
            };
            let other = machine.spawn(move |machine| on(machine, 1));
            let governor =
                machine.spawn(|machine| machine.give(&machine.cores[2], core_id(2), &machine.domains[0]).is_ok());
            let started = on(&machine, 0);
            let (other, given) = (other.join().unwrap(), governor.join().unwrap());
            machine.settle();
            let granted = |domain: usize| machine.domains[domain].quota.counts().granted;
            assert_eq!([takes_idle || granted(0) == 2, granted(1) == 2], [true, true]);
            assert!(!(started && other), "a core has two owners");
            assert!(started || other || given, "the core is lost");
            // A core that was given but not switched on is spare: the guest's next CPU_ON gets it.
            assert!(!given || started || on(&machine, 0));
        });
    }
}
