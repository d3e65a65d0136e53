//! The serial line taken apart: one console a domain and the kernel's, each with its log, the
//! texts that somebody waits for, and what a person sees.

pub mod attach;
mod lines;
pub mod live;
mod log;
#[cfg(test)]
mod tests;
mod watch;

use std::path::Path;

use domains::protocol::{Splitter, Tag};

pub use lines::{Lines, printable};
pub use log::Log;
pub use watch::Watch;

use crate::failure::Failure;
use crate::scenario::{KERNEL, Scenario};

/// One of the consoles: 0 is the kernel's, the domains' follow in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsoleId(pub usize);

impl ConsoleId {
    /// The kernel's.
    pub const KERNEL: Self = Self(0);

    /// The one with this name in a scenario.
    pub fn named(scenario: &Scenario, name: &str) -> Option<Self> {
        if name == KERNEL {
            return Some(Self::KERNEL);
        }
        let index = scenario.domains.iter().position(|domain| domain.name == name)?;
        Some(Self(index + 1))
    }

    /// Its tag on the line.
    pub fn tag(self) -> Tag {
        match self.0.checked_sub(1).and_then(|index| u8::try_from(index).ok()) {
            Some(index) => Tag::Domain(index),
            None => Tag::Kernel,
        }
    }
}

/// The names of all consoles.
pub fn names(scenario: &Scenario) -> Vec<String> {
    let domains = scenario.domains.iter().map(|domain| domain.name.clone());
    std::iter::once(KERNEL.to_owned()).chain(domains).collect()
}

/// Takes the line apart.
#[derive(Debug)]
pub struct Demultiplexer {
    splitter: Splitter,
    consoles: usize,
}

impl Demultiplexer {
    /// For this many consoles.
    pub fn new(consoles: usize) -> Self {
        Self { splitter: Splitter::new(), consoles }
    }

    /// The consoles' parts of the next bytes, in order. What is tagged for a domain that does not
    /// exist goes to the kernel's: it must not get lost.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<(ConsoleId, Vec<u8>)> {
        let mut parts: Vec<(ConsoleId, Vec<u8>)> = Vec::new();
        for &byte in bytes {
            let Some((tag, byte)) = self.splitter.push(byte) else {
                continue;
            };
            let id = match tag {
                Tag::Domain(index) if usize::from(index) + 1 < self.consoles => ConsoleId(usize::from(index) + 1),
                _ => ConsoleId::KERNEL,
            };
            match parts.last_mut() {
                Some((last, part)) if *last == id => part.push(byte),
                _ => parts.push((id, vec![byte])),
            }
        }
        parts
    }
}

/// Opens a log for each console.
pub fn logs(folder: &Path, names: &[String]) -> Result<Vec<Log>, Failure> {
    names.iter().map(|name| Log::create(folder.join(format!("{name}.log")))).collect()
}
