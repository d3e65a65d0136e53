//! Which context gets what.

use super::*;

const ANY: u64 = 1 << 31;

fn sgi1r(sgi: u64, aff3: u64, aff2: u64, aff1: u64, range: u64, list: u64) -> u64 {
    sgi << 24 | aff3 << 48 | aff2 << 32 | aff1 << 16 | range << 44 | list
}

/// Peer bug: wrong target with more than 8 CPUs, with Aff1/Aff2 in use.
#[test]
fn all_of_123_contexts_are_reached_each_by_its_own_affinity() {
    let parts = redistributors(123);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    for target in 1..123 {
        machine.send(0, target, 6);
        for context in 0..123 {
            let expected: &[u32] = if context == target { &[6] } else { &[] };
            assert_eq!(machine.drain(context), expected, "{target} {context}");
        }
    }
}

/// Peer bug: wrong target with the range selector.
#[test]
fn affinities_that_no_context_has_are_not_reached() {
    let parts = redistributors(20);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    for value in [
        sgi1r(1, 1, 0, 0, 0, 0xffff),
        sgi1r(1, 0, 1, 0, 0, 0xffff),
        sgi1r(1, 0, 0, 2, 0, 0xffff),
        sgi1r(1, 0, 0, 255, 0, 0xffff),
        // Aff0 from 16 on: no context of cluster 0 or 1 has it.
        sgi1r(1, 0, 0, 0, 1, 0xffff),
        sgi1r(1, 0, 0, 1, 15, 0xffff),
        sgi1r(1, 0, 0, 1, 0, 0xfff0),
        sgi1r(1, 0, 0, 0, 0, 0),
    ] {
        machine.send_raw(0, value);
        assert!((0..20).all(|context| !vgic.has_work(context)), "{value:#x}");
    }
    machine.send_raw(0, sgi1r(1, 0, 0, 1, 0, 0b1010));
    let reached: Vec<usize> = (0..20).filter(|context| vgic.has_work(*context)).collect();
    assert_eq!(reached, [17, 19]);
}

#[test]
fn all_but_self_is_all_contexts_of_this_domain_but_the_sender() {
    let parts = redistributors(40);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    // The other fields do not matter then.
    machine.send_raw(17, 1 << 40 | sgi1r(9, 3, 4, 5, 6, 0xffff));
    for context in 0..40 {
        let expected: &[u32] = if context == 17 { &[] } else { &[9] };
        assert_eq!(machine.drain(context), expected);
    }
}

#[test]
fn a_list_may_name_the_sender() {
    let parts = redistributors(3);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.send_raw(1, sgi1r(2, 0, 0, 0, 0, 0xffff));
    for context in 0..3 {
        assert_eq!(machine.drain(context), [2]);
    }
}

#[test]
fn a_context_that_is_off_gets_its_sgi_when_it_is_on() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.unload(1);
    machine.send(0, 1, 2);
    machine.load(1);
    assert_eq!(machine.drain(1), [2]);
}

#[test]
fn a_shared_interrupt_goes_where_it_is_routed() {
    let parts = redistributors(20);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    for target in [0, 1, 15, 16, 19] {
        machine.route(0, CONSOLE, crate::psci::affinity_of(target));
        machine.set_line(CONSOLE, Level::High);
        for context in 0..20 {
            let expected = (context == target).then_some(CONSOLE);
            assert_eq!(machine.acknowledge(context), expected);
        }
        machine.set_line(CONSOLE, Level::Low);
        machine.end(target, CONSOLE);
    }
    // Nobody is there.
    machine.route(0, CONSOLE, 0x1_0000);
    machine.set_line(CONSOLE, Level::High);
    for context in 0..20 {
        assert_eq!(machine.acknowledge(context), None);
    }
    machine.route(0, CONSOLE, 3);
    assert_eq!(machine.acknowledge(3), Some(CONSOLE));
}

