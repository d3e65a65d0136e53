//! Trapped system registers.

use super::{Guest, Next};
use crate::arch::id_registers::read_id_register;
use crate::domain::Port;
use domains::vgic::SgiKind;
use smp::trace::ExitReason;

/// Answers a trapped MSR, MRS or system instruction.
pub fn handle(guest: &mut Guest<'_>) -> Next {
    let register = guest.syndrome.system_register();
    let transfer = guest.syndrome.system_transfer_register();
    let is_read = guest.syndrome.is_system_read();
    let kind = match register {
        (3, 0, 12, 11, 5) => Some(SgiKind::Group1),
        (3, 0, 12, 11, 6 | 7) => Some(SgiKind::Group0),
        _ => None,
    };
    if let (Some(kind), false) = (kind, is_read) {
        guest.count(ExitReason::Sgi);
        let value = guest.registers.get(transfer);
        let (domain, index) = (guest.domain(), usize::from(guest.context.index));
        domain.vgic.send_sgi(index, value, kind, &mut Port { domain, core: guest.core });
        if domain.vgic.has_work(index) {
            guest.context.refresh_interrupts(guest.core);
        }
        guest.registers.skip();
        return Next::Continue;
    }
    guest.count(ExitReason::Sysreg);
    let value = match register {
        (3, 0, 0, crm, op2) => read_id_register(crm, op2),
        // Debug registers, ACTLR_EL1, cache maintenance by set and way (which only firmware needs:
        // coherency is kept by address): read as zero, writes are ignored.
        (2, ..) | (3, 0, 1, 0, 1) | (1, 0, 7, _, 2) => 0,
        _ => return guest.undefined(),
    };
    if is_read {
        guest.registers.set(transfer, value);
    }
    guest.registers.skip();
    Next::Continue
}
