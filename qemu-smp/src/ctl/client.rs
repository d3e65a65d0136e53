//! The other end of the control socket.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::reply::{MODULE, Reply};
use super::socket;
use crate::console::Lines;
use crate::failure::{Code, Failure};
use crate::machine::LiveRun;

/// A connection to a run.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    lines: Lines,
}

impl Client {
    /// Connects to a run.
    pub fn connect(run: &LiveRun) -> Result<Self, Failure> {
        let stream = socket::at(&run.path, |path| UnixStream::connect(path)).map_err(|error| {
            // Between its last words and its end a run does not listen, nor before it has begun.
            Failure::new(Code::Setup, format!("the run {} takes no orders", run.name)).why(error.to_string())
        })?;
        Ok(Self { stream, lines: Lines::default() })
    }

    /// Gives an order.
    pub fn send(&mut self, order: &str) -> Result<(), Failure> {
        let sent = self.stream.write_all(format!("{order}\n").as_bytes());
        sent.map_err(|error| ended().why(error.to_string()))
    }

    /// The answers that came, waiting up to so long for some.
    pub fn replies(&mut self, wait: Duration) -> Result<Vec<Reply>, Failure> {
        let failed = |error: std::io::Error| ended().why(error.to_string());
        // No time at all would mean to wait for ever.
        self.stream.set_read_timeout(Some(wait.max(Duration::from_millis(1)))).map_err(failed)?;
        let mut buffer = [0; 16 << 10];
        let length = match self.stream.read(&mut buffer) {
            Ok(0) => return Err(ended()),
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(error) => return Err(failed(error)),
        };
        let mut replies = Vec::new();
        self.lines.push(buffer.get(..length).unwrap_or_default(), |line| {
            let text = line.strip_prefix(MODULE).and_then(|line| line.strip_prefix(": "));
            replies.extend(text.and_then(Reply::parse));
        });
        Ok(replies)
    }
}

fn ended() -> Failure {
    Failure::new(Code::Failed, "the run ended before the order was over")
}
