//! What the distributor's and the redistributors' 64 KiB frames have in common.
//!
//! An access of a size that a register does not have, or to an offset where there is none, reads as
//! zero and is ignored when it writes (IHI 0069, 12.1.3 leaves it open).

use super::Outcome;
use super::bank::Field;
use crate::mmio::AccessSize;

/// Bytes of a frame.
pub(super) const FRAME_SIZE: u64 = 0x1_0000;

/// `GICD_IIDR` and `GICR_IIDR`: implementer Arm, product 0, as the board has it.
pub(super) const IMPLEMENTER: u64 = 0x43b;

/// The answer to a write, and where there is no register, or none of that size or for that direction.
pub(super) const NOTHING: Outcome = Outcome::Done(0);

/// The identification registers that end every frame, from 0xffd0: a GICv3 by Arm (12.9.16 ff.).
/// Zero before them.
pub(super) fn identification(offset: u64) -> u64 {
    const PERIPHERAL: u64 = 0xffd0;
    const VALUES: [u8; 12] = [0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1];
    let index = offset.checked_sub(PERIPHERAL).map(|within| (within / 4) as usize);
    index.and_then(|index| VALUES.get(index)).copied().map_or(0, u64::from)
}

/// The field of a bank that an access means, with the bank's number counted from INTID 0.
pub(super) fn locate(offset: u64, size: AccessSize) -> Option<(usize, Field)> {
    use Field::{ClearActive, ClearEnable, ClearPending, Group, SetActive, SetEnable, SetPending};
    // 128 bytes each, from offset 0x80 on (IHI 0069, 12.9 and 12.11).
    const REGISTERS: [Field; 7] = [Group, SetEnable, ClearEnable, SetPending, ClearPending, SetActive, ClearActive];
    let within = offset as usize;
    match (offset, size) {
        (0x080..=0x3ff, AccessSize::Word) => {
            let register = REGISTERS.get((within / 0x80).checked_sub(1)?)?;
            Some(((within % 0x80) / 4, *register))
        }
        (0x400..=0x7ff, AccessSize::Byte | AccessSize::Word) => {
            let intid = within.checked_sub(0x400)?;
            let first = (intid % 32) as u8;
            let count = size.bytes() as u8;
            Some((intid / 32, Field::Priority { first, count }))
        }
        (0xc00..=0xcff, AccessSize::Word) => {
            let word = within.checked_sub(0xc00)? / 4;
            let upper = word % 2 == 1;
            Some((word / 2, Field::Config { upper }))
        }
        _ => None,
    }
}
