//! The options of `corral stress`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::SetupArgs;

/// Options of `stress`.
#[derive(Debug, Args)]
pub struct StressArgs {
    /// What is stressed.
    #[command(subcommand)]
    pub subject: Subject,
}

/// What can be stressed.
#[derive(Debug, Subcommand)]
pub enum Subject {
    /// Cores that change hands, go off and come back
    #[command(after_help = "\
Examples:
  cargo corral stress hotplug                        100,000 moves of simulated cores
  cargo corral stress hotplug --moves 1000000 --cores 16 --seed 7
  cargo corral stress hotplug --seed 7 --world 31    one world again, with its last steps
  cargo corral stress hotplug --json > stress.json
  cargo corral stress hotplug --qemu                 100 cores of a machine under QEMU are moved by orders
  cargo corral stress hotplug --qemu --moves 60 --seed 3 --report report/
  cargo corral stress hotplug --qemu --moves 5000 --load 3000   on a host with nothing else to do: hardly an hour

The model runs the kernel's own sources on simulated cores, a process for each world: a machine with four or five
domains whose guests obey, are busy, refuse, are deaf, hang, reset, fault and end, with random orders, CPU_ON, CPU_OFF,
the governor, idle cores that go off, and cores that do not come back. Which core goes on next is drawn at each access
to what they share. A small specification looks on; when it is violated, the seed and the last 50 steps are shown.

Under QEMU two Linux are under load and take CPUs off and on at random, one with the agent and one without; a native
domain is deaf and has marks in all its registers, another one obeys and counts its timers' ticks; idle cores go off.
Random orders are given, sometimes two at once, some of them wrong. Each has to end as it may, and after each the
answers of `cores` and `domains` are looked at. In the end each guest says whether it saw anything.

Exit codes:
  0 all held   1 violated   2 wrong usage   3 set-up missing   4 time-out   130 interrupted")]
    Hotplug(HotplugArgs),
    /// Domains that fail, and standbys that take over
    #[command(after_help = "\
Examples:
  cargo corral stress failover                       10,000 faults in simulated groups
  cargo corral stress failover --faults 100000 --cores 16 --seed 7
  cargo corral stress failover --seed 7 --world 31   one world again, with its last steps
  cargo corral stress failover --json > stress.json

The model runs the kernel's own sources on simulated cores, a process for each world: a machine with one or two groups of
two or three members, with drawn deadlines, error tables and restart limits, and domains beside them. Members hang, spin,
crash, store wildly, panic, reset themselves, are not heard, or their core falls silent: at any time, amid a takeover, or as
soon as they are promoted. In some worlds orders move cores meanwhile, and guests do what they want.

A small specification looks on. One member serves in each epoch, and nobody of an older one writes the group's region or is
heard outside; what was committed stays, in order, once; who is fenced is so in time; whoever gives no sign of life is found,
and nobody else is taken for silent. After each burst of faults the group serves again, or has ended, and words, cores and
quotas fit together. When that is violated, the seed and the last 50 steps are shown.

Each fault, each error with what followed, and each outcome is counted and printed. `cargo corral failover` does the same to
machines under QEMU, a fault each.

Exit codes:
  0 all held   1 violated   2 wrong usage   4 time-out   130 interrupted")]
    Failover(FailoverArgs),
}

/// Options of `stress hotplug`.
#[derive(Clone, Debug, Args)]
pub struct HotplugArgs {
    /// The most cores of a machine; under QEMU, its cores
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(4..=64))]
    pub cores: u32,
    /// How many cores change hands; under QEMU, by orders alone [default: 100000; 100]
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..))]
    pub moves: Option<u64>,
    /// The same seed does the same
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Under QEMU: for how many seconds the guests are under load, which is to be longer than the orders take
    /// [default: 20, and 2 for each core]
    #[arg(long, value_name = "S", requires = "qemu", value_parser = clap::value_parser!(u64).range(1..))]
    pub load: Option<u64>,
    /// On simulated cores (the default)
    #[arg(long)]
    pub model: bool,
    /// On a machine under QEMU
    #[arg(long, conflicts_with = "model")]
    pub qemu: bool,
    /// Only the world with this number
    #[arg(long, value_name = "N", conflicts_with = "qemu")]
    pub world: Option<u64>,
    /// Print the results as JSON on standard output; everything else goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Write report.json to this folder; with --qemu also trace.json, cores.svg and the logs
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Options of the set-up.
    #[command(flatten)]
    pub setup: SetupArgs,
}

/// Options of `stress failover`.
#[derive(Clone, Debug, Args)]
pub struct FailoverArgs {
    /// The most cores of a machine
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(4..=64))]
    pub cores: u32,
    /// How many faults happen [default: 10000]
    #[arg(long, value_name = "F", value_parser = clap::value_parser!(u64).range(1..))]
    pub faults: Option<u64>,
    /// The same seed does the same
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Only the world with this number
    #[arg(long, value_name = "N")]
    pub world: Option<u64>,
    /// Print the results as JSON on standard output; everything else goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Write report.json to this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}
