//! Checkpoints of a domain: all of its memory, contexts and devices as they were at one moment, to go on from.
//!
//! Memory by an undo log. All of its pages are read only after a checkpoint, and when the domain begins; the first write to
//! one faults, and copies it to the shadow, a second RAM of the domain, before it may be written. So memory as of the
//! checkpoint is the shadow for the pages that are dirty, and memory itself for all others; nothing is copied while the
//! domain stands still.
//!
//! The core that finds a checkpoint due (by a heartbeat, or by its timer while there are none) gathers: it takes its
//! context out, asks all other cores that hold contexts of the domain to do the same and to wait, and begins only when
//! each context is either off or on such a core. If that takes too long, or the domain stops, the old checkpoint stays.
//!
//! Locks: `kept` before a console's, control port's, watchdog's, and before what the vGIC has.

use crate::arch::context;
use crate::arch::core_local::CoreLocal;
use crate::arch::stage2::{Grain, Right};
use crate::arch::sysreg::yield_now;
use crate::arch::{cache, mmu, timer};
use crate::domain::{self, Domain, post_to};
use crate::platform::arena::Arena;
use crate::platform::machine::Region;
use crate::schedule;
use crate::takeover::{Step, microseconds, record, ticks};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU64};
use domains::control::Control;
use domains::life::Phase;
use domains::manifest::{GroupSpec, Role};
use domains::pl011::Console;
use domains::psci::AffinityState;
use domains::vgic::{Redistributor, Vgic};
use domains::watchdog::Watchdog;
use failover::dirty::{self, DirtySet};
use failover::pause::Pause;
use log::warn;
use smp::core_set::CoreSet;
use smp::lock::SpinLock;
use smp::mailbox::Requests;

/// A domain's checkpoints.
pub struct Checkpoints {
    /// Ticks from one to the next, and those that contexts may take to gather.
    period: u64,
    patience: u64,
    /// When the next one is due.
    due: AtomicU64,
    /// The domain has given signs of life, and is seen whole when it gives one.
    beats: AtomicBool,
    pause: Pause,
    kept: SpinLock<&'static mut Kept>,
}

struct Kept {
    /// There is a last checkpoint. While there is none, nothing is copied.
    is_valid: bool,
    /// How often the domain went back to it.
    returns: u32,
    shadow: &'static mut [u8],
    /// Pages that were written since; all others are read only.
    dirty: DirtySet<'static>,
    /// The contexts' states, and whether they were on.
    contexts: &'static mut [(context::State, bool)],
    vgic: Vgic<'static>,
    console: Console,
    control: Control,
    watchdog: Watchdog,
}

/// The right to a page that was not written since a checkpoint; it may be executed all the same.
pub const CLEAN: Right = Right::Execute;

/// How often a domain goes back to one checkpoint: one that fails again before the next had perhaps failed before it, unseen.
const MOST_RETURNS: u32 = 2;

/// Numbers all attempts.
static ROUND: AtomicU64 = AtomicU64::new(1);

impl Checkpoints {
    /// Room for the checkpoints of a domain with so much memory and so many contexts; `None`: it is not enough.
    pub fn new(arena: &Arena, memory: u64, contexts: usize, spec: &GroupSpec<'_>) -> Option<Self> {
        // Too large for a stack.
        let nothing = |_| {
            Some(Kept {
                is_valid: false,
                returns: 0,
                shadow: arena.bytes(memory)?,
                dirty: DirtySet::new(arena.place_all(dirty::words((memory / mmu::PAGE) as usize), |_| 0)?),
                contexts: arena.place_all(contexts, |_| (context::State::new(), false))?,
                vgic: Vgic::new(arena.place_all(contexts, |_| Redistributor::default())?),
                console: Console::default(),
                control: Control::default(),
                watchdog: Watchdog::default(),
            })
        };
        Some(Self {
            period: ticks(spec.checkpoint_ms),
            patience: ticks(spec.heartbeat_ms) / 8,
            due: AtomicU64::new(0),
            beats: AtomicBool::new(false),
            pause: Pause::default(),
            kept: SpinLock::new(arena.place_all(1, nothing)?.first_mut()?.as_mut()?),
        })
    }

    /// The domain is to run: from now on a period is to pass. Whether it has given signs of life, and goes on.
    pub fn begin(&self) -> bool {
        self.postpone();
        self.beats.load(Relaxed)
    }

    fn postpone(&self) {
        self.due.store(timer::now().wrapping_add(self.period), Relaxed);
    }

    fn is_due(&self) -> bool {
        timer::now() >= self.due.load(Relaxed)
    }

