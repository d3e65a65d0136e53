//! More interrupts than list registers.

use super::*;

#[test]
fn more_pending_than_list_registers_come_in_order_of_urgency() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    for n in 0..16 {
        machine.set_priority(0, n, (0x80 - 8 * n) as u8);
        machine.set_priority(0, 48 + n, (0x84 - 8 * n) as u8);
    }
    machine.write(0, GICD_ISENABLER + 4, 0xffff_0000);
    machine.write_own(0, GICR_ISPENDR0, 0xffff);
    machine.write(0, GICD_ISPENDR + 4, 0xffff_0000);
    // Priorities have five bits, so 48 + n has that of n; among equals hardware may choose.
    let taken: Vec<u32> = machine.drain(0).iter().map(|intid| intid % 16).collect();
    let expected: Vec<u32> = (0..16).rev().flat_map(|n| [n, n]).collect();
    assert_eq!(taken, expected);
}

#[test]
fn every_interrupt_of_the_board_arrives_with_one_list_register() {
    for list_registers in [1, 2, 4, 16] {
        let parts = redistributors(1);
        let vgic = Vgic::new(&parts);
        let mut machine = Machine::booted(&vgic, list_registers);
        for n in 1..9 {
            machine.write(0, GICD_ISENABLER + 4 * n, u32::MAX);
            machine.write(0, GICD_ISPENDR + 4 * n, u32::MAX);
        }
        machine.write_own(0, GICR_ISPENDR0, u32::MAX);
        let mut taken = machine.drain(0);
        taken.sort_unstable();
        let all: Vec<u32> = (0..288).collect();
        assert_eq!(taken, all);
    }
}

/// Interrupts 0 to 15, each more urgent than the one before.
fn nest(machine: &mut Machine<'_>, depth: u32) {
    for n in 0..16 {
        machine.set_priority(0, n, (0xf0 - 8 * n) as u8);
    }
    for n in 0..depth {
        machine.send(0, 0, n);
        assert_eq!(machine.acknowledge(0), Some(n), "{:x?}", machine.cores[0]);
    }
}

/// Peer bug: all list registers active with pending ones spilled: maintenance-interrupt livelock.
#[test]
fn all_list_registers_active_and_one_more_pending_is_no_livelock() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    nest(&mut machine, 4);
    assert!(machine.cores[0].entries().all(|entry| entry.has(ListRegister::ACTIVE)));
    // Less urgent than all that are active: `check` in every flush sees that nothing fires.
    machine.set_priority(0, 15, 0xf0);
    machine.send(0, 0, 15);
    machine.settle(0);
    let serviced = machine.cores[0].serviced;
    for _ in 0..10 {
        machine.settle(0);
    }
    assert_eq!(machine.cores[0].serviced, serviced);
    for n in (0..4).rev() {
        machine.end(0, n);
    }
    assert_eq!(machine.drain(0), [15]);
    assert_eq!(machine.read_own(0, GICR_ISACTIVER0), 0);
}

#[test]
fn nesting_deeper_than_the_list_registers_unwinds() {
    for list_registers in [1, 2, 4] {
        let parts = redistributors(1);
        let vgic = Vgic::new(&parts);
        let mut machine = Machine::booted(&vgic, list_registers);
        nest(&mut machine, 16);
        assert_eq!(machine.read_own(0, GICR_ISACTIVER0), 0xffff);
        for n in (0..16).rev() {
            machine.end(0, n);
            assert_eq!(machine.read_own(0, GICR_ISACTIVER0), bit(n) - 1);
        }
        assert!(machine.cores[0].running.is_empty());
        machine.send(0, 0, 3);
        assert_eq!(machine.drain(0), [3]);
    }
}

#[test]
fn an_evicted_interrupt_that_is_pending_again_comes_after_its_end() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 1);
    nest(&mut machine, 3);
    machine.send(0, 0, 0);
    machine.send(0, 0, 2);
    assert_eq!(machine.acknowledge(0), None);
    machine.end(0, 2);
    assert_eq!(machine.acknowledge(0), Some(2));
    machine.end(0, 2);
    machine.end(0, 1);
    machine.end(0, 0);
    assert_eq!(machine.drain(0), [0]);
    assert_eq!(machine.drain(0), []);
}

/// A guest that drops priority at once and deactivates much later (threaded handlers).
#[test]
fn actives_that_wait_for_their_deactivation_do_not_fill_all_list_registers() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    for n in 0..4 {
        machine.send(0, 0, n);
        assert_eq!(machine.acknowledge(0), Some(n));
        machine.cores[0].drop_priority();
    }
    // The least urgent there is still gets through.
    machine.set_priority(0, 9, 0xf0);
    machine.send(0, 0, 9);
    assert_eq!(machine.acknowledge(0), Some(9));
    machine.end(0, 9);
    for n in [0, 1, 2, 3] {
        machine.cores[0].deactivate(n, None);
        machine.settle(0);
    }
    assert_eq!(machine.read_own(0, GICR_ISACTIVER0), 0);
}

#[test]
fn ends_of_interrupts_that_are_not_active_are_harmless() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.send(0, 0, 1);
    assert_eq!(machine.acknowledge(0), Some(1));
    machine.cores[0].deactivate(1000, None);
    machine.cores[0].deactivate(2, None);
    machine.cores[0].eoi_count = u32::MAX;
    machine.service(0);
    machine.end(0, 1);
    assert_eq!(machine.read_own(0, GICR_ISACTIVER0), 0);
}

#[test]
fn the_urgent_one_of_two_groups_of_interrupts_is_never_starved() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_priority(1, 15, 0x10);
    // Five others keep coming.
    for round in 0..100 {
        for sgi in 0..5 {
            machine.send(0, 1, sgi);
        }
        machine.send(0, 1, 15);
        assert_eq!(machine.acknowledge(1), Some(15), "round {round}");
        machine.end(1, 15);
        let next = machine.acknowledge(1).unwrap();
        machine.end(1, next);
    }
}
