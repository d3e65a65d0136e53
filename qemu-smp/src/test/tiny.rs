//! Kernels of a few instructions, to see what this command makes of good and bad ones without
//! the real one.

/// What a tiny kernel does, in order.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// Writes to the serial line.
    Print(&'a str),
    /// Reads from the serial line until this byte comes.
    WaitFor(u8),
    /// Switches the machine off (PSCI SYSTEM_OFF).
    Off,
    /// Sleeps for ever.
    Sleep,
}

impl Step<'_> {
    /// The number of its instructions.
    fn length(&self) -> usize {
        match self {
            Self::Print(_) => 5,
            Self::WaitFor(_) => 5,
            Self::Off => 3,
            Self::Sleep => 2,
        }
    }
}

/// An arm64 Image header (Linux, `Documentation/arch/arm64/booting.rst`) is as long as this.
const HEADER: usize = 64;

/// x2 = the PL011's address; its control register = enabled, both directions.
const PROLOGUE: [u32; 3] = [0xd2a1_2002, 0x5280_6024, 0xb900_3044];

/// The kernel's image.
pub fn image(steps: &[Step<'_>]) -> Vec<u8> {
    let mut data = Vec::new();
    let lengths = steps.iter().map(Step::length);
    let end_of_code = PROLOGUE.len() + lengths.sum::<usize>();
    let mut code = PROLOGUE.to_vec();
    for step in steps {
        match step {
            Step::Print(text) => {
                let bytes_ahead = 4 * (end_of_code - code.len()) + data.len();
                let (low, high) = (bytes_ahead as u32 & 3, bytes_ahead as u32 >> 2);
                // adr x1, text; then bytes are sent until a zero.
                code.push(0x1000_0001 | low << 29 | high << 5);
                code.extend([0x3840_1423, 0x3400_0063, 0x3900_0043, 0x17ff_fffd]);
                data.extend(text.bytes().chain([0]));
            }
            Step::WaitFor(byte) => {
                // While the receive FIFO is empty, or something else comes, again.
                code.extend([0xb940_1843, 0x3727_ffe3, 0x3940_0043]);
                code.extend([0x7100_007f | u32::from(*byte) << 10, 0x54ff_ff81]);
            }
            Step::Off => code.extend([0x5280_0100, 0x72b0_8000, 0xd400_0003]),
            Step::Sleep => code.extend([0xd503_207f, 0x17ff_ffff]),
        }
    }
    let size = HEADER + 4 * code.len() + data.len();
    let mut image = Vec::with_capacity(size);
    image.extend(0x1400_0010_u32.to_le_bytes());
    image.extend([0; 12]);
    image.extend((size as u64).to_le_bytes());
    // Little endian, 4 KiB pages.
    image.extend(0x2_u64.to_le_bytes());
    image.extend([0; 24]);
    image.extend(b"ARM\x64");
    image.extend([0; 4]);
    for word in code {
        image.extend(word.to_le_bytes());
    }
    image.extend(data);
    image
}