    /// Whether there is one to go back to, and what the domain fails of is not in it, as far as that shows.
    pub fn is_good(&self, domain: &Domain) -> bool {
        let kept = self.kept.lock();
        let in_vain = kept.returns >= MOST_RETURNS;
        if in_vain {
            warn!(target: "failover", "domain={} fails again from its checkpoint: it begins anew", domain.spec.name);
        }
        kept.is_valid && !in_vain
    }

    fn take(&self, core: &CoreLocal, domain: &Domain, round: u64) {
        let began = timer::now();
        take_out(core, domain);
        let gathered = self.gather(core, domain, round, began.wrapping_add(self.patience));
        if gathered && self.pause.commit(round) {
            let pages = self.kept.lock().keep(core, domain);
            self.pause.end();
            let pause = microseconds(timer::now().wrapping_sub(began).saturating_mul(1000)).min(u32::MAX.into());
            record(core, domain, Step::Checkpoint, u64::from(pages) | pause << 32);
        }
        self.pause.cancel(round);
        self.postpone();
    }

    /// Waits until each context is off, or on a core that stands still.
    fn gather(&self, core: &CoreLocal, domain: &Domain, round: u64, until: u64) -> bool {
        let mut asked = CoreSet::default();
        while timer::now() < until && is_wanted(domain) {
            let mut all = true;
            for context in domain.contexts() {
                let holder = context.seat.now();
                match (context.power.affinity_info(), holder.and_then(|id| core.kernel().core(id))) {
                    (AffinityState::Off, None) => {}
                    (AffinityState::On, Some(target)) => {
                        let here = target.id == core.id || target.stands.load(Acquire) == round;
                        all &= here;
                        if !here && !asked.contains(target.id) {
                            asked.insert(target.id);
                            post_to(core, target, Requests::PAUSE);
                        }
                    }
                    // It begins, or has not left yet.
                    _ => all = false,
                }
            }
            if all {
                // What stopped the domain until a core stood still is seen here.
                return is_wanted(domain);
            }
            yield_now();
        }
        false
    }

    fn stand_still(&self, core: &CoreLocal, domain: &Domain, round: u64) {
        take_out(core, domain);
        core.stands.store(round, Release);
        let until = timer::now().wrapping_add(self.patience);
        while self.pause.holds(round) {
            if timer::now() >= until {
                self.pause.cancel(round);
            }
            yield_now();
        }
    }

    /// The page at this physical address, if it is the domain's, may be written from now on.
    pub fn write(&self, core: &CoreLocal, domain: &Domain, physical: u64) -> bool {
        let offset = physical.wrapping_sub(domain.memory.start) & !mmu::PAGE.wrapping_sub(1);
        let mut kept = self.kept.lock();
        let Kept { shadow, is_valid, dirty, .. } = &mut **kept;
        let Some(copy) = page(shadow, offset) else { return false };
        if dirty.insert((offset / mmu::PAGE) as usize) {
            let physical = domain.memory.start.wrapping_add(offset);
            if *is_valid {
                mmu::with_window(core, physical, mmu::PAGE, |bytes| copy.copy_from_slice(bytes));
            }
            set_page(domain, offset, Right::All);
        }
        true
    }

    /// There is no checkpoint any more, as the domain is to be loaded. It runs nowhere.
    pub fn forget(&self, domain: &Domain) {
        self.beats.store(false, Relaxed);
        let mut kept = self.kept.lock();
        (kept.is_valid, kept.returns) = (false, 0);
        kept.protect(domain);
    }

    /// The domain, which runs nowhere, is as it was at the last checkpoint, but for which cores its contexts are on: those
    /// that were on are, and wait to be placed.
    #[inline(never)]
    pub fn restore(&self, core: &CoreLocal, domain: &Domain) {
        let mut kept = self.kept.lock();
        let Kept { shadow, dirty, returns, .. } = &mut **kept;
        *returns = returns.saturating_add(1);
        record(core, domain, Step::RolledBack, dirty.count().into());
        for offset in offsets(dirty) {
            let Some(copy) = page(shadow, offset) else { continue };
            mmu::with_window(core, domain.memory.start.wrapping_add(offset), mmu::PAGE, |bytes| {
                bytes.copy_from_slice(copy);
                cache::clean(bytes);
            });
        }
        kept.protect(domain);
        cache::invalidate_instructions();
        domain.flush(core);
        for (context, (saved, was_on)) in domain.contexts().iter().zip(kept.contexts.iter()) {
            context.begin_anew();
            if *was_on {
                context.restore(saved);
                context.power.resume();
            }
        }
        domain.vgic.copy_from(&kept.vgic);
        domain.console.lock().clone_from(&kept.console);
        *domain.watchdog.lock() = kept.watchdog.clone();
        let mut control = domain.control.lock();
        control.clone_from(&kept.control);
        // Nobody waits for answers to what it was asked then.
        domain.contexts().iter().for_each(|context| control.withdraw(context.index));
    }
}

