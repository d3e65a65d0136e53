//! The memory image of a core's list registers (GICv3 specification IHI 0069, 9.4.9).

use bitflags::bitflags;

/// The most list registers that the architecture has.
const MAX: usize = 16;

bitflags! {
    /// Maintenance interrupts wanted while the guest runs: bits of `ICH_HCR_EL2`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Maintenance: u64 {
        /// LRENPIE: tell when the guest ended an interrupt that is in no list register.
        const ENTRY_NOT_PRESENT = 1 << 2;
        /// NPIE: tell when no list register is pending any more.
        const NO_PENDING = 1 << 3;
    }
}

/// The value of one list register, `ICH_LR<n>_EL2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListRegister(pub(super) u64);

impl ListRegister {
    pub(super) const PENDING: u64 = 1 << 62;
    pub(super) const ACTIVE: u64 = 1 << 63;
    /// Ending the interrupt deactivates a physical one as well.
    pub(super) const HARDWARE: u64 = 1 << 61;
    pub(super) const GROUP_1: u64 = 1 << 60;
    /// Ending the interrupt raises a maintenance interrupt.
    pub(super) const EOI: u64 = 1 << 41;
    const PRIORITY_SHIFT: u32 = 48;
    const PHYSICAL_SHIFT: u32 = 32;

    /// An entry with these bits. `physical` means something with [`Self::HARDWARE`] only.
    pub(super) fn new(intid: u32, priority: u8, physical: u32, bits: u64) -> Self {
        let physical = if bits & Self::HARDWARE != 0 { u64::from(physical) } else { 0 };
        let priority = u64::from(priority);
        Self(u64::from(intid) | priority << Self::PRIORITY_SHIFT | physical << Self::PHYSICAL_SHIFT | bits)
    }

    pub(super) fn intid(self) -> u32 {
        self.0 as u32
    }

    pub(super) fn priority(self) -> u8 {
        (self.0 >> Self::PRIORITY_SHIFT) as u8
    }

    pub(super) fn has(self, bit: u64) -> bool {
        self.0 & bit != 0
    }
}

/// What stands, or is to stand, in a core's list registers for one context.
///
/// Before [`Vgic::sync`](super::Vgic::sync) the kernel reads the registers in [`Self::used`] into
/// it; after [`Vgic::flush`](super::Vgic::flush) it writes those that [`Self::take_changed`] names.
#[derive(Clone, Copy, Debug)]
pub struct ListRegisters {
    values: [u64; MAX],
    implemented: u8,
    used: u16,
    changed: u16,
    pub(super) maintenance: Maintenance,
}

impl ListRegisters {
    /// All empty. `implemented` is `ICH_VTR_EL2.ListRegs` plus one, held between 1 and 16. Every
    /// implemented register counts as changed, so what the core's last user left is overwritten.
    pub fn new(implemented: usize) -> Self {
        let implemented = implemented.clamp(1, MAX) as u8;
        let mut new = Self { values: [0; MAX], implemented, used: 0, changed: 0, maintenance: Maintenance::empty() };
        new.touch_all();
        new
    }

    /// How many the core has.
    pub fn implemented(&self) -> usize {
        usize::from(self.implemented)
    }

    /// Bit n: register n holds an interrupt, or held one when it was last written.
    pub fn used(&self) -> u16 {
        self.used
    }

    /// The value of register `n`; 0 if there is none.
    pub fn get(&self, n: usize) -> u64 {
        self.values.get(n).copied().unwrap_or(0)
    }

    /// Takes over what the core's register `n` holds.
    pub fn set(&mut self, n: usize, value: u64) {
        if let Some(register) = self.values.get_mut(n) {
            *register = value;
        }
    }

    /// Bit n: register n of the core differs from the image, as far as is known. The caller writes
    /// them; they then count as unchanged.
    pub fn take_changed(&mut self) -> u16 {
        core::mem::take(&mut self.changed)
    }

    /// The core's registers are somebody else's by now: all are to be written again.
    pub fn touch_all(&mut self) {
        self.changed = (1u32.wrapping_shl(u32::from(self.implemented))).wrapping_sub(1) as u16;
    }

    /// Takes the next entry out.
    pub(super) fn pop(&mut self) -> Option<ListRegister> {
        let bit = self.used & self.used.wrapping_neg();
        let value = self.values.get_mut(bit.checked_ilog2()? as usize)?;
        self.used ^= bit;
        self.changed |= bit;
        Some(ListRegister(core::mem::take(value)))
    }

    /// Puts an entry into the first free register. The caller never puts more than there are.
    pub(super) fn push(&mut self, entry: ListRegister) {
        let n = self.used.trailing_ones();
        if let Some(value) = self.values.get_mut(n as usize) {
            *value = entry.0;
            self.used |= 1u16.wrapping_shl(n);
            self.changed |= 1u16.wrapping_shl(n);
        }
    }
}
