//! The redistributors' frames (IHI 0069, 12.11): one pair of 64 KiB a context, in the contexts'
//! order, `RD_base` and `SGI_base`. No LPIs.

use super::bank::Field;
use super::frame::{FRAME_SIZE, IMPLEMENTER, NOTHING, identification, locate};
use super::redistributor::{FOLD, LOOK, SGIS};
use super::{Kick, Outcome, Vgic};
use crate::mmio::{Access, AccessKind, AccessSize};
use crate::psci::affinity_of;
use smp::sync::atomic::Ordering;

/// Bytes of one context's frames.
const FRAMES: u64 = 2 * FRAME_SIZE;

/// Marks what is read as a redistributor's, among the subjects of `is_settled`.
const SUBJECT: u32 = 1 << 31;

/// `GICR_CTLR.RWP`.
const WRITE_PENDING: u64 = 1 << 3;
/// `GICR_WAKER.ProcessorSleep`.
const PROCESSOR_SLEEP: u64 = 1 << 1;
/// `GICR_WAKER.ChildrenAsleep`.
const CHILDREN_ASLEEP: u64 = 1 << 2;
/// `GICR_TYPER.Last`.
const LAST: u64 = 1 << 4;

const CTLR: u64 = 0x0000;
const IIDR: u64 = 0x0004;
const TYPER: u64 = 0x0008;
const TYPER_UPPER: u64 = 0x000c;
const WAKER: u64 = 0x0014;

impl Vgic<'_> {
    /// An access to the redistributors by `context`, which was synced and is flushed afterwards. The
    /// offset is from the first context's frames.
    pub fn redistributor_access(&self, context: usize, access: &Access, kick: &mut impl Kick) -> Outcome {
        let Access { size, kind, .. } = *access;
        let (index, offset) = ((access.offset / FRAMES) as usize, access.offset % FRAMES);
        let Some(part) = self.redistributors.get(index) else { return Outcome::Bad };
        if !offset.is_multiple_of(size.bytes()) {
            return NOTHING;
        }
        if let Some(offset) = offset.checked_sub(FRAME_SIZE) {
            return match locate(offset, size) {
                Some((0, field)) => self.access_private(context, index, field, access, kick),
                _ => NOTHING,
            };
        }
        match (offset, size, kind) {
            (WAKER, AccessSize::Word, AccessKind::Write(value)) => {
                part.awake.store(value & PROCESSOR_SLEEP == 0, Ordering::Relaxed);
                self.raise(index, LOOK, Some(context), kick);
                NOTHING
            }
            (WAKER, AccessSize::Word, AccessKind::Read) if !self.takes_part(index) => {
                Outcome::Done(PROCESSOR_SLEEP | CHILDREN_ASLEEP)
            }
            (CTLR, AccessSize::Word, AccessKind::Read) if part.is_fold_due() => Outcome::Done(WRITE_PENDING),
            (IIDR, AccessSize::Word, AccessKind::Read) => Outcome::Done(IMPLEMENTER),
            (TYPER, AccessSize::Word | AccessSize::Double, AccessKind::Read) => {
                Outcome::Done(self.typer(index) & size.mask())
            }
            (TYPER_UPPER, AccessSize::Word, AccessKind::Read) => Outcome::Done(self.typer(index) >> 32),
            (_, AccessSize::Word, AccessKind::Read) => Outcome::Done(identification(offset)),
            _ => NOTHING,
        }
    }

    /// `GICR_TYPER`: affinity, processor number, and whether it is the last.
    fn typer(&self, index: usize) -> u64 {
        let last = if index.saturating_add(1) == self.redistributors.len() { LAST } else { 0 };
        affinity_of(index) << 32 | (index as u64) << 8 | last
    }

    fn access_private(&self, by: usize, index: usize, field: Field, access: &Access, kick: &mut impl Kick) -> Outcome {
        let Some(part) = self.redistributors.get(index) else { return NOTHING };
        let mut private = part.lock();
        let AccessKind::Write(value) = access.kind else {
            let next_owner = |from| (private.bank.listed != 0 && index >= from).then_some(index);
            let subject = SUBJECT | access.offset as u32;
            if field.is_live() && !self.is_settled(by, subject, next_owner, kick) {
                return Outcome::Retry;
            }
            let is_pending = matches!(field, Field::SetPending | Field::ClearPending);
            let sent = if is_pending { part.events() & SGIS } else { 0 };
            return Outcome::Done((private.bank.read(field) | sent).into());
        };
        match field {
            // How these are triggered is fixed.
            Field::Config { .. } => return NOTHING,
            Field::ClearPending => part.cancel(value as u32),
            _ => {}
        }
        private.bank.write(field, value as u32);
        // Its own core may have to let go of a physical interrupt.
        if index != by || private.bank.held_in_vain() != 0 {
            self.raise(index, FOLD, Some(by), kick);
        }
        NOTHING
    }
}
