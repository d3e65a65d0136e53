//! `cargo corral bench`: measurements that can be repeated anywhere. Instructions are counted, not
//! timed; what has to be timed is a ratio of two things measured in turn in one run.

#![forbid(unsafe_code)]

mod bring_up;
mod linux;

use clap::{Parser, Subcommand};
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
        /// Numbers of cores to bring up
        #[arg(long, value_delimiter = ',', default_value = "8,64,512")]
        cores: Vec<u32>,
        /// Print JSON on standard output; the text goes to standard error
        #[arg(long)]
        json: bool,
    },
}

/// What `bench boot` measured.
#[derive(Debug, Serialize)]
struct Boot {
    linux: linux::Comparison,
    bring_up: Vec<bring_up::BringUp>,
}

fn main() -> ExitCode {
    qemu_smp::interrupt::install();
    let Cli { bench: Bench::Boot { cpus, runs, cores, json } } = Cli::parse();
    match boot(cpus, runs.max(1), &cores) {
        Ok(boot) => {
            let text = format!("{}{}", linux::table(&boot.linux), bring_up::table(&boot.bring_up));
            if json {
                eprint!("{text}");
                println!("{}", serde_json::json!(boot));
            } else {
                print!("{text}");
            }
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.code as u8)
        }
    }
}

fn boot(cpus: u32, runs: usize, cores: &[u32]) -> Result<Boot, Failure> {
    let workspace = Workspace::find()?;
    if let Some(wrong) = cores.iter().find(|cores| !(1..=512).contains(*cores)) {
        return Err(Failure::new(Code::Usage, format!("{wrong} cores: QEMU's virt board has 1 to 512")));
    }
    let bring_up = bring_up::measure(&workspace, cores)?;
    let linux = linux::measure(&workspace, cpus, runs)?;
    Ok(Boot { linux, bring_up })
}
