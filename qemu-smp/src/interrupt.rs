//! Ctrl-C, SIGTERM and SIGHUP as a flag that every loop of this command looks at.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Takes over the signals. Without them (a handler exists already) the command still works, but
/// dies at once.
pub fn install() {
    let _ = ctrlc::set_handler(request);
}

/// Asks for the end, as a signal does.
pub fn request() {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// Whether somebody asked for the end.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Fails if somebody asked for the end.
pub fn check() -> Result<(), Failure> {
    if requested() {
        return Err(Failure::interrupted());
    }
    Ok(())
}
