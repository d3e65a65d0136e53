//! The machine's PL011 (Arm DDI 0183), as the firmware left it configured.

use super::device::Registers;

const DATA: u64 = 0x0;
const FLAGS: u64 = 0x18;
const MASK: u64 = 0x38;
const CLEAR: u64 = 0x44;
const CONTROL: u64 = 0x30;
const TRANSMIT_FULL: u32 = 1 << 5;
const RECEIVE_EMPTY: u32 = 1 << 4;
/// Receive and receive time-out.
const RECEIVE_INTERRUPTS: u32 = 1 << 4 | 1 << 6;

/// The physical UART.
#[derive(Clone, Copy, Debug)]
pub struct Uart(Registers);

impl Uart {
    /// The UART at this physical address.
    pub const fn new(base: u64) -> Self {
        Self(Registers::new(base))
    }

    /// Switches transmitter, receiver and the receive interrupt on.
    pub fn start(self) {
        self.0.write32(CONTROL, 1 << 9 | 1 << 8 | 1);
        self.0.write32(MASK, RECEIVE_INTERRUPTS);
    }

    /// Sends a byte as soon as there is room.
    pub fn send(self, byte: u8) {
        while self.0.read32(FLAGS) & TRANSMIT_FULL != 0 {
            aarch64_cpu::asm::nop();
        }
        self.0.write32(DATA, u32::from(byte));
    }

    /// A received byte, if there is one.
    pub fn receive(self) -> Option<u8> {
        (self.0.read32(FLAGS) & RECEIVE_EMPTY == 0).then(|| self.0.read32(DATA) as u8)
    }

    /// Takes back the receive interrupt.
    pub fn acknowledge(self) {
        self.0.write32(CLEAR, RECEIVE_INTERRUPTS);
    }
}
