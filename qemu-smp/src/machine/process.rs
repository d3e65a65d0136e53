//! QEMU as a child that never outlives this command.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;

use crate::failure::{Code, Failure};
use crate::process::{Limit, capture, find_program};

/// Bytes read from the console at once.
const CHUNK: usize = 64 * 1024;

/// Chunks that wait to be looked at; then a flooding guest waits for us.
const WAITING: usize = 64;

/// How QEMU ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, successfully: the machine was switched off.
    Off,
    /// By itself, with an error or by a signal that is not ours.
    Failed(ExitStatus),
    /// It was still running and was killed.
    Killed,
}

/// A running QEMU. Dropping it ends it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    input: Sender<Vec<u8>>,
    output: Receiver<Vec<u8>>,
    errors: Receiver<String>,
}

impl Process {
    /// Starts QEMU. It is killed with the thread that calls this, so that has to be one that
    /// stays until the end of the run.
    pub fn start(program: &Path, arguments: &[OsString]) -> Result<Self, Failure> {
        let mut command = if dies_with_parent() {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let mut child = command
            .args(arguments)
            // Ctrl-C on the terminal is for this command, which then ends QEMU.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::new(Code::Failed, "cannot start QEMU").why(error.to_string()))?;
        let (output_to, output) = mpsc::sync_channel(WAITING);
        let (errors_to, errors) = mpsc::channel();
        if let Some(pipe) = child.stdout.take() {
            thread::spawn(move || read_chunks(pipe, &output_to));
        }
        if let Some(mut pipe) = child.stderr.take() {
            thread::spawn(move || {
                let mut text = Vec::new();
                let _ = pipe.read_to_end(&mut text);
                let _ = errors_to.send(String::from_utf8_lossy(&text).into_owned());
            });
        }
        let input = feed(child.stdin.take());
        Ok(Self { child, input, output, errors })
    }

    /// QEMU's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The serial line's output; disconnected when QEMU has ended.
    pub fn output(&self) -> &Receiver<Vec<u8>> {
        &self.output
    }

    /// Sends bytes to the serial line. They wait until the machine takes them.
    pub fn send(&self, bytes: Vec<u8>) {
        let _ = self.input.send(bytes);
    }

    /// Waits for QEMU, or kills it, and answers how it ended and what it complained about.
    pub fn end(&mut self) -> (Ending, String) {
        let ending = match self.child.try_wait() {
            Ok(Some(status)) => by_itself(status),
            _ => {
                let _ = self.child.kill();
                let _ = self.child.wait();
                Ending::Killed
            }
        };
        (ending, self.errors.recv().unwrap_or_default())
    }

    /// Waits for QEMU after its output has ended.
    pub fn wait(&mut self) -> (Ending, String) {
        let ending = match self.child.wait() {
            Ok(status) => by_itself(status),
            Err(_) => Ending::Killed,
        };
        (ending, self.errors.recv().unwrap_or_default())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn by_itself(status: ExitStatus) -> Ending {
    if status.success() { Ending::Off } else { Ending::Failed(status) }
}

/// Whether this host can tie QEMU's life to ours even if we are killed.
fn dies_with_parent() -> bool {
    let mut trial = Command::new("setpriv");
    trial.args(["--pdeathsig", "KILL", "--", "true"]);
    find_program("setpriv").is_some()
        && capture(&mut trial, Limit::None).is_ok_and(|finished| finished.status.success())
}

fn read_chunks(mut pipe: impl Read, to: &SyncSender<Vec<u8>>) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        let chunk = buffer.get(..length).unwrap_or_default().to_vec();
        if to.send(chunk).is_err() {
            return;
        }
    }
}

/// Writes to QEMU from a thread of its own: a guest that does not read must not stop this command.
fn feed(pipe: Option<ChildStdin>) -> Sender<Vec<u8>> {
    let (sender, chunks) = mpsc::channel::<Vec<u8>>();
    if let Some(mut pipe) = pipe {
        thread::spawn(move || {
            for chunk in chunks {
                if pipe.write_all(&chunk).and_then(|()| pipe.flush()).is_err() {
                    return;
                }
            }
        });
    }
    sender
}
