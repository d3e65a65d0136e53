//! SGIs and shared interrupts as far as one context sees them.

use super::*;

#[test]
fn an_sgi_reaches_its_target_and_no_other() {
    let parts = redistributors(4);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.send(0, 2, 7);
    for context in [0, 1, 3] {
        assert!(!machine.cores[context].kicked);
        assert_eq!(machine.acknowledge(context), None);
    }
    assert!(machine.cores[2].kicked);
    assert_eq!(machine.drain(2), [7]);
    assert_eq!(machine.drain(2), []);
}

#[test]
fn a_kick_to_an_idle_context_costs_one_service() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    let before = machine.cores[1].serviced;
    machine.send(0, 1, 3);
    assert_eq!(machine.drain(1), [3]);
    assert_eq!(machine.cores[1].serviced, before + 1);
    // And no look at the distributor.
    assert!(!parts[1].lock().look);
}

#[test]
fn an_sgi_to_oneself_needs_no_kick() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.send(0, 0, 5);
    assert!(vgic.has_work(0));
    assert_eq!(machine.drain(0), [5]);
}

/// Peer bug: SGIs of different senders merged and lost.
#[test]
fn an_sgi_sent_while_the_last_one_is_being_handled_is_not_lost() {
    let parts = redistributors(3);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.send(0, 2, 1);
    assert_eq!(machine.acknowledge(2), Some(1));
    machine.send(1, 2, 1);
    // It does not preempt itself; it comes again after its end, without the kernel's help.
    assert_eq!(machine.acknowledge(2), None);
    let serviced = machine.cores[2].serviced;
    machine.end(2, 1);
    assert_eq!(machine.drain(2), [1]);
    assert_eq!(machine.cores[2].serviced, serviced);
    assert_eq!(machine.drain(2), []);
}

/// Peer bug: SGIs of different senders merged and lost.
#[test]
fn different_sgis_of_different_senders_all_arrive() {
    let parts = redistributors(17);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    for sender in 0..16 {
        machine.send(sender, 16, sender as u32);
    }
    let all: Vec<u32> = (0..16).collect();
    assert_eq!(machine.drain(16), all);
}

#[test]
fn a_storm_of_sgis_to_a_busy_context_ends_when_the_storm_does() {
    let parts = redistributors(4);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    let mut taken = 0;
    for round in 0..1000u32 {
        for from in 0..3 {
            machine.send(from, 3, (round + from as u32) % 16);
        }
        if let Some(intid) = machine.acknowledge(3) {
            machine.send(0, 3, intid);
            machine.end(3, intid);
            taken += 1;
        }
    }
    assert_eq!(taken, 1000);
    let rest = machine.drain(3);
    assert!(rest.len() <= 16, "{rest:?}");
    assert_eq!(machine.drain(3), []);
}

#[test]
fn a_disabled_sgi_waits_until_it_is_enabled() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.write_own(1, GICR_ICENABLER0, bit(4));
    machine.send(0, 1, 4);
    assert_eq!(machine.drain(1), []);
    assert!(!vgic.is_pending(1));
    assert_eq!(machine.read_own(1, GICR_ISPENDR0), bit(4));
    machine.write_own(1, GICR_ISENABLER0, bit(4));
    assert_eq!(machine.drain(1), [4]);
}

#[test]
fn groups_that_are_not_forwarded_wait() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.write(0, GICD_CTLR, 1);
    machine.send(0, 1, 4);
    assert_eq!(machine.drain(1), []);
    // Made group 0, it passes.
    machine.write_own(1, SGI_FRAME + GICD_IGROUPR, !bit(4));
    assert_eq!(machine.cores[1].entry(4).map(|entry| entry.0 >> 60 & 1), Some(0));
    machine.write(0, GICD_CTLR, 2);
    machine.settle(1);
    assert_eq!(machine.cores[1].entry(4), None);
    machine.write(0, GICD_CTLR, 3);
    assert_eq!(machine.drain(1), [4]);
}

