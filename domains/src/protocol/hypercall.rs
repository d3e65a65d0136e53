//! Corral's own calls, by HVC or SMC, in the range that the SMC calling convention (Arm DEN 0028)
//! keeps for the vendor of the hypervisor: function in x0, arguments from x1, result in x0. They
//! answer 0, or the PSCI error that fits ([`crate::psci::PsciError`]).

/// Answers the version of this interface: major in bits 31:16, minor in 15:0.
pub const VERSION: u32 = 0xC600_0000;
/// Writes to the domain's console: x1 = number of bytes, at most [`CONSOLE_WRITE_MAX`]; x2 to x7
/// the bytes, first one in the low byte of x2.
pub const CONSOLE_WRITE: u32 = 0xC600_0001;
/// Ends the domain: x1 = 0 when it did what it was there for. Does not return.
pub const EXIT: u32 = 0xC600_0002;
/// Reports a number to the host: x1 = code of a [`super::ReportKey`], x2 = value.
pub const REPORT: u32 = 0xC600_0003;
/// Enables a private interrupt of the calling context, for domains without a virtual interrupt
/// controller: x1 = interrupt number (0 to 31), x2 = priority (one byte, lower is more urgent).
pub const IRQ_ENABLE: u32 = 0xC600_0004;
/// Answers 0 in x0, the cores that the domain owns in x1, those that it is granted in x2, and its contexts that are on
/// in x3.
pub const CORES: u32 = 0xC600_0005;
/// Takes the next request about a core: 0 in x0, a [`Wish`](crate::control::Wish) in x1, or 0 for none, and the index of
/// the context that is meant in x2. [`CORE_REQUEST_SGI`] becomes pending for context 0 when there is one. The domain
/// obeys by CPU_OFF on that context, or by CPU_ON.
pub const CORE_REQUEST: u32 = 0xC600_0006;
/// Tells that an offline request is not obeyed: x1 = index of the context, x2 = [`CORE_BUSY`] or [`CORE_REFUSED`].
pub const CORE_ANSWER: u32 = 0xC600_0007;
/// Orders a core to go to another holder, for a domain that may: x1 = core, x2 = domain index, [`TO_POOL`] or
/// [`TO_OFF`], x3 = deadline in milliseconds.
pub const CORE_ORDER: u32 = 0xC600_0008;
/// Answers the caller's place in its group: 0 in x0, its [`Role`](crate::manifest::Role) in x1, the group's epoch in x2,
/// the address of the group's region in x3 (0: it has none) and its bytes in x4, and the deadline for heartbeats in
/// milliseconds in x5. A domain in no group: NOT_SUPPORTED. [`CORE_REQUEST_SGI`] becomes pending for context 0 when the
/// role changes.
pub const GROUP: u32 = 0xC600_0009;
/// Says that the domain lives, and answers as [`GROUP`]. The first heartbeat of a standby says that it is ready to take
/// over; the first after its promotion, that it serves.
pub const HEARTBEAT: u32 = 0xC600_000A;
/// The standard call that tells whose calls these are: [`UID_WORDS`] in w0 to w3.
pub const UID_CALL: u32 = 0x8600_FF01;
/// The standard call for the revision: major in w0, minor in w1.
pub const REVISION_CALL: u32 = 0x8600_FF03;

/// The SGI that announces a [`CORE_REQUEST`] to context 0 of a domain without a virtual board.
pub const CORE_REQUEST_SGI: u32 = 15;
/// [`CORE_ANSWER`]: not now, ask again.
pub const CORE_BUSY: u64 = 1;
/// [`CORE_ANSWER`]: no.
pub const CORE_REFUSED: u64 = 2;
/// [`CORE_ORDER`]: to the pool.
pub const TO_POOL: u64 = 0xffff;
/// [`CORE_ORDER`]: off.
pub const TO_OFF: u64 = 0xfffe;

/// The version that [`VERSION`] answers and [`REVISION_CALL`] splits.
pub const INTERFACE_VERSION: u32 = 0x0001_0000;

/// The most bytes of one [`CONSOLE_WRITE`].
pub const CONSOLE_WRITE_MAX: usize = 48;

/// 5a1c3f70-6e52-4b0d-9d64-c0771a1c07a1 as [`UID_CALL`] answers it: four bytes a register, the first
/// one in the low byte.
pub const UID_WORDS: [u32; 4] = [0x703f_1c5a, 0x0d4b_526e, 0x77c0_649d, 0xa107_1c1a];

/// The bytes in x1 to x7: the whole buffer and how many of its bytes count, or `None` if x1 is more than
/// [`CONSOLE_WRITE_MAX`].
pub fn unpack(registers: &[u64; 7]) -> Option<([u8; CONSOLE_WRITE_MAX], usize)> {
    let [length, words @ ..] = registers;
    let length = usize::try_from(*length).ok().filter(|&length| length <= CONSOLE_WRITE_MAX)?;
    let mut bytes = [0; CONSOLE_WRITE_MAX];
    for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
    Some((bytes, length))
}
