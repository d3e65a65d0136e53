//! A machine on which nothing is broken: whoever is replaced there had been found to have failed without a reason.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::starved::{Share, Starved};
use crate::failure::Failure;

/// What is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calm {
    /// It is looked at for so long, once the service is there and has a standby.
    pub time: Duration,
    /// So many threads compute beside QEMU, on the one host core that it may run on.
    pub host_load: Option<u16>,
}

/// What was seen, beside false alarms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Watched {
    /// For how long it was looked at.
    pub elapsed_ms: u64,
    /// The longest time between two lines that acknowledged records, as this host saw them.
    pub longest_pause_ms: u64,
    /// What the machine had of its host core.
    pub host: Option<Share>,
}

/// Looks at a machine.
#[derive(Debug)]
pub struct Watch {
    calm: Calm,
    starved: Option<Starved>,
    /// When the service was there with a standby, and when it acknowledged a record at last.
    since: Option<(Instant, Instant)>,
    longest_pause: Duration,
    alarms: Vec<String>,
}

impl Watch {
    /// There is no machine yet.
    pub fn new(calm: Calm) -> Self {
        Self { calm, starved: None, since: None, longest_pause: Duration::ZERO, alarms: Vec::new() }
    }

    /// QEMU was started as this process.
    pub fn started(&mut self, process: u32) -> Result<(), Failure> {
        self.starved = self.calm.host_load.map(|threads| Starved::begin(process, threads)).transpose()?;
        Ok(())
    }

    /// The service is there, and has a standby.
    pub fn begin(&mut self) {
        let now = Instant::now();
        self.since = Some((now, now));
        self.starved.iter_mut().for_each(Starved::begin_count);
    }

    /// A record was acknowledged.
    pub fn record(&mut self) {
        if let Some((_, last)) = &mut self.since {
            let now = Instant::now();
            self.longest_pause = self.longest_pause.max(now - *last);
            *last = now;
        }
    }

    /// The kernel's log says that a member was found to have failed, or that another one serves.
    pub fn alarm(&mut self, text: &str) {
        self.alarms.push(text.to_owned());
    }

    /// All of them.
    pub fn alarms(&self) -> &[String] {
        &self.alarms
    }

    /// Looks at the host. Whether the time is over.
    pub fn look(&mut self) -> bool {
        self.starved.iter_mut().for_each(Starved::look);
        self.since.is_some_and(|(since, _)| since.elapsed() >= self.calm.time)
    }

    /// What was seen.
    pub fn watched(&self) -> Option<Watched> {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (since, last) = self.since?;
        Some(Watched {
            elapsed_ms: milliseconds(since.elapsed()),
            longest_pause_ms: milliseconds(self.longest_pause.max(last.elapsed())),
            host: self.starved.as_ref().and_then(Starved::share),
        })
    }
}
