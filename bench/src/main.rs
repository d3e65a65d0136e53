//! `cargo corral bench`: measurements that can be repeated anywhere. Instructions are counted, not
//! timed; what has to be timed is a ratio of two things measured in turn in one run.

#![forbid(unsafe_code)]

mod bring_up;
mod counted;
mod cpu;
mod failover;
mod hotplug;
mod linux;
mod profile;
mod wake;

use clap::{Args, Parser, Subcommand, ValueEnum};
use qemu_smp::failure::{Code, Failure};
use qemu_smp::workspace::Workspace;
use serde::Serialize;
use std::process::ExitCode;

/// Measure Corral on this host
#[derive(Debug, Parser)]
#[command(name = "bench", bin_name = "cargo corral bench")]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Boot: Linux to its init with and without Corral, and the bring-up of many cores
    Boot {
        /// CPUs of the Linux guest: 1, 4 or 16
        #[arg(long, default_value_t = 4)]
        cpus: u32,
        /// How often each is booted; the medians are compared
        #[arg(long, default_value_t = 3)]
        runs: usize,
        #[command(flatten)]
        common: Common,
    },
    /// Moving cores: what each operation costs, in instructions
    #[command(after_help = "\
Measures what it costs to take a core from a domain, to give one to a domain, and to switch one off and on (moves);
the longest path of an order that wakes 64 cores (wake); and what Linux itself spends on taking a CPU off and on, on QEMU
alone and in a domain (linux). The exit code is 1 if a limit is broken.

Examples:
  cargo corral bench hotplug                        all, on machines with 8, 64 and 512 cores
  cargo corral bench hotplug --only moves --cores 8 the first table, in half a minute
  cargo corral bench hotplug --only moves --profile where in the kernel the instructions go
  cargo corral bench hotplug --only wake,linux
  cargo corral bench hotplug --json > hotplug.json")]
    Hotplug {
        /// Measure only these
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<Part>,
        /// Say where in the kernel the instructions were executed
        #[arg(long)]
        profile: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Takeovers: what each costs until the standby serves, in instructions
    #[command(after_help = "\
Measures what it costs at EL2, on all cores together, from the moment before a primary fails until its standby has made
its first output: for each error, with primaries of 1, 2 and 4 cores, and with standbys that have a core of their own or
lodge on one of the primary's. The exit code is 1 if a limit is broken.

Examples:
  cargo corral bench failover                       on machines with 8, 64 and 512 cores
  cargo corral bench failover --cores 8 --profile   where in the kernel the instructions go
  cargo corral bench failover --json > failover.json")]
    Failover {
        /// Say where in the kernel the instructions were executed
        #[arg(long)]
        profile: bool,
        #[command(flatten)]
        common: Common,
    },
}

/// A part of `bench hotplug`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Taking and giving one core
    Moves,
    /// Waking many by one order
    Wake,
    /// Linux' own CPU hotplug
    Linux,
}

#[derive(Debug, Args)]
struct Common {
    /// Numbers of cores of the machine
    #[arg(long, value_delimiter = ',', default_value = "8,64,512")]
    cores: Vec<u32>,
    /// Print JSON on standard output; the text goes to standard error
    #[arg(long)]
    json: bool,
}

/// What `bench boot` measured.
#[derive(Debug, Serialize)]
struct Boot {
    linux: linux::Comparison,
    bring_up: Vec<bring_up::BringUp>,
}

/// What `bench failover` measured.
#[derive(Debug, Serialize)]
struct Failover {
    takeovers: Vec<failover::Takeover>,
    pass: bool,
}

/// What `bench hotplug` measured.
#[derive(Debug, Serialize)]
struct Hotplug {
    operations: Vec<hotplug::Operation>,
    wake: Vec<wake::Bulk>,
    linux: Vec<cpu::Change>,
    pass: bool,
}

fn main() -> ExitCode {
    qemu_smp::interrupt::install();
    let done = match Cli::parse().bench {
        Bench::Boot { cpus, runs, common } => boot(cpus, runs.max(1), &common),
        Bench::Hotplug { only, profile, common } => hotplug(&only, profile, &common),
        Bench::Failover { profile, common } => failover(profile, &common),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(Code::Failed as u8),
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.code as u8)
        }
    }
}

impl Common {
    /// Shows what was measured.
    fn show(&self, text: &str, measured: &impl Serialize) {
        if self.json {
            eprint!("{text}");
            println!("{}", serde_json::json!(measured));
        } else {
            print!("{text}");
        }
    }

    /// The numbers of cores, of which a machine has at least so many.
    fn cores(&self, least: u32) -> Result<&[u32], Failure> {
        match self.cores.iter().find(|cores| !(least..=512).contains(*cores)) {
            Some(wrong) => Err(Failure::new(
                Code::Usage,
                format!("{wrong} cores: this works with {least} to 512 of QEMU's virt board"),
            )),
            None => Ok(&self.cores),
        }
    }
}

fn boot(cpus: u32, runs: usize, common: &Common) -> Result<bool, Failure> {
    let workspace = Workspace::find()?;
    let bring_up = bring_up::measure(&workspace, common.cores(1)?)?;
    let linux = linux::measure(&workspace, cpus, runs)?;
    let text = format!("{}{}", linux::table(&linux), bring_up::table(&bring_up));
    common.show(&text, &Boot { linux, bring_up });
    Ok(true)
}

fn hotplug(only: &[Part], profile: bool, common: &Common) -> Result<bool, Failure> {
    let workspace = Workspace::find()?;
    let cores = common.cores(8)?;
    let wanted = |part| only.is_empty() || only.contains(&part);
    let (mut operations, mut wake, mut linux, mut text) = (Vec::new(), Vec::new(), Vec::new(), String::new());
    if wanted(Part::Moves) {
        let (measured, profiles) = hotplug::measure(&workspace, cores, profile)?;
        text.push_str(&hotplug::table(&measured));
        text.push_str(&profiles);
        operations = measured;
    }
    if wanted(Part::Wake) {
        wake = wake::measure(&workspace, cores)?;
        text.push_str(&wake::table(&wake));
    }
    if wanted(Part::Linux) {
        linux = cpu::measure(&workspace)?;
        text.push_str(&cpu::table(&linux));
    }
    let pass =
        hotplug::pass(&operations) && wake.iter().all(|bulk| bulk.pass) && linux.iter().all(|change| change.pass);
    common.show(&text, &Hotplug { operations, wake, linux, pass });
    Ok(pass)
}

fn failover(profile: bool, common: &Common) -> Result<bool, Failure> {
    let (takeovers, profiles) = failover::measure(&Workspace::find()?, common.cores(8)?, profile)?;
    let pass = failover::pass(&takeovers);
    common.show(&format!("{}{profiles}", failover::table(&takeovers)), &Failover { takeovers, pass });
    Ok(pass)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
        let parts = |line: &str| match Cli::try_parse_from(line.split(' ')).unwrap().bench {
            Bench::Hotplug { only, .. } => only,
            Bench::Boot { .. } | Bench::Failover { .. } => unreachable!(),
        };
        assert_eq!(parts("bench hotplug"), []);
        assert_eq!(parts("bench hotplug --only wake,linux --cores 8"), [Part::Wake, Part::Linux]);
        assert!(Cli::try_parse_from(["bench", "hotplug", "--only", "else"]).is_err());
    }
}
