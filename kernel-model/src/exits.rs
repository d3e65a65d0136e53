//! Why a guest came to EL2, and the answer: the calls are the kernel's own, what leads to them is as in its `exits`.

#[path = "../../kernel/src/exits/call.rs"]
mod call;

use crate::arch::context::{Context, Registers};
use crate::arch::core_local::CoreLocal;
use crate::arch::timer;
use crate::control::Said;
use crate::domain::{Domain, Port};
use crate::manifest::GroupError;
use crate::mmio::{Access, AccessKind, AccessSize};
use crate::protocol::EndKind;
use crate::simulation::{self, Physical, step};
use crate::vgic::TIMER;
use crate::{operate, schedule, takeover, transfer};

pub use crate::trace::ExitReason;

/// Registers of the watchdog's control frame: control and status, and offset.
const WATCHDOG_CONTROL: u64 = 0;
const WATCHDOG_OFFSET: u64 = 8;

/// A guest that came to EL2.
pub struct Guest<'a> {
    /// Its core.
    pub core: &'static CoreLocal,
    /// Its context.
    pub context: &'static Context,
    /// Its registers.
    pub registers: &'a mut Registers,
}

/// How a guest goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once.
    Continue,
    /// If and when the scheduler chooses it.
    Schedule,
}

impl Guest<'_> {
    /// The domain.
    pub fn domain(&self) -> &'static Domain {
        self.context.domain
    }

    /// Exits are counted by their domain.
    pub fn count(&self, _reason: ExitReason) {
        self.core.trace().exits.count(self.domain().id.index());
    }
}

/// HVC with these registers; the answer, unless another context is loaded by then.
pub fn call(core: &'static CoreLocal, context: &'static Context, arguments: &[u64]) -> Option<[u64; 4]> {
    let life = LifeOf::now(context);
    step();
    let mut registers = Registers::default();
    for (register, value) in registers.x.iter_mut().zip(arguments) {
        *register = *value;
    }
    let next = call::handle(&mut Guest { core, context, registers: &mut registers });
    go_on(core, next);
    let answer = registers.x.first_chunk().copied().unwrap_or_default();
    life.is_loaded(core, context).then_some(answer)
}

fn go_on(core: &'static CoreLocal, next: Next) {
    if next == Next::Schedule || !core.mailbox.is_empty() {
        schedule::resume(core);
    }
}

/// A domain's life, by its number: in the next one its contexts know nothing of what this one was answered.
struct LifeOf(u32);

impl LifeOf {
    fn now(context: &Context) -> Self {
        Self(context.domain.life.peek().boots)
    }

    /// Whether the context is loaded still, and lives this life.
    fn is_loaded(&self, core: &CoreLocal, context: &Context) -> bool {
        context.domain.life.peek().boots == self.0
            && core.current().is_some_and(|(_, loaded)| std::ptr::eq(loaded, context))
    }
}

/// An access to the control port (`exits::abort`); what was read, unless another context is loaded by then.
pub fn control(core: &'static CoreLocal, context: &'static Context, offset: u64, written: Option<u32>) -> Option<u32> {
    let life = LifeOf::now(context);
    step();
    let domain = context.domain;
    let kind = written.map_or(AccessKind::Read, |value| AccessKind::Write(u64::from(value)));
    let (read, said): (u32, Option<Said>) = {
        let mut control = domain.control.lock();
        let before = control.line();
        let done = control.access(&Access { offset, size: AccessSize::Word, kind });
        if control.line() != before {
            domain.update_control_line(core, &control);
        }
        done
    };
    context.refresh_interrupts(core);
    if let Some(said) = said {
        transfer::said(core, domain, said);
    }
    go_on(core, Next::Continue);
    life.is_loaded(core, context).then_some(read)
}

/// The guest refreshes its watchdog (`exits::abort`). Whether the caller is still loaded.
pub fn refresh(core: &'static CoreLocal, context: &'static Context) -> bool {
    let life = LifeOf::now(context);
    step();
    let domain = context.domain;
    core.trace().exits.count(domain.id.index());
    let patience = {
        let (mut watchdog, now) = (domain.watchdog.lock(), timer::now());
        if watchdog.patience().is_none() {
            let period = domain.member().map_or(0, |member| u64::from(member.team.spec.heartbeat_ms) * 1000 / 2);
            for (offset, value) in [(WATCHDOG_OFFSET, period), (WATCHDOG_CONTROL, 1)] {
                watchdog.control(&Access { offset, size: AccessSize::Word, kind: AccessKind::Write(value) }, now);
            }
        }
        watchdog.refresh(now);
        watchdog.patience()
    };
    if let Some(patience) = patience {
        takeover::beat(core, domain, patience);
    }
    go_on(core, Next::Continue);
    life.is_loaded(core, context)
}

/// The guest interrupts one of its CPUs.
pub fn interrupt_other(core: &'static CoreLocal, context: &'static Context, target: usize, sgi: u32) {
    step();
    let domain = context.domain;
    domain.vgic.pend(target, sgi, &mut Port { domain, core });
    context.refresh_interrupts(core);
    go_on(core, Next::Continue);
}

/// The guest routes the control port's interrupt to one of its CPUs. Whether the caller is still loaded.
pub fn route(core: &'static CoreLocal, context: &'static Context, target: usize) -> bool {
    let life = LifeOf::now(context);
    step();
    let domain = context.domain;
    domain.vgic.route(target, &mut Port { domain, core });
    context.refresh_interrupts(core);
    go_on(core, Next::Continue);
    life.is_loaded(core, context)
}

/// WFI that traps.
pub fn wait(core: &'static CoreLocal) {
    step();
    schedule::wait(core);
    schedule::resume(core);
}

/// WFE that traps.
pub fn give_way(core: &'static CoreLocal) {
    step();
    schedule::give_way(core);
    schedule::resume(core);
}

/// The guest breaks a rule.
pub fn fault(core: &'static CoreLocal, context: &'static Context) {
    step();
    takeover::failed(core, context.domain, GroupError::Fault, EndKind::Fault);
    schedule::resume(core);
}

/// An interrupt while a guest ran.
pub fn interrupt(core: &'static CoreLocal) {
    take_interrupts(core);
    schedule::resume(core);
}

/// Takes all physical interrupts that are pending on this core.
pub fn take_interrupts(core: &'static CoreLocal) {
    while let Some(interrupt) = simulation::acknowledge(core) {
        step();
        match interrupt {
            Physical::Doorbell => {}
            Physical::Timer => schedule::timer_fired(core),
            Physical::Uart(byte) => operate::typed(core, byte),
            Physical::GuestTimer => {
                if let Some((slot, context)) = core.current() {
                    let port = &mut Port { domain: context.domain, core };
                    context.domain.vgic.pend(usize::from(context.index), TIMER, port);
                    context.refresh_interrupts(core);
                    core.queue.wake(slot);
                }
            }
        }
    }
}
