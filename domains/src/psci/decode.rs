//! From the registers of an HVC or SMC to the call that is meant.

use super::{Entry, PsciError, SUCCESS};
use crate::control::Answer;
use crate::protocol::hypercall;
use smccc::arch::{SMCCC_ARCH_FEATURES, SMCCC_VERSION};
use smccc::psci::{
    PSCI_AFFINITY_INFO_32, PSCI_AFFINITY_INFO_64, PSCI_CPU_OFF, PSCI_CPU_ON_32, PSCI_CPU_ON_64, PSCI_CPU_SUSPEND_32,
    PSCI_CPU_SUSPEND_64, PSCI_FEATURES, PSCI_MIGRATE_INFO_TYPE, PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET,
    PSCI_SYSTEM_RESET2_32, PSCI_SYSTEM_RESET2_64, PSCI_VERSION,
};

/// Which calls of stolen time there are (DEN 0057).
const PV_TIME_FEATURES: u32 = 0xC500_0020;
const PV_TIME_ST: u32 = 0xC500_0021;

/// Bit 30 of a function: its arguments have 64 bits.
const SMC64: u32 = 1 << 30;
/// Bits of CPU_SUSPEND's power_state that have to be 0 in the original format (DEN 0022, CPU_SUSPEND).
const POWER_STATE_RESERVED: u64 = 0xFCFE_0000;
/// MIGRATE_INFO_TYPE: there is no trusted OS that would have to be migrated.
const NO_MIGRATION: u64 = 2;

/// A call that only the kernel can carry out, and the value it answers then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Nothing is left to do: x0 to x3.
    Answer([u64; 4]),
    /// CPU_SUSPEND: wait for an interrupt, then answer [`SUCCESS`]. A power-down state may be
    /// entered as a standby state (DEN 0022, CPU_SUSPEND), so that entry and context do not matter.
    CpuSuspend,
    /// CPU_OFF: the calling context stops; does not return.
    CpuOff,
    /// CPU_ON of the context with these affinity fields, for [`super::context_of`]; none: `InvalidParameters`. An address
    /// that is not in the domain's memory: `InvalidAddress`.
    CpuOn(u64, Entry),
    /// AFFINITY_INFO of the context with these affinity fields: answers an [`super::AffinityState`]; none:
    /// `InvalidParameters`.
    AffinityInfo(u64),
    /// SYSTEM_OFF: the domain ends; does not return.
    SystemOff,
    /// SYSTEM_RESET, and SYSTEM_RESET2 of any type that exists; does not return.
    SystemReset,
    /// [`hypercall::CONSOLE_WRITE`]: x1 to x7, for [`hypercall::unpack`].
    ConsoleWrite([u64; 7]),
    /// [`hypercall::EXIT`] with this code; does not return.
    Exit(u64),
    /// [`hypercall::REPORT`] of a key, for [`crate::protocol::ReportKey::from_code`], and a value; none:
    /// `InvalidParameters`.
    Report(u64, u64),
    /// [`hypercall::IRQ_ENABLE`] of an interrupt below 32, with a priority as the GIC has it: lower is more urgent.
    IrqEnable(u8, u8),
    /// [`hypercall::CORES`].
    Cores,
    /// [`hypercall::CORE_REQUEST`].
    CoreRequest,
    /// [`hypercall::CORE_ANSWER`] about a context; not one of the domain's: `InvalidParameters`.
    CoreAnswer(u64, Answer),
    /// [`hypercall::CORE_ORDER`] of a core to a target, within so many milliseconds; either unknown: `InvalidParameters`.
    CoreOrder(u64, u64, u64),
    /// [`hypercall::GROUP`].
    Group,
    /// [`hypercall::HEARTBEAT`].
    Heartbeat,
    /// PV_TIME_ST (DEN 0057): answers the guest's address of the calling context's structure.
    PvTimeStructure,
}

