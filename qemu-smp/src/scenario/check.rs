//! What the host checks of a scenario by itself: the machine, names that refer to something,
//! events and assertions.

use std::fmt;

use domains::manifest::{InjectedFault, Words};
use domains::protocol::ReportKey;
use smp::trace::ExitReason;

use super::failover::{ON_NOW, ON_PROMOTION};
use super::{Assert, Fault, KERNEL, Scenario, Source, Step, When};
use crate::failure::Failure;
use crate::units::Time;

/// QEMU's limit for the `virt` machine with GICv3.
const MAX_CORES: u32 = 512;

/// Less does not hold the kernel and a domain.
const MIN_MEMORY: u64 = 64 << 20;

/// What has to be true after the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// The domain's name, or [`KERNEL`].
    pub domain: String,
    /// What is expected of it.
    pub expectation: Expectation,
}

/// What is expected of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// The text appears on its console.
    Console(String),
    /// The text never appears on its console.
    Absent(String),
    /// A number lies in this range.
    Metric {
        /// What the number is.
        metric: Metric,
        /// The smallest that passes.
        min: u64,
        /// The largest that passes.
        max: u64,
    },
}

/// A number about a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// One that the guest reported.
    Reported(ReportKey),
    /// How often it was started.
    Boots,
    /// How often its contexts left for EL2: in all, or for one reason.
    Exits(Option<ExitReason>),
}

impl Metric {
    /// The metric that [`Display`](fmt::Display) shows as `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "boots" => Some(Self::Boots),
            "exits" => Some(Self::Exits(None)),
            _ => match name.strip_prefix("exits-") {
                Some(reason) => {
                    ExitReason::ALL.into_iter().find(|it| it.name() == reason).map(|it| Self::Exits(Some(it)))
                }
                None => ReportKey::from_name(name).map(Self::Reported),
            },
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported(key) => key.fmt(out),
            Self::Boots => out.write_str("boots"),
            Self::Exits(None) => out.write_str("exits"),
            Self::Exits(Some(reason)) => write!(out, "exits-{}", reason.name()),
        }
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = &self.domain;
        match &self.expectation {
            Expectation::Console(text) => write!(out, "{domain}: console says {text:?}"),
            Expectation::Absent(text) => write!(out, "{domain}: console never says {text:?}"),
            Expectation::Metric { metric, min, max } => match (*min, *max) {
                (min, max) if min == max => write!(out, "{domain}: {metric} = {min}"),
                (0, max) => write!(out, "{domain}: {metric} <= {max}"),
                (min, u64::MAX) => write!(out, "{domain}: {metric} >= {min}"),
                (min, max) => write!(out, "{domain}: {min} <= {metric} <= {max}"),
            },
        }
    }
}

impl Scenario {
    /// The assertions in the order of the file.
    pub fn assertions(&self) -> Vec<Assertion> {
        self.assertions.iter().filter_map(|assert| assert.meaning().ok()).collect()
    }

    /// Checks what [`super`] names; the first error found is the answer.
    pub(super) fn check(&self, source: &Source) -> Result<(), Failure> {
        use Step::{Index, Key};
        let cores = self.machine.cores;
        if !(1..=MAX_CORES).contains(&cores) {
            let message = format!("machine: cores = {cores}: not between 1 and {MAX_CORES}");
            return Err(source.error(&[Key("machine"), Key("cores")], message));
        }
        if let Some(index) = self.machine.absent_cores.iter().find(|index| !(1..cores).contains(*index)) {
            let message = format!("machine: absent-cores: {index}: not between 1 and {}", cores.saturating_sub(1));
            return Err(source.error(&[Key("machine"), Key("absent-cores")], message));
        }
        if self.machine.memory.0 < MIN_MEMORY {
            let message = format!("machine: memory = {}: less than 64MiB", self.machine.memory);
            return Err(source.error(&[Key("machine"), Key("memory")], message));
        }
        for (index, domain) in self.domains.iter().enumerate() {
            if domain.name == KERNEL {
                let message = "domain kernel: this name stands for the kernel itself";
                return Err(source.error(&[Key("domain"), Index(index), Key("name")], message));
            }
        }
        for (index, event) in self.events.iter().enumerate() {
            let error = |key, message: String| {
                let path = [Key("event"), Index(index), Key(key)];
                Err(source.error(&path, format!("event {}: {message}", index + 1)))
            };
            if let Err((key, message)) = self.check_trigger(event.at, event.when.as_ref()) {
                return error(key, message);
            }
            match (&event.input, &event.order) {
                (Some(input), None) if !self.has(&input.domain) => {
                    return error("input", format!("there is no domain {}", input.domain));
                }
                (None, Some(order)) if order.trim().is_empty() || order.contains(|it: char| !is_typable(it)) => {
                    return error("order", format!("order = {order:?}: not one line of ASCII text"));
                }
                (Some(_), None) | (None, Some(_)) => {}
                (Some(_), Some(_)) => return error("order", "has `input` already".into()),
                (None, None) => return error("input", "neither `input` nor `order`".into()),
            }
        }
        for (index, fault) in self.faults.iter().enumerate() {
            if let Err((key, message)) = self.check_fault(fault) {
                let path = [Key("fault"), Index(index), Key(key)];
                return Err(source.error(&path, format!("fault {}: {message}", index + 1)));
            }
        }
        for (index, assert) in self.assertions.iter().enumerate() {
            let error = |key, message: String| {
                let path = [Key("assert"), Index(index), Key(key)];
                Err(source.error(&path, format!("assert {}: {message}", index + 1)))
            };
            if !self.has(&assert.domain) {
                return error("domain", format!("there is no domain {}", assert.domain));
            }
            if let Err((key, message)) = assert.meaning() {
                return error(key, message);
            }
        }
        Ok(())
    }

