//! Corral's own calls.

use crate::arch::{Conduit, call, call_wide};
use crate::pack::pack;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use domains::control::Wish;
use domains::protocol::ReportKey;
use domains::protocol::hypercall::{
    CONSOLE_WRITE, CORE_ANSWER, CORE_BUSY, CORE_ORDER, CORE_REFUSED, CORE_REQUEST, CORES, EXIT, GROUP, HEARTBEAT,
    IRQ_ENABLE, REPORT, TO_OFF, TO_POOL, UID_CALL, UID_WORDS,
};

pub use domains::manifest::Role;
pub use domains::protocol::hypercall::CORE_REQUEST_SGI;

static PRESENT: AtomicBool = AtomicBool::new(false);

/// Asks whose hypercalls these are. To be called once, before all others.
pub fn discover() {
    let uid = call(Conduit::Hvc, [u64::from(UID_CALL), 0, 0, 0, 0, 0, 0, 0]);
    let is_ours = uid.is_ok_and(|words| words == UID_WORDS.map(u64::from));
    PRESENT.store(is_ours, Ordering::Relaxed);
}

/// Whether Corral is there; else this is a board of another make, which only has PSCI.
pub fn is_present() -> bool {
    PRESENT.load(Ordering::Relaxed)
}

/// Writes at most [`CONSOLE_WRITE_MAX`](domains::protocol::hypercall::CONSOLE_WRITE_MAX) bytes.
pub fn console_write(bytes: &[u8]) {
    let [x1, x2, x3, x4, x5, x6, x7] = pack(bytes);
    invoke([u64::from(CONSOLE_WRITE), x1, x2, x3, x4, x5, x6, x7]);
}

/// Tells the host a number.
pub fn report(key: ReportKey, value: u64) {
    invoke([u64::from(REPORT), key as u64, value, 0, 0, 0, 0, 0]);
}

/// Enables a private interrupt of this context: number below 32, priority (lower is more urgent).
pub fn enable_interrupt(interrupt: u32, priority: u8) {
    let [interrupt, priority] = [u64::from(interrupt), u64::from(priority)];
    invoke([u64::from(IRQ_ENABLE), interrupt, priority, 0, 0, 0, 0, 0]);
}

/// Ends the domain; returns only where Corral is not.
pub fn exit(code: u64) {
    invoke([u64::from(EXIT), code, 0, 0, 0, 0, 0, 0]);
}

/// The domain's cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cores {
    /// Those that it has.
    pub owned: u64,
    /// Those that it may have.
    pub granted: u64,
    /// Its contexts that are on; more than `owned` if some are folded.
    pub contexts_on: u64,
}

/// How many cores the domain has, and contexts; all 0 where Corral is not.
pub fn cores() -> Cores {
    match invoke([u64::from(CORES), 0, 0, 0, 0, 0, 0, 0]) {
        [0, owned, granted, contexts_on] => Cores { owned, granted, contexts_on },
        _ => Cores::default(),
    }
}

/// What Corral asks of the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// This context is to go off: CPU_OFF, or [`core_answer`].
    Offline(usize),
    /// There is a core for this context: CPU_ON.
    Online(usize),
}

/// Takes the next request; to be called until there is none, by context 0, which [`CORE_REQUEST_SGI`] tells.
pub fn core_request() -> Option<Request> {
    const OFFLINE: u64 = Wish::Offline as u64;
    const ONLINE: u64 = Wish::Online as u64;
    match invoke([u64::from(CORE_REQUEST), 0, 0, 0, 0, 0, 0, 0]) {
        [0, OFFLINE, context, _] => Some(Request::Offline(context as usize)),
        [0, ONLINE, context, _] => Some(Request::Online(context as usize)),
        _ => None,
    }
}

/// Why a context does not go off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reluctance {
    /// Not now.
    Busy,
    /// Not at all.
    Refused,
}

/// Answers an offline request that is not obeyed: 0, or an error of [`crate::psci::error`].
pub fn core_answer(context: usize, why: Reluctance) -> i64 {
    let why = match why {
        Reluctance::Busy => CORE_BUSY,
        Reluctance::Refused => CORE_REFUSED,
    };
    let [answer, ..] = invoke([u64::from(CORE_ANSWER), context as u64, why, 0, 0, 0, 0, 0]);
    answer as i64
}

/// Where a core is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// The domain with this index in the manifest.
    Domain(u16),
    /// The pool of idle cores.
    Pool,
    /// Nowhere: it is switched off.
    Off,
}

/// Orders a core to go to another holder, in a domain that may: 0 once it is accepted, or an error of
/// [`crate::psci::error`].
pub fn core_order(core: u64, to: Receiver, deadline_ms: u64) -> i64 {
    let to = match to {
        Receiver::Domain(index) => u64::from(index),
        Receiver::Pool => TO_POOL,
        Receiver::Off => TO_OFF,
    };
    let [answer, ..] = invoke([u64::from(CORE_ORDER), core, to, deadline_ms, 0, 0, 0, 0]);
    answer as i64
}

/// The domain's place in its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// What it is.
    pub role: Role,
    /// The group's epoch.
    pub epoch: u32,
    /// The addresses of the group's region, none if it has none; see [`crate::region`].
    pub region: Range<u64>,
    /// How long the domain may go without a [`heartbeat`].
    pub deadline_ms: u64,
}

/// The domain's place in its group, if it is in one.
pub fn group() -> Option<Membership> {
    membership(GROUP)
}

/// Tells that the domain lives, and what it is. The first heartbeat of a standby says that it is ready to take over,
/// the first one after a promotion that it serves.
pub fn heartbeat() -> Option<Membership> {
    membership(HEARTBEAT)
}

fn membership(function: u32) -> Option<Membership> {
    if !is_present() {
        return None;
    }
    let answer = call_wide(Conduit::Hvc, [u64::from(function), 0, 0, 0, 0, 0, 0, 0]);
    let Ok([0, role, epoch, base, bytes, deadline_ms, ..]) = answer else { return None };
    let region = base..base.checked_add(bytes)?;
    Some(Membership { role: Role::from_code(role)?, epoch: epoch as u32, region, deadline_ms })
}

/// x0 to x3 of the answer; NOT_SUPPORTED where Corral is not. Most callers drop it: nothing can be done about a
/// refusal, and what matters is asserted by the host.
fn invoke(registers: [u64; 8]) -> [u64; 4] {
    const ABSENT: [u64; 4] = [crate::psci::error::NOT_SUPPORTED as i64 as u64, 0, 0, 0];
    if !is_present() {
        return ABSENT;
    }
    call(Conduit::Hvc, registers).unwrap_or(ABSENT)
}
