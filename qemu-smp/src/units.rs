//! Sizes and times as scenarios and the command line write them: `256MiB`, `500ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// A number of bytes, written with a binary unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Bytes(pub u64);

/// A length of time, written with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Time(pub Duration);

/// A short length of time, in microseconds or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Latency(pub Duration);

const SIZE_UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Milliseconds in each unit. `ms` comes before `s`, which it ends in.
const TIME_UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)];

/// Microseconds in each unit.
const LATENCY_UNITS: [(&str, u64); 3] = [("us", 1), ("ms", 1000), ("s", 1_000_000)];

/// The longest time that is taken for meant: a year.
const LONGEST_MS: u64 = 366 * 24 * 3_600_000;

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, factor) = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    let number = number.trim_end();
    let all_digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| number.parse::<u64>().ok()?.checked_mul(factor)).flatten()
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &SIZE_UNITS)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a size such as \"256MiB\" or \"2GiB\""))
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &TIME_UNITS)
            .filter(|&milliseconds| milliseconds <= LONGEST_MS)
            .map(|milliseconds| Self(Duration::from_millis(milliseconds)))
            .ok_or_else(|| format!("`{text}` is not a time such as \"500ms\", \"60s\" or \"5min\""))
    }
}

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &LATENCY_UNITS)
            .filter(|&microseconds| microseconds <= LONGEST_MS * 1000)
            .map(|microseconds| Self(Duration::from_micros(microseconds)))
            .ok_or_else(|| format!("`{text}` is not a time such as \"250us\", \"5ms\" or \"1s\""))
    }
}

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for Latency {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |(_, factor): &&(&str, u64)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        match SIZE_UNITS.iter().rev().find(exact) {
            Some((unit, factor)) => write!(out, "{}{unit}", self.0 / factor),
            None => write!(out, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests;
