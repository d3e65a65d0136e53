//! How many cores a domain gets, and how long it has to give one up: `cores = 4`, or
//! `cores = { min = 1, start = 2, max = 4, deadline = "2s" }`.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

use crate::units::Time;

/// The counts that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// At least as many are left to it.
    pub min: Option<u32>,
    /// As many as it starts with.
    pub start: Option<u32>,
    /// At most as many.
    pub max: Option<u32>,
    /// How long it has to give up a core that it is asked for.
    pub deadline: Option<Time>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    min: Option<u32>,
    start: Option<u32>,
    max: Option<u32>,
    deadline: Option<Time>,
}

struct CoresVisitor;

// By hand, because an untagged enum would lose both the place and the reason of errors inside.
impl<'de> Visitor<'de> for CoresVisitor {
    type Value = Cores;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number of cores or a table with `min`, `start`, `max` and `deadline`")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Cores, E> {
        let count = u32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
        Ok(Cores { min: None, start: Some(count), max: None, deadline: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cores, A::Error> {
        let Table { min, start, max, deadline } = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Cores { min, start, max, deadline })
    }
}

impl<'de> Deserialize<'de> for Cores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CoresVisitor)
    }
}