#[test]
fn an_interrupt_that_is_routed_away_while_listed_moves() {
    let parts = redistributors(3);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.set_line(CONSOLE, Level::High);
    machine.settle(0);
    assert!(machine.cores[0].entry(CONSOLE).is_some());
    machine.route(1, CONSOLE, 2);
    // Not yet: it is in a list register of 0.
    assert_eq!(machine.acknowledge(2), None);
    machine.settle(0);
    assert!(machine.cores[2].kicked);
    assert_eq!(machine.acknowledge(0), None);
    assert_eq!(machine.acknowledge(2), Some(CONSOLE));
}

#[test]
fn an_interrupt_that_is_routed_away_while_active_is_ended_where_it_was_taken() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.set_line(CONSOLE, Level::High);
    assert_eq!(machine.acknowledge(0), Some(CONSOLE));
    machine.route(0, CONSOLE, 1);
    assert_eq!(machine.acknowledge(1), None);
    machine.end(0, CONSOLE);
    assert_eq!(machine.acknowledge(0), None);
    assert_eq!(machine.acknowledge(1), Some(CONSOLE));
}

#[test]
fn any_goes_to_one_that_runs() {
    let parts = redistributors(4);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.route(0, CONSOLE, ANY);
    machine.unload(0);
    machine.unload(1);
    machine.set_line(CONSOLE, Level::High);
    let taken: Vec<_> = (2..4).filter_map(|context| machine.acknowledge(context)).collect();
    assert_eq!(taken, [CONSOLE]);
}

#[test]
fn any_wakes_those_that_take_part_when_none_runs_and_one_gets_it() {
    let parts = redistributors(4);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.route(0, CONSOLE, ANY);
    // One that sleeps by its redistributor's register does not take part.
    machine.write_own(1, GICR_WAKER, 2);
    for context in 0..4 {
        machine.unload(context);
    }
    machine.set_line(CONSOLE, Level::High);
    let kicked: Vec<bool> = machine.cores.iter().map(|core| core.kicked).collect();
    assert_eq!(kicked, [true, false, true, true]);
    assert!(!vgic.is_pending(1));
    let mut taken = 0;
    for context in 0..4 {
        machine.load(context);
        taken += machine.acknowledge(context).iter().count();
    }
    assert_eq!(taken, 1);
}

#[test]
fn any_moves_on_when_the_chosen_one_stops_before_it_took_it() {
    let parts = redistributors(3);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.route(0, CONSOLE, ANY);
    // Chosen, but it stops before it looked; and listed, but it stops before the guest looked.
    for looked in [false, true] {
        machine.set_line(CONSOLE, Level::High);
        if looked {
            machine.settle(0);
            assert!(machine.cores[0].entry(CONSOLE).is_some());
        }
        machine.unload(0);
        assert_eq!(machine.acknowledge(1), Some(CONSOLE));
        assert_eq!(machine.acknowledge(2), None);
        machine.set_line(CONSOLE, Level::Low);
        machine.end(1, CONSOLE);
        machine.load(0);
    }
}

/// Peer bug: SGI1R forwarded unfiltered: interrupts into another partition.
#[test]
fn no_value_of_the_sgi_register_does_more_than_send_within_the_domain() {
    let parts = redistributors(2);
    let others = redistributors(2);
    let (vgic, other) = (Vgic::new(&parts), Vgic::new(&others));
    let mut seed = 1u64;
    for _ in 0..10_000 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        vgic.send_sgi(0, seed, SgiKind::Group1, &mut Kicks::default());
    }
    assert!(!other.has_work(0) && !other.has_work(1));
}

#[test]
fn any_waits_for_the_first_that_takes_part() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.route(0, CONSOLE, ANY);
    for context in [0, 1] {
        machine.write_own(context, GICR_WAKER, 2);
    }
    machine.settle_all();
    machine.set_line(CONSOLE, Level::High);
    for context in [0, 1] {
        assert_eq!(machine.acknowledge(context), None);
    }
    machine.write_own(1, GICR_WAKER, 0);
    for _ in 0..2 {
        assert_eq!(machine.acknowledge(0), None);
        assert_eq!(machine.acknowledge(1), Some(CONSOLE));
        machine.set_line(CONSOLE, Level::Low);
        machine.end(1, CONSOLE);
        machine.set_line(CONSOLE, Level::High);
    }
}
