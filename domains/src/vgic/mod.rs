//! The virtual GICv3 of a domain (Arm IHI 0069, *Generic Interrupt Controller Architecture
//! Specification, GIC version 3*): a model of distributor and redistributors that decides what
//! stands in the list registers. The virtual CPU interface itself is hardware.
//!
//! **Where state lives.** Memory holds it. [`Vgic::flush`] moves the most urgent interrupts into the
//! list registers before the guest runs; [`Vgic::sync`] brings all of them back. In between the
//! kernel neither reads nor changes them, and a context on which nothing is to be done
//! ([`Vgic::has_work`]) enters its guest without either call.
//!
//! Invariants:
//! - An interrupt is in at most one list register of at most one context (`Bank::listed`; for a
//!   shared one `Distributor::owner` says where). Only a *running* context, one between
//!   [`Vgic::resume`] and [`Vgic::suspend`], has any.
//! - Only its own core folds and lists a context's interrupts. Others change memory, set a bit of
//!   the context's events, and kick it.
//! - After a flush every interrupt that is pending, enabled and routed to the context is in a list
//!   register, or all of them are full and a maintenance interrupt is asked for, which cannot fire
//!   before the guest has done something (`Selection`).
//! - A physical interrupt stays active until the guest has ended its virtual one, or until it is
//!   found that its line fell before the guest took it. Which ones are, is always known: `Bank::held`
//!   or a list register with its HW bit set.
//! - Locks: a redistributor's, then the distributor's, then a reader's question; never two
//!   redistributors'. Kicks may come with all of them taken, so a [`Kick`] never calls back.
//!
//! What is left out: LPIs and message-based SPIs (the board has no ITS), two security states.
//! `GICR_WAKER` only decides who takes part in what any context may have; it holds back nothing
//! else, as on QEMU's board, whose guests may never have written it.
//! Ends that no list register saw are counted by hardware without saying of which interrupt; they
//! go to the most urgent active one. That is right unless the guest deactivates in another order
//! (`EOImode` 1) with more interrupts active than there are list registers.

mod bank;
mod distributor;
mod frame;
mod gicd;
mod gicr;
mod list_registers;
mod notify;
mod redistributor;
mod selection;
#[cfg(test)]
mod tests;

pub use list_registers::{ListRegisters, Maintenance};
pub use notify::SgiKind;
pub use redistributor::Redistributor;

use crate::mmio::Level;
use bank::{Field, GROUP_1, bit};
use distributor::{Concern, Distributor, FIRST_SPI};
use redistributor::{FOLD, LOOK, Private, SGIS};
use selection::{Candidate, Selection};
use smp::bits;
use smp::lock::SpinLock;
use smp::sync::atomic::{AtomicU32, Ordering};

/// Makes contexts look at their interrupts.
pub trait Kick {
    /// Has the context with that index in the domain call [`Vgic::sync`] and [`Vgic::flush`] soon,
    /// whatever it is doing: one in its guest leaves it, one that sleeps wakes. One that is off
    /// does so when it is switched on. Is called with locks taken: must not call the [`Vgic`].
    fn kick(&mut self, context: usize);
}

/// The physical interrupts of this core that stand behind virtual ones.
pub trait HwInterrupts {
    /// The line of this (level-sensitive) interrupt.
    fn line(&mut self, intid: u32) -> Level;
    /// Ends its active state. If its line is high, it fires again.
    fn deactivate(&mut self, intid: u32);
}

/// How an access to the interrupt controller went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done, or is ignored as the specification has it; with the value for a read, and 0 for a write.
    Done(u64),
    /// The answer is in another core's list registers, which was kicked: let the guest run the same
    /// instruction again.
    Retry,
    /// The board has nothing there: beyond the distributor's frame, or the redistributor of a context
    /// that the domain does not have.
    Bad,
}

/// A domain's interrupt controller.
#[derive(Debug)]
pub struct Vgic<'a> {
    /// The writable bits of `GICD_CTLR`.
    control: AtomicU32,
    distributor: SpinLock<Distributor>,
    /// By index of the context in the domain.
    redistributors: &'a [Redistributor],
}

impl<'a> Vgic<'a> {
    /// The controller of a domain with as many contexts as redistributors, after reset.
    pub fn new(redistributors: &'a [Redistributor]) -> Self {
        Self { control: AtomicU32::new(0), distributor: SpinLock::new(Distributor::new()), redistributors }
    }

