//! Which interrupts get list registers when there are more than fit.

use super::list_registers::Maintenance;
use arrayvec::ArrayVec;

/// An interrupt that would stand in a list register, were there enough. The order is that of
/// urgency, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) priority: u8,
    pub(super) intid: u16,
    /// Active, perhaps pending too; else only pending.
    pub(super) active: bool,
}

/// The most urgent candidates, at most as many as there are list registers; with them a pending
/// one, if there is any.
///
/// That one is what keeps maintenance from firing for ever. [`Maintenance::NO_PENDING`] is asked
/// for only when pending interrupts stay behind; then one is in a register, and the interrupt
/// cannot fire until the guest has taken it. It is also what a guest needs that ends interrupts
/// (`EOImode` 1) long before it deactivates them: those that stay active must not fill every
/// register while others wait.
pub(super) struct Selection {
    chosen: ArrayVec<Candidate, 16>,
    room: usize,
    best_pending: Option<Candidate>,
    pending_seen: u16,
    active_seen: u16,
}

impl Selection {
    /// Nothing yet, with `room` list registers to fill.
    pub(super) fn new(room: usize) -> Self {
        Self { chosen: ArrayVec::new(), room: room.min(16), best_pending: None, pending_seen: 0, active_seen: 0 }
    }

    /// Takes one more candidate into account.
    pub(super) fn offer(&mut self, candidate: Candidate) {
        if candidate.active {
            self.active_seen = self.active_seen.saturating_add(1);
        } else {
            self.pending_seen = self.pending_seen.saturating_add(1);
            if self.best_pending.is_none_or(|best| candidate < best) {
                self.best_pending = Some(candidate);
            }
        }
        if self.chosen.len() < self.room {
            self.chosen.push(candidate);
        } else if let Some(least) = self.chosen.iter_mut().max()
            && candidate < *least
        {
            *least = candidate;
        }
    }

    /// What gets a register, in no order, and the maintenance interrupts that the rest needs.
    pub(super) fn finish(&mut self) -> (&[Candidate], Maintenance) {
        if let Some(best) = self.best_pending
            && self.chosen.iter().all(|candidate| candidate.active)
            && let Some(least) = self.chosen.iter_mut().max()
        {
            *least = best;
        }
        let active = self.chosen.iter().filter(|chosen| chosen.active).count();
        let pending = self.chosen.len().saturating_sub(active);
        let mut maintenance = Maintenance::empty();
        maintenance.set(Maintenance::NO_PENDING, usize::from(self.pending_seen) > pending);
        maintenance.set(Maintenance::ENTRY_NOT_PRESENT, usize::from(self.active_seen) > active);
        (&self.chosen, maintenance)
    }
}