#[test]
fn the_group_0_registers_reach_group_0_only() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.write_own(1, SGI_FRAME + GICD_IGROUPR, !bit(4));
    for sgi in [4, 5] {
        vgic.send_sgi(0, sgi << 24 | 1 << 1, SgiKind::Group0, &mut Kicks::default());
    }
    assert_eq!(machine.drain(1), [4]);
    // Group 1's register reaches both.
    machine.send(0, 1, 4);
    machine.send(0, 1, 5);
    assert_eq!(machine.drain(1), [4, 5]);
}

#[test]
fn a_level_that_stays_high_comes_again_after_every_end() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.set_line(CONSOLE, Level::High);
    for _ in 0..5 {
        assert_eq!(machine.acknowledge(0), Some(CONSOLE));
        assert_eq!(machine.acknowledge(0), None);
        machine.end(0, CONSOLE);
    }
    assert_eq!(machine.acknowledge(0), Some(CONSOLE));
    machine.set_line(CONSOLE, Level::Low);
    machine.end(0, CONSOLE);
    assert_eq!(machine.drain(0), []);
}

#[test]
fn a_level_that_falls_before_it_is_taken_is_withdrawn() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.set_line(CONSOLE, Level::High);
    machine.settle(0);
    assert!(machine.cores[0].entry(CONSOLE).is_some());
    machine.set_line(CONSOLE, Level::Low);
    assert!(machine.cores[0].kicked);
    assert_eq!(machine.drain(0), []);
    // What software made pending is not the line's to withdraw.
    machine.set_bit(0, GICD_ISPENDR, CONSOLE);
    machine.set_line(CONSOLE, Level::High);
    machine.settle(0);
    machine.set_line(CONSOLE, Level::Low);
    assert_eq!(machine.drain(0), [CONSOLE]);
}

#[test]
fn a_level_that_rises_again_during_the_handler_is_seen_at_its_end() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.set_line(CONSOLE, Level::High);
    assert_eq!(machine.acknowledge(0), Some(CONSOLE));
    machine.set_line(CONSOLE, Level::Low);
    machine.settle(0);
    machine.set_line(CONSOLE, Level::High);
    assert_eq!(machine.acknowledge(0), None);
    machine.end(0, CONSOLE);
    assert_eq!(machine.acknowledge(0), Some(CONSOLE));
}

#[test]
fn an_edge_during_the_handler_is_delivered_after_it() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.write(0, GICD_ICFGR + 8, 0b10 << 2);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    let edge = |machine: &mut Machine<'_>| {
        machine.set_line(CONSOLE, Level::High);
        machine.set_line(CONSOLE, Level::Low);
    };
    edge(&mut machine);
    assert_eq!(machine.acknowledge(0), Some(CONSOLE));
    edge(&mut machine);
    edge(&mut machine);
    machine.end(0, CONSOLE);
    assert_eq!(machine.drain(0), [CONSOLE]);
    assert_eq!(machine.drain(0), []);
    // A line that is said to be high twice has risen once.
    machine.set_line(CONSOLE, Level::High);
    assert_eq!(machine.drain(0), [CONSOLE]);
    machine.set_line(CONSOLE, Level::High);
    machine.service(0);
    assert_eq!(machine.drain(0), []);
    assert!(!machine.get_bit(0, GICD_ISPENDR, CONSOLE));
}

#[test]
fn disabling_a_listed_interrupt_keeps_it_pending_in_memory() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, 40);
    machine.set_bit(0, GICD_ISPENDR, 40);
    assert!(machine.cores[0].entry(40).is_some());
    machine.set_bit(1, GICD_ICENABLER, 40);
    // The write is under way until the owner has looked.
    assert_ne!(machine.read(1, GICD_CTLR) & 1 << 31, 0);
    machine.settle(0);
    assert_eq!(machine.read(1, GICD_CTLR) & 1 << 31, 0);
    assert_eq!(machine.drain(0), []);
    assert!(machine.get_bit(1, GICD_ISPENDR, 40));
    machine.set_bit(1, GICD_ISENABLER, 40);
    assert_eq!(machine.drain(0), [40]);
}

