//! A context: where it is loaded, what its guest sees of interrupts, and its timer.

use super::core_local::CoreLocal;
use super::timer;
use crate::core_id::CoreId;
use crate::domain::Domain;
use crate::history::violation;
use crate::manifest::InjectedFault;
use crate::psci::CpuPower;
use crate::run_queue::ContextId;
use crate::simulation::{self, step};
use crate::stolen::StolenTime;
use hotplug::placement::Seat;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

/// General registers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers {
    /// x0 to x30.
    pub x: [u64; 31],
    /// A system error was put in.
    pub error: bool,
}

impl Registers {
    /// Sets register `n`.
    pub fn set(&mut self, n: u8, value: u64) {
        if let Some(x) = self.x.get_mut(usize::from(n)) {
            *x = value;
        }
    }
}

/// A virtual CPU of a domain.
#[allow(missing_docs)]
pub struct Context {
    pub id: ContextId,
    pub index: u16,
    pub domain: &'static Domain,
    pub power: CpuPower,
    pub seat: Seat,
    pub stolen: &'static StolenTime,
    pub fault: AtomicU32,
    wanted: AtomicU32,
    stolen_since: AtomicU64,
    /// Core + 1 that it is loaded on.
    loaded: AtomicU32,
    /// The guest began to run, and has not switched this CPU off.
    runs: AtomicBool,
    /// An interrupt is in the list registers.
    listed: AtomicBool,
    /// What it does instead of its program: an [`InjectedFault`], or 0.
    struck: AtomicU32,
    /// When its timer fires; 0: never.
    timer: AtomicU64,
}

impl Context {
    /// A context that is off.
    pub fn new(id: ContextId, index: u16, domain: &'static Domain, stolen: &'static StolenTime) -> Self {
        Self {
            id,
            index,
            domain,
            power: CpuPower::default(),
            seat: Seat::default(),
            stolen,
            fault: AtomicU32::new(0),
            struck: AtomicU32::new(0),
            wanted: AtomicU32::new(0),
            stolen_since: AtomicU64::new(0),
            loaded: AtomicU32::new(0),
            runs: AtomicBool::new(false),
            listed: AtomicBool::new(false),
            timer: AtomicU64::new(0),
        }
    }

    /// Wants the context for `core`.
    pub fn want(&self, core: CoreId) -> bool {
        step();
        self.wanted.compare_exchange(0, core.index() as u32 + 1, AcqRel, Relaxed).is_ok()
    }

    /// The core that wants it, once.
    pub fn take_wanted(&self) -> Option<CoreId> {
        step();
        CoreId::new((self.wanted.swap(0, AcqRel) as usize).checked_sub(1)?)
    }

    /// It could run from now on, and does not.
    pub fn count_stolen_from_now(&self) {
        if self.stolen_since.load(Relaxed) == 0 {
            self.stolen_since.store(timer::now(), Relaxed);
        }
    }

    /// Nobody reads them.
    pub fn registers(&self) -> *const Registers {
        std::ptr::null()
    }

    /// Changes the registers of the loaded context: by a system error the guest panics.
    pub fn with_registers(&self, change: impl FnOnce(&mut Registers)) {
        let mut registers = Registers::default();
        change(&mut registers);
        if registers.error {
            self.struck.store(InjectedFault::Panic as u32, Relaxed);
        }
    }

    /// The loaded context goes on with this instruction. False: it is not at EL1 now.
    pub fn misguide(&self, _core: &CoreLocal, instruction: u32) -> bool {
        const BRANCH_TO_ITSELF: u32 = 0x1400_0000;
        let at_el1 = simulation::random(|random| random.percent(80));
        if at_el1 {
            let fault =
                if instruction == BRANCH_TO_ITSELF { InjectedFault::Livelock } else { InjectedFault::WildStore };
            self.struck.store(fault as u32, Relaxed);
        }
        at_el1
    }

    /// What it does instead of its program.
    pub fn struck(&self) -> Option<InjectedFault> {
        InjectedFault::from_code(self.struck.load(Relaxed).into())
    }

    /// It does nothing of what its guest would.
    pub fn is_struck(&self) -> bool {
        self.struck().is_some() || self.fault.load(Relaxed) != 0
    }

    /// It starts from reset.
    pub fn reset(&self, _entry: u64, _x0: u64) {
        if self.runs.swap(true, Relaxed) {
            violation(&format!("domain {} context {} was started while it ran", self.domain.id.index(), self.index));
        }
        self.timer.store(0, Relaxed);
        self.struck.store(0, Relaxed);
        self.listed.store(false, Relaxed);
    }

    /// When its timer fires, of a context that is not loaded.
    pub fn timer_deadline(&self) -> Option<u64> {
        self.armed()
    }

    /// Loads the context into this core.
    pub fn load(&self, core: &CoreLocal) {
        step();
        let before = self.loaded.swap(core.id.index() as u32 + 1, Relaxed);
        if before != 0 {
            let (domain, index) = (self.domain.id.index(), self.index);
            violation(&format!("domain {domain} context {index} was loaded while it is on core {}", before - 1));
        }
        self.stolen_since.store(0, Relaxed);
        self.list_interrupts();
    }

    /// Takes the context out of this core.
    pub fn unload(&self, core: &CoreLocal) {
        step();
        if self.loaded.swap(0, Relaxed) != core.id.index() as u32 + 1 {
            violation(&format!("domain {} context {} was not loaded here", self.domain.id.index(), self.index));
        }
        self.listed.store(false, Relaxed);
    }

    /// What the guest did to its list registers is known at once.
    pub fn fold_interrupts(&self, _core: &CoreLocal) {}

    /// The guest sees what is pending.
    pub fn list_interrupts(&self) {
        step();
        self.listed.store(self.domain.vgic.is_pending(usize::from(self.index)), Relaxed);
    }

    /// The same, of a loaded context.
    pub fn refresh_interrupts(&self, _core: &CoreLocal) {
        self.list_interrupts();
    }

    /// Whether an interrupt waits that ends this context's WFI.
    pub fn has_interrupt(&self, core: &CoreLocal) -> bool {
        let pending = self.domain.vgic.is_pending(usize::from(self.index));
        if core.current().is_some_and(|(_, loaded)| std::ptr::eq(loaded, self)) {
            self.list_interrupts();
        }
        pending
    }

    /// The core that it is loaded on.
    pub fn loaded_on(&self) -> Option<usize> {
        (self.loaded.load(Relaxed) as usize).checked_sub(1)
    }

    /// Whether the guest takes an interrupt now.
    pub fn is_interrupted(&self) -> bool {
        self.listed.load(Relaxed)
    }

    /// Whether the guest has begun to run and has not gone off.
    pub fn runs(&self) -> bool {
        self.runs.load(Relaxed)
    }

    /// It is off for good, as the guest sees it.
    pub fn stops(&self) {
        self.runs.store(false, Relaxed);
    }

    /// Sets the timer; `None`: off.
    pub fn arm(&self, deadline: Option<u64>) {
        self.timer.store(deadline.unwrap_or(0), Relaxed);
    }

    /// When the timer fires.
    pub fn armed(&self) -> Option<u64> {
        Some(self.timer.load(Relaxed)).filter(|at| *at != 0)
    }
}

/// No register is left to clean.
pub fn clean_core() {}

/// The same, of whatever was loaded.
pub fn clean(_core: &CoreLocal) {}