    /// Exactly one of the two; otherwise the key that is wrong, and why.
    fn check_trigger(&self, at: Option<Time>, when: Option<&When>) -> Result<(), (&'static str, String)> {
        match (at, when) {
            (None, Some(when)) if !self.has(&when.domain) => {
                Err(("when", format!("there is no domain {}", when.domain)))
            }
            (None, Some(when)) if when.console.is_empty() => {
                Err(("when", "console = \"\": an empty text is always there".into()))
            }
            (Some(_), None) | (None, Some(_)) => Ok(()),
            (Some(_), Some(_)) => Err(("when", "has `at` already".into())),
            (None, None) => Err(("at", "neither `at` nor `when`".into())),
        }
    }

    fn check_fault(&self, fault: &Fault) -> Result<(), (&'static str, String)> {
        self.check_trigger(fault.at, fault.when.as_ref())?;
        let (domain, kind) = (&fault.domain, &fault.kind);
        if !self.domains.iter().any(|known| known.name == *domain) {
            return Err(("domain", format!("there is no domain {domain}")));
        }
        if InjectedFault::from_name(kind).is_none() {
            return Err(("kind", format!("kind = \"{kind}\": not one of{}", Words(&InjectedFault::NAMES))));
        }
        match fault.on.as_deref() {
            None | Some(ON_NOW) => Ok(()),
            Some(ON_PROMOTION) if self.groups.iter().any(|group| group.members.contains(domain)) => Ok(()),
            Some(ON_PROMOTION) => Err(("on", format!("on = \"{ON_PROMOTION}\": {domain} is in no group"))),
            Some(other) => Err(("on", format!("on = \"{other}\": not one of{}", Words(&[ON_NOW, ON_PROMOTION])))),
        }
    }

    fn has(&self, name: &str) -> bool {
        name == KERNEL || self.domains.iter().any(|domain| domain.name == name)
    }
}

/// Whether it can be in a line for the kernel's monitor.
fn is_typable(character: char) -> bool {
    character == ' ' || character.is_ascii_graphic()
}

impl Assert {
    /// What it means, or the key that makes no sense and why.
    fn meaning(&self) -> Result<Assertion, (&'static str, String)> {
        let expectation = match (&self.console, &self.absent, &self.metric) {
            (Some(text), None, None) => Expectation::Console(text.clone()),
            (None, Some(text), None) => Expectation::Absent(text.clone()),
            (None, None, Some(name)) => self.metric(name)?,
            _ => {
                let message = "exactly one of `console`, `absent` and `metric` has to be there";
                return Err(("domain", message.to_owned()));
            }
        };
        let bounds = [("min", self.min), ("max", self.max), ("equals", self.equals)];
        let is_metric = matches!(expectation, Expectation::Metric { .. });
        if let Some((key, _)) = bounds.iter().find(|(_, bound)| bound.is_some() && !is_metric) {
            return Err((key, format!("`{key}` means nothing without `metric`")));
        }
        if matches!(&expectation, Expectation::Console(text) | Expectation::Absent(text) if text.is_empty()) {
            return Err(("domain", "an empty text is always there".to_owned()));
        }
        Ok(Assertion { domain: self.domain.clone(), expectation })
    }

    fn metric(&self, name: &str) -> Result<Expectation, (&'static str, String)> {
        let metric = Metric::from_name(name).ok_or_else(|| {
            let message = format!(
                "metric = \"{name}\": not one of missed, ticks, worst-lateness-ns, \
                 mean-lateness-ns, passed, failed, user-N, boots, exits, exits-REASON"
            );
            ("metric", message)
        })?;
        let (min, max) = match (self.min, self.max, self.equals) {
            (None, None, Some(value)) => (value, value),
            (None, None, None) => {
                return Err(("metric", "`min`, `max` or `equals` has to be there".to_owned()));
            }
            (_, _, Some(_)) => {
                return Err(("equals", "leaves no room for `min` and `max`".to_owned()));
            }
            (min, max, None) => (min.unwrap_or(0), max.unwrap_or(u64::MAX)),
        };
        if min > max {
            return Err(("min", format!("min = {min}: more than max = {max}")));
        }
        Ok(Expectation::Metric { metric, min, max })
    }
}
