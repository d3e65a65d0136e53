//! A domain's console: the board's PL011, and room for input that its receive FIFO cannot take
//! yet, so that a line may be pasted or sent by a script.

use crate::mmio::{Access, Level};
use crate::pl011::{Full, Pl011};
use heapless::Deque;

#[cfg(test)]
mod tests;

/// Bytes of input that wait for the guest, beside the 16 in its FIFO.
pub const BACKLOG: usize = 1024;

/// A console; by default at reset, with no input.
#[derive(Clone, Debug, Default)]
pub struct Console {
    uart: Pl011,
    backlog: Deque<u8, BACKLOG>,
}

impl Console {
    /// Back to reset, in place.
    pub fn reset(&mut self) {
        self.uart = Pl011::default();
        self.backlog.clear();
    }

    /// Somebody typed.
    ///
    /// # Errors
    /// The guest does not read its input, and there is no more room for it: the byte is lost.
    pub fn receive(&mut self, byte: u8) -> Result<(), Full> {
        let queued = self.backlog.push_back(byte).map_err(|_| Full);
        self.refill();
        queued
    }

    /// What the guest reads, if it reads, and the byte that it sends, if it sends one.
    pub fn access(&mut self, access: &Access) -> (Option<u32>, Option<u8>) {
        let done = self.uart.access(access);
        // A read makes room, and so does switching the FIFO on.
        self.refill();
        done
    }

    /// The level of its interrupt.
    pub fn line(&self) -> Level {
        self.uart.line()
    }

    fn refill(&mut self) {
        while let Some(byte) = self.backlog.front() {
            if self.uart.receive(*byte).is_err() {
                break;
            }
            self.backlog.pop_front();
        }
    }
}
