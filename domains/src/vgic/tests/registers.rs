//! What the frames read and take.

use super::*;

const ALL_SIZES: [AccessSize; 4] = [AccessSize::Byte, AccessSize::Half, AccessSize::Word, AccessSize::Double];

fn value(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Done(value) => value,
        other => panic!("{other:?}"),
    }
}

fn read(size: AccessSize, offset: u64) -> Access {
    Access { offset, size, kind: AccessKind::Read }
}

#[test]
fn identification_is_that_of_a_gicv3_with_the_boards_interrupts() {
    let parts = redistributors(3);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::cold(&vgic, 4);
    machine.load(0);
    assert_eq!(machine.read(0, GICD_CTLR), 1 << 4 | 1 << 6);
    let typer = machine.read(0, 4);
    assert_eq!(32 * ((typer & 0x1f) + 1), 288);
    assert_eq!((typer >> 19 & 0x1f) + 1, 10);
    // No second security state, no messages, no LPIs; Aff3 and the range selector.
    assert_eq!(typer & (1 << 10 | 1 << 16 | 1 << 17), 0);
    assert_eq!(typer >> 24 & 0b101, 0b101);
    for offset in [0xffe8, 0xffec] {
        let expected = if offset == 0xffe8 { 3 } else { 0 };
        assert_eq!(machine.read(0, offset) >> 4 & 0xf, expected);
        assert_eq!(machine.read_own(0, offset) >> 4 & 0xf, expected);
    }
    assert_eq!(machine.read(0, 8), 0x43b);
    assert_eq!(machine.read_own(0, 4), 0x43b);
}

#[test]
fn redistributors_name_their_contexts_and_the_last() {
    let parts = redistributors(123);
    let vgic = Vgic::new(&parts);
    let mut kicks = Kicks::default();
    for context in 0..123u64 {
        let offset = context * 0x2_0000 + 8;
        let mut get = |access| value(vgic.redistributor_access(5, &access, &mut kicks));
        let typer = get(read(AccessSize::Double, offset));
        assert_eq!(typer >> 32, ((context / 16) << 8) + context % 16);
        assert_eq!(typer >> 8 & 0xffff, context);
        assert_eq!(typer & 1 << 4 != 0, context == 122);
        assert_eq!(get(read(AccessSize::Word, offset)), typer & 0xffff_ffff);
        assert_eq!(get(read(AccessSize::Word, offset + 4)), typer >> 32);
    }
}

/// Peer bug: redistributor access for a CPU that doesn't exist.
#[test]
fn the_redistributor_of_a_context_that_does_not_exist_is_refused() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut kicks = Kicks::default();
    for offset in [2 * 0x2_0000, 2 * 0x2_0000 + 0x1_0100, 500 * 0x2_0000, u64::MAX] {
        for kind in [AccessKind::Read, AccessKind::Write(u64::MAX)] {
            for size in ALL_SIZES {
                let access = Access { offset, size, kind };
                assert_eq!(vgic.redistributor_access(0, &access, &mut kicks), Outcome::Bad);
            }
        }
    }
    let access = read(AccessSize::Word, 0x1_0000);
    let outcome = vgic.distributor_access(0, &access, &mut kicks);
    assert_eq!(outcome, Outcome::Bad);
}

/// Peer bug: GICR_WAKER stub: a guest polling ChildrenAsleep hangs.
#[test]
fn the_waker_follows_processor_sleep() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::cold(&vgic, 4);
    machine.load(0);
    machine.load(1);
    for (written, expected) in [(0, 0), (2, 6), (6, 6), (4, 0), (0xffff_ffff, 6), (0, 0)] {
        machine.write_own(1, GICR_WAKER, written);
        assert_eq!(machine.read_own(1, GICR_WAKER), expected);
        assert_eq!(machine.read_own(0, GICR_WAKER), 6);
    }
}

/// Peer bug: every CPU saved CPU0's redistributor state.
#[test]
fn every_context_has_its_own_redistributor_state() {
    let parts = redistributors(5);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::cold(&vgic, 4);
    for context in 0..5 {
        machine.load(context);
        machine.write_own(context, GICR_ISENABLER0, 0x100 << context);
        machine.write_own(context, GICR_ISPENDR0, 1 << context);
        machine.set_priority(context, 9, 8 * context as u8);
    }
    for context in 0..5 {
        assert_eq!(machine.read_own(context, GICR_ISENABLER0), 0x100 << context);
        assert_eq!(machine.read_own(context, GICR_ISPENDR0), 1 << context);
        assert_eq!(machine.read_own(context, GICR_IPRIORITYR + 8), (8 * context as u32) << 8);
    }
}

