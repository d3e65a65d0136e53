//! Why a guest came to EL2, and the answer.
//!
//! The vectors call [`synchronous`], [`interrupt`] and [`system_error`]. Each returns the registers to go on with: the
//! caller's own, or those of whatever [`schedule::resume`] chooses when the caller may not go on.

mod abort;
mod call;
mod register;

use crate::arch::context::{Context, Registers};
use crate::arch::core_local::CoreLocal;
use crate::arch::exception::{self, Syndrome, fault_address};
use crate::arch::gic;
use crate::boot::machine;
use crate::domain::{self, Domain};
use crate::trace::{self, About};
use crate::{console, fail, operate, schedule, takeover};
use domains::manifest::GroupError;
use domains::protocol::{EndKind, Rule, Tag};
use smp::trace::{Event, ExitReason};

/// Exception classes (Arm ARM D19.2.37).
mod class {
    pub const WAIT: u8 = 0x01;
    pub const HVC: u8 = 0x16;
    pub const SMC: u8 = 0x17;
    pub const SYSTEM_REGISTER: u8 = 0x18;
    pub const SVE: u8 = 0x19;
    pub const SME: u8 = 0x1d;
    pub const FETCH_ABORT: u8 = 0x20;
    pub const DATA_ABORT: u8 = 0x24;
}

/// A guest that came to EL2.
pub struct Guest<'a> {
    /// Its core.
    pub core: &'static CoreLocal,
    /// Its context, loaded on that core.
    pub context: &'static Context,
    /// Its general registers.
    pub registers: &'a mut Registers,
    /// Why it came.
    pub syndrome: Syndrome,
}

/// How a guest goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once, with its registers.
    Continue,
    /// If and when the scheduler chooses it.
    Schedule,
}

impl Guest<'_> {
    /// The domain.
    pub fn domain(&self) -> &'static Domain {
        self.context.domain
    }

    /// Counts this exit.
    pub fn count(&self, reason: ExitReason) {
        trace::count(self.core, self.context, reason);
    }

    /// The guest broke a rule: its domain stops, with a report.
    pub fn fault(&mut self, rule: Rule) -> Next {
        self.count(ExitReason::Fault);
        let domain = self.domain();
        let (pc, esr, far) = (self.registers.elr, self.syndrome.0, fault_address());
        trace::record(self.core, Event::Fault, About::Context(self.context), esr, far);
        trace::record(self.core, Event::FaultAt, About::Context(self.context), pc, rule as u64);
        domain.fault.lock().get_or_insert((self.context.index, [pc, esr, far], rule));
        takeover::failed(self.core, domain, GroupError::Fault, EndKind::Fault);
        Next::Schedule
    }

    /// The guest takes an exception of its own, as for an undefined instruction.
    fn undefined(&mut self) -> Next {
        exception::inject_undefined(self.registers);
        Next::Continue
    }
}

/// A synchronous exception from a guest.
pub extern "C" fn synchronous(registers: &mut Registers, core: &'static CoreLocal) -> *const Registers {
    let syndrome = Syndrome::now();
    let Some((_, context)) = core.current() else {
        fail::stop(format_args!("guest exit without a guest: esr={:#x}", syndrome.0))
    };
    let mut guest = Guest { core, context, registers, syndrome };
    let next = match syndrome.class() {
        class::HVC => call::handle(&mut guest),
        class::SMC => {
            guest.registers.skip();
            call::handle(&mut guest)
        }
        class::SYSTEM_REGISTER => register::handle(&mut guest),
        class::DATA_ABORT => abort::data(&mut guest).unwrap_or_else(|rule| guest.fault(rule)),
        class::FETCH_ABORT => abort::fetch(&mut guest).unwrap_or_else(|rule| guest.fault(rule)),
        class::WAIT => {
            guest.count(ExitReason::Wfx);
            guest.registers.skip();
            if syndrome.is_wait_for_event() {
                schedule::give_way(core)
            } else {
                schedule::wait(core)
            }
            Next::Schedule
        }
        // Coprocessor accesses of AArch32 programs, pointer authentication, 64-byte loads and stores; SVC, HVC and SMC
        // of AArch32 programs.
        0x03..=0x0c | 0x11..=0x13 | class::SVE | class::SME => guest.undefined(),
        _ => guest.fault(Rule::UnknownException),
    };
    // What this core posted to itself rang no doorbell: no guest is entered over a message.
    if next == Next::Continue && core.mailbox.is_empty() { guest.registers } else { schedule::resume(core) }
}

/// An SError while a guest ran.
pub extern "C" fn system_error(registers: &mut Registers, core: &'static CoreLocal) -> *const Registers {
    if let Some((_, context)) = core.current() {
        let _ = Guest { core, context, registers, syndrome: Syndrome::now() }.fault(Rule::ExternalAbort);
    }
    schedule::resume(core)
}

/// An interrupt while a guest ran.
pub extern "C" fn interrupt(_: &mut Registers, core: &'static CoreLocal) -> *const Registers {
    take_interrupts(core);
    schedule::resume(core)
}

/// Takes all physical interrupts that are pending on this core.
pub fn take_interrupts(core: &'static CoreLocal) {
    let gic = &core.kernel().machine.gic;
    while let Some(intid) = gic::acknowledge() {
        let reason = if intid == gic::DOORBELL {
            gic::end(intid);
            ExitReason::Kick // the mailbox is read by `resume`
        } else if intid == gic.timers.virtual_ || intid == gic.timers.physical {
            guest_timer(core, intid);
            ExitReason::Timer
        } else {
            gic::end(intid);
            own_interrupt(core, intid)
        };
        if let Some((_, context)) = core.current() {
            trace::count(core, context, reason);
        }
    }
}

/// An interrupt that is EL2's own, and rare.
#[inline(never)]
fn own_interrupt(core: &'static CoreLocal, intid: u32) -> ExitReason {
    let gic = &machine().gic;
    if intid == gic.maintenance {
        if let Some((_, context)) = core.current() {
            context.refresh_interrupts(core);
        }
        ExitReason::Maintenance
    } else if intid == gic.timers.hypervisor {
        schedule::timer_fired(core);
        ExitReason::Timer
    } else {
        if intid == machine().uart_interrupt {
            receive(core);
        }
        ExitReason::Device
    }
}

/// A timer of the loaded guest fired: its virtual interrupt is the physical one, which stays
/// active until the guest ends it.
#[inline(never)]
fn guest_timer(core: &CoreLocal, intid: u32) {
    gic::drop_priority(intid);
    match core.current() {
        Some((slot, context)) => {
            let index = usize::from(context.index);
            // The INTIDs that the board has for its timers.
            let on_board = if intid == machine().gic.timers.virtual_ { 27 } else { 30 };
            context.domain.vgic.forward(index, on_board, intid);
            context.refresh_interrupts(core);
            core.queue.wake(slot);
        }
        // Nobody's: `gic::clean` switched the timers off.
        None => gic::deactivate(intid),
    }
}

/// Hands console input to the domains that it is meant for.
fn receive(core: &'static CoreLocal) {
    console::receive(|tag, byte| {
        let Tag::Domain(index) = tag else { return operate::typed(core, byte) };
        let Some(domain) = domain::all().get(usize::from(index)) else { return };
        let mut console = domain.console.lock();
        if console.receive(byte).is_err() {
            // Not in the log: a flood of input would become a flood of lines.
            trace::record(core, Event::ConsoleInput, About::Domain(domain.id.index()), u64::from(byte), 1);
        }
        domain.update_console_line(core, &console);
    });
}
