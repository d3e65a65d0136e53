//! The generic timers (Arm ARM D12).

use crate::arch::{cntfrq_el0, cntp_ctl_el0, cntp_cval_el0, cntv_ctl_el0, cntv_cval_el0, cntvct_el0};

const ENABLE: u64 = 1;
const CONDITION_MET: u64 = 1 << 2;
const NS_PER_SECOND: u128 = 1_000_000_000;
const US_PER_SECOND: u128 = 1_000_000;

/// A timer of the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The EL1 virtual timer.
    Virtual,
    /// The EL1 physical timer.
    Physical,
}

impl Timer {
    /// Its interrupt number on QEMU's `virt` board.
    pub const fn interrupt(self) -> u32 {
        match self {
            Self::Virtual => 27,
            Self::Physical => 30,
        }
    }

    /// Interrupts once the counter reaches `deadline` (ticks), until armed anew or disarmed.
    pub fn arm(self, deadline: u64) {
        match self {
            Self::Virtual => {
                cntv_cval_el0::write(deadline);
                cntv_ctl_el0::write(ENABLE);
            }
            Self::Physical => {
                cntp_cval_el0::write(deadline);
                cntp_ctl_el0::write(ENABLE);
            }
        }
    }

    /// Takes the interrupt away.
    pub fn disarm(self) {
        match self {
            Self::Virtual => cntv_ctl_el0::write(0),
            Self::Physical => cntp_ctl_el0::write(0),
        }
    }

    /// Whether it is armed and its deadline has come.
    pub fn is_due(self) -> bool {
        let control = match self {
            Self::Virtual => cntv_ctl_el0::read(),
            Self::Physical => cntp_ctl_el0::read(),
        };
        control & (ENABLE | CONDITION_MET) == ENABLE | CONDITION_MET
    }
}

/// The virtual counter, in ticks.
pub fn now() -> u64 {
    crate::arch::barrier();
    cntvct_el0::read()
}

/// Ticks per second.
pub fn frequency() -> u64 {
    cntfrq_el0::read()
}

/// Microseconds as ticks.
pub fn ticks_from_us(us: u64) -> u64 {
    (u128::from(us) * u128::from(frequency()) / US_PER_SECOND) as u64
}

/// Ticks as nanoseconds.
pub fn ns_from_ticks(ticks: u64) -> u64 {
    (u128::from(ticks) * NS_PER_SECOND / u128::from(frequency()).max(1)) as u64
}
