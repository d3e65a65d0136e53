//! What contexts, guests and devices tell contexts: SGIs, lines, changes that concern others.

use super::bank::bit;
use super::distributor::{Concern, Distributor};
use super::redistributor::{FOLD, LOOK, Question, Redistributor};
use super::{Kick, Vgic};
use crate::{mmio::Level, psci::context_of};
use smp::bits;
use smp::sync::atomic::Ordering;

/// The register by which a guest sent an SGI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SgiKind {
    /// `ICC_SGI1R_EL1`: with one security state it reaches SGIs of both groups (12.1.10).
    Group1,
    /// `ICC_SGI0R_EL1`: SGIs of group 0 only; and `ICC_ASGI1R_EL1`, the other security state being this one.
    Group0,
}

impl Vgic<'_> {
    /// Does what a write of `value` to an SGI register asks for. The sender itself is not kicked:
    /// [`Self::has_work`] tells.
    pub fn send_sgi(&self, from: usize, value: u64, kind: SgiKind, kick: &mut impl Kick) {
        const ALL_BUT_SELF: u64 = 1 << 40;
        let sgi = (value >> 24 & 0xf) as u32;
        let contexts = self.redistributors.len();
        if value & ALL_BUT_SELF != 0 {
            for target in (0..contexts).filter(|target| *target != from) {
                self.send_one(from, target, sgi, kind, kick);
            }
            return;
        }
        let range = value >> 44 & 0xf;
        let cluster = (value >> 48 & 0xff) << 32 | (value >> 32 & 0xff) << 16 | (value >> 8 & 0xff00);
        for n in bits(value as u32 & 0xffff) {
            let affinity = cluster | range << 4 | u64::from(n);
            if let Some(target) = context_of(affinity, contexts) {
                self.send_one(from, target, sgi, kind, kick);
            }
        }
    }

    fn send_one(&self, from: usize, target: usize, sgi: u32, kind: SgiKind, kick: &mut impl Kick) {
        let is_group_1 = |target: &Redistributor| target.lock().bank.group_1 & bit(sgi) != 0;
        if kind == SgiKind::Group1 || !self.redistributors.get(target).is_some_and(is_group_1) {
            self.raise(target, bit(sgi), Some(from), kick);
        }
    }

    /// A device's line has this level. `intid` is a shared interrupt.
    pub fn set_spi_level(&self, intid: u32, level: Level, kick: &mut impl Kick) {
        let mut distributor = self.distributor.lock();
        if distributor.bank(intid).is_some_and(|(bank, n)| bank.set_level(n, level)) {
            self.tell(self.concern(&distributor, intid), None, kick);
        }
    }

    /// Whether a read by `reader` can be answered from memory. If not, the first of those who have
    /// list registers to bring back was asked, and the read has to be repeated. Each is asked once,
    /// in order, so the repetitions end.
    pub(super) fn is_settled(
        &self,
        reader: usize,
        subject: u32,
        next_owner: impl Fn(usize) -> Option<usize>,
        kick: &mut impl Kick,
    ) -> bool {
        let Some(reader_part) = self.redistributors.get(reader) else { return true };
        let mut question = reader_part.question.lock();
        let syncs = |owner| self.redistributors.get(owner).map_or(0, Redistributor::syncs);
        let mut from = 0;
        if question.subject == subject {
            if syncs(question.owner) == question.syncs {
                return false;
            }
            from = question.owner.saturating_add(1);
        }
        let next = next_owner(from);
        *question = next.map_or(Question::default(), |owner| Question { subject, owner, syncs: syncs(owner) });
        if let Some(owner) = next {
            self.raise(owner, FOLD, Some(reader), kick);
        }
        next.is_none()
    }

    pub(super) fn concern(&self, distributor: &Distributor, intid: u32) -> Concern {
        distributor.concern(intid, self.redistributors.len(), self.control())
    }

    /// An interrupt came back from `context`, which looks at the distributor next: it may have been
    /// routed elsewhere meanwhile.
    pub(super) fn tell_others(&self, distributor: &Distributor, intid: u32, context: usize, kick: &mut impl Kick) {
        let concern = self.concern(distributor, intid);
        if concern != Concern::Context(context) {
            self.tell(concern, Some(context), kick);
        }
    }

    /// Tells those whom a change concerns. `by` is the context on whose core this runs, if it
    /// flushes afterwards.
    pub(super) fn tell(&self, concern: Concern, by: Option<usize>, kick: &mut impl Kick) {
        match concern {
            Concern::Owner(context) => self.raise(context, FOLD, by, kick),
            Concern::Context(context) => self.raise(context, LOOK, by, kick),
            Concern::Any => self.tell_any(by, kick),
            Concern::Nobody => {}
        }
    }

    /// Chooses one that runs, `by` if it can; if none does, wakes all that take part.
    fn tell_any(&self, by: Option<usize>, kick: &mut impl Kick) {
        let is_running = |part: &Redistributor| part.running.load(Ordering::Relaxed);
        let runs =
            |context: &usize| self.takes_part(*context) && self.redistributors.get(*context).is_some_and(is_running);
        let all = 0..self.redistributors.len();
        if let Some(context) = by.into_iter().chain(all.clone()).find(runs) {
            self.raise(context, LOOK, by, kick);
        } else {
            for context in all.filter(|context| self.takes_part(*context)) {
                self.raise(context, LOOK, by, kick);
            }
        }
    }

    /// Whether the context may get the interrupts that are routed to any.
    pub(super) fn takes_part(&self, context: usize) -> bool {
        self.redistributors.get(context).is_some_and(|part| part.awake.load(Ordering::Relaxed))
    }

    pub(super) fn raise(&self, context: usize, event: u32, by: Option<usize>, kick: &mut impl Kick) {
        if let Some(redistributor) = self.redistributors.get(context) {
            redistributor.raise(event);
            if by != Some(context) {
                kick.kick(context);
            }
        }
    }
}
