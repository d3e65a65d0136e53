use super::*;

const ILPR: u64 = 0x020;
const IBRD: u64 = 0x024;
const FBRD: u64 = 0x028;
const LCR_H: u64 = 0x02c;
const CR: u64 = 0x030;
const IFLS: u64 = 0x034;
const IMSC: u64 = 0x038;
const RIS: u64 = 0x03c;
const MIS: u64 = 0x040;
const ICR: u64 = 0x044;
const DMACR: u64 = 0x048;

const RXIM: u32 = 1 << 4;
const TXIM: u32 = 1 << 5;
const FIFOS_ON: u32 = 0x70;

fn with_fifos() -> Pl011 {
    let mut uart = <Pl011>::default();
    assert_eq!(uart.write(LCR_H, FIFOS_ON), None);
    uart
}

#[test]
fn reset_state_is_that_of_the_manual() {
    let mut uart = <Pl011>::default();
    assert_eq!(uart.read(FR), TXFE | RXFE);
    assert_eq!(uart.read(CR), 0x300);
    assert_eq!(uart.read(IFLS), 0x12);
    assert_eq!(uart.read(IMSC), 0);
    assert_eq!(uart.read(RIS), 0);
    assert_eq!(uart.line(), Level::Low);
}

#[test]
fn identifies_itself_to_the_amba_bus() {
    let mut uart = <Pl011>::default();
    let id = |uart: &mut Pl011, base: u64| (0..4).fold(0, |id, n| id | (uart.read(base + n * 4) & 0xff) << (n * 8));
    // What Linux's amba and pl011 drivers match: part 0x011 by Arm, and the cell id.
    assert_eq!(id(&mut uart, 0xfe0) & 0x000f_ffff, 0x0004_1011);
    assert_eq!(id(&mut uart, 0xff0), 0xb105_f00d);
}

#[test]
fn sends_every_byte_at_once_and_raises_the_transmit_interrupt() {
    let mut uart = <Pl011>::default();
    assert_eq!(uart.write(DR, u32::from(b'x')), Some(b'x'));
    assert_eq!(uart.read(FR) & TXFE, TXFE);
    assert_eq!(uart.line(), Level::Low);
    uart.write(IMSC, TXIM);
    assert_eq!(uart.line(), Level::High);
    assert_eq!(uart.read(MIS), TXIM);
    uart.write(ICR, TXIM);
    assert_eq!(uart.line(), Level::Low);
    uart.write(DR, 0x1_0041);
    assert_eq!(uart.line(), Level::High);
}

#[test]
fn receives_in_order_and_lowers_the_line_when_drained() {
    let mut uart = with_fifos();
    uart.write(IMSC, RXIM);
    // More than the FIFO holds in all, so that it wraps.
    for round in 0..5u8 {
        for n in 0..10 {
            uart.receive(round * 10 + n).unwrap();
        }
        assert_eq!(uart.line(), Level::High);
        for n in 0..10 {
            assert_eq!(uart.line(), Level::High);
            assert_eq!(uart.read(DR), u32::from(round * 10 + n));
        }
        assert_eq!(uart.line(), Level::Low);
        assert_eq!(uart.read(FR) & RXFE, RXFE);
    }
    assert_eq!(uart.read(DR), 0);
}

#[test]
fn a_full_fifo_refuses_bytes_and_loses_none() {
    let mut uart = with_fifos();
    for byte in 0..16 {
        uart.receive(byte).unwrap();
    }
    assert_eq!(uart.read(FR) & RXFF, RXFF);
    assert_eq!(uart.receive(99), Err(Full));
    assert_eq!(uart.read(DR), 0);
    uart.receive(16).unwrap();
    for byte in 1..=16 {
        assert_eq!(uart.read(DR), byte);
    }
    // Without FIFOs there is room for one.
    let mut uart = <Pl011>::default();
    uart.receive(1).unwrap();
    assert_eq!(uart.read(FR) & RXFF, RXFF);
    assert_eq!(uart.receive(2), Err(Full));
}

