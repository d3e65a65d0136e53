//! The user's terminal as a domain's console.

use std::io::{self, IsTerminal, Read, Write, stdin, stdout};
use std::panic;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crossterm::terminal;

use super::ConsoleId;
use crate::failure::{Code, Failure};

/// Ctrl-], as in telnet.
const LEAVE: u8 = 0x1d;

/// What the user typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Input for the domain.
    Bytes(Vec<u8>),
    /// The wish to leave.
    Leave,
}

/// The terminal in raw mode. Dropping it restores the terminal, a panic does too.
#[derive(Debug)]
pub struct Attachment {
    console: ConsoleId,
    typed: Receiver<Typed>,
}

impl Attachment {
    /// Connects the terminal to a console.
    pub fn new(console: ConsoleId, name: &str) -> Result<Self, Failure> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return Err(Failure::new(Code::Usage, "--attach needs a terminal")
                .why("standard input or output is something else")
                .remedy("leave --attach out; scenarios can type by [[event]] instead"));
        }
        println!("Connected to {name}; Ctrl-] leaves and ends the machine.");
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            let _ = terminal::disable_raw_mode();
            earlier(information);
        }));
        terminal::enable_raw_mode()
            .map_err(|error| Failure::new(Code::Failed, "cannot take over the terminal").why(error.to_string()))?;
        let (sender, typed) = mpsc::channel();
        // It ends with this command: there is no way to interrupt a read of the terminal.
        thread::spawn(move || {
            let mut buffer = [0; 256];
            while let Ok(length @ 1..) = stdin().read(&mut buffer) {
                for typed in split(buffer.get(..length).unwrap_or_default()) {
                    if sender.send(typed).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Self { console, typed })
    }

    /// The console that the terminal is connected to.
    pub fn console(&self) -> ConsoleId {
        self.console
    }

    /// What was typed since the last call.
    pub fn typed(&self) -> impl Iterator<Item = Typed> {
        self.typed.try_iter()
    }

    /// Shows the console's output as it is.
    pub fn show(&self, bytes: &[u8]) {
        let mut output = stdout().lock();
        let _ = output.write_all(bytes).and_then(|()| output.flush());
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let _ = terminal::disable_raw_mode();
        let _: io::Result<()> = writeln!(stdout());
    }
}

/// Input up to the key that leaves.
fn split(bytes: &[u8]) -> Vec<Typed> {
    let mut parts = bytes.splitn(2, |&byte| byte == LEAVE);
    let mut typed = Vec::new();
    if let Some(input) = parts.next().filter(|input| !input.is_empty()) {
        typed.push(Typed::Bytes(input.to_vec()));
    }
    if parts.next().is_some() {
        typed.push(Typed::Leave);
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::{Typed, split};

    #[test]
    fn leaving_comes_after_what_was_typed_before() {
        assert_eq!(split(b"ls\r"), [Typed::Bytes(b"ls\r".to_vec())]);
        assert_eq!(split(b"a\x1db"), [Typed::Bytes(b"a".to_vec()), Typed::Leave]);
        assert_eq!(split(b"\x1d"), [Typed::Leave]);
    }
}
