//! State that is in another context's list registers.

use super::*;

/// Repeats a read as the guest does, the others' kernels going on meanwhile. Answers the value, and
/// how often it was repeated.
fn read_again(machine: &mut Machine<'_>, context: usize, access: Access, redistributors: bool) -> (u64, usize) {
    for repeats in 0..50 {
        match machine.access(context, access, redistributors) {
            Outcome::Done(value) => return (value, repeats),
            Outcome::Retry => machine.settle_all(),
            other => panic!("{other:?}"),
        }
    }
    panic!("does not end");
}

fn active_register() -> Access {
    word(GICD_ISACTIVER + 4, AccessKind::Read)
}

#[test]
fn a_read_waits_for_the_owner_and_sees_what_its_guest_did() {
    let parts = redistributors(3);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.route(0, CONSOLE, 2);
    machine.set_line(CONSOLE, Level::High);
    machine.settle(2);
    // Taken without the kernel's knowledge.
    machine.cores[2].acknowledge();
    assert_eq!(machine.access(0, active_register(), false), Outcome::Retry);
    assert!(machine.cores[2].kicked);
    // The owner did not look yet.
    assert_eq!(machine.access(0, active_register(), false), Outcome::Retry);
    machine.settle(2);
    assert_eq!(machine.access(0, active_register(), false), Outcome::Done(0b10));
    // The next read asks again.
    machine.cores[2].end(CONSOLE);
    machine.set_line(CONSOLE, Level::Low);
    assert_eq!(read_again(&mut machine, 0, active_register(), false), (0, 1));
    // Its own list registers never make a context wait.
    machine.route(0, CONSOLE, 0);
    machine.set_line(CONSOLE, Level::High);
    machine.acknowledge(0);
    assert_eq!(read_again(&mut machine, 0, active_register(), false), (0b10, 0));
}

#[test]
fn a_read_of_many_owners_asks_each_once_though_they_go_on_listing() {
    let parts = redistributors(9);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.write(0, GICD_ISENABLER + 4, 0xff);
    for n in 0..8 {
        machine.route(0, 32 + n, u64::from(n) + 1);
        machine.set_line(32 + n, Level::High);
        machine.acknowledge(n as usize + 1);
    }
    assert_eq!(read_again(&mut machine, 0, active_register(), false), (0xff, 8));
}

#[test]
fn two_that_ask_each_other_both_get_their_answer() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.write(0, GICD_ISENABLER + 4, 0b11);
    machine.route(0, 33, 1);
    for context in [0, 1] {
        machine.set_line(32 + context, Level::High);
        machine.acknowledge(context as usize);
    }
    let mut answers = [None; 2];
    for _ in 0..10 {
        for context in [0, 1] {
            // The access itself brings the asker's list registers back.
            if let Outcome::Done(value) = machine.access(context, active_register(), false) {
                answers[context] = Some(value);
            }
        }
    }
    assert_eq!(answers, [Some(0b11); 2]);
}

#[test]
fn contexts_that_do_not_run_are_not_waited_for() {
    let parts = redistributors(3);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.route(0, CONSOLE, 2);
    machine.set_line(CONSOLE, Level::High);
    machine.acknowledge(2);
    machine.unload(2);
    assert_eq!(machine.access(0, active_register(), false), Outcome::Done(0b10));
    // One that stops while it is waited for answers by that.
    machine.load(2);
    assert_eq!(machine.access(0, active_register(), false), Outcome::Retry);
    machine.unload(2);
    assert_eq!(machine.access(0, active_register(), false), Outcome::Done(0b10));
    // And a write that concerns it is never under way for ever.
    machine.load(2);
    machine.set_bit(0, GICD_ICENABLER, CONSOLE);
    machine.unload(2);
    assert_eq!(machine.read(0, GICD_CTLR) & 1 << 31, 0);
}

#[test]
fn private_state_of_another_context_is_read_and_written() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.send(0, 1, 3);
    machine.settle(1);
    machine.cores[1].acknowledge();
    let active = word(0x2_0000 + GICR_ISACTIVER0, AccessKind::Read);
    assert_eq!(read_again(&mut machine, 0, active, true), (bit(3).into(), 1));
    machine.write_other(0, 1, GICR_ICACTIVER0, bit(3));
    assert_eq!(read_again(&mut machine, 0, active, true), (0, 1));
    assert_eq!(machine.cores[1].entry(3), None);
    // The write to a redistributor is under way until its context has looked.
    machine.write_other(0, 1, GICR_ICENABLER0, bit(9));
    let control = word(0x2_0000, AccessKind::Read);
    assert_eq!(machine.access(0, control, true), Outcome::Done(8));
    machine.settle(1);
    assert_eq!(machine.access(0, control, true), Outcome::Done(0));
    // Nor does one that is off keep anybody waiting.
    machine.unload(1);
    machine.write_other(0, 1, GICR_ICENABLER0, bit(10));
    assert_eq!(machine.access(0, control, true), Outcome::Done(0));
}

