//! Scenario files: a machine, its domains, what happens when, and what has to come out.
//!
//! What a domain may say is the manifest's business ([`domains::manifest`]), which checks it again
//! at boot in the same words; here its values are only carried over.

mod check;
mod cores;
mod error;
mod failover;
mod policy;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cli::{Clock, Thread};
use crate::failure::{Code, Failure};
use crate::units::{Bytes, Time};
use crate::workspace::Workspace;

pub use check::{Assertion, Expectation, Metric};
pub use cores::Cores;
pub use error::{Source, Step};
pub use failover::{Actions, Fault, Group};
pub use policy::{Governor, Load, Power};

/// The name that events and assertions have for the kernel's own console.
pub const KERNEL: &str = "kernel";

/// A scenario file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// The machine that QEMU makes.
    pub machine: Machine,
    /// The domains, in the order of their indices.
    #[serde(default, rename = "domain")]
    pub domains: Vec<Domain>,
    /// Domains that stand in for each other.
    #[serde(default, rename = "group")]
    pub groups: Vec<Group>,
    /// Cores follow the load, if it is there.
    pub governor: Option<Governor>,
    /// What switching a core off costs; without it the machine's own numbers count.
    pub power: Option<Power>,
    /// The timeline.
    #[serde(default, rename = "event")]
    pub events: Vec<Event>,
    /// What is broken, and when.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
    /// What decides, beside the kernel's verdict.
    #[serde(default, rename = "assert")]
    pub assertions: Vec<Assert>,
    /// How `corral test` runs it.
    pub test: Option<Test>,
}

/// The machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Machine {
    /// Number of cores.
    pub cores: u32,
    /// Size of its memory.
    pub memory: Bytes,
    /// QEMU's CPU model.
    #[serde(default = "Machine::default_cpu")]
    pub cpu: String,
    /// How QEMU runs the cores.
    #[serde(default)]
    pub thread: Thread,
    /// Its clock.
    #[serde(default)]
    pub clock: Clock,
    /// Cores that the device tree lists and that are not there, by index: they do not come up.
    #[serde(default)]
    pub absent_cores: Vec<u32>,
    /// How long the run may take on the host.
    #[serde(default = "Machine::default_time_limit")]
    pub time_limit: Time,
}

impl Machine {
    fn default_cpu() -> String {
        "neoverse-n1".to_owned()
    }

    fn default_time_limit() -> Time {
        Time(std::time::Duration::from_secs(60))
    }
}

/// A domain. What is left out gets the manifest's default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// `debian:linux`, `guest:NAME`, or a path relative to the scenario file.
    pub image: String,
    /// `debian:initramfs`, `debian:initramfs-stress`, or a path relative to the scenario file.
    pub initramfs: Option<String>,
    /// `virt` or `none`.
    pub board: Option<String>,
    /// The kernel command line.
    pub cmdline: Option<String>,
    /// Size of its memory.
    pub memory: Bytes,
    /// Where its memory begins, as it sees it.
    pub memory_base: Option<u64>,
    /// Where in its memory a raw image goes.
    pub load_offset: Option<u64>,
    /// Its cores.
    pub cores: Option<Cores>,
    /// Whether its CPU_ON may take a core that is idle beyond what it was granted.
    pub takes_idle: Option<bool>,
    /// Whether it may give orders about the machine's cores.
    pub manages_cores: Option<bool>,
    /// The priority of its contexts.
    pub priority: Option<u32>,
    /// `stop` or `restart`.
    pub on_fault: Option<String>,
    /// `restart` or `stop`.
    pub on_reset: Option<String>,
    /// How often it may be restarted.
    pub restarts_max: Option<u32>,
    /// The end that the run expects of it.
    pub end: Option<String>,
}

/// Something that the host does to the machine: exactly one of `input` and `order`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Event {
    /// Time since the machine was started.
    pub at: Option<Time>,
    /// Or a text on a console.
    pub when: Option<When>,
    /// What is typed.
    pub input: Option<Input>,
    /// Or an order to the kernel's monitor.
    pub order: Option<String>,
}

/// The first time that a text appears on a console.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Whose console.
    pub domain: String,
    /// The text.
    pub console: String,
}

/// Input to a console.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Whose console.
    pub domain: String,
    /// What is typed.
    pub text: String,
}

/// An assertion as it is written; [`Assertion`] is what it means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assert {
    domain: String,
    console: Option<String>,
    absent: Option<String>,
    metric: Option<String>,
    min: Option<u64>,
    max: Option<u64>,
    equals: Option<u64>,
}

/// How `corral test qemu` runs a scenario.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// The machines that it is run on; without any, the scenario's own.
    #[serde(default)]
    pub matrix: Vec<Variant>,
}

/// Changes to the machine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// QEMU's CPU model.
    pub cpu: Option<String>,
    /// How QEMU runs the cores.
    pub thread: Option<Thread>,
    /// Number of cores.
    pub cores: Option<u32>,
}

impl Scenario {
    /// Reads a scenario and checks what only the host can: references, files, the timeline. The
    /// error is complete, with its place.
    pub fn parse(source: &Source) -> Result<Self, Failure> {
        let scenario: Self = toml::from_str(source.text()).map_err(|error| source.syntax(&error))?;
        scenario.check(source)?;
        Ok(scenario)
    }

    /// The index of the group that the domain with this index is in.
    pub fn group_of(&self, domain: usize) -> Option<usize> {
        let name = &self.domains.get(domain)?.name;
        self.groups.iter().position(|group| group.members.contains(name))
    }
}

/// The file that a user means: a path, or the name of one of Corral's scenarios.
pub fn find(workspace: &Workspace, given: &Path) -> Result<PathBuf, Failure> {
    let named = workspace.scenarios().join(given).with_extension("toml");
    [given.to_path_buf(), named].into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Failure::new(Code::Usage, format!("there is no scenario {}", given.display()))
            .remedy(format!("give the path of a .toml file, or a name out of {}", workspace.scenarios().display()))
    })
}