#[test]
fn a_byte_that_comes_after_the_interrupt_was_cleared_raises_it_again() {
    let mut uart = with_fifos();
    uart.write(IMSC, RXIM);
    uart.receive(1).unwrap();
    uart.write(ICR, 0x7ff);
    assert_eq!(uart.line(), Level::Low);
    uart.receive(2).unwrap();
    assert_eq!(uart.line(), Level::High);
}

#[test]
fn switching_the_fifos_empties_them() {
    let mut uart = with_fifos();
    uart.write(IMSC, RXIM);
    uart.receive(1).unwrap();
    uart.write(LCR_H, FIFOS_ON);
    assert_eq!(uart.line(), Level::High);
    uart.write(LCR_H, 0x60);
    assert_eq!(uart.line(), Level::Low);
    assert_eq!(uart.read(FR) & RXFE, RXFE);
}

#[test]
fn registers_hold_the_bits_that_they_have() {
    let mut uart = <Pl011>::default();
    let widths = [
        (ILPR, 0xff),
        (IBRD, 0xffff),
        (FBRD, 0x3f),
        (LCR_H, 0xff),
        (CR, 0xffff),
        (IFLS, 0x3f),
        (IMSC, 0x7ff),
        (DMACR, 7),
    ];
    for (offset, mask) in widths {
        assert_eq!(uart.write(offset, u32::MAX), None);
        assert_eq!(uart.read(offset), mask, "{offset:#x}");
    }
}

#[test]
fn no_access_panics_and_unknown_offsets_read_as_zero() {
    let mut uart = with_fifos();
    for offset in (0..0x1010).chain([u64::MAX, 1 << 32]) {
        let sent = uart.write(offset, u32::MAX);
        assert_eq!(sent.is_some(), offset == DR);
        let value = uart.read(offset);
        if offset % 4 != 0 || (0x04c..0xfe0).contains(&offset) || offset > 0xffc {
            assert_eq!(value, 0, "{offset:#x}");
        }
    }
}

fn started() -> Console {
    let mut console = Console::default();
    // UARTEN, TXE, RXE.
    assert_eq!(console.write(CR, 0x301), None);
    console
}

#[test]
fn input_longer_than_the_fifo_arrives_whole_and_in_order() {
    let mut console = started();
    let typed: Vec<u8> = (0..200).collect();
    for byte in &typed {
        console.receive(*byte).unwrap();
    }
    let mut read_back = Vec::new();
    while console.read(FR) & RXFE == 0 {
        read_back.push(console.read(DR) as u8);
    }
    assert_eq!(read_back, typed);
}

#[test]
fn a_guest_that_does_not_read_loses_what_is_too_much() {
    let mut console = started();
    let taken = (0..5000).take_while(|n| console.receive(*n as u8).is_ok()).count();
    assert_eq!(taken, 1040);
    assert_eq!(console.receive(0), Err(Full));
    assert_eq!(console.read(DR) & 0xff, 0);
    assert_eq!(console.receive(0), Ok(()));
}

/// With FIFOs and without, and from one to the other.
#[test]
fn each_byte_that_comes_into_the_fifo_raises_the_interrupt() {
    let mut console = started();
    console.write(IMSC, RXIM);
    for byte in 0..40 {
        console.receive(byte).unwrap();
    }
    for (fifo, first) in [(0, 0), (FIFOS_ON, 3)] {
        console.write(LCR_H, fifo);
        for byte in first..first + 2 {
            console.write(ICR, 0x7ff);
            assert_eq!((console.line(), console.read(DR)), (Level::Low, byte));
            assert_eq!(console.line(), Level::High);
        }
    }
    console.write(LCR_H, 0);
    assert_eq!((console.line(), console.read(DR)), (Level::High, 21));
    // The last one leaves none behind it.
    (22..39).for_each(|byte| assert_eq!(console.read(DR), byte));
    console.write(ICR, 0x7ff);
    assert_eq!((console.read(DR), console.line(), console.read(FR) & RXFE), (39, Level::Low, RXFE));
}