    /// Back to the state after reset, for a domain that restarts. No context is running, and each
    /// starts with empty list registers.
    pub fn reset(&self) {
        self.control.store(0, Ordering::Relaxed);
        *self.distributor.lock() = Distributor::new();
        for redistributor in self.redistributors {
            redistributor.reset();
        }
    }

    /// Becomes as `other` is, which has as many contexts. No context of either is running.
    pub fn copy_from(&self, other: &Self) {
        self.control.store(other.control(), Ordering::Relaxed);
        {
            // Locked first: what is copied is too large for a kernel's stack.
            let (mut to, from) = (self.distributor.lock(), other.distributor.lock());
            *to = *from;
        }
        self.redistributors.iter().zip(other.redistributors).for_each(|(to, from)| to.copy_from(from));
    }

    /// Whether `context` has to be synced and flushed before its guest runs on.
    #[inline]
    pub fn has_work(&self, context: usize) -> bool {
        self.redistributors.get(context).is_some_and(|redistributor| redistributor.events() != 0)
    }

    /// The context's core is about to run it. Answers the physical interrupts (bits by INTID) that
    /// are to be made active on that core; [`Self::flush`] comes next.
    pub fn resume(&self, context: usize) -> u32 {
        let Some(redistributor) = self.redistributors.get(context) else { return 0 };
        redistributor.running.store(true, Ordering::Relaxed);
        redistributor.lock().held()
    }

    /// The context's core turns to something else, or the context goes to sleep or off: a
    /// [`Self::sync`] after which it is not running. Answers the physical interrupts (bits by INTID)
    /// that are to be made inactive on that core, its timers being out of use by then.
    pub fn suspend(
        &self,
        context: usize,
        registers: &mut ListRegisters,
        eoi_count: u32,
        hw: &mut impl HwInterrupts,
        kick: &mut impl Kick,
    ) -> u32 {
        let Some(redistributor) = self.redistributors.get(context) else { return 0 };
        {
            // Under the lock: whoever still chose this context did so before its events are taken.
            let _choice = self.distributor.lock();
            redistributor.running.store(false, Ordering::Relaxed);
        }
        let mut private = redistributor.lock_own(SGIS | LOOK | FOLD);
        if eoi_count != 0 || registers.used() != 0 {
            self.fold(context, &mut private, registers, eoi_count, kick);
        }
        private.resample(hw);
        redistributor.count_sync();
        if private.look {
            let distributor = self.distributor.lock();
            let candidates = distributor.candidates(context, true, self.control());
            let is_any_s = |of: &Candidate| self.concern(&distributor, of.intid.into()) == Concern::Any;
            candidates.filter(is_any_s).for_each(|_| self.tell(Concern::Any, Some(context), kick));
        }
        private.held()
    }

    /// Brings back what the guest did: `registers` hold what the core's list registers do, and
    /// `eoi_count` is `ICH_HCR_EL2.EOIcount`, which counts from zero again. Leaves them empty.
    pub fn sync(
        &self,
        context: usize,
        registers: &mut ListRegisters,
        eoi_count: u32,
        hw: &mut impl HwInterrupts,
        kick: &mut impl Kick,
    ) {
        let Some(redistributor) = self.redistributors.get(context) else { return };
        let mut private = redistributor.lock_own(SGIS | LOOK | FOLD);
        if eoi_count != 0 || registers.used() != 0 {
            self.fold(context, &mut private, registers, eoi_count, kick);
        }
        private.resample(hw);
        redistributor.count_sync();
    }

    fn fold(
        &self,
        context: usize,
        private: &mut Private,
        registers: &mut ListRegisters,
        eoi_count: u32,
        kick: &mut impl Kick,
    ) {
        for _ in 0..eoi_count {
            if !self.end_most_urgent(context, private, kick) {
                break;
            }
        }
        let mut distributor = None;
        while let Some(entry) = registers.pop() {
            let intid = entry.intid();
            if intid < FIRST_SPI {
                private.bank.fold(intid, entry);
                continue;
            }
            let distributor = distributor.get_or_insert_with(|| self.distributor.lock());
            if let Some((bank, n)) = distributor.bank(intid) {
                bank.fold(n, entry);
            }
            self.tell_others(distributor, intid, context, kick);
        }
    }

    /// Fills the list registers of a context that was synced (or resumed), and answers the
    /// maintenance interrupts that the guest has to run with. `registers` that are not empty are
    /// left alone.
    pub fn flush(&self, context: usize, registers: &mut ListRegisters) -> Maintenance {
        let Some(redistributor) = self.redistributors.get(context) else { return Maintenance::empty() };
        if registers.used() != 0 {
            return registers.maintenance;
        }
        let control = self.control();
        let mut private = redistributor.lock_own(SGIS | LOOK);
        let interrupts = private.bank.waiting(control) | private.bank.evicted();
        if private.look || interrupts.count_ones() as usize > registers.implemented() {
            return self.flush_selected(context, &mut private, registers);
        }
        for n in bits(interrupts) {
            registers.push(private.list(n, control));
        }
        registers.maintenance = Maintenance::empty();
        Maintenance::empty()
    }