/// Peer bug: write to ISACTIVER handled as ICACTIVER.
#[test]
fn set_and_clear_registers_do_what_they_are_named() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::cold(&vgic, 4);
    machine.load(0);
    let pairs = [(GICD_ISENABLER, GICD_ICENABLER), (GICD_ISPENDR, GICD_ICPENDR), (GICD_ISACTIVER, GICD_ICACTIVER)];
    for (set, clear) in pairs {
        for n in 1..9 {
            machine.write(0, set + 4 * n, 0b1110);
            machine.write(0, clear + 4 * n, 0b0100);
            machine.write(0, set + 4 * n, 0);
            machine.write(0, clear + 4 * n, 0);
            assert_eq!(machine.read(0, set + 4 * n), 0b1010, "{set:#x}");
            assert_eq!(machine.read(0, clear + 4 * n), 0b1010, "{clear:#x}");
            machine.write(0, clear + 4 * n, u32::MAX);
        }
        machine.write_own(0, SGI_FRAME + set, 0b1110);
        machine.write_own(0, SGI_FRAME + clear, 0b0100);
        assert_eq!(machine.read_own(0, SGI_FRAME + set), 0b1010, "{set:#x}");
        assert_eq!(machine.read_own(0, SGI_FRAME + clear), 0b1010, "{clear:#x}");
        // Beyond the interrupts that exist, and those that the redistributors have.
        machine.write(0, set, u32::MAX);
        machine.write(0, set + 4 * 9, u32::MAX);
        assert_eq!(machine.read(0, set), 0);
        assert_eq!(machine.read(0, set + 4 * 9), 0);
        machine.write_own(0, SGI_FRAME + set + 4, u32::MAX);
        assert_eq!(machine.read_own(0, SGI_FRAME + set + 4), 0);
    }
}

#[test]
fn priorities_have_five_bits_and_bytes() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::cold(&vgic, 4);
    machine.load(0);
    machine.write(0, GICD_IPRIORITYR + 40, 0x44_33_22_ff);
    assert_eq!(machine.read(0, GICD_IPRIORITYR + 40), 0x40_30_20_f8);
    machine.write_byte(0, GICD_IPRIORITYR + 42, 0x99);
    assert_eq!(machine.read(0, GICD_IPRIORITYR + 40), 0x40_98_20_f8);
    let access = read(AccessSize::Byte, GICD_IPRIORITYR + 43);
    assert_eq!(machine.access(0, access, false), Outcome::Done(0x40));
    machine.write(0, GICD_IPRIORITYR + 284, u32::MAX);
    assert_eq!(machine.read(0, GICD_IPRIORITYR + 284), 0xf8f8_f8f8);
    machine.write(0, GICD_IPRIORITYR + 288, u32::MAX);
    assert_eq!(machine.read(0, GICD_IPRIORITYR + 288), 0);
    machine.write_own(0, GICR_IPRIORITYR + 28, 0x0102_0a0f);
    assert_eq!(machine.read_own(0, GICR_IPRIORITYR + 28), 0x0000_0808);
}

#[test]
fn configuration_is_writable_for_shared_interrupts_only() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::cold(&vgic, 4);
    machine.load(0);
    for register in 2..18 {
        machine.write(0, GICD_ICFGR + 4 * register, 0xffff_0003);
        assert_eq!(machine.read(0, GICD_ICFGR + 4 * register), 0xaaaa_0002);
    }
    machine.write(0, GICD_ICFGR + 4 * 18, u32::MAX);
    assert_eq!(machine.read(0, GICD_ICFGR + 4 * 18), 0);
    for (register, fixed) in [(0, 0xaaaa_aaaa), (1, 0)] {
        machine.write_own(0, SGI_FRAME + GICD_ICFGR + 4 * register, !fixed);
        assert_eq!(machine.read_own(0, SGI_FRAME + GICD_ICFGR + 4 * register), fixed);
    }
}

