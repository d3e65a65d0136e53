//! Joules, which are a model only: the replay's cost times what an idle core takes.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// What an idle core that is on takes more than one that is off: at least and at most, milliwatts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct IdlePower {
    pub low_mw: f64,
    pub high_mw: f64,
}

/// The range of [`SOURCE`].
pub const PUBLISHED: IdlePower = IdlePower { low_mw: 6.0, high_mw: 15.0 };

const SOURCE: &str = "ARM Ltd, energy model of the Energy Aware Scheduling patches for Linux, \
                      arch/arm64/kernel/energy_model.h, 2016: a core in WFI 6 (Juno, Cortex-A53) to 15 (Juno, \
                      Cortex-A57; HiKey, Cortex-A53), in cpu-sleep 0, busy at the highest clock 93, 616 and 670; the \
                      table leaves its unit open, milliwatts are assumed here";

/// Where the numbers come from.
#[derive(Clone, Debug, Serialize)]
pub struct Model {
    #[serde(flatten)]
    pub idle_power: IdlePower,
    /// Whose numbers they are.
    pub source: &'static str,
}

impl Model {
    /// The model with these numbers.
    pub fn new(idle_power: IdlePower) -> Self {
        let source = if idle_power == PUBLISHED { SOURCE } else { "the user's own (--idle-power)" };
        Self { idle_power, source }
    }

    /// What so many core-seconds of idle power are, at least and at most.
    pub fn joules(&self, core_seconds: f64) -> [f64; 2] {
        [self.idle_power.low_mw, self.idle_power.high_mw].map(|milliwatts| core_seconds * milliwatts / 1e3)
    }
}

impl fmt::Display for IdlePower {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}..{}", self.low_mw, self.high_mw)
    }
}

impl FromStr for IdlePower {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| (0.0..=1e6).contains(number));
        let range = text.split_once("..").and_then(|(low, high)| Some((number(low)?, number(high)?)));
        match range {
            Some((low_mw, high_mw)) if low_mw <= high_mw => Ok(Self { low_mw, high_mw }),
            _ => Err(format!("`{text}` is not a range of milliwatts such as \"6..15\"")),
        }
    }
}
