//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::ctl::order::Order;
use crate::failover::FailoverArgs;
use crate::power::PowerArgs;
use crate::stress::StressArgs;
use crate::units::{Bytes, Time};

/// Boot, partition and watch many-core AArch64 machines under the Corral kernel.
#[derive(Debug, Parser)]
#[command(
    name = "corral",
    bin_name = "cargo corral",
    version,
    after_help = "\
Examples:
  cargo corral run                              the demonstration, set-up included
  cargo corral run scenarios/demo.toml --report report/
  cargo corral run --attach linux               a terminal on the domain `linux`
  cargo corral top                              watch the machine that runs (in another terminal)
  cargo corral ctl move 3 linux rt              move a core of it
  cargo corral check my-scenario.toml           is it well-formed?
  cargo corral test                             every suite

Exit codes:
  0 passed   1 failed   2 wrong usage or scenario   3 set-up, or a run, missing   4 time-out   130 interrupted"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fetch and make what the other commands need (they do it themselves when it is missing)
    #[command(after_help = "\
Installs QEMU by apt (as root or by `sudo -n`) and the Rust target by rustup; fetches Debian's
arm64 kernel and busybox into target/guest without touching the host's packages.

Examples:
  cargo corral setup
  cargo corral setup --kernel-flavour generic")]
    Setup(SetupArgs),
    /// Run a scenario and judge it
    #[command(after_help = "\
Examples:
  cargo corral run                               scenarios/demo.toml
  cargo corral run hotplug                       scenarios/hotplug.toml
  cargo corral run my.toml --cores 16 --thread multi
  cargo corral run --attach linux                Ctrl-] leaves and ends the machine
  cargo corral run --kernel Image --initramfs initrd.cpio
  cargo corral run --json > summary.json
  cargo corral run --report report/              report.json, trace.json (Perfetto), cores.svg, logs

Every run keeps its logs in target/run/<scenario>-<number>/, one a domain.")]
    Run(Box<RunArgs>),
    /// Give an order to a machine that runs, and wait until it is carried out
    #[command(after_help = "\
Examples:
  cargo corral ctl cores                         which core is whose
  cargo corral ctl domains
  cargo corral ctl move 3 linux rt               from the domain linux to rt
  cargo corral ctl move 2-3 linux pool --within 500ms --or-give-up
  cargo corral ctl --dry-run off 4,6             would it be accepted?
  cargo corral ctl set linux 2                   linux is left with 2 cores
  cargo corral ctl governor off
  cargo corral ctl groups                        who is whose standby
  cargo corral ctl fail linux hang               break a domain, to see what follows
  cargo corral ctl failover counter              replace a primary in good health
  cargo corral ctl --run demo-3 --json cores     if several machines run

Exit codes:
  0 all of it was done   1 refused or failed   2 wrong usage   3 no machine runs   4 not over in time")]
    Ctl(CtlArgs),
    /// Watch a machine that runs: cores, domains and events as they happen
    #[command(after_help = "\
Examples:
  cargo corral top                               the machine that runs
  cargo corral top --run demo-3                  if several do
  cargo corral top --read-only                   send nothing, not even `domains`

Keys:
  :      type an order, such as `move 3 linux rt`; Enter sends it, Esc leaves
  up, down, page up, page down   cores that do not fit
  q, Ctrl-C   quit; the machine goes on")]
    Top(TopArgs),
    /// Parse and validate a scenario without running it
    #[command(after_help = "\
Examples:
  cargo corral check scenarios/demo.toml

Errors read `file:line:column: place: reason`; the exit code is then 2.")]
    Check(CheckArgs),
    /// Run test suites; the last line and the exit code say how it went
    #[command(after_help = "\
Examples:
  cargo corral test                 all suites
  cargo corral test unit check      two of them
  cargo corral test qemu/hotplug    the tests of a suite whose name contains `hotplug`
  cargo corral test --list")]
    Test(TestArgs),
    /// Replay loads through the rule by which idle cores go off, beside simple rules and the optimum
    #[command(after_help = "\
Examples:
  cargo corral power                             made-up loads: a day, bursts, requests, periods, ...
  cargo corral power --seed 7 --cores 64 --break-even 2ms --report report/
  cargo corral power --trace load.csv --json > power.json

A load in a file has lines `seconds,cores`: from then on so many cores are wanted.
  seconds,cores
  0,2        # a comment
  0.25,6
  1.5,0      the last line is the end
Errors read `file:line: reason`; the exit code is then 2.

Joules are a model, not a measurement: the cost times a published range of idle power, see the output.")]
    Power(PowerArgs),
    /// Random operations against a small specification
    Stress(StressArgs),
    /// Break the primary of a redundant service again and again, and judge from outside what its users see
    #[command(after_help = "\
Examples:
  cargo corral failover                              20 machines, each with another fault
  cargo corral failover --runs 500 --seed 7 --json results.json --picture results.svg
  cargo corral failover --kind hang silent --runs 10
  cargo corral failover --seed 7 --only 31           one of those runs again
  cargo corral failover --linux --runs 4             two Debian Linux domains

Each run boots the machine of scenarios/failover.toml (with --linux failover-linux.toml): a group whose primary commits
and acknowledges one record after the other, and a domain beside it that must not notice anything. Then the fault that
was drawn is put into it. An observer reads what the service prints, in the order of the machine's one serial line:
records that were acknowledged and lost, or acknowledged twice, two primaries at once, and silence are found by that
alone, without believing the kernel.

Exit codes:
  0 the service survived each time   1 not each time   2 wrong usage   3 set-up missing   130 interrupted")]
    Failover(FailoverArgs),
    /// Measure: instructions are counted, times are compared within one run
    #[command(
        disable_help_flag = true,
        after_help = "\
Examples:
  cargo corral bench boot           Linux with and without Corral, and the bring-up of 8, 64, 512 cores
  cargo corral bench boot --help"
    )]
    Bench(BenchArgs),
}

