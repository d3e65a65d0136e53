//! The options of `corral power`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use smp::core_id::MAX_CORES;

use super::energy::{IdlePower, PUBLISHED};
use crate::failure::{Code, Failure};
use crate::units::Latency;

/// Cores of the generated traces, unless the user says how many.
const CORES: u32 = 8;

/// The most cores of a machine.
pub(super) const MOST_CORES: u32 = MAX_CORES as u32;

/// Microseconds.
const LONGEST_BREAK_EVEN: u64 = 3_600_000_000;

/// Options of `power`.
#[derive(Debug, Args)]
pub struct PowerArgs {
    /// Replay this load instead of the generated ones: lines `seconds,cores`, see below
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    pub trace: Option<PathBuf>,
    /// The generated traces' seed: the same seed gives the same traces
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Cores in the pool [default: 8; with --trace the most that it wants]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_CORES)))]
    pub cores: Option<u32>,
    /// Being idle for so long takes as much energy as going off and coming back
    #[arg(long, value_name = "TIME", default_value = "5ms")]
    pub break_even: Latency,
    /// How long a core that is off takes to come up; at most the break-even
    #[arg(long, value_name = "TIME", default_value = "1ms")]
    pub wake_latency: Latency,
    /// For the model of joules: what an idle core takes more than one that is off, in milliwatts
    #[arg(long, value_name = "LOW..HIGH", default_value_t = PUBLISHED)]
    pub idle_power: IdlePower,
    /// Print the results as JSON on standard output; everything else goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Write power.svg, power.json and power.txt to this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

impl PowerArgs {
    /// The cores of the generated traces.
    pub(super) fn cores(&self) -> u32 {
        self.cores.unwrap_or(CORES)
    }

    /// Break-even and wake latency in microseconds, checked.
    pub(super) fn times(&self) -> Result<(u64, u64), Failure> {
        let (break_even, latency) = (microseconds(self.break_even.0), microseconds(self.wake_latency.0));
        if break_even == 0 {
            return Err(Failure::new(Code::Usage, "the break-even is 0")
                .why("going off and coming back would take no energy at all")
                .remedy("give a --break-even of at least 1us"));
        }
        if break_even > LONGEST_BREAK_EVEN {
            return Err(Failure::new(Code::Usage, "the break-even is longer than an hour")
                .remedy("give the time after which a core that goes off saves energy: some milliseconds"));
        }
        if latency > break_even {
            return Err(Failure::new(Code::Usage, "the wake latency is longer than the break-even")
                .why("a core takes at least idle power while it comes up, so it cannot break even before")
                .remedy("give a longer --break-even, or a shorter --wake-latency"));
        }
        Ok((break_even, latency))
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
