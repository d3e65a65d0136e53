//! Timers: physical interrupts that the guest ends itself, through the list register.

use super::*;

impl Machine<'_> {
    fn timer(&mut self, context: usize, level: Level) {
        let lines = &mut self.cores[context].lines;
        match level {
            Level::High => lines.high |= bit(PHYSICAL_TIMER),
            Level::Low => lines.high &= !bit(PHYSICAL_TIMER),
        }
    }

    fn physical_active(&self, context: usize) -> bool {
        self.cores[context].lines.active & bit(PHYSICAL_TIMER) != 0
    }
}

#[test]
fn a_timer_tick_is_ended_by_the_guest_alone() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    for _ in 0..3 {
        machine.timer(0, Level::High);
        assert_eq!(machine.acknowledge(0), Some(TIMER));
        assert!(machine.physical_active(0));
        machine.timer(0, Level::Low);
        let serviced = machine.cores[0].serviced;
        machine.end(0, TIMER);
        assert!(!machine.physical_active(0));
        assert_eq!(machine.cores[0].serviced, serviced);
        assert_eq!(machine.drain(0), []);
    }
    assert_eq!(machine.cores[0].lines.deactivated, []);
}

#[test]
fn a_timer_that_is_not_served_ticks_again() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.timer(0, Level::High);
    for _ in 0..3 {
        assert_eq!(machine.acknowledge(0), Some(TIMER));
        machine.end(0, TIMER);
    }
}

/// The kernel may fold before or after it forwards.
#[test]
fn forwarding_while_the_list_register_still_names_the_last_tick_loses_nothing() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    for sync_first in [false, true, false, true] {
        if sync_first {
            machine.sync(0);
        }
        machine.timer(0, Level::High);
        machine.cores[0].lines.active |= bit(PHYSICAL_TIMER);
        vgic.forward(0, TIMER, PHYSICAL_TIMER);
        machine.service(0);
        assert_eq!(machine.acknowledge(0), Some(TIMER));
        machine.timer(0, Level::Low);
        machine.end(0, TIMER);
        assert!(!machine.physical_active(0));
    }
}

/// Peer bug: disabling an active hardware interrupt orphans it.
#[test]
fn disabling_an_active_hardware_interrupt_leaves_its_end_to_the_guest() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.timer(0, Level::High);
    assert_eq!(machine.acknowledge(0), Some(TIMER));
    machine.timer(0, Level::Low);
    machine.write_own(0, GICR_ICENABLER0, bit(TIMER));
    assert!(machine.physical_active(0));
    assert_eq!(machine.cores[0].lines.deactivated, []);
    assert!(machine.cores[0].entry(TIMER).is_some_and(|entry| entry.has(ListRegister::HARDWARE)));
    machine.end(0, TIMER);
    assert!(!machine.physical_active(0));
    machine.write_own(0, GICR_ISENABLER0, bit(TIMER));
    assert_eq!(machine.drain(0), []);
    machine.timer(0, Level::High);
    assert_eq!(machine.acknowledge(0), Some(TIMER));
}

#[test]
fn disabling_a_pending_hardware_interrupt_does_not_orphan_it_and_raises_no_storm() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.timer(0, Level::High);
    machine.settle(0);
    machine.write_own(0, GICR_ICENABLER0, bit(TIMER));
    assert_eq!(machine.cores[0].entry(TIMER), None);
    // The line is high: the physical interrupt stays active, or it would fire for ever.
    machine.settle(0);
    assert!(machine.physical_active(0));
    assert_eq!(machine.drain(0), []);
    assert_eq!(machine.read_own(0, GICR_ISPENDR0), bit(TIMER));
    // It falls: nothing is left, and the guest sees it.
    machine.timer(0, Level::Low);
    assert_eq!(machine.read_own(0, GICR_ISPENDR0), 0);
    assert!(!machine.physical_active(0));
    assert_eq!(machine.cores[0].lines.deactivated, [PHYSICAL_TIMER]);
    machine.timer(0, Level::High);
    machine.settle(0);
    machine.write_own(0, GICR_ISENABLER0, bit(TIMER));
    assert_eq!(machine.acknowledge(0), Some(TIMER));
}

#[test]
fn a_tick_that_was_taken_back_before_it_was_taken_is_not_delivered() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.timer(0, Level::High);
    machine.settle(0);
    machine.timer(0, Level::Low);
    machine.service(0);
    assert_eq!(machine.drain(0), []);
    assert!(!machine.physical_active(0));
    machine.timer(0, Level::High);
    assert_eq!(machine.acknowledge(0), Some(TIMER));
}

#[test]
fn clearing_pending_of_a_timer_that_still_asserts_changes_nothing() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.timer(0, Level::High);
    machine.settle(0);
    machine.write_own(0, GICR_ICPENDR0, bit(TIMER));
    assert_eq!(machine.acknowledge(0), Some(TIMER));
    assert!(machine.physical_active(0));
}

#[test]
fn deactivating_by_register_deactivates_the_hardware() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.timer(0, Level::High);
    assert_eq!(machine.acknowledge(0), Some(TIMER));
    machine.timer(0, Level::Low);
    machine.write_own(0, GICR_ICACTIVER0, bit(TIMER));
    machine.settle(0);
    assert!(!machine.physical_active(0));
}