    /// [`Self::flush`] where a choice may be needed, among interrupts of its own and shared ones.
    #[inline(never)]
    fn flush_selected(&self, context: usize, private: &mut Private, registers: &mut ListRegisters) -> Maintenance {
        let control = self.control();
        let mut selection = Selection::new(registers.implemented());
        let interrupts = private.bank.waiting(control) | private.bank.evicted();
        private.bank.candidates(interrupts, 0).for_each(|candidate| selection.offer(candidate));
        let mut distributor = private.look.then(|| self.distributor.lock());
        if let Some(distributor) = &distributor {
            private.look = false;
            distributor.candidates(context, self.takes_part(context), control).for_each(|candidate| {
                private.look = true;
                selection.offer(candidate);
            });
        }
        let (chosen, maintenance) = selection.finish();
        for Candidate { intid, .. } in chosen {
            let intid = u32::from(*intid);
            if intid < FIRST_SPI {
                registers.push(private.list(intid, control));
            } else if let Some(distributor) = &mut distributor
                && let Some((bank, n)) = distributor.bank(intid)
            {
                registers.push(bank.list(n, intid, 0, control));
                distributor.set_owner(intid, context);
            }
        }
        registers.maintenance = maintenance;
        maintenance
    }

    /// Whether `context` has a reason not to wait for an interrupt: one that is enabled is pending
    /// and not in its list registers (in which it would end a WFI by itself), or they have to be
    /// brought back first to tell. Its priority mask is not looked at: WFI may end early.
    pub fn is_pending(&self, context: usize) -> bool {
        let Some(redistributor) = self.redistributors.get(context) else { return false };
        let control = self.control();
        let events = redistributor.events();
        let private = redistributor.lock();
        if events & FOLD != 0
            || events & SGIS & private.bank.deliverable(control) != 0
            || private.bank.waiting(control) != 0
        {
            return true;
        }
        let awake = self.takes_part(context);
        (events & LOOK != 0 || private.look)
            && self.distributor.lock().candidates(context, awake, control).any(|candidate| !candidate.active)
    }

    /// The physical interrupt `physical` (a PPI) fired on the context's core and is active: it is
    /// the context's PPI `intid` now, and is deactivated when the guest ends that. Sync before or
    /// after, then flush.
    pub fn forward(&self, context: usize, intid: u32, physical: u32) {
        if let Some(redistributor) = self.redistributors.get(context) {
            redistributor.lock().forward(intid, physical);
        }
    }

    /// Sets up SGI or PPI `intid` for a context that has no board: group 1, enabled, with this
    /// priority. Sync before, flush after.
    pub fn enable_private(&self, context: usize, intid: u32, priority: u8) {
        let Some(redistributor) = self.redistributors.get(context) else { return };
        if intid >= FIRST_SPI {
            return;
        }
        let first = intid as u8;
        let bank = &mut redistributor.lock().bank;
        bank.write(Field::Priority { first, count: 1 }, priority.into());
        bank.write(Field::Group, u32::MAX);
        bank.write(Field::SetEnable, bit(intid));
        self.control.fetch_or(GROUP_1, Ordering::Relaxed);
    }

    fn control(&self) -> u32 {
        self.control.load(Ordering::Relaxed)
    }

    /// An end that no list register saw: see the module's description. Says whether there was an
    /// interrupt to end.
    fn end_most_urgent(&self, context: usize, private: &mut Private, kick: &mut impl Kick) -> bool {
        let mut distributor = private.look.then(|| self.distributor.lock());
        // With no group forwarded only those that are active.
        let shared = distributor.iter().flat_map(|distributor| distributor.candidates(context, false, 0));
        let ended = private.bank.candidates(private.bank.evicted(), 0).chain(shared).min();
        let Some(Candidate { intid, .. }) = ended else { return false };
        let intid = u32::from(intid);
        if intid < FIRST_SPI {
            private.bank.active &= !bit(intid);
        } else if let Some(distributor) = &mut distributor
            && let Some((bank, n)) = distributor.bank(intid)
        {
            bank.active &= !bit(n);
            self.tell_others(distributor, intid, context, kick);
        }
        true
    }
}
