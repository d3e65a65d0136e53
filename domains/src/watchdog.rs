//! The board's watchdog: an SBSA generic watchdog (Arm DEN 0029, *Base System Architecture*, "Generic Watchdog"). It
//! runs out after twice its offset without a refresh; its first signal, after half of that, is not sent, as systems that
//! use it count on the second.

use crate::mmio::{Access, AccessKind};

#[cfg(test)]
mod tests;

/// The refresh frame.
pub const REFRESH: u64 = 0x090b_0000;
/// The control frame.
pub const CONTROL: u64 = 0x090c_0000;
/// Bytes of each.
pub const FRAME: u64 = 0x1000;

/// Control and status; bit 0: it runs.
const WCS: u64 = 0x000;
/// Offset, in counter ticks.
const WOR: u64 = 0x008;
/// When it runs out next, or sends its first signal.
const WCV: u64 = 0x010;
const WCV_HIGH: u64 = 0x014;
/// Identification: architecture version 0, Arm's implementer code.
const W_IIDR: u64 = 0xfcc;
const IIDR: u32 = 0x43b;

/// A watchdog; by default it does not run.
#[derive(Clone, Debug, Default)]
pub struct Watchdog {
    runs: bool,
    offset: u32,
    compare: u64,
}

impl Watchdog {
    /// What the guest reads from the control frame, or 0, and whether this is a sign of life.
    pub fn control(&mut self, access: &Access, now: u64) -> (u32, bool) {
        let (low, high) = (self.compare as u32, (self.compare >> u32::BITS) as u32);
        let AccessKind::Write(value) = access.kind else {
            let value = match access.offset {
                WCS => self.runs.into(),
                WOR => self.offset,
                WCV => low,
                WCV_HIGH => high,
                W_IIDR => IIDR,
                _ => 0,
            };
            return (value, false);
        };
        match access.offset {
            WCS => self.runs = value & 1 == 1,
            WOR => self.offset = value as u32,
            WCV => self.compare = u64::from(high) << u32::BITS | value & 0xffff_ffff,
            WCV_HIGH => self.compare = u64::from(low) | value << u32::BITS,
            _ => {}
        }
        (0, matches!(access.offset, WCS | WOR) && self.refresh(now))
    }

    /// It is refreshed; whether that is a sign of life: it runs.
    pub fn refresh(&mut self, now: u64) -> bool {
        self.compare = now.wrapping_add(self.offset.into());
        self.runs
    }

    /// Ticks after which it runs out without a refresh; `None`: never.
    pub fn patience(&self) -> Option<u64> {
        self.runs.then_some(u64::from(self.offset).wrapping_mul(2))
    }
}
