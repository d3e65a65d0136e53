//! A model of domains that wait for a core to start on.

use crate::harness::{Depth, explore};
use crate::steps::{Machine, Spec};
use domains::life::Phase;
use std::sync::Arc;

/// A domain finds no core to start on while one is given up: it is not forgotten.
#[test]
fn a_domain_that_waits_gets_the_core_that_is_given_up() {
    explore("waiting-domain", Depth::Preemptions(4), 2_000, || {
        let specs = [
            Spec { min: 1, start: 2, max: 2, cores: &[0, 1], contexts: &[Some(0), Some(1)] },
            Spec { min: 1, start: 1, max: 1, cores: &[], contexts: &[None] },
        ];
        let machine = Arc::new(Machine::start(2, &specs));
        let guest = machine.spawn(|machine| machine.cpu_off(&machine.cores[1]));
        machine.start_domain(&machine.cores[0], &machine.domains[1], None);
        guest.join().unwrap();
        machine.settle();
        assert_eq!(machine.domains[1].life.now().phase, Phase::Running);
    });
}
