//! The state of 32 interrupts: one bit each in a word per property.
//!
//! Memory and list registers share an interrupt's state. While it is *listed*, the register says
//! whether it is pending or active, and the words say what was last known; what arrives meanwhile
//! waits in `latch`. [`Bank::list`] moves state out, [`Bank::fold`] brings it back.

use super::{list_registers::ListRegister, selection::Candidate};
use crate::mmio::Level;
use smp::bits;

/// The priority bits that are implemented: five, as in the list registers of all known cores.
const PRIORITY_MASK: u8 = 0xf8;

/// A register, or part of one, that belongs to a bank: one with a bit an interrupt, `count` bytes of
/// `IPRIORITYR` from interrupt `first` on, or `ICFGR` of the lower or upper 16 interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Group,
    SetEnable,
    ClearEnable,
    SetPending,
    ClearPending,
    SetActive,
    ClearActive,
    Priority { first: u8, count: u8 },
    Config { upper: bool },
}

impl Field {
    /// Whether its value may be in list registers.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::SetPending | Self::ClearPending | Self::SetActive | Self::ClearActive)
    }
}

/// `GICD_CTLR.EnableGrp0`: interrupts of group 0 are forwarded.
pub(super) const GROUP_0: u32 = 1 << 0;
/// `GICD_CTLR.EnableGrp1`.
pub(super) const GROUP_1: u32 = 1 << 1;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bank {
    pub(super) group_1: u32,
    pub(super) enabled: u32,
    /// Edge-triggered; else level-sensitive.
    edge: u32,
    /// The line is high.
    pub(super) level: u32,
    /// Pending by an edge, an SGI or a write to `ISPENDR`, and in no list register.
    pub(super) latch: u32,
    /// Pending in a list register for a reason that `level` does not show. Cleared by the guest
    /// meanwhile, the register is out of date.
    offered: u32,
    /// Active, in a list register or not.
    pub(super) active: u32,
    /// In a list register.
    pub(super) listed: u32,
    /// The guest wrote the active state while listed: the register's state is out of date.
    active_written: u32,
    /// The physical interrupt is active on behalf of this one, and no list register will end it.
    pub(super) held: u32,
    priority: [u8; 32],
    /// The priority with which an active interrupt was taken. The CPU interface compares it when
    /// the interrupt ends, so a new one must not replace it before.
    active_priority: [u8; 32],
}

/// Sets the bits of `mask` in `word` to those of `value`.
fn merge(word: &mut u32, mask: u32, value: u32) {
    *word = (*word & !mask) | (value & mask);
}

impl Bank {
    /// The state after reset: nothing enabled, group 0, most urgent priority.
    pub(super) fn new(edge: u32) -> Self {
        Self { edge, ..Self::default() }
    }

    /// As the guest reads it.
    fn pending(&self) -> u32 {
        self.latch | self.offered | (self.level & !self.edge)
    }

    /// Enabled, and in a group that is forwarded. `control` is `GICD_CTLR`, here and below.
    pub(super) fn deliverable(&self, control: u32) -> u32 {
        let group_0 = if control & GROUP_0 != 0 { !self.group_1 } else { 0 };
        let group_1 = if control & GROUP_1 != 0 { self.group_1 } else { 0 };
        self.enabled & (group_0 | group_1)
    }

    /// Pending, not active, and to be put into a list register.
    pub(super) fn waiting(&self, control: u32) -> u32 {
        self.pending() & self.deliverable(control) & !self.active & !self.listed
    }

    /// Active, and in no list register.
    pub(super) fn evicted(&self) -> u32 {
        self.active & !self.listed
    }

    /// The candidates among `interrupts`; interrupt 0 of the bank is `first`.
    pub(super) fn candidates(&self, interrupts: u32, first: u32) -> impl Iterator<Item = Candidate> {
        bits(interrupts).map(move |n| {
            let active = self.active & bit(n) != 0;
            Candidate { priority: self.priority_of(n, active), intid: first.wrapping_add(n) as u16, active }
        })
    }

    fn priority_of(&self, n: u32, active: bool) -> u8 {
        let priorities = if active { &self.active_priority } else { &self.priority };
        priorities.get(n as usize).copied().unwrap_or(u8::MAX)
    }

    /// Moves interrupt `n` into a list register, whose value this is. `physical` is the interrupt
    /// that backs it while it is held.
    pub(super) fn list(&mut self, n: u32, intid: u32, physical: u32, control: u32) -> ListRegister {
        let bit = bit(n);
        let active = self.active & bit != 0;
        let deliverable = self.pending() & self.deliverable(control) & bit != 0;
        // A level-sensitive interrupt that is active becomes pending again once it ended: only
        // then is it known whether the line is still high.
        let pending = deliverable && (!active || self.edge & bit != 0);
        // An active one that was made pending by software has to tell when it ends, which one that
        // is backed by hardware cannot.
        let backed = self.held & bit != 0 && !(active && self.latch & bit != 0);

        let mut entry = if self.group_1 & bit != 0 { ListRegister::GROUP_1 } else { 0 };
        if active {
            entry |= ListRegister::ACTIVE;
        }
        if pending {
            entry |= ListRegister::PENDING;
            self.offered |= bit & (self.latch | self.held);
            self.latch &= !bit;
        }
        if backed {
            entry |= ListRegister::HARDWARE;
            self.release(n);
        } else if (self.level | self.latch) & !self.edge & bit != 0 {
            entry |= ListRegister::EOI;
        }
        self.listed |= bit;
        ListRegister::new(intid, self.priority_of(n, active), physical, entry)
    }

