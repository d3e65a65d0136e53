//! What the command tells a user when it cannot go on: what failed, why, and what to do about it.

use std::fmt;
use std::io;
use std::path::Path;

/// The exit codes of `corral`. Scripts depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// A build, the machine or a test failed.
    Failed = 1,
    /// The command line or a scenario is wrong.
    Usage = 2,
    /// Something that the set-up provides is missing.
    Setup = 3,
    /// The run took longer than it may.
    TimedOut = 4,
    /// The user or a signal ended the run.
    Interrupted = 130,
}

impl Code {
    /// The code with which another command of ours ended; none if it succeeded.
    pub fn from_status(status: Option<i32>) -> Option<Self> {
        match status {
            Some(0) => None,
            Some(2) => Some(Self::Usage),
            Some(3) => Some(Self::Setup),
            Some(4) => Some(Self::TimedOut),
            Some(130) => Some(Self::Interrupted),
            _ => Some(Self::Failed),
        }
    }
}

/// One failure, complete enough to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code that it leads to.
    pub code: Code,
    /// `file:line:column`, for what is wrong in a file of the user.
    place: Option<String>,
    what: String,
    why: Option<String>,
    remedy: Option<String>,
}

impl Failure {
    /// A failure of which only the fact is known yet.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, place: None, what: what.into(), why: None, remedy: None }
    }

    /// The user, or a signal, wants to stop.
    pub fn interrupted() -> Self {
        Self::new(Code::Interrupted, "interrupted")
    }

    /// A file operation that failed; `doing` reads like `cannot write`.
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(Code::Failed, format!("{doing} {}", path.display())).why(error.to_string())
    }

    /// Adds the place in a file; editors find it in the message.
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Adds the cause.
    pub fn why(mut self, why: impl Into<String>) -> Self {
        let why = why.into();
        self.why = (!why.trim().is_empty()).then_some(why);
        self
    }

    /// Adds what the user can do.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(out, "{place}: {}", self.what)?,
            None => write!(out, "error: {}", self.what)?,
        }
        for (label, text) in [("why", &self.why), ("do", &self.remedy)] {
            let Some(text) = text else { continue };
            let indented = text.trim_end().replace('\n', "\n       ");
            write!(out, "\n  {label:>3}: {indented}")?;
        }
        Ok(())
    }
}
