//! The end of a run: by verdict, or because the kernel itself cannot go on.

use crate::platform::firmware;
use crate::{boot, console};
use core::fmt;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use domains::protocol::{RUN_MODULE, VERDICT_FAIL};

/// The kernel cannot go on: says why, gives the failing verdict and ends the machine. A failure
/// on the way there, or on another core, ends it without more words.
pub fn stop(why: fmt::Arguments<'_>) -> ! {
    static STOPPING: AtomicBool = AtomicBool::new(false);
    if !STOPPING.swap(true, Ordering::Relaxed) {
        console::last_words(format_args!("panic: {why} build={}", env!("CARGO_PKG_VERSION")));
        console::last_words(format_args!("{RUN_MODULE}: {VERDICT_FAIL}"));
    }
    firmware::system_off(boot::conduit())
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(place) => stop(format_args!("{} at {place}", info.message())),
        None => stop(format_args!("{}", info.message())),
    }
}