    /// Brings interrupt `n` back from a list register.
    pub(super) fn fold(&mut self, n: u32, entry: ListRegister) {
        let bit = bit(n);
        let pending = if entry.has(ListRegister::PENDING) { bit } else { 0 };
        let active = if entry.has(ListRegister::ACTIVE) { bit } else { 0 };
        if entry.has(ListRegister::HARDWARE) {
            self.held |= pending | active;
            self.level |= pending;
        } else {
            self.latch |= pending & self.offered;
        }
        if active != 0
            && let Some(priority) = self.active_priority.get_mut(n as usize)
        {
            *priority = entry.priority();
        }
        merge(&mut self.active, bit & !self.active_written, active);
        self.offered &= !bit;
        self.active_written &= !bit;
        self.listed &= !bit;
    }

    /// The line of interrupt `n` has this level; says whether that changed anything.
    pub(super) fn set_level(&mut self, n: u32, level: Level) -> bool {
        let old = self.level;
        let new = if level == Level::High { u32::MAX } else { 0 };
        merge(&mut self.level, bit(n), new);
        self.latch |= self.level & !old & self.edge;
        self.level != old
    }

    /// The physical interrupt behind `n` fired and stays active until this one ends.
    pub(super) fn hold(&mut self, n: u32) {
        self.level |= bit(n);
        self.held |= bit(n);
    }

    /// That physical interrupt is not active any more, or a list register is to end it. If its line
    /// is high it will fire again.
    pub(super) fn release(&mut self, n: u32) {
        self.level &= !bit(n);
        self.held &= !bit(n);
    }

    /// The interrupts that are held and not active. They are to be released unless they are pending,
    /// their line being high.
    pub(super) fn held_in_vain(&self) -> u32 {
        self.held & !self.active
    }

    /// What the guest reads.
    pub(super) fn read(&self, field: Field) -> u32 {
        match field {
            Field::Group => self.group_1,
            Field::SetEnable | Field::ClearEnable => self.enabled,
            Field::SetPending | Field::ClearPending => self.pending(),
            Field::SetActive | Field::ClearActive => self.active,
            Field::Priority { first, count } => (first..first.saturating_add(count))
                .rev()
                .fold(0, |word, n| word << 8 | u32::from(self.priority_of(u32::from(n), false))),
            Field::Config { upper } => {
                let edge = if upper { self.edge >> 16 } else { self.edge };
                (0..16).fold(0, |word, n| word | (edge & bit(n)).wrapping_shl(n.wrapping_add(1)))
            }
        }
    }

    /// Does what the guest writes, and says which interrupts it concerns.
    pub(super) fn write(&mut self, field: Field, value: u32) -> u32 {
        match field {
            Field::Group => {
                self.group_1 = value;
                return u32::MAX;
            }
            Field::SetEnable => self.enabled |= value,
            Field::ClearEnable => self.enabled &= !value,
            Field::SetPending => self.latch |= value,
            Field::ClearPending => {
                self.latch &= !value;
                self.offered &= !value;
            }
            Field::SetActive => {
                for n in bits(value & !self.active) {
                    let priority = self.priority_of(n, false);
                    if let Some(slot) = self.active_priority.get_mut(n as usize) {
                        *slot = priority;
                    }
                }
                self.active |= value;
                self.active_written |= value & self.listed;
            }
            Field::ClearActive => {
                self.active &= !value;
                self.active_written |= value & self.listed;
            }
            Field::Priority { first, count } => {
                let written = value.to_le_bytes();
                let slots = self.priority.iter_mut().skip(usize::from(first));
                for (slot, byte) in slots.zip(written).take(usize::from(count)) {
                    *slot = byte & PRIORITY_MASK;
                }
                return bit(u32::from(count)).wrapping_sub(1).wrapping_shl(u32::from(first));
            }
            Field::Config { upper } => {
                let edge = (0..16u32).fold(0, |word, n| word | value.wrapping_shr(n.wrapping_add(1)) & bit(n));
                let (mask, edge) = if upper { (0xffff_0000, edge << 16) } else { (0xffff, edge) };
                merge(&mut self.edge, mask, edge);
                return mask;
            }
        }
        value
    }
}

/// Interrupt `n`'s bit.
pub(super) fn bit(n: u32) -> u32 {
    1u32.wrapping_shl(n)
}