/// The call in x0 to x7, or the error to answer.
#[inline(always)]
pub fn decode(registers: &[u64; 8]) -> Result<Call, PsciError> {
    // The function is in w0 (DEN 0028, register use); a 32-bit function's arguments are in w1 to w7, and
    // what the upper halves hold is nobody's business.
    let function = registers[0] as u32;
    let mask = if function & SMC64 == 0 { u64::from(u32::MAX) } else { u64::MAX };
    let [_, arguments @ ..] = registers.map(|register| register & mask);
    let [first, second, third, ..] = arguments;
    Ok(match function {
        PSCI_VERSION => answer(0x1_0001),
        PSCI_CPU_SUSPEND_32 | PSCI_CPU_SUSPEND_64 => valid(first & POWER_STATE_RESERVED == 0, Call::CpuSuspend)?,
        PSCI_CPU_OFF => Call::CpuOff,
        PSCI_CPU_ON_32 | PSCI_CPU_ON_64 => Call::CpuOn(first, Entry { address: second, context_id: third }),
        // Higher levels than 0 are optional since PSCI 1.0 (DEN 0022, AFFINITY_INFO).
        PSCI_AFFINITY_INFO_32 | PSCI_AFFINITY_INFO_64 => valid(second as u32 == 0, Call::AffinityInfo(first))?,
        PSCI_MIGRATE_INFO_TYPE => answer(NO_MIGRATION),
        PSCI_SYSTEM_OFF => Call::SystemOff,
        PSCI_SYSTEM_RESET => Call::SystemReset,
        // Type 0 is a warm reset, other architectural types do not exist, and the vendor's (bit 31) mean
        // a reset like any other here, since the vendor is us (DEN 0022, SYSTEM_RESET2).
        PSCI_SYSTEM_RESET2_32 | PSCI_SYSTEM_RESET2_64 => {
            valid(matches!(first as u32, 0 | 0x8000_0000..), Call::SystemReset)?
        }
        PSCI_FEATURES if has_function(first as u32) => answer(SUCCESS),
        SMCCC_VERSION => answer(0x1_0001),
        // No workaround for a CPU's errata is offered, so none is found.
        SMCCC_ARCH_FEATURES if matches!(first as u32, SMCCC_VERSION | SMCCC_ARCH_FEATURES | PV_TIME_FEATURES) => {
            answer(SUCCESS)
        }
        PV_TIME_FEATURES if matches!(first as u32, PV_TIME_FEATURES | PV_TIME_ST) => answer(SUCCESS),
        PV_TIME_ST => Call::PvTimeStructure,
        hypercall::UID_CALL => Call::Answer(hypercall::UID_WORDS.map(u64::from)),
        hypercall::REVISION_CALL => {
            let version = hypercall::INTERFACE_VERSION;
            Call::Answer([u64::from(version >> 16), u64::from(version & 0xffff), 0, 0])
        }
        hypercall::GROUP => Call::Group,
        hypercall::HEARTBEAT => Call::Heartbeat,
        hypercall::VERSION => answer(u64::from(hypercall::INTERFACE_VERSION)),
        hypercall::CONSOLE_WRITE => Call::ConsoleWrite(arguments),
        hypercall::EXIT => Call::Exit(first),
        hypercall::REPORT => Call::Report(first, second),
        hypercall::IRQ_ENABLE => match (u8::try_from(first), u8::try_from(second)) {
            (Ok(interrupt @ 0..32), Ok(priority)) => Call::IrqEnable(interrupt, priority),
            _ => return Err(PsciError::InvalidParameters),
        },
        hypercall::CORES => Call::Cores,
        hypercall::CORE_REQUEST => Call::CoreRequest,
        hypercall::CORE_ANSWER => match second {
            hypercall::CORE_BUSY => Call::CoreAnswer(first, Answer::Busy),
            hypercall::CORE_REFUSED => Call::CoreAnswer(first, Answer::Refused),
            _ => return Err(PsciError::InvalidParameters),
        },
        hypercall::CORE_ORDER => Call::CoreOrder(first, second, third),
        _ => return Err(PsciError::NotSupported),
    })
}

fn answer(x0: u64) -> Call {
    Call::Answer([x0, 0, 0, 0])
}

fn valid(arguments: bool, call: Call) -> Result<Call, PsciError> {
    if arguments { Ok(call) } else { Err(PsciError::InvalidParameters) }
}

/// What PSCI_FEATURES (DEN 0022) asks: whether a function of PSCI, or SMCCC_VERSION, exists here. None has a feature flag
/// set: CPU_SUSPEND takes the original format of the power state, and the platform coordinates.
#[inline(never)]
fn has_function(function: u32) -> bool {
    let is_power_call = function & !(SMC64 | 0x1f) == PSCI_VERSION;
    matches!(function, PSCI_FEATURES | SMCCC_VERSION)
        || is_power_call && decode(&[function.into(), 0, 0, 0, 0, 0, 0, 0]).is_ok()
}
