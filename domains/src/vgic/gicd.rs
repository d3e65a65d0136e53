//! The distributor's frame (IHI 0069, 12.9).
//!
//! One security state (`GICD_CTLR.DS`), affinity routing always on, no LPIs, no messages: the board
//! without EL3. So `IGRPMODR`, `NSACR`, `ITARGETSR` and the registers for SGIs and of the first 32
//! interrupts are RAZ/WI.

use super::bank::{Field, GROUP_0, GROUP_1};
use super::distributor::{BANKS, intid_of};
use super::frame::{FRAME_SIZE, IMPLEMENTER, NOTHING, identification, locate};
use super::redistributor::{FOLD, LOOK, Redistributor};
use super::{Kick, Outcome, Vgic};
use crate::mmio::{Access, AccessKind, AccessSize};
use smp::bits;
use smp::sync::atomic::Ordering;

/// `GICD_CTLR`: ARE and DS are fixed.
const CONTROL_FIXED: u64 = 1 << 4 | 1 << 6;
/// `GICD_CTLR.RWP`.
const WRITE_PENDING: u64 = 1 << 31;
/// `GICD_TYPER`: range selector, Aff3, 10 bits of INTID, `ITLinesNumber`.
const TYPER_VALUE: u64 = 1 << 26 | 1 << 24 | 9 << 19 | BANKS as u64;

const CTLR: u64 = 0x0000;
const TYPER: u64 = 0x0004;
const IIDR: u64 = 0x0008;
/// `IROUTER`, 8 bytes an INTID, from 32 on.
const IROUTER: u64 = 0x6000;

/// The interrupt whose `IROUTER` an access means, and the access's place in it: shift and mask.
fn locate_route(offset: u64, size: AccessSize) -> Option<(u32, u32, u64)> {
    if !matches!(size, AccessSize::Word | AccessSize::Double) {
        return None;
    }
    let within = offset.checked_sub(IROUTER).filter(|within| *within < 0x2000)?;
    let shift = if within % 8 == 0 { 0 } else { 32 };
    Some(((within / 8) as u32, shift, size.mask().wrapping_shl(shift)))
}

impl Vgic<'_> {
    /// An access to the distributor's 64 KiB by `context`, which was synced and is flushed
    /// afterwards.
    pub fn distributor_access(&self, context: usize, access: &Access, kick: &mut impl Kick) -> Outcome {
        let Access { offset, size, kind } = *access;
        if offset >= FRAME_SIZE {
            return Outcome::Bad;
        }
        if !offset.is_multiple_of(size.bytes()) {
            return NOTHING;
        }
        if let Some((bank, field)) = locate(offset, size) {
            return self.access_shared(context, bank, field, access, kick);
        }
        if let Some((intid, shift, mask)) = locate_route(offset, size) {
            let mut distributor = self.distributor.lock();
            let AccessKind::Write(value) = kind else {
                return Outcome::Done((distributor.route(intid) & mask).wrapping_shr(shift));
            };
            distributor.set_route(intid, mask, value.wrapping_shl(shift));
            self.tell(self.concern(&distributor, intid), Some(context), kick);
            return NOTHING;
        }
        match (offset, size, kind) {
            (CTLR, AccessSize::Word, AccessKind::Write(value)) => {
                self.write_control(context, value as u32 & (GROUP_0 | GROUP_1), kick);
                NOTHING
            }
            (CTLR, AccessSize::Word, AccessKind::Read) => Outcome::Done(self.read_control()),
            (TYPER, AccessSize::Word, AccessKind::Read) => Outcome::Done(TYPER_VALUE),
            (IIDR, AccessSize::Word, AccessKind::Read) => Outcome::Done(IMPLEMENTER),
            (_, AccessSize::Word, AccessKind::Read) => Outcome::Done(identification(offset)),
            _ => NOTHING,
        }
    }

    fn read_control(&self) -> u64 {
        let due = self.redistributors.iter().any(Redistributor::is_fold_due);
        let write_pending = if due { WRITE_PENDING } else { 0 };
        u64::from(self.control()) | CONTROL_FIXED | write_pending
    }

    fn write_control(&self, context: usize, value: u32, kick: &mut impl Kick) {
        if self.control.swap(value, Ordering::Relaxed) != value {
            for other in 0..self.redistributors.len() {
                let event = if other == context { LOOK } else { LOOK | FOLD };
                self.raise(other, event, Some(context), kick);
            }
        }
    }

    /// An access to the registers of a bank, counted from INTID 0.
    fn access_shared(&self, by: usize, bank: usize, field: Field, access: &Access, kick: &mut impl Kick) -> Outcome {
        let Some(bank) = bank.checked_sub(1) else { return NOTHING };
        let mut distributor = self.distributor.lock();
        if let AccessKind::Write(value) = access.kind {
            for n in bits(distributor.write(bank, field, value as u32, by)) {
                self.tell(self.concern(&distributor, intid_of(bank, n)), Some(by), kick);
            }
            return NOTHING;
        }
        let next_owner = |from| distributor.next_owner(bank, from);
        // The offset is not zero, which would mean nothing: the first register is in no bank.
        if field.is_live() && !self.is_settled(by, access.offset as u32, next_owner, kick) {
            return Outcome::Retry;
        }
        Outcome::Done(distributor.read(bank, field).into())
    }
}
