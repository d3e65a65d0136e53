//! What the checks of an act add up to; any context may check.

use core::fmt::{Debug, Display};
use core::sync::atomic::{AtomicU64, Ordering};
use domains::protocol::ReportKey;
use rt::hypercall::report;
use rt::println;

static PASSED: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);

/// Counts a check and says how it went.
pub fn check(name: impl Display, ok: bool) {
    if ok {
        PASSED.fetch_add(1, Ordering::Relaxed);
        println!("rogue: check {name} ok");
    } else {
        FAILED.fetch_add(1, Ordering::Relaxed);
        println!("rogue: check {name} FAILED");
    }
}

/// A check of one value.
pub fn equal<T: PartialEq + Debug>(name: impl Display, got: T, expected: T) {
    if got == expected {
        check(name, true);
    } else {
        check(format_args!("{name} (got {got:x?}, not {expected:x?})"), false);
    }
}

/// Says and reports the sums; the exit code that follows.
pub fn conclude() -> u64 {
    let passed = PASSED.load(Ordering::Relaxed);
    let failed = FAILED.load(Ordering::Relaxed);
    println!("rogue: passed={passed} failed={failed}");
    report(ReportKey::Passed, passed);
    report(ReportKey::Failed, failed);
    u64::from(failed != 0 || passed == 0)
}