/// When the core that holds the domain's first context has to see to its next checkpoint; 0: never.
pub fn alarm(core: &CoreLocal, domain: &Domain) -> u64 {
    let here = domain.contexts().first().is_some_and(|first| first.seat.now() == Some(core.id));
    let waits = |checkpoints: &&Checkpoints| here && !checkpoints.beats.load(Relaxed) && is_wanted(domain);
    domain.checkpoints.as_ref().filter(waits).map_or(0, |checkpoints| checkpoints.due.load(Relaxed))
}

/// A standby has nothing to lose.
fn is_wanted(domain: &Domain) -> bool {
    domain.life.now().phase == Phase::Running && domain.member().is_some_and(|member| member.role() != Role::Standby)
}

/// The domain gave a sign of life: it is well now.
pub fn beat(core: &CoreLocal, domain: &Domain) {
    let Some(checkpoints) = &domain.checkpoints else { return };
    checkpoints.beats.store(true, Relaxed);
    if checkpoints.is_due() && is_wanted(domain) {
        // Seen when this exit is over.
        post_to(core, core, Requests::PAUSE);
    }
}

/// A checkpoint is due for a domain of this core, or one stands still for its checkpoint.
#[inline(never)] // its frame is large, and not to lie below all that `resume` calls
pub fn attend(core: &CoreLocal) {
    for domain in core.queue.entries().filter_map(|(_, id)| domain::context(id)).map(|context| context.domain) {
        let Some(checkpoints) = &domain.checkpoints else { continue };
        let round = ROUND.fetch_add(1, Relaxed);
        if checkpoints.is_due() && is_wanted(domain) && checkpoints.pause.begin(round) {
            checkpoints.take(core, domain, round);
        } else if let Some(round) = checkpoints.pause.gathering() {
            checkpoints.stand_still(core, domain, round);
        }
    }
    schedule::update_alarm(core);
}

/// Takes the domain's context out of this core.
fn take_out(core: &CoreLocal, domain: &Domain) {
    if let Some((slot, loaded)) = core.current().filter(|(_, loaded)| core::ptr::eq(loaded.domain, domain)) {
        loaded.unload(core);
        core.set_current(None);
        if core.queue.is_ready(slot) {
            loaded.count_stolen_from_now();
        }
    }
}

impl Kept {
    /// Keeps the domain, which stands still, as it is. How many pages were copied since it was kept last.
    #[inline(never)]
    fn keep(&mut self, core: &CoreLocal, domain: &Domain) -> u32 {
        for (context, (saved, is_on)) in domain.contexts().iter().zip(self.contexts.iter_mut()) {
            *is_on = context.power.affinity_info() == AffinityState::On;
            context.save(saved);
        }
        {
            // With a device its line stays as it is.
            let (console, control) = (domain.console.lock(), domain.control.lock());
            self.console.clone_from(&console);
            self.control.clone_from(&control);
            self.watchdog = domain.watchdog.lock().clone();
            self.vgic.copy_from(&domain.vgic);
        }
        let copied = if self.is_valid { self.dirty.count() } else { 0 };
        self.protect(domain);
        domain.flush(core);
        self.is_valid = true;
        self.returns = 0;
        copied
    }

    /// No page is dirty any more.
    fn protect(&mut self, domain: &Domain) {
        offsets(&self.dirty).for_each(|offset| set_page(domain, offset, CLEAN));
        self.dirty.clear();
    }
}

/// Where the pages of a set lie in the domain's memory.
fn offsets(pages: &DirtySet<'_>) -> impl Iterator<Item = u64> {
    pages.iter().map(|page| (page as u64).wrapping_mul(mmu::PAGE))
}

/// Changes the right to a page of the domain's memory.
fn set_page(domain: &Domain, offset: u64, right: Right) {
    let page = Region { start: domain.memory.start.wrapping_add(offset), length: mmu::PAGE };
    // The tables are there since the domain was made.
    let _ = domain.stage2.map(domain.spec.memory.base.wrapping_add(offset), page, Grain::Page, right, || None);
}

fn page(shadow: &mut [u8], offset: u64) -> Option<&mut [u8]> {
    shadow.get_mut(usize::try_from(offset).ok()?..)?.get_mut(..mmu::PAGE as usize)
}
