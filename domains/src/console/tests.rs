use super::*;
use crate::mmio::{AccessKind, AccessSize};

const DATA: u64 = 0x0;
const FLAGS: u64 = 0x18;
const CONTROL: u64 = 0x30;
const RECEIVE_EMPTY: u32 = 1 << 4;

fn read(console: &mut Console, offset: u64) -> u32 {
    console.access(&Access { offset, size: AccessSize::Word, kind: AccessKind::Read }).0.unwrap()
}

fn started() -> Console {
    let mut console = Console::default();
    // UARTEN, TXE, RXE.
    let start = Access { offset: CONTROL, size: AccessSize::Word, kind: AccessKind::Write(0x301) };
    assert_eq!(console.access(&start), (None, None));
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
    while read(&mut console, FLAGS) & RECEIVE_EMPTY == 0 {
        read_back.push(read(&mut console, DATA) as u8);
    }
    assert_eq!(read_back, typed);
}

#[test]
fn a_guest_that_does_not_read_loses_what_is_too_much() {
    let mut console = started();
    let taken = (0..5000).take_while(|n| console.receive(*n as u8).is_ok()).count();
    // The FIFO is off: it holds one.
    assert_eq!(taken, BACKLOG + 1);
    assert_eq!(console.receive(0), Err(Full));
    assert_eq!(read(&mut console, DATA) & 0xff, 0);
    assert_eq!(console.receive(0), Ok(()));
}

#[test]
fn what_is_sent_comes_out() {
    let mut console = started();
    let send = Access { offset: DATA, size: AccessSize::Byte, kind: AccessKind::Write(u64::from(b'x')) };
    assert_eq!(console.access(&send), (None, Some(b'x')));
}

#[test]
fn reset_forgets_the_input() {
    let mut console = started();
    for byte in 0..100 {
        console.receive(byte).unwrap();
    }
    console.reset();
    assert_ne!(read(&mut console, FLAGS) & RECEIVE_EMPTY, 0);
}
