//! Which domain gets a core, and when an idle one goes off: `[governor]` and `[power]`.

use serde::Deserialize;

use crate::units::{Latency, Time};

/// When the governor moves cores. What is left out gets the manifest's default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Governor {
    /// How often it looks.
    pub period: Option<Time>,
    /// From this load on a domain gets a core.
    pub high: Option<Load>,
    /// Below this load it loses one.
    pub low: Option<Load>,
    /// So many periods in a row have to agree.
    pub hold: Option<u32>,
}

/// What switching a core off costs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Power {
    /// A core that will be idle for longer is better off.
    pub break_even: Latency,
}

/// A load: 1.0 keeps all cores of a domain busy.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Load(f64);

impl Load {
    /// In permille, to the nearest.
    pub fn permille(self) -> u32 {
        (self.0 * 1000.0).round() as u32
    }
}

impl TryFrom<f64> for Load {
    type Error = String;

    fn try_from(load: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&load) {
            Ok(Self(load))
        } else {
            Err(format!("`{load}` is not a load between 0.0 and 1.0"))
        }
    }
}
