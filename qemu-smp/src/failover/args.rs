//! The options of `corral failover`.

use std::path::PathBuf;

use clap::Args;

use super::draw::Case;
use crate::cli::{SetupArgs, seconds_or_time};
use crate::units::Time;

/// Options of `failover`.
#[derive(Clone, Debug, Args)]
pub struct FailoverArgs {
    /// How many machines are run, each with its faults [default: 20; 1 without faults]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: Option<u64>,
    /// The same seed draws the same
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Only the run with this number
    #[arg(long, value_name = "N")]
    pub only: Option<u64>,
    /// Only faults of these kinds
    #[arg(long = "kind", value_name = "KIND", value_enum, num_args = 1..)]
    pub kinds: Vec<Case>,
    /// Breaks nothing, and watches each machine for so long, such as 60s (or plain seconds): nobody may be replaced. The
    /// machine has the host's clock, and the deadlines are those of a group that names none
    #[arg(long, value_name = "TIME", value_parser = seconds_or_time, conflicts_with_all = ["kinds", "picture"])]
    pub no_fault: Option<Time>,
    /// The machine has to share one core of this host with so many threads that compute all the time
    #[arg(long, value_name = "N", requires = "no_fault")]
    pub host_load: Option<u16>,
    /// With two Debian Linux domains instead of native ones
    #[arg(long)]
    pub linux: bool,
    /// Another scenario with a group whose service counts
    #[arg(long, value_name = "FILE", conflicts_with = "linux")]
    pub scenario: Option<PathBuf>,
    /// Machines at a time [default: as many as the host has cores; 1 without faults]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Write the results as JSON to this file; - is standard output, everything else goes to standard error then
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the distribution of detection and takeover into this SVG file
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Options of the set-up.
    #[command(flatten)]
    pub setup: SetupArgs,
}
