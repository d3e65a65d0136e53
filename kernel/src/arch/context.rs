//! A context's processor state, and its way into and out of a core.
//!
//! Ownership: `state` is touched only by the core on whose run queue the context is, or, while it
//! is on none, by the core that brings it up or ends it (the winner of guest PSCI's `request_on`,
//! or the last core of a stopping domain). `Context::core` names it.

use super::core_local::CoreLocal;
use super::sysreg::{isb, read, write};
use super::{cache, exception, gic, mmu, stage2, timer};
use crate::domain::{Domain, Port};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use domains::psci::CpuPower;
use domains::stolen::StolenTime;
use domains::vgic::ListRegisters;
use hotplug::placement::Seat;
use smp::core_id::CoreId;
use smp::run_queue::ContextId;

/// General registers as `vectors.s` lays them out.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers {
    /// x0 to x30.
    pub x: [u64; 31],
    /// Where the guest goes on.
    pub elr: u64,
    /// Its PSTATE.
    pub spsr: u64,
}

impl Registers {
    /// Register `n` as an instruction names it: 31 is zero.
    pub fn get(&self, n: u8) -> u64 {
        self.x.get(usize::from(n)).copied().unwrap_or(0)
    }

    /// Sets register `n`; 31 is dropped.
    pub fn set(&mut self, n: u8, value: u64) {
        if let Some(x) = self.x.get_mut(usize::from(n)) {
            *x = value;
        }
    }

    /// Goes past the instruction that trapped.
    pub fn skip(&mut self) {
        self.elr = self.elr.wrapping_add(4);
    }
}

macro_rules! system_registers {
    // In pairs, which LDP and STP move.
    ($($name:ident $second:ident)*) => {
        /// EL1 and EL0 system registers that a guest can change.
        #[derive(Clone, Copy, Default)]
        struct SystemRegisters { $($name: u64, $second: u64,)* }

        impl SystemRegisters {
            fn save(&mut self) {
                $((self.$name, self.$second) = (read!(stringify!($name)), read!(stringify!($second)));)*
            }
            fn load(&self) {
                $(let (first, second) = (self.$name, self.$second);
                write!(stringify!($name), first);
                write!(stringify!($second), second);)*
            }
            fn clear() { $(write!(stringify!($name), 0); write!(stringify!($second), 0);)* }
        }
    };
}

system_registers! {
    sctlr_el1 cpacr_el1 ttbr0_el1 ttbr1_el1 tcr_el1 mair_el1 amair_el1 vbar_el1 contextidr_el1 csselr_el1
    elr_el1 spsr_el1 esr_el1 far_el1 afsr0_el1 afsr1_el1 par_el1
    tpidr_el1 tpidr_el0 tpidrro_el0 sp_el0 sp_el1
    cntkctl_el1 cntv_cval_el0 cntv_ctl_el0 cntp_cval_el0 cntp_ctl_el0
    ich_vmcr_el2 ich_ap0r0_el2 ich_ap1r0_el2
}

/// FP and SIMD registers; EL2 itself uses none.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct FloatingPoint {
    q: [u128; 32],
    control: u64,
    status: u64,
}

const NO_FLOATING_POINT: FloatingPoint = FloatingPoint { q: [0; 32], control: 0, status: 0 };

unsafe extern "C" {
    fn save_floating_point(to: *mut FloatingPoint);
    fn load_floating_point(from: *const FloatingPoint);
}

/// SCTLR_EL1 at reset: RES1 bits, MMU and caches off.
const SCTLR_RESET: u64 = 0x30d0_0800;
/// PSTATE at a guest's entry: EL1h, all exceptions masked.
pub const SPSR_ENTRY: u64 = 0x3c5;

/// A context's processor state: what it is on a core, and in a checkpoint.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct State {
    registers: Registers,
    system: SystemRegisters, // within reach of STP
    floating_point: FloatingPoint,
    list: ListRegisters,
}

impl State {
    /// That of a context that never ran.
    pub fn new() -> Self {
        Self {
            registers: Registers::default(),
            floating_point: NO_FLOATING_POINT,
            system: SystemRegisters::default(),
            list: gic::empty_list_registers(),
        }
    }
}

/// A context: one virtual CPU of a domain.
#[repr(C, align(64))]
pub struct Context {
    state: UnsafeCell<State>,
    /// Index among all contexts of the machine.
    pub id: ContextId,
    /// Index in its domain.
    pub index: u16,
    /// Its domain.
    pub domain: &'static Domain,
    /// Guest PSCI power state.
    pub power: CpuPower,
    /// The core whose run queue holds the context.
    pub seat: Seat,
    /// Core + 1 that is to hold it; 0: none.
    wanted: AtomicU32,
    /// Since when others run in its stead, in ticks; 0: it runs, or waits for an interrupt. Only its core's.
    stolen_since: AtomicU64,
    /// The fault that it is to have as soon as it runs (`InjectedFault`); 0: none.
    pub fault: AtomicU32,
    /// What the guest is told of that.
    pub stolen: &'static StolenTime,
}

