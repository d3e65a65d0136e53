//! Domains that stand in for each other, and what breaks them: `[[group]]` and `[[fault]]`.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::When;
use crate::units::{Bytes, Time};

/// A group: its first member is the primary at boot. What is left out gets the manifest's default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The domains.
    pub members: Vec<String>,
    /// A member that is not heard for so long has failed.
    pub heartbeat: Option<Time>,
    /// From its start to its first heartbeat a member may take so long.
    pub start: Option<Time>,
    /// A member that does not leave to EL2 for so long has failed.
    pub progress: Option<Time>,
    /// Cores of a standby's own.
    pub standby_cores: Option<u32>,
    /// Size of the memory that all of them see.
    pub region: Option<Bytes>,
    /// How often the primary's state is kept to go back to.
    pub checkpoint: Option<Time>,
    /// How often a member may be restarted.
    pub restarts: Option<Restarts>,
    /// What follows which error.
    #[serde(default)]
    pub on: On,
}

/// More restarts within that time, and a member is stopped.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restarts {
    /// How many.
    pub max: Option<u32>,
    /// In which time.
    pub within: Option<Time>,
}

/// The table of errors.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct On {
    heartbeat: Option<Actions>,
    stall: Option<Actions>,
    reset: Option<Actions>,
    fault: Option<Actions>,
    silent: Option<Actions>,
    order: Option<Actions>,
}

impl On {
    /// By the manifest's property.
    pub fn rows(&self) -> [(&'static str, Option<&Actions>); 6] {
        [
            ("on-heartbeat", self.heartbeat.as_ref()),
            ("on-stall", self.stall.as_ref()),
            ("on-reset", self.reset.as_ref()),
            ("on-fault", self.fault.as_ref()),
            ("on-silent", self.silent.as_ref()),
            ("on-order", self.order.as_ref()),
        ]
    }
}

/// What follows an error of the primary, a standby, and a primary that has just been promoted: in this order, or
/// by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actions(pub Vec<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByRole {
    primary: String,
    standby: String,
    promoted: String,
}

struct ActionsVisitor;

// By hand, because an untagged enum would lose both the place and the reason of errors inside.
impl<'de> Visitor<'de> for ActionsVisitor {
    type Value = Actions;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of three actions or a table with `primary`, `standby` and `promoted`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Actions, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Actions)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Actions, A::Error> {
        let ByRole { primary, standby, promoted } = ByRole::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Actions(vec![primary, standby, promoted]))
    }
}

impl<'de> Deserialize<'de> for Actions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ActionsVisitor)
    }
}

/// Something that the kernel is told to break.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Time since the machine was started.
    pub at: Option<Time>,
    /// Or a text on a console.
    pub when: Option<When>,
    /// Which domain.
    pub domain: String,
    /// How.
    pub kind: String,
    /// `now`, or `promotion`: when it becomes the primary next.
    pub on: Option<String>,
}

impl Fault {
    /// The line for the kernel's monitor.
    pub fn order(&self) -> String {
        let Self { domain, kind, on, .. } = self;
        let later = if on.as_deref() == Some(ON_PROMOTION) { " on promotion" } else { "" };
        format!("fail {domain} {kind}{later}")
    }
}

/// The moments at which a fault can happen.
pub const ON_NOW: &str = "now";
pub const ON_PROMOTION: &str = "promotion";
