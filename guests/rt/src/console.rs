//! The domain's console: the PL011 of board `virt`, else a hypercall.

use crate::arch::Width;
use crate::{Board, hypercall};
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use domains::protocol::hypercall::CONSOLE_WRITE_MAX;

/// Offsets and bits of the PL011 (Arm DDI 0183).
const DATA: u64 = 0x00;
const FLAGS: u64 = 0x18;
const LINE_CONTROL: u64 = 0x2c;
const CONTROL: u64 = 0x30;
const FLAG_TRANSMIT_FULL: u32 = 1 << 5;
const EIGHT_BITS_WITH_FIFO: u32 = 0x70;
const ENABLED_BOTH_WAYS: u32 = 0x301;

/// Base of the PL011, or 0: the hypercall.
static UART: AtomicU64 = AtomicU64::new(0);

/// Chooses the console of this board.
pub fn init(board: &Board) {
    if let Board::Virt { uart, .. } = *board {
        UART.store(uart, Ordering::Relaxed);
        let _ = EIGHT_BITS_WITH_FIFO.store(uart + LINE_CONTROL);
        let _ = ENABLED_BOTH_WAYS.store(uart + CONTROL);
    }
}

/// Writes bytes as they are.
pub fn write(bytes: &[u8]) {
    match UART.load(Ordering::Relaxed) {
        0 => bytes.chunks(CONSOLE_WRITE_MAX).for_each(hypercall::console_write),
        uart => bytes.iter().for_each(|&byte| {
            while matches!(u32::load(uart + FLAGS), Ok(flags) if flags & FLAG_TRANSMIT_FULL != 0) {}
            let _ = u32::from(byte).store(uart + DATA);
        }),
    }
}

/// Writes what [`println!`](crate::println) was given, and a line feed. Lines of several contexts
/// may mix.
pub fn print_line(arguments: fmt::Arguments<'_>) {
    let mut line = Line::default();
    // Neither the buffer nor the console fails.
    let _ = fmt::write(&mut line, arguments);
    line.push(b'\n');
    line.flush();
}

/// Collects bytes, so that a call carries as many as it can.
#[derive(Default)]
struct Line(arrayvec::ArrayVec<u8, CONSOLE_WRITE_MAX>);

impl Line {
    fn push(&mut self, byte: u8) {
        if self.0.is_full() {
            self.flush();
        }
        self.0.push(byte);
    }

    fn flush(&mut self) {
        write(&self.0);
        self.0.clear();
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}

/// Writes a line to the domain's console.
#[macro_export]
macro_rules! println {
    ($($arguments:tt)*) => { $crate::console::print_line(format_args!($($arguments)*)) };
}
