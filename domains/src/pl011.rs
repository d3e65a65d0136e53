//! The board's console: a PL011 (Arm DDI 0183, *PrimeCell UART (PL011) Technical Reference Manual*).
//!
//! Sending takes no time, so the transmitter is always empty and its interrupt is raised by every
//! byte. The receive interrupt is raised by every byte too, whatever trigger level was chosen, as on
//! QEMU's board; in return there are no receive timeouts. Speed, format, flow control and DMA
//! registers hold what is written to them and do nothing. The transmitter and the receiver work
//! whether or not they were switched on: early consoles rely on it.
//!
//! Accesses between registers read as zero and are ignored when they write.
//!
//! Behind the receive FIFO there can be more room for input, so that a line may be pasted or sent by a script.

use crate::mmio::{Access, AccessKind, Level};
use heapless::Deque;

#[cfg(test)]
mod tests;

/// Bytes that the receive FIFO holds; only one while FIFOs are off (`LCR_H.FEN`).
const DEPTH: usize = 16;

const DR: u64 = 0x000;
const FR: u64 = 0x018;
const PERIPHERAL_ID: u64 = 0xfe0;

/// The registers from here on hold what is written to them, those bits that they have.
const FIRST: u64 = 0x020;
/// Those bits. `RIS`, `MIS` and `ICR` hold nothing themselves.
const BITS: [u16; 11] = [0xff, 0xffff, 0x3f, 0xff, 0xffff, 0x3f, 0x7ff, 0, 0, 0, 7];
/// After reset `CR` and `IFLS` are not zero.
const RESET: [u16; 11] = [0, 0, 0, 0, 0x300, 0x12, 0, 0, 0, 0, 0];
/// Indices of those with a meaning here.
const LCR_H: usize = 3;
const IMSC: usize = 6;
const RIS: usize = 7;
const MIS: usize = 8;
const ICR: usize = 9;

/// `FR`: the transmit FIFO is empty.
const TXFE: u32 = 1 << 7;
/// `FR`: the receive FIFO is full.
const RXFF: u32 = 1 << 6;
/// `FR`: the receive FIFO is empty.
const RXFE: u32 = 1 << 4;
/// `LCR_H`: FIFOs are on.
const FEN: u16 = 1 << 4;
/// The transmit interrupt.
const TX: u16 = 1 << 5;
/// The receive interrupt.
const RX: u16 = 1 << 4;

/// The receive FIFO has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A PL011, which takes up to `ROOM` bytes of input.
#[derive(Clone, Debug)]
pub struct Pl011<const ROOM: usize = DEPTH> {
    /// The FIFO, and what waits for room in it.
    input: Deque<u8, ROOM>,
    /// The interrupts that are raised, masked or not.
    raw: u16,
    registers: [u16; 11],
}

/// A domain's console.
pub type Console = Pl011<1040>;

/// The state after reset.
impl<const ROOM: usize> Default for Pl011<ROOM> {
    fn default() -> Self {
        Self { input: Deque::new(), raw: 0, registers: RESET }
    }
}

impl<const ROOM: usize> Pl011<ROOM> {
    /// The level of its interrupt line.
    pub fn line(&self) -> Level {
        if self.raw & self.register(IMSC) == 0 { Level::Low } else { Level::High }
    }

    /// Whether the guest has read all input.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// A byte arrives.
    ///
    /// # Errors
    /// [`Full`]: the guest has to read first; the byte is not taken.
    pub fn receive(&mut self, byte: u8) -> Result<(), Full> {
        let waits = self.is_full();
        if waits && ROOM == DEPTH {
            return Err(Full);
        }
        self.input.push_back(byte).map_err(|_| Full)?;
        self.raw |= if waits { 0 } else { RX };
        Ok(())
    }

    /// What the guest reads, or 0, and the byte that it sends, if it sends one.
    pub fn access(&mut self, access: &Access) -> (u32, Option<u8>) {
        match access.kind {
            AccessKind::Read => (self.read(access.offset), None),
            AccessKind::Write(value) => (0, self.write(access.offset, value as u32)),
        }
    }

    /// The guest reads at this offset.
    pub fn read(&mut self, offset: u64) -> u32 {
        match (offset, index_of(offset)) {
            (DR, _) => self.take(),
            (FR, _) => self.flags(),
            (_, Some(RIS)) => self.raw.into(),
            (_, Some(MIS)) => (self.raw & self.register(IMSC)).into(),
            (_, Some(index)) => self.register(index).into(),
            (_, None) => identification(offset),
        }
    }

    /// The guest writes at this offset; a byte that comes out was sent. Bits that the access does
    /// not carry are zero.
    pub fn write(&mut self, offset: u64, value: u32) -> Option<u8> {
        if offset == DR {
            self.raw |= TX;
            return Some(value as u8);
        }
        let (index, value) = (index_of(offset)?, value as u16);
        if index == ICR {
            self.raw &= !value;
        } else if index == LCR_H && (self.register(LCR_H) ^ value) & FEN != 0 {
            for _ in 0..self.depth() {
                self.input.pop_front();
            }
            self.raw &= !RX;
            self.raw |= if self.input.is_empty() { 0 } else { RX };
        }
        if let (Some(register), Some(bits)) = (self.registers.get_mut(index), BITS.get(index)) {
            *register = value & bits;
        }
        None
    }

    fn register(&self, index: usize) -> u16 {
        self.registers.get(index).copied().unwrap_or(0)
    }

    fn depth(&self) -> usize {
        if self.register(LCR_H) & FEN == 0 { 1 } else { DEPTH }
    }

    fn is_full(&self) -> bool {
        self.input.len() >= self.depth()
    }

    fn flags(&self) -> u32 {
        let empty = if self.input.is_empty() { RXFE } else { 0 };
        let full = if self.is_full() { RXFF } else { 0 };
        TXFE | empty | full
    }

    /// The oldest byte received; 0 when there is none.
    fn take(&mut self) -> u32 {
        let byte = self.input.pop_front();
        if self.input.is_empty() {
            self.raw &= !RX;
        } else if self.is_full() {
            self.raw |= RX; // one more came into the FIFO
        }
        byte.unwrap_or(0).into()
    }
}

/// The register at this offset, from [`FIRST`] on.
fn index_of(offset: u64) -> Option<usize> {
    word_of(offset, FIRST).filter(|index| *index < BITS.len())
}

/// `UARTPeriphID0` to `UARTPCellID3`, and zero elsewhere.
fn identification(offset: u64) -> u32 {
    const VALUES: [u8; 8] = [0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1];
    word_of(offset, PERIPHERAL_ID).and_then(|index| VALUES.get(index)).copied().map_or(0, u32::from)
}

/// How many words from `first` on an offset is.
fn word_of(offset: u64, first: u64) -> Option<usize> {
    let within = offset.checked_sub(first).filter(|within| within.is_multiple_of(4))?;
    usize::try_from(within / 4).ok()
}
