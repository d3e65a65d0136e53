//! Stage 2 aborts: the board's devices, and what is nowhere.

use super::{Guest, Next};
use crate::arch::exception::{Syndrome, fault_address, intermediate_address, physical_address, undefined_instruction};
use crate::arch::{stage2, timer};
use crate::domain::Port;
use crate::{takeover, transfer};
use domains::manifest::Role;
use domains::mmio::{Access, AccessKind, AccessSize};
use domains::protocol::Rule;
use domains::vgic::{Outcome, Vgic};
use domains::watchdog::{self, Watchdog};
use smp::trace::ExitReason;

/// What answers an access to a device.
type Device = fn(&mut Guest<'_>, &Access) -> Outcome;

/// What answers an access of the context with that index to the interrupt controller.
type GicAnswer = fn(&Vgic<'static>, usize, &Access, &mut Port<'static>) -> Outcome;

/// The guest fetched an instruction from where it may not.
///
/// # Errors
/// The rule that it broke.
pub fn fetch(guest: &mut Guest<'_>) -> Result<Next, Rule> {
    // The walk for it may mark its table's entry.
    if guest.syndrome.is_permission_fault() && guest.syndrome.is_table_walk() && may_write(guest) {
        return Ok(Next::Continue);
    }
    if !guest.syndrome.is_translation_fault() {
        return Err(Rule::ExternalAbort);
    }
    guest.registers.elr = undefined_instruction(guest.registers.elr).ok_or(Rule::Fetch)?;
    Err(Rule::UndefinedInstruction)
}

/// Whether the page that the guest met is read only for its domain's checkpoint, and no more; the instruction then runs
/// again.
fn may_write(guest: &Guest<'_>) -> bool {
    let domain = guest.domain();
    // A primary learns that it is one a moment before it has its right.
    if domain.member().is_some_and(|member| member.team.region.is_some() && member.role() != Role::Standby)
        && physical_address(fault_address()).is_some_and(|address| domain.is_in_region(address))
    {
        return true;
    }
    let Some(checkpoints) = &domain.checkpoints else { return false };
    let base = domain.spec.memory.base.wrapping_sub(domain.memory.start);
    // HPFAR_EL2 is not valid for such a fault, but for one of a table walk. If nothing is there by now, another CPU has
    // changed the tables: the guest learns of that itself.
    let ipa = if guest.syndrome.is_table_walk() {
        intermediate_address()
    } else {
        let Some(physical) = physical_address(fault_address()) else { return true };
        physical.wrapping_add(base)
    };
    let is_its = checkpoints.write(guest.core, domain, ipa.wrapping_sub(base));
    if is_its {
        guest.count(ExitReason::PageWrite);
        stage2::forget_page(ipa, fault_address());
    }
    is_its
}

/// The guest loaded or stored where nothing is mapped.
///
/// # Errors
/// The rule that it broke.
pub fn data(guest: &mut Guest<'_>) -> Result<Next, Rule> {
    let syndrome = guest.syndrome;
    let outside = if syndrome.is_write() { Rule::Write } else { Rule::Read };
    if syndrome.is_permission_fault() && (syndrome.is_write() || syndrome.is_table_walk()) {
        return if may_write(guest) { Ok(Next::Continue) } else { Err(Rule::Write) };
    }
    if !syndrome.is_translation_fault() {
        return Err(Rule::ExternalAbort);
    }
    if syndrome.is_table_walk() {
        return Err(Rule::TableWalk);
    }
    let (device, offset) = device_at(guest, intermediate_address()).ok_or(outside)?;
    if !syndrome.is_valid() {
        return Err(Rule::Syndrome);
    }
    let size = match syndrome.access_bytes() {
        1 => AccessSize::Byte,
        2 => AccessSize::Half,
        4 => AccessSize::Word,
        _ => AccessSize::Double,
    };
    let register = syndrome.transfer_register();
    let stored = guest.registers.get(register) & size.mask();
    let kind = if syndrome.is_write() { AccessKind::Write(stored) } else { AccessKind::Read };
    match device(guest, &Access { offset, size, kind }) {
        Outcome::Done(_) if syndrome.is_write() => {}
        Outcome::Done(value) => guest.registers.set(register, extend(value & size.mask(), syndrome)),
        // The instruction runs again; whoever it waits for gets the processor meanwhile.
        Outcome::Retry => {
            aarch64_cpu::asm::wfe();
            return Ok(Next::Continue);
        }
        Outcome::Bad => return Err(outside),
    }
    guest.registers.skip();
    Ok(Next::Continue)
}

/// The device and the offset in its window, if the domain has a board.
fn device_at(guest: &Guest<'_>, address: u64) -> Option<(Device, u64)> {
    guest.domain().has_board().then_some(())?;
    let contexts = guest.domain().contexts().len() as u64;
    // Only members of groups have a watchdog.
    let frame = if guest.domain().member().is_some() { watchdog::FRAME } else { 0 };
    // Each with its window.
    let windows: [(Device, u64, u64); 6] = [
        (watchdog_refresh, watchdog::REFRESH, frame),
        (|guest, access| watchdog(guest, |watchdog| watchdog.control(access, timer::now())), watchdog::CONTROL, frame),
        (console, 0x0900_0000, 0x1000),
        (control, 0x0904_0000, 0x1000),
        (|guest, access| gic(guest, access, Vgic::distributor_access), 0x0800_0000, 0x1_0000),
        (|guest, access| gic(guest, access, Vgic::redistributor_access), 0x080a_0000, contexts.wrapping_mul(0x2_0000)),
    ];
    windows.into_iter().find_map(|(device, base, length)| {
        let offset = address.checked_sub(base)?;
        (offset < length).then_some((device, offset))
    })
}

/// The value as the load's register takes it (ESR_EL2.SSE and SF).
fn extend(value: u64, syndrome: Syndrome) -> u64 {
    if !syndrome.sign_extends() {
        return value;
    }
    let unused = 64u32.wrapping_sub(u32::from(syndrome.access_bytes()).wrapping_mul(8));
    let extended = (value << unused) as i64 >> unused;
    if syndrome.is_64_bit() { extended as u64 } else { u64::from(extended as u32) }
}

fn console(guest: &mut Guest<'_>, access: &Access) -> Outcome {
    guest.count(ExitReason::ConsoleMmio);
    let domain = guest.domain();
    let mut console = domain.console.lock();
    let before = console.line();
    let (read, sent) = console.access(access);
    if let Some(byte) = sent {
        crate::console::write(domain.tag(), &[byte]);
    }
    if console.line() != before {
        domain.update_console_line(guest.core, &console);
        drop(console);
        guest.context.refresh_interrupts(guest.core);
    }
    Outcome::Done(read.into())
}

fn control(guest: &mut Guest<'_>, access: &Access) -> Outcome {
    guest.count(ExitReason::ConsoleMmio);
    let domain = guest.domain();
    let mut control = domain.control.lock();
    let before = control.line();
    let (read, said) = control.access(access);
    if control.line() != before {
        domain.update_control_line(guest.core, &control);
    }
    drop(control);
    guest.context.refresh_interrupts(guest.core);
    if let Some(said) = said {
        transfer::said(guest.core, domain, said);
    }
    Outcome::Done(read.into())
}

fn watchdog_refresh(guest: &mut Guest<'_>, access: &Access) -> Outcome {
    watchdog(guest, |watchdog| (0, access.kind != AccessKind::Read && watchdog.refresh(timer::now())))
}

fn watchdog(guest: &Guest<'_>, access: impl FnOnce(&mut Watchdog) -> (u32, bool)) -> Outcome {
    guest.count(ExitReason::ConsoleMmio);
    let domain = guest.domain();
    let mut watchdog = domain.watchdog.lock();
    let (read, beats) = access(&mut watchdog);
    let patience = watchdog.patience().filter(|_| beats);
    drop(watchdog);
    if let Some(patience) = patience {
        takeover::beat(guest.core, domain, patience);
    }
    Outcome::Done(read.into())
}

fn gic(guest: &Guest<'_>, access: &Access, answer: GicAnswer) -> Outcome {
    guest.count(ExitReason::GicMmio);
    let (domain, index) = (guest.domain(), usize::from(guest.context.index));
    guest.context.fold_interrupts(guest.core);
    let outcome = answer(&domain.vgic, index, access, &mut Port { domain, core: guest.core });
    guest.context.list_interrupts();
    // What the guest changed of its own interrupts may concern physical ones.
    if domain.vgic.has_work(index) {
        guest.context.refresh_interrupts(guest.core);
    }
    outcome
}
