//! HVC and SMC: PSCI, SMCCC, and Corral's own calls.

use super::{Guest, Next};
use crate::arch::context::Context;
use crate::domain::Domain;
use crate::trace::{self, About};
use crate::{console, domain, operate, schedule, takeover, transfer};
use core::sync::atomic::Ordering::Relaxed;
use domains::control::{Request, Said, Wish};
use domains::manifest::GroupError;
use domains::protocol::{EndKind, REPORT_MODULE, ReportKey, hypercall};
use domains::psci::{self, AffinityState, Call, Entry, PsciError, SUCCESS};
use domains::stolen;
use log::info;
use smp::trace::{Event, ExitReason};

/// Who owns a function (Arm DEN 0028, 2.5), and the vendor of the hypervisor, which is us.
const OWNER: u64 = 0x3f << 24;
const OWN: u64 = 6 << 24;

/// Answers the call in x0 to x7.
pub fn handle(guest: &mut Guest<'_>) -> Next {
    let arguments = guest.registers.x.first_chunk().unwrap_or(&[0; 8]);
    let is_own = arguments[0] & OWNER == OWN;
    let call = psci::decode(arguments);
    guest.count(if is_own { ExitReason::Hypercall } else { ExitReason::Psci });
    match call.and_then(|call| carry_out(guest, call)) {
        Ok(next) => next,
        Err(why) => answer(guest, psci::to_x0(why)),
    }
}

fn carry_out(guest: &mut Guest<'_>, call: Call) -> Result<Next, PsciError> {
    let domain = guest.domain();
    match call {
        Call::Answer(values) => {
            set_from(guest, 0, values);
            return Ok(Next::Continue);
        }
        Call::AffinityInfo(target) => {
            let state = context_of(domain, target)?.power.affinity_info();
            return Ok(answer(guest, state as u64));
        }
        Call::CpuOn(target, entry) => cpu_on(guest, target, entry)?,
        Call::CpuSuspend => {
            guest.registers.set(0, SUCCESS);
            schedule::wait(guest.core);
            return Ok(Next::Schedule);
        }
        Call::CpuOff => {
            if let Some((slot, context)) = guest.core.current() {
                domain::leave(guest.core, slot, context);
            }
            return Ok(Next::Schedule);
        }
        Call::SystemOff => return Ok(end(guest, EndKind::Off)),
        Call::SystemReset => return Ok(fail(guest, GroupError::Reset, EndKind::Reset)),
        Call::Exit(0) => return Ok(end(guest, EndKind::Exit)),
        Call::Exit(_) => return Ok(fail(guest, GroupError::Fault, EndKind::Failed)),
        Call::ConsoleWrite(words) => {
            let (bytes, length) = hypercall::unpack(&words).ok_or(PsciError::InvalidParameters)?;
            console::write(domain.tag(), bytes.get(..length).unwrap_or_default());
        }
        Call::Report(key, value) => {
            let name = ReportKey::from_code(key).ok_or(PsciError::InvalidParameters)?;
            // Logged too: a run is judged by it, and a trace ring may overflow.
            info!(target: REPORT_MODULE, "domain={} {name}={value}", domain.spec.name);
            trace::record(guest.core, Event::Metric, About::Context(guest.context), key, value);
        }
        Call::IrqEnable(interrupt, priority) => {
            guest.context.fold_interrupts(guest.core);
            domain.vgic.enable_private(usize::from(guest.context.index), u32::from(interrupt), priority);
            guest.context.list_interrupts();
        }
        Call::Cores => {
            let counts = domain.quota.counts();
            let on = domain.contexts().iter().filter(|context| context.power.affinity_info() == AffinityState::On);
            set_from(guest, 1, [counts.owned.into(), counts.granted.into(), on.count() as u64]);
        }
        Call::CoreRequest => {
            let request = domain.control.lock().take();
            set_from(guest, 1, request.map_or([0; 2], |request| [request.wish as u64, request.context.into()]));
        }
        Call::CoreAnswer(context, answer) => {
            let known = |index: &u16| usize::from(*index) < domain.contexts().len();
            let context = u16::try_from(context).ok().filter(known).ok_or(PsciError::InvalidParameters)?;
            transfer::said(guest.core, domain, Said::Answer(answer, Request { wish: Wish::Offline, context }));
        }
        Call::CoreOrder(core, target, deadline_ms) => {
            if !domain.spec.manages_cores {
                return Err(PsciError::Denied);
            }
            operate::managed(guest.core, core, target, deadline_ms)?;
        }
        Call::Group | Call::Heartbeat => {
            let answer =
                takeover::answer(guest.core, domain, call == Call::Heartbeat).ok_or(PsciError::NotSupported)?;
            set_from(guest, 1, answer);
        }
        Call::PvTimeStructure => {
            let address = stolen::address(guest.context.index).filter(|_| domain.has_board());
            return Ok(answer(guest, address.ok_or(PsciError::NotSupported)?));
        }
    }
    Ok(answer(guest, SUCCESS))
}

fn answer(guest: &mut Guest<'_>, x0: u64) -> Next {
    guest.registers.set(0, x0);
    Next::Continue
}

/// Sets registers from this one on.
fn set_from(guest: &mut Guest<'_>, first: usize, values: impl IntoIterator<Item = u64>) {
    guest.registers.x.iter_mut().skip(first).zip(values).for_each(|(register, value)| *register = value);
}

/// The domain's context with this affinity.
fn context_of(domain: &'static Domain, affinity: u64) -> Result<&'static Context, PsciError> {
    let contexts = domain.contexts();
    let index = psci::context_of(affinity, contexts.len());
    index.and_then(|index| contexts.get(index)).ok_or(PsciError::InvalidParameters)
}

fn end(guest: &Guest<'_>, kind: EndKind) -> Next {
    guest.domain().stop(guest.core, kind);
    Next::Schedule
}

fn fail(guest: &Guest<'_>, error: GroupError, kind: EndKind) -> Next {
    takeover::failed(guest.core, guest.domain(), error, kind);
    Next::Schedule
}

/// CPU_ON: the steps and their order are those of `domains::psci`.
fn cpu_on(guest: &Guest<'_>, target: u64, entry: Entry) -> Result<(), PsciError> {
    let domain = guest.domain();
    let context = context_of(domain, target)?;
    if !domain.spec.memory.contains(entry.address, 4) {
        return Err(PsciError::InvalidAddress);
    }
    let ticket = context.power.request_on()?;
    domain.life.join().map_err(|_| PsciError::Denied)?;
    if domain::place(guest.core, context, || ticket.publish(entry)).is_err() {
        domain.denied.fetch_add(1, Relaxed);
        // The caller is a member itself, so this is never the last to leave.
        let _ = domain.life.leave();
        return Err(PsciError::Denied);
    }
    Ok(())
}