// SAFETY: `state` is touched by one core at a time (module documentation); all else is atomic or
// never written after start-up.
unsafe impl Sync for Context {}

impl Context {
    /// A context that is off.
    pub fn new(id: ContextId, index: u16, domain: &'static Domain, stolen: &'static StolenTime) -> Self {
        Self {
            state: UnsafeCell::new(State::new()),
            id,
            index,
            domain,
            power: CpuPower::default(),
            seat: Seat::default(),
            wanted: AtomicU32::new(0),
            stolen_since: AtomicU64::new(0),
            fault: AtomicU32::new(0),
            stolen,
        }
    }

    /// Wants the context for `core`. False: another one wants it already.
    pub fn want(&self, core: CoreId) -> bool {
        let word = core.index().wrapping_add(1) as u32;
        self.wanted.compare_exchange(0, word, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The core that wants it, once.
    pub fn take_wanted(&self) -> Option<CoreId> {
        if self.wanted.load(Ordering::Relaxed) == 0 {
            return None;
        }
        CoreId::new((self.wanted.swap(0, Ordering::AcqRel) as usize).checked_sub(1)?)
    }

    /// It could run from now on, and does not.
    pub fn count_stolen_from_now(&self) {
        if self.stolen_since.load(Ordering::Relaxed) == 0 {
            self.stolen_since.store(timer::now(), Ordering::Relaxed);
        }
    }

    fn count_stolen_until_now(&self) {
        let since = self.stolen_since.swap(0, Ordering::Relaxed);
        if since != 0 {
            let ticks = u128::from(timer::now().saturating_sub(since));
            let nanoseconds = ticks.wrapping_mul(1_000_000_000).checked_div(u128::from(timer::frequency()));
            self.stolen.add(nanoseconds.unwrap_or(0) as u64);
        }
    }

    /// Forgets what was meant for its last life. It is off.
    pub fn begin_anew(&self) {
        self.power.reset();
        self.take_wanted();
        self.fault.store(0, Ordering::Relaxed);
    }

    /// Address of the registers, for `enter_guest`.
    pub fn registers(&self) -> *const Registers {
        // SAFETY: takes an address, reads nothing.
        unsafe { &raw const (*self.state.get()).registers }
    }

    /// Changes the registers of the context, which is loaded.
    pub fn with_registers<T>(&self, change: impl FnOnce(&mut Registers) -> T) -> T {
        // SAFETY: ownership (module documentation): the core that holds the context runs this.
        change(unsafe { &mut (*self.state.get()).registers })
    }

    /// Puts an instruction where the context, which is loaded, goes on, masks its interrupts, and lets its x0 lead
    /// nowhere. False: it is not at EL1 now.
    pub fn misguide(&self, core: &CoreLocal, instruction: u32) -> bool {
        const NOWHERE: u64 = 0x7f_ffff_f000;
        self.with_registers(|registers| {
            let at_el1 = registers.spsr & 0xf != 0;
            let Some(physical) = exception::physical_address(registers.elr).filter(|_| at_el1) else { return false };
            registers.spsr |= 0x3c0;
            registers.set(0, NOWHERE);
            if let Some(checkpoints) = &self.domain.checkpoints {
                checkpoints.write(core, self.domain, physical);
            }
            let written = mmu::with_window(core, physical, 4, |bytes| {
                bytes.copy_from_slice(&instruction.to_le_bytes());
                cache::clean(bytes);
            });
            cache::invalidate_instructions();
            written.is_some()
        })
    }

    /// Sets the state in which PSCI enters a CPU (PSCI 1.1, 6.4): everything at reset, x0 given.
    pub fn reset(&self, entry: u64, x0: u64) {
        // SAFETY: ownership (module documentation): the caller brings this context up.
        let state = unsafe { &mut *self.state.get() };
        state.registers = Registers { elr: entry, spsr: SPSR_ENTRY, ..Registers::default() };
        state.registers.set(0, x0);
        state.floating_point = NO_FLOATING_POINT;
        state.system = SystemRegisters { sctlr_el1: SCTLR_RESET, ..SystemRegisters::default() };
    }

    /// Keeps the state of the context, which stands still on a core that waits for the caller.
    pub fn save(&self, saved: &mut State) {
        // SAFETY: ownership (module documentation): the core that holds it waits until the caller lets it go on.
        *saved = unsafe { *self.state.get() };
    }

    /// Puts the context, which is on no core, back to this state.
    pub fn restore(&self, saved: &State) {
        // SAFETY: ownership (module documentation): the caller is the last core of a stopping domain.
        unsafe { *self.state.get() = *saved }
    }

    /// The virtual timers' next deadline in counter ticks, of a context that is not loaded.
    pub fn timer_deadline(&self) -> Option<u64> {
        // SAFETY: ownership (module documentation); called by the core that holds the context.
        let system = unsafe { &(*self.state.get()).system };
        let timers = [(system.cntv_ctl_el0, system.cntv_cval_el0), (system.cntp_ctl_el0, system.cntp_cval_el0)];
        timers.into_iter().filter(|(control, _)| control & 3 == 1).map(|(_, value)| value).min()
    }

    /// Loads the context into this core: everything that a guest can see of a core is written.
    pub fn load(&self, core: &CoreLocal) {
        self.domain.stage2.enter();
        let number = u32::from(self.id.0).wrapping_add(1);
        if core.ran_last.load(Ordering::Relaxed) != number {
            core.ran_last.store(number, Ordering::Relaxed);
            stage2::forget_last();
        }
        self.count_stolen_until_now();
        write!("vmpidr_el2", 1 << 31 | domains::psci::affinity_of(usize::from(self.index)));
        // SAFETY: ownership (module documentation): `core` holds the context and runs this.
        let state = unsafe { &mut *self.state.get() };
        state.system.load();
        // SAFETY: 16-byte aligned memory of the right length; EL2 has no FP state of its own.
        unsafe { load_floating_point(&raw const state.floating_point) }
        state.list.touch_all();
        gic::activate(core, self.domain.vgic.resume(usize::from(self.index)));
        self.list_interrupts();
        isb();
    }

    /// Takes the context out of this core. Its timers are off then; what else it leaves in registers, the next context's
    /// [`load`](Self::load) overwrites, or [`clean`] clears when there is none.
    pub fn unload(&self, core: &CoreLocal) {
        // SAFETY: ownership (module documentation): `core` holds the context and runs this.
        let state = unsafe { &mut *self.state.get() };
        state.system.save();
        // SAFETY: as in `load`.
        unsafe { save_floating_point(&raw mut state.floating_point) }
        write!("cntv_ctl_el0", 0);
        write!("cntp_ctl_el0", 0);
        let ended = gic::read_list(&mut state.list);
        isb();
        let (index, port) = (usize::from(self.index), &mut Port { domain: self.domain, core });
        let active = self.domain.vgic.suspend(index, &mut state.list, ended, &mut gic::Physical, port);
        gic::deactivate_private(core, active);
    }

    /// Folds what the guest did to its list registers back into the vGIC. Only for the loaded
    /// context, and only before [`Self::list_interrupts`].
    pub fn fold_interrupts(&self, core: &CoreLocal) {
        // SAFETY: ownership (module documentation): `core` holds the context and runs this.
        let state = unsafe { &mut *self.state.get() };
        let ended = gic::read_list(&mut state.list);
        let (index, port) = (usize::from(self.index), &mut Port { domain: self.domain, core });
        self.domain.vgic.sync(index, &mut state.list, ended, &mut gic::Physical, port);
    }

    /// Fills the list registers with what is most urgent now. Only for the loaded context.
    pub fn list_interrupts(&self) {
        // SAFETY: ownership (module documentation): the core that holds the context runs this.
        let state = unsafe { &mut *self.state.get() };
        let maintenance = self.domain.vgic.flush(usize::from(self.index), &mut state.list);
        gic::write_list(&mut state.list, maintenance);
    }

    /// Brings list registers and vGIC into step. Only for the loaded context.
    pub fn refresh_interrupts(&self, core: &CoreLocal) {
        self.fold_interrupts(core);
        self.list_interrupts();
    }

    /// Whether an interrupt waits that ends this context's WFI.
    pub fn has_interrupt(&self, core: &CoreLocal) -> bool {
        let index = usize::from(self.index);
        if core.current().is_some_and(|(_, loaded)| core::ptr::eq(loaded, self)) {
            self.fold_interrupts(core);
            let pending = self.domain.vgic.is_pending(index);
            self.list_interrupts();
            return pending;
        }
        self.domain.vgic.is_pending(index)
    }
}

/// Leaves nothing of any guest in this core: the one checklist. Registers that a guest cannot write without a trap (debug,
/// performance monitors, SVE) are not on it.
pub fn clean(core: &CoreLocal) {
    // EL1 and EL0 registers, timers, the virtual CPU interface's priorities.
    SystemRegisters::clear();
    write!("sctlr_el1", SCTLR_RESET);
    write!("vmpidr_el2", 0);
    // SAFETY: as in `Context::load`.
    unsafe { load_floating_point(&NO_FLOATING_POINT) }
    isb();
    // List registers, and what is pending of the timers, which are off by now.
    gic::clean(core);
    // Translations, and the way to new ones.
    stage2::leave();
    core.ran_last.store(0, Ordering::Relaxed);
}