#[test]
fn a_new_priority_does_not_strand_what_is_active() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.send(0, 0, 1);
    assert_eq!(machine.acknowledge(0), Some(1));
    machine.set_priority(0, 1, 0x10);
    machine.end(0, 1);
    assert_eq!(machine.read_own(0, GICR_ISACTIVER0), 0);
    machine.send(0, 0, 1);
    machine.settle(0);
    assert_eq!(machine.cores[0].entry(1).map(ListRegister::priority), Some(0x10));
}

#[test]
fn wfi_ends_for_what_is_enabled_and_pending() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.route(0, CONSOLE, 1);
    machine.unload(1);
    assert!(!vgic.is_pending(1));
    machine.send(0, 1, 2);
    assert!(vgic.is_pending(1));
    machine.load(1);
    assert_eq!(machine.drain(1), [2]);
    machine.unload(1);
    assert!(!vgic.is_pending(1));
    machine.set_line(CONSOLE, Level::High);
    assert!(machine.cores[1].kicked);
    assert!(vgic.is_pending(1));
    assert!(!vgic.is_pending(0));
    // What is active does not count.
    machine.load(1);
    assert_eq!(machine.acknowledge(1), Some(CONSOLE));
    machine.unload(1);
    assert!(!vgic.is_pending(1));
    machine.set_line(CONSOLE, Level::Low);
    assert!(!vgic.is_pending(1));
}

/// The list register still names the last one when the next is sent.
#[test]
fn wfi_ends_for_an_interrupt_whose_last_one_was_not_brought_back_yet() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.route(0, CONSOLE, 1);
    machine.send(0, 1, 2);
    assert_eq!(machine.drain(1), [2]);
    assert!(!vgic.is_pending(1));
    machine.send(0, 1, 2);
    assert!(vgic.is_pending(1));
    assert_eq!(machine.drain(1), [2]);

    machine.set_line(CONSOLE, Level::High);
    assert_eq!(machine.acknowledge(1), Some(CONSOLE));
    machine.set_line(CONSOLE, Level::Low);
    machine.settle(1);
    machine.end(1, CONSOLE);
    assert!(!vgic.is_pending(1));
    machine.set_line(CONSOLE, Level::High);
    assert!(vgic.is_pending(1));
}

#[test]
fn reset_leaves_nothing_of_the_last_run() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.set_line(CONSOLE, Level::High);
    machine.send(0, 1, 3);
    assert_eq!(machine.acknowledge(0), Some(CONSOLE));
    machine.unload(0);
    machine.unload(1);
    machine.send(0, 1, 4);
    vgic.reset();
    let mut machine = Machine::cold(&vgic, 4);
    machine.load(0);
    machine.load(1);
    for context in [0, 1] {
        assert_eq!(machine.drain(context), []);
        assert_eq!(machine.read_own(context, GICR_WAKER), 6);
    }
    assert_eq!(machine.read(0, GICD_CTLR), 0x50);
    // Only that nothing shines through from before: enabling everything delivers nothing.
    let mut machine = Machine { vgic: &vgic, cores: machine.cores };
    machine.write(0, GICD_CTLR, 3);
    for n in 1..9 {
        machine.write(0, GICD_ISENABLER + 4 * n, u32::MAX);
    }
    for context in [0, 1] {
        machine.write_own(context, GICR_ISENABLER0, u32::MAX);
        assert_eq!(machine.drain(context), []);
    }
}

#[test]
fn flushing_twice_changes_nothing() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 1);
    machine.send(0, 0, 1);
    machine.send(0, 0, 2);
    machine.settle(0);
    let before = (machine.cores[0].hardware, machine.cores[0].maintenance);
    assert!(before.1.contains(Maintenance::NO_PENDING));
    machine.send(0, 0, 0);
    machine.flush(0);
    assert_eq!((machine.cores[0].hardware, machine.cores[0].maintenance), before);
    assert_eq!(machine.drain(0).len(), 3);
}
