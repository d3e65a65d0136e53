//! Running a helper program to its end, with its output as lines and Ctrl-C in mind.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Code, Failure};
use crate::interrupt;

/// How often a wait looks for Ctrl-C.
const POLL: Duration = Duration::from_millis(50);

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
}

/// What a program left.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

/// A limit on how long a program may take.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// As long as it needs.
    None,
    /// Then it is killed and [`Code::TimedOut`] reported.
    After(Duration),
}

/// Runs a program to its end and keeps its output.
pub fn capture(command: &mut Command, limit: Limit) -> Result<Finished, Failure> {
    stream(command, limit, |_, _| {})
}

/// Runs a program to its end, shows every line to `on_line`, and keeps them all.
pub fn stream(command: &mut Command, limit: Limit, mut on_line: impl FnMut(Stream, &str)) -> Result<Finished, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_start(&name, &error.to_string()))?;
    let (sender, lines) = mpsc::channel();
    forward(child.stdout.take(), Stream::Out, &sender);
    forward(child.stderr.take(), Stream::Error, &sender);
    drop(sender);

    let started = Instant::now();
    let (mut output, mut errors) = (String::new(), String::new());
    loop {
        match lines.recv_timeout(POLL) {
            Ok((stream, line)) => {
                on_line(stream, line.trim_end_matches('\n'));
                match stream {
                    Stream::Out => output.push_str(&line),
                    Stream::Error => errors.push_str(&line),
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if interrupt::requested() {
            end(&mut child);
            return Err(Failure::interrupted());
        }
        if matches!(limit, Limit::After(limit) if started.elapsed() > limit) {
            end(&mut child);
            return Err(Failure::new(Code::TimedOut, format!("{name} took longer than {:.0?}", started.elapsed())));
        }
    }
    let status = child.wait().map_err(|error| cannot_start(&name, &error.to_string()))?;
    Ok(Finished { status, output, errors })
}

fn cannot_start(name: &str, why: &str) -> Failure {
    Failure::new(Code::Failed, format!("cannot run {name}")).why(why)
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn forward(pipe: Option<impl Read + Send + 'static>, stream: Stream, to: &Sender<(Stream, String)>) {
    let Some(pipe) = pipe else { return };
    let to = to.clone();
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(pipe.read_until(b'\n', &mut line), Ok(length) if length > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if to.send((stream, text)).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// Where a program is found, as a shell would.
pub fn find_program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The last lines of a program's output, for an error message.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = all.len().saturating_sub(lines);
    all.get(from..).unwrap_or_default().join("\n")
}
