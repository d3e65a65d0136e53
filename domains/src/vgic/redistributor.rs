//! The redistributors' state: a context's private interrupts, and what others tell it.

use super::HwInterrupts;
use super::bank::{Bank, bit};
use super::distributor::FIRST_SPI;
use super::list_registers::ListRegister;
use crate::mmio::Level;
use smp::bits;
use smp::lock::{Guard, SpinLock};
use smp::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The SGIs' bits, in a redistributor's events and in its bank.
pub(super) const SGIS: u32 = 0xffff;
/// Event: something new may be there for the context.
pub(super) const LOOK: u32 = 1 << 16;
/// Event: something that is in the context's list registers changed.
pub(super) const FOLD: u32 = 1 << 17;

/// One context's part of the interrupt controller: its redistributor, and what is known of its list
/// registers; by default after reset. The kernel gives the memory.
#[derive(Debug, Default)]
pub struct Redistributor {
    private: SpinLock<Private>,
    /// What others want the context to see: SGIs, [`LOOK`], [`FOLD`].
    events: AtomicU32,
    /// The context's list registers are in a core.
    pub(super) running: AtomicBool,
    /// The guest cleared `GICR_WAKER.ProcessorSleep`.
    pub(super) awake: AtomicBool,
    /// Counts the times that the list registers were brought back.
    syncs: AtomicU32,
    /// What this context asked and is about to ask again. Is locked last.
    pub(super) question: SpinLock<Question>,
}

/// A read that waits until another context has brought its list registers back.
#[derive(Debug, Default)]
pub(super) struct Question {
    /// What is read; 0: nothing.
    pub(super) subject: u32,
    /// Whom it waits for.
    pub(super) owner: usize,
    /// Its count when it was asked.
    pub(super) syncs: u32,
}

/// What only one core at a time uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Private {
    pub(super) bank: Bank,
    /// For each PPI the physical interrupt that was last forwarded as it.
    physical: [u8; 16],
    /// The distributor may have something for this context.
    pub(super) look: bool,
}

impl Redistributor {
    /// Back to the state after reset. The count of syncs goes on.
    pub(super) fn reset(&self) {
        *self.private.lock() = Private::default();
        *self.question.lock() = Question::default();
        self.events.store(0, Ordering::Relaxed);
        self.running.store(false, Ordering::Relaxed);
        self.awake.store(false, Ordering::Relaxed);
    }

    /// Becomes as `other` is, with no list registers in a core, and nothing asked.
    pub(super) fn copy_from(&self, other: &Self) {
        self.reset();
        *self.private.lock() = *other.private.lock();
        self.events.store(other.events(), Ordering::Relaxed);
        self.awake.store(other.awake.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Locks the private state, for whoever it is.
    pub(super) fn lock(&self) -> Guard<'_, Private> {
        self.private.lock()
    }

    /// Locks the private state for its own core, and moves into it what others have sent. `events`
    /// are those that count as looked at then: [`FOLD`] only where the list registers are folded.
    pub(super) fn lock_own(&self, events: u32) -> Guard<'_, Private> {
        let mut private = self.private.lock();
        if self.events() & events != 0 {
            // Acquire: what the senders did before is seen. Since the load only more can have come.
            let events = self.events.fetch_and(!events, Ordering::Acquire) & events;
            private.bank.latch |= events & SGIS;
            private.look |= events & LOOK != 0;
        }
        private
    }

    /// What the context has been told and has not looked at.
    pub(super) fn events(&self) -> u32 {
        self.events.load(Ordering::Relaxed)
    }

    /// Tells the context.
    pub(super) fn raise(&self, event: u32) {
        // Release: pairs with `lock_own`.
        self.events.fetch_or(event, Ordering::Release);
    }

    /// Takes back SGIs that have not been looked at.
    pub(super) fn cancel(&self, sgis: u32) {
        self.events.fetch_and(!(sgis & SGIS), Ordering::Relaxed);
    }

    /// What was asked with [`FOLD`] is still to happen.
    pub(super) fn is_fold_due(&self) -> bool {
        self.running.load(Ordering::Relaxed) && self.events() & FOLD != 0
    }

    /// The list registers have been brought back; by its own core only.
    pub(super) fn count_sync(&self) {
        // Release: pairs with `syncs`.
        let count = self.syncs.load(Ordering::Relaxed).wrapping_add(1);
        self.syncs.store(count, Ordering::Release);
    }

    pub(super) fn syncs(&self) -> u32 {
        self.syncs.load(Ordering::Acquire)
    }
}

impl Default for Private {
    fn default() -> Self {
        // SGIs are edge-triggered, PPIs level-sensitive; neither can be changed.
        Self { bank: Bank::new(SGIS), physical: [0; 16], look: false }
    }
}

impl Private {
    /// The physical interrupt behind PPI `n`; 0 behind an SGI.
    pub(super) fn physical(&self, n: u32) -> u32 {
        let ppi = n.wrapping_sub(16) as usize;
        self.physical.get(ppi).copied().map_or(0, u32::from)
    }

    /// See [`Bank::list`].
    pub(super) fn list(&mut self, n: u32, control: u32) -> ListRegister {
        self.bank.list(n, n, self.physical(n), control)
    }

    /// PPI `n` fired as the physical interrupt `physical`.
    pub(super) fn forward(&mut self, n: u32, physical: u32) {
        if let Some(slot) = self.physical.get_mut(n.wrapping_sub(16) as usize)
            && physical < FIRST_SPI
        {
            *slot = physical as u8;
            self.bank.hold(n);
        }
    }

    /// Lets go of the physical interrupts that no interrupt needs any more: it ended without a list
    /// register, or it was pending and the line has fallen. Where the line is high, the physical
    /// interrupt stays active, so that it does not fire again and again while the guest has this
    /// one disabled.
    pub(super) fn resample(&mut self, hw: &mut impl HwInterrupts) {
        for n in bits(self.bank.held_in_vain()) {
            let physical = self.physical(n);
            if self.bank.level & bit(n) == 0 || hw.line(physical) == Level::Low {
                hw.deactivate(physical);
                self.bank.release(n);
            }
        }
    }

    /// The physical interrupts that are active on behalf of this context, as bits.
    pub(super) fn held(&self) -> u32 {
        bits(self.bank.held).fold(0, |held, n| held | bit(self.physical(n)))
    }
}