/// Options of the set-up that `run` and `test` take too.
#[derive(Clone, Debug, Args)]
pub struct SetupArgs {
    /// Which of Debian's arm64 kernels the guests get
    #[arg(long, value_enum, default_value_t = Flavour::Cloud)]
    pub kernel_flavour: Flavour,
    /// A Debian mirror, where the host's own apt sources have none (Ubuntu)
    #[arg(long, value_name = "URL", env = "CORRAL_DEBIAN_MIRROR")]
    pub debian_mirror: Option<String>,
}

impl Default for SetupArgs {
    fn default() -> Self {
        Self { kernel_flavour: Flavour::Cloud, debian_mirror: std::env::var("CORRAL_DEBIAN_MIRROR").ok() }
    }
}

/// Debian's builds of the arm64 kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flavour {
    /// linux-image-cloud-arm64: smaller, boots faster
    Cloud,
    /// linux-image-arm64: every driver
    Generic,
}

/// Options of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A scenario file, or the name of one in scenarios/ [default: demo; interactive with --attach]
    pub scenario: Option<PathBuf>,
    /// Connect the terminal to this domain's console; Ctrl-] leaves
    #[arg(long, value_name = "DOMAIN", conflicts_with = "json")]
    pub attach: Option<String>,
    /// The guests' Linux kernel (arm64 Image) instead of Debian's
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
    /// The guests' initramfs instead of the busybox one
    #[arg(long, value_name = "FILE")]
    pub initramfs: Option<PathBuf>,
    /// The EL2 kernel (ELF or Image) instead of building this source tree's
    #[arg(long, value_name = "FILE")]
    pub hypervisor: Option<PathBuf>,
    /// Changes to the scenario's machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Print a machine-readable summary on standard output; everything else goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Write report.json, trace.json, cores.svg and the logs to this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// The longest that the run may take on this host, such as 90s (or plain seconds)
    #[arg(long, value_name = "TIME", value_parser = seconds_or_time)]
    pub timeout: Option<Time>,
    /// Show the kernel's log, QEMU's command line and what cargo does
    #[arg(long, short)]
    pub verbose: bool,
    /// Options of the set-up.
    #[command(flatten)]
    pub setup: SetupArgs,
}

impl RunArgs {
    /// The scenario that is meant: a terminal wants a shell, not the demonstration's script.
    pub fn scenario(&self) -> &Path {
        let default = if self.attach.is_some() { "interactive" } else { "demo" };
        self.scenario.as_deref().unwrap_or(Path::new(default))
    }
}

/// Changes to the scenario's machine.
#[derive(Clone, Debug, Default, Args)]
pub struct MachineArgs {
    /// QEMU's CPU model: neoverse-n1, cortex-a72, max, ...
    #[arg(long)]
    pub cpu: Option<String>,
    /// How QEMU's emulator runs the cores
    #[arg(long, value_enum)]
    pub thread: Option<Thread>,
    /// Number of cores
    #[arg(long)]
    pub cores: Option<u32>,
    /// Memory of the machine, such as 2GiB
    #[arg(long)]
    pub memory: Option<Bytes>,
    /// Count instructions instead of host time: runs without input repeat exactly
    #[arg(long)]
    pub icount: bool,
}

/// How QEMU's emulator runs the machine's cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thread {
    /// All on one host thread, in turn
    #[default]
    Single,
    /// Each on its own host thread
    Multi,
}

impl Thread {
    /// The word that QEMU knows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Multi => "multi",
        }
    }
}

/// Whether the emulator's clock is the host's or its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The host's: time passes as everywhere.
    #[default]
    Host,
    /// One nanosecond an instruction: what the host does meanwhile does not show, and runs without
    /// input repeat exactly.
    Instructions,
}

/// Options of `ctl`.
#[derive(Clone, Debug, Args)]
pub struct CtlArgs {
    /// Which machine: the name of its run's folder, or of its scenario [default: the only one that runs]
    #[arg(long, value_name = "NAME", global = true)]
    pub run: Option<String>,
    /// Only ask whether the order would be accepted
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Print the answers as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// How long to wait until the order is carried out
    #[arg(long, value_name = "TIME", value_parser = seconds_or_time, default_value = "10s", global = true)]
    pub timeout: Time,
    /// The order.
    #[command(subcommand)]
    pub order: Order,
}

/// Options of `top`.
#[derive(Clone, Debug, Args)]
pub struct TopArgs {
    /// Which machine: the name of its run's folder, or of its scenario [default: the only one that runs]
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// Send nothing to the kernel: grants are not shown, nor what a core is for before that changes; a run on the
    /// instruction clock goes on undisturbed
    #[arg(long)]
    pub read_only: bool,
    /// Time between two looks
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = clap::value_parser!(Time))]
    pub period: Time,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A scenario file, or the name of one in scenarios/
    pub scenario: PathBuf,
}

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// A benchmark and its options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

/// Options of `test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Suites, or SUITE/TEXT for the tests of a suite whose name contains TEXT
    pub suites: Vec<String>,
    /// Name the suites and their tests instead of running them
    #[arg(long)]
    pub list: bool,
    /// Options of the set-up.
    #[command(flatten)]
    pub setup: SetupArgs,
}

/// A time; plain seconds are one, too.
pub fn seconds_or_time(text: &str) -> Result<Time, String> {
    match text.parse::<u64>() {
        Ok(_) => format!("{text}s").parse(),
        Err(_) => text.parse(),
    }
}

#[cfg(test)]
mod tests;