#[test]
fn another_context_disables_and_the_owner_lets_go() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.timer(0, Level::High);
    machine.settle(0);
    machine.timer(0, Level::Low);
    machine.write_other(1, 0, GICR_ICENABLER0, bit(TIMER));
    assert!(machine.cores[0].kicked);
    assert_eq!(machine.cores[1].lines.deactivated, []);
    machine.settle(0);
    assert_eq!(machine.cores[0].lines.deactivated, [PHYSICAL_TIMER]);
    assert_eq!(machine.drain(0), []);
}

#[test]
fn a_tick_made_pending_by_software_while_active_comes_after_its_end() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.timer(0, Level::High);
    assert_eq!(machine.acknowledge(0), Some(TIMER));
    machine.timer(0, Level::Low);
    machine.write_own(0, GICR_ISPENDR0, bit(TIMER));
    machine.end(0, TIMER);
    assert!(!machine.physical_active(0));
    assert_eq!(machine.drain(0), [TIMER]);
    assert_eq!(machine.drain(0), []);
}

#[test]
fn an_evicted_timer_is_deactivated_by_its_end() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 1);
    machine.set_priority(0, TIMER, 0xf0);
    machine.timer(0, Level::High);
    assert_eq!(machine.acknowledge(0), Some(TIMER));
    machine.timer(0, Level::Low);
    machine.send(0, 0, 1);
    assert_eq!(machine.acknowledge(0), Some(1));
    assert_eq!(machine.cores[0].entry(TIMER), None);
    assert!(machine.physical_active(0));
    machine.end(0, 1);
    machine.end(0, TIMER);
    assert!(!machine.physical_active(0));
    machine.timer(0, Level::High);
    assert_eq!(machine.acknowledge(0), Some(TIMER));
}

#[test]
fn a_context_takes_its_active_timer_to_another_core_and_leaves_the_first_clean() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.timer(0, Level::High);
    assert_eq!(machine.acknowledge(0), Some(TIMER));
    machine.unload(0);
    assert!(!machine.physical_active(0));
    // Another core: same context, fresh lines, the timer's registers restored.
    machine.cores[0].lines = Lines::default();
    machine.load(0);
    assert!(machine.physical_active(0));
    machine.timer(0, Level::Low);
    machine.end(0, TIMER);
    assert!(!machine.physical_active(0));
}

#[test]
fn a_pending_timer_is_taken_along_and_the_guest_can_still_turn_it_off() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    for falls in [false, true] {
        machine.timer(0, Level::High);
        machine.settle(0);
        machine.unload(0);
        assert!(!machine.physical_active(0));
        assert!(vgic.is_pending(0));
        machine.load(0);
        assert!(machine.physical_active(0));
        if falls {
            machine.timer(0, Level::Low);
            machine.service(0);
        } else {
            assert_eq!(machine.acknowledge(0), Some(TIMER));
            machine.timer(0, Level::Low);
            machine.end(0, TIMER);
        }
        assert_eq!(machine.drain(0), []);
        assert!(!machine.physical_active(0));
    }
}

#[test]
fn what_is_no_ppi_is_not_forwarded() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    for (intid, physical) in [(3, 28), (32, 28), (27, 32), (u32::MAX, u32::MAX)] {
        vgic.forward(0, intid, physical);
    }
    vgic.forward(9, TIMER, PHYSICAL_TIMER);
    machine.service(0);
    assert_eq!(machine.drain(0), []);
    assert_eq!(machine.cores[0].lines.deactivated, []);
}

#[test]
fn letting_go_is_not_forgotten_for_an_sgi_that_comes_in_between() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.timer(0, Level::High);
    assert_eq!(machine.acknowledge(0), Some(TIMER));
    machine.timer(0, Level::Low);
    machine.sync(0);
    let access = word(GICR_ICACTIVER0, AccessKind::Write(bit(TIMER).into()));
    vgic.redistributor_access(0, &access, &mut Kicks::default());
    machine.send(0, 0, 1);
    machine.flush(0);
    machine.settle(0);
    assert!(!machine.physical_active(0));
}

/// A checkpoint: what is active, pending and under way is there again, whatever came after it.
#[test]
fn a_copy_brings_all_of_it_back() {
    const SGI: u32 = 3;
    let (parts, copied_parts) = (redistributors(2), redistributors(2));
    let (vgic, copy) = (Vgic::new(&parts), Vgic::new(&copied_parts));
    let mut machine = Machine::booted(&vgic, 4);
    machine.timer(0, Level::High);
    assert_eq!(machine.acknowledge(0), Some(TIMER));
    machine.unload(1);
    machine.send(0, 1, SGI);
    machine.unload(0);
    let running = machine.cores[0].running.clone();
    copy.copy_from(&vgic);
    for round in 0..3 {
        machine.load(0);
        machine.load(1);
        assert!(machine.physical_active(0), "round {round}");
        machine.cores[0].running.clone_from(&running);
        machine.timer(0, Level::Low);
        machine.end(0, TIMER);
        assert_eq!((machine.drain(0), machine.drain(1)), (vec![], vec![SGI]), "round {round}");
        assert!(!machine.physical_active(0));
        machine.unload(0);
        machine.unload(1);
        vgic.reset();
        vgic.copy_from(&copy);
    }
}