#[test]
fn clearing_pending_of_what_another_has_listed_takes_it_back() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, 50);
    machine.route(0, 50, 1);
    machine.set_bit(0, GICD_ISPENDR, 50);
    machine.settle(1);
    assert!(machine.cores[1].entry(50).is_some());
    machine.set_bit(0, GICD_ICPENDR, 50);
    assert_eq!(machine.drain(1), []);
    // One set pending after that is delivered.
    machine.set_bit(0, GICD_ISPENDR, 50);
    machine.settle(1);
    machine.set_bit(0, GICD_ICPENDR, 50);
    machine.set_bit(0, GICD_ISPENDR, 50);
    assert_eq!(machine.drain(1), [50]);
}

#[test]
fn an_sgi_that_nobody_looked_at_yet_can_be_read_and_cleared() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.unload(1);
    machine.send(0, 1, 3);
    machine.send(0, 1, 4);
    let pending = word(0x2_0000 + GICR_ISPENDR0, AccessKind::Read);
    assert_eq!(machine.access(0, pending, true), Outcome::Done(0b11000));
    machine.write_other(0, 1, GICR_ICPENDR0, bit(3));
    assert_eq!(machine.access(0, pending, true), Outcome::Done(0b10000));
    machine.load(1);
    assert_eq!(machine.drain(1), [4]);
}

/// Peer bug: write to ISACTIVER handled as ICACTIVER.
#[test]
fn what_software_makes_active_is_not_delivered_until_it_is_made_inactive() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    // Not listed; and listed elsewhere.
    for settle in [false, true] {
        machine.route(0, CONSOLE, 1);
        if settle {
            machine.set_line(CONSOLE, Level::High);
            machine.settle(1);
        }
        machine.set_bit(0, GICD_ISACTIVER, CONSOLE);
        machine.set_line(CONSOLE, Level::High);
        assert_eq!(machine.drain(1), []);
        assert_eq!(read_again(&mut machine, 0, active_register(), false).0, 0b10);
        machine.set_bit(0, GICD_ICACTIVER, CONSOLE);
        assert_eq!(machine.acknowledge(1), Some(CONSOLE));
        machine.set_line(CONSOLE, Level::Low);
        machine.end(1, CONSOLE);
    }
}

#[test]
fn a_pending_timer_of_another_context_reads_as_pending() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.cores[1].lines.high = bit(PHYSICAL_TIMER);
    machine.settle(1);
    let pending = word(0x2_0000 + GICR_ISPENDR0, AccessKind::Read);
    assert_eq!(read_again(&mut machine, 0, pending, true), (bit(TIMER).into(), 1));
}

#[test]
fn what_another_context_made_inactive_can_be_taken_again() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.send(0, 1, 3);
    assert_eq!(machine.acknowledge(1), Some(3));
    machine.write_other(0, 1, GICR_ICACTIVER0, bit(3));
    machine.settle(1);
    machine.cores[1].drop_priority();
    machine.send(0, 1, 3);
    assert_eq!(machine.acknowledge(1), Some(3));
    assert_eq!(machine.read_own(1, GICR_ISACTIVER0), bit(3));
    machine.end(1, 3);
    assert_eq!(machine.read_own(1, GICR_ISACTIVER0), 0);
}

#[test]
fn what_a_context_makes_active_it_can_deactivate_itself() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.settle_all();
    // Neither enabled nor routed to it.
    machine.set_bit(1, GICD_ISACTIVER, 40);
    machine.cores[1].deactivate(40, None);
    machine.settle(1);
    assert!(!machine.get_bit(1, GICD_ISACTIVER, 40));
    machine.write_own(1, GICR_ISACTIVER0, bit(20));
    machine.cores[1].deactivate(20, None);
    assert_eq!(machine.read_own(1, GICR_ISACTIVER0), 0);
}

#[test]
fn changes_of_group_and_control_withdraw_what_others_have_listed() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 4);
    machine.write(0, GICD_CTLR, 2);
    machine.settle_all();
    machine.set_bit(0, GICD_ISENABLER, CONSOLE);
    machine.route(0, CONSOLE, 1);
    machine.set_line(CONSOLE, Level::High);
    machine.settle(1);
    machine.write(0, GICD_IGROUPR + 4, !0b10);
    machine.settle(1);
    assert_eq!(machine.cores[1].entry(CONSOLE), None);
    machine.write(0, GICD_IGROUPR + 4, u32::MAX);
    machine.settle(1);
    assert!(machine.cores[1].entry(CONSOLE).is_some());
    machine.write(0, GICD_CTLR, 0);
    assert_eq!(machine.read(0, GICD_CTLR), 1 << 31 | 0x50);
    machine.settle(1);
    assert_eq!(machine.read(0, GICD_CTLR), 0x50);
    assert_eq!(machine.cores[1].entry(CONSOLE), None);
}
