//! The distributor's state: the shared interrupts, and where each goes.

use super::bank::{Bank, Field, bit};
use super::selection::Candidate;
use crate::psci::{affinity_of, context_of};
use smp::bits;

/// The first shared interrupt.
pub(super) const FIRST_SPI: u32 = 32;
/// Banks of shared interrupts: INTIDs 32 to 287, as on the board.
pub(super) const BANKS: usize = 8;
/// Shared interrupts.
const SPIS: usize = BANKS * 32;

/// `IROUTER`: any participating context.
const ANY: u64 = 1 << 31;
/// What can be written to it: that, and the affinities.
const ROUTE_MASK: u64 = 0xff_80ff_ffff;

/// Who has to look at an interrupt whose state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Concern {
    /// The context in whose list registers it is has to bring it back.
    Owner(usize),
    /// This context could put it into a list register.
    Context(usize),
    /// Any participating context could.
    Any,
    /// Nobody, for now.
    Nobody,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Distributor {
    banks: [Bank; BANKS],
    route: [u64; SPIS],
    /// The context that has the interrupt in a list register, or active.
    owner: [u16; SPIS],
}

/// The INTID of interrupt `n` of a bank.
pub(super) fn intid_of(bank: usize, n: u32) -> u32 {
    (bank as u32).saturating_add(1).saturating_mul(32).saturating_add(n)
}

/// The index of a shared interrupt in the tables here.
fn index_of(intid: u32) -> usize {
    intid.wrapping_sub(FIRST_SPI) as usize
}

impl Distributor {
    pub(super) fn new() -> Self {
        Self { banks: core::array::from_fn(|_| Bank::new(0)), route: [0; SPIS], owner: [0; SPIS] }
    }

    /// The bank of a shared interrupt, and its number there.
    pub(super) fn bank(&mut self, intid: u32) -> Option<(&mut Bank, u32)> {
        let bank = self.banks.get_mut(index_of(intid) / 32)?;
        Some((bank, intid % 32))
    }

    fn owner(&self, intid: u32) -> Option<usize> {
        self.owner.get(index_of(intid)).copied().map(usize::from)
    }

    pub(super) fn set_owner(&mut self, intid: u32, context: usize) {
        if let Some(owner) = self.owner.get_mut(index_of(intid)) {
            *owner = context as u16;
        }
    }

    /// The value of `IROUTER`; 0 where there is no such interrupt.
    pub(super) fn route(&self, intid: u32) -> u64 {
        self.route.get(index_of(intid)).copied().unwrap_or(0)
    }

    /// Writes the bits of `mask` of `IROUTER`.
    pub(super) fn set_route(&mut self, intid: u32, mask: u64, value: u64) {
        if let Some(route) = self.route.get_mut(index_of(intid)) {
            *route = (*route & !mask) | (value & mask & ROUTE_MASK);
        }
    }

    /// The interrupts that `context` could have in list registers and has not. `awake` is whether it
    /// takes part in what any context may have.
    pub(super) fn candidates(&self, context: usize, awake: bool, control: u32) -> impl Iterator<Item = Candidate> {
        let banks = self.banks.iter().enumerate().filter(|(_, bank)| bank.enabled | bank.active != 0);
        let candidates = banks
            .flat_map(move |(index, bank)| bank.candidates(bank.waiting(control) | bank.evicted(), intid_of(index, 0)));
        candidates.filter(move |candidate| {
            let intid = u32::from(candidate.intid);
            match self.route(intid) {
                _ if candidate.active => self.owner(intid) == Some(context),
                route if route & ANY != 0 => awake,
                route => route == affinity_of(context),
            }
        })
    }

    /// Who has to look at an interrupt now.
    pub(super) fn concern(&self, intid: u32, contexts: usize, control: u32) -> Concern {
        let Some(bank) = self.banks.get(index_of(intid) / 32) else { return Concern::Nobody };
        let (owner, bit) = (self.owner(intid).unwrap_or(0), bit(intid % 32));
        if bank.listed & bit != 0 {
            Concern::Owner(owner)
        } else if bank.evicted() & bit != 0 {
            Concern::Context(owner)
        } else if bank.waiting(control) & bit == 0 {
            Concern::Nobody
        } else if self.route(intid) & ANY != 0 {
            Concern::Any
        } else {
            context_of(self.route(intid), contexts).map_or(Concern::Nobody, Concern::Context)
        }
    }

    /// The first context from `from` on that has an interrupt of the bank in its list registers.
    pub(super) fn next_owner(&self, bank: usize, from: usize) -> Option<usize> {
        let listed = self.banks.get(bank).map_or(0, |bank| bank.listed);
        bits(listed).filter_map(|n| self.owner(intid_of(bank, n))).filter(|owner| *owner >= from).min()
    }

    /// What the guest reads; 0 where there is no such bank.
    pub(super) fn read(&self, bank: usize, field: Field) -> u32 {
        self.banks.get(bank).map_or(0, |bank| bank.read(field))
    }

    /// Does what `writer` wrote, and says which interrupts of the bank it concerns.
    pub(super) fn write(&mut self, bank: usize, field: Field, value: u32, writer: usize) -> u32 {
        let Some(state) = self.banks.get_mut(bank) else { return 0 };
        let active_before = state.active;
        let written = state.write(field, value);
        // Made active by software: the one who did so has to end it, unless it is listed.
        for n in bits(state.active & !active_before & !state.listed) {
            self.set_owner(intid_of(bank, n), writer);
        }
        written
    }
}
