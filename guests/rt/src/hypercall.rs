//! Corral's own calls.

use crate::arch::{Conduit, call};
use crate::pack::pack;
use core::sync::atomic::{AtomicBool, Ordering};
use domains::protocol::ReportKey;
use domains::protocol::hypercall::{CONSOLE_WRITE, EXIT, IRQ_ENABLE, REPORT, UID_CALL, UID_WORDS};

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

/// Nothing can be done about a refusal: what matters is asserted by the host.
fn invoke(registers: [u64; 8]) {
    if is_present() {
        let _ = call(Conduit::Hvc, registers);
    }
}