#[test]
fn routes_are_read_back_whole_and_in_halves() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::cold(&vgic, 4);
    machine.load(0);
    let offset = GICD_IROUTER + 8 * 100;
    machine.route(0, 100, u64::MAX);
    let whole = read(AccessSize::Double, offset);
    assert_eq!(machine.access(0, whole, false), Outcome::Done(0xff_80ff_ffff));
    machine.write(0, offset, 0x0001_0203);
    assert_eq!(machine.access(0, whole, false), Outcome::Done(0xff_0001_0203));
    machine.write(0, offset + 4, 4);
    assert_eq!(machine.access(0, whole, false), Outcome::Done(0x04_0001_0203));
    assert_eq!(machine.read(0, offset), 0x0001_0203);
    assert_eq!(machine.read(0, offset + 4), 4);
    // Interrupts that have none.
    for intid in [0, 31, 288, 1019, 1023] {
        machine.route(0, intid, u64::MAX);
        let access = read(AccessSize::Double, GICD_IROUTER + 8 * u64::from(intid));
        assert_eq!(machine.access(0, access, false), Outcome::Done(0));
    }
}

/// Peer bug: access sizes other than the expected one.
#[test]
fn every_size_at_every_offset_is_answered() {
    let parts = redistributors(2);
    let vgic = Vgic::new(&parts);
    let mut kicks = Kicks::default();
    for size in ALL_SIZES {
        for offset in 0..0x1_0000 {
            for kind in [AccessKind::Write(u64::MAX), AccessKind::Write(0), AccessKind::Read] {
                let access = Access { offset, size, kind };
                let outcome = vgic.distributor_access(0, &access, &mut kicks);
                match (kind, outcome) {
                    (AccessKind::Read, Outcome::Done(value)) => assert_eq!(value & !size.mask(), 0),
                    (AccessKind::Write(_), Outcome::Done(0)) => {}
                    _ => panic!("{access:x?}: {outcome:?}"),
                }
            }
        }
        for offset in 0..0x2_0000 {
            for kind in [AccessKind::Write(u64::MAX), AccessKind::Write(0), AccessKind::Read] {
                let access = Access { offset, size, kind };
                let outcome = vgic.redistributor_access(0, &access, &mut kicks);
                match (kind, outcome) {
                    (AccessKind::Read, Outcome::Done(value)) => assert_eq!(value & !size.mask(), 0),
                    (AccessKind::Write(_), Outcome::Done(0)) => {}
                    _ => panic!("{access:x?}: {outcome:?}"),
                }
            }
        }
    }
}

/// Peer bug: access sizes other than the expected one.
#[test]
fn sizes_that_a_register_does_not_have_do_nothing() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::cold(&vgic, 4);
    machine.load(0);
    machine.write(0, GICD_ISENABLER + 4, 0xff);
    for size in [AccessSize::Byte, AccessSize::Half, AccessSize::Double] {
        let kind = AccessKind::Write(0xff);
        let access = Access { offset: GICD_ICENABLER + 4, size, kind };
        assert_eq!(machine.access(0, access, false), Outcome::Done(0));
        assert_eq!(machine.access(0, read(size, GICD_ISENABLER + 4), false), Outcome::Done(0));
    }
    assert_eq!(machine.read(0, GICD_ISENABLER + 4), 0xff);
    // Not aligned.
    let access = Access { kind: AccessKind::Write(0xff), ..read(AccessSize::Word, GICD_ICENABLER + 2) };
    assert_eq!(machine.access(0, access, false), Outcome::Done(0));
    assert_eq!(machine.read(0, GICD_ISENABLER + 4), 0xff);
}

#[test]
fn a_native_context_gets_its_interrupts_without_a_board() {
    let parts = redistributors(1);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::cold(&vgic, 4);
    machine.load(0);
    machine.sync(0);
    vgic.enable_private(0, 5, 0x87);
    vgic.enable_private(0, 32, 0);
    vgic.enable_private(7, 5, 0);
    machine.flush(0);
    machine.send(0, 0, 5);
    machine.send(0, 0, 6);
    machine.settle(0);
    assert_eq!(machine.cores[0].entry(5).map(ListRegister::priority), Some(0x80));
    assert_eq!(machine.drain(0), [5]);
}
