//! A domain's interrupt controller, as far as it wakes contexts: what is pending for each, and who is kicked. The real
//! one has its own tests and models.

use crate::mmio::Level;
use crate::simulation::step;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};

/// The second PL011's.
const CONTROL_INTID: u32 = 40;
/// A context's timer.
pub const TIMER: u32 = 27;

/// Makes contexts look at their interrupts.
pub trait Kick {
    /// Has the context look soon.
    fn kick(&mut self, context: usize);
}

/// Which group an SGI is sent in.
#[derive(Clone, Copy, Debug)]
pub enum SgiKind {
    /// Group 1.
    Group1,
}

/// What is pending for one context, a bit for each private interrupt.
#[derive(Debug, Default)]
pub struct Redistributor(AtomicU32);

/// The controller of a domain.
#[derive(Debug)]
pub struct Vgic<'a> {
    redistributors: &'a [Redistributor],
    control: AtomicBool,
    /// The context that takes the control port's interrupt.
    target: AtomicUsize,
}

impl<'a> Vgic<'a> {
    /// Nothing is pending.
    pub fn new(redistributors: &'a [Redistributor]) -> Self {
        Self { redistributors, control: AtomicBool::new(false), target: AtomicUsize::new(0) }
    }

    /// As after reset.
    pub fn reset(&self) {
        step();
        self.redistributors.iter().for_each(|context| context.0.store(0, Relaxed));
        self.control.store(false, Relaxed);
        self.target.store(0, Relaxed);
    }

    /// Every interrupt is enabled.
    pub fn enable_private(&self, _context: usize, _interrupt: u32, _priority: u8) {}

    /// The level of a line.
    pub fn set_spi_level(&self, intid: u32, level: Level, kick: &mut impl Kick) {
        step();
        if intid == CONTROL_INTID {
            self.control.store(level == Level::High, Relaxed);
            if level == Level::High {
                kick.kick(self.target.load(Relaxed));
            }
        }
    }

    /// Sends an SGI to the contexts of the first cluster whose bits are set.
    pub fn send_sgi(&self, _from: usize, value: u64, _kind: SgiKind, kick: &mut impl Kick) {
        let sgi = (value >> 24) as u32 & 0xf;
        for context in (0..self.redistributors.len().min(16)).filter(|context| value & 1 << context != 0) {
            self.pend(context, sgi, kick);
        }
    }

    /// A private interrupt becomes pending.
    pub fn pend(&self, context: usize, intid: u32, kick: &mut impl Kick) {
        step();
        if let Some(redistributor) = self.redistributors.get(context) {
            redistributor.0.fetch_or(1 << intid, Relaxed);
            kick.kick(context);
        }
    }

    /// The guest routes the control port's interrupt elsewhere.
    pub fn route(&self, context: usize, kick: &mut impl Kick) {
        step();
        self.target.store(context, Relaxed);
        if self.control.load(Relaxed) {
            kick.kick(context);
        }
    }

    /// The context that takes the control port's interrupt.
    pub fn target(&self) -> usize {
        self.target.load(Relaxed)
    }

    /// Whether an interrupt waits for the context.
    pub fn is_pending(&self, context: usize) -> bool {
        let private = self.redistributors.get(context).is_some_and(|context| context.0.load(Relaxed) != 0);
        private || self.control_is_pending(context)
    }

    /// Whether the control port's line is high.
    pub fn is_high(&self) -> bool {
        self.control.load(Relaxed)
    }

    /// Whether the control port's does.
    pub fn control_is_pending(&self, context: usize) -> bool {
        self.control.load(Relaxed) && self.target() == context
    }

    /// The guest takes its private interrupts.
    pub fn acknowledge(&self, context: usize) -> u32 {
        self.redistributors.get(context).map_or(0, |context| context.0.swap(0, Relaxed))
    }
}
