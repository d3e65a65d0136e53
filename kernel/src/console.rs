//! The machine's UART, shared by the kernel's log and the consoles of all domains.
//!
//! Bytes go out at once, marked with their sender wherever it changes (`domains::protocol`), so
//! nothing is lost when something breaks. The lock is fair: a domain that floods its console
//! delays others by one burst at most.

use crate::arch::core_local::CoreLocal;
use crate::arch::timer;
use crate::platform::uart::Uart;
use core::fmt::{self, Write};
use domains::protocol::{LogStamp, Mux, Splitter, Tag};
use log::{LevelFilter, Log, Metadata, Record};
use smp::lock::SpinLock;
use spin::Once;

struct Output {
    uart: Uart,
    mux: Mux,
}

impl Output {
    fn write(&mut self, tag: Tag, bytes: &[u8]) {
        self.mux.write(tag, bytes, |byte| self.uart.send(byte));
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(Tag::Kernel, text.as_bytes());
        Ok(())
    }
}

static UART: Once<Uart> = Once::new();
static OUTPUT: Once<SpinLock<Output>> = Once::new();
static INPUT: SpinLock<Splitter> = SpinLock::new(Splitter::new());

/// Takes the UART and makes it the log's sink.
pub fn start(uart: Uart) {
    uart.start();
    UART.call_once(|| uart);
    OUTPUT.call_once(|| SpinLock::new(Output { uart, mux: Mux::default() }));
    let _ = log::set_logger(&Logger).map(|()| log::set_max_level(LevelFilter::Info));
}

/// Sends a domain's bytes.
pub fn write(tag: Tag, bytes: &[u8]) {
    if let Some(output) = OUTPUT.get() {
        output.lock().write(tag, bytes);
    }
}

/// Hands what was received to `take`, byte by byte, each with the domain that it is meant for.
pub fn receive(mut take: impl FnMut(Tag, u8)) {
    let Some(uart) = UART.get() else { return };
    let mut splitter = INPUT.lock();
    uart.acknowledge();
    while let Some(byte) = uart.receive() {
        if let Some((tag, byte)) = splitter.push(byte) {
            take(tag, byte);
        }
    }
}

/// Writes a line of the dying kernel, past the lock, which may be held for ever: mixed-up bytes
/// are better than none.
pub fn last_words(text: fmt::Arguments<'_>) {
    if let Some(uart) = UART.get() {
        let _ = write!(Output { uart: *uart, mux: Mux::default() }, "\n{} {text}\n", stamp());
    }
}

fn stamp() -> LogStamp {
    let ticks = u128::from(timer::now());
    let microseconds = ticks.wrapping_mul(1_000_000).checked_div(timer::frequency().into()).unwrap_or(0) as u64;
    LogStamp { microseconds, core: CoreLocal::this().map_or(0, |core| core.id.index() as u16) }
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(output) = OUTPUT.get() {
            let _ = writeln!(output.lock(), "{} {}: {}", stamp(), record.target(), record.args());
        }
    }

    fn flush(&self) {}
}
