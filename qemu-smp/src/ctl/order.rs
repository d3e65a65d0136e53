//! Orders as the command line has them, and as the kernel's monitor reads them.

use std::fmt;

use clap::{Args, Subcommand};
use domains::manifest::InjectedFault;
use smp::core_set::CoreSet;

use crate::units::Time;

/// What the kernel is to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Order {
    /// List the cores: state, owner, contexts, idle time
    Cores,
    /// List the domains: phase, cores, grant
    Domains,
    /// Move cores from a domain or the pool to a domain, the pool or off
    Move {
        /// The cores, such as 3 or 2-5,7
        #[arg(value_parser = cores)]
        cores: String,
        /// Whose they are: a domain, or pool
        #[arg(value_parser = word)]
        from: String,
        /// Whose they will be: a domain, pool, or off
        #[arg(value_parser = word)]
        to: String,
        /// How the domain is asked.
        #[command(flatten)]
        asking: Asking,
    },
    /// Take cores at once, without asking, into the pool; their contexts go on elsewhere in their domain
    Fold {
        /// The cores, such as 3 or 2-5,7
        #[arg(value_parser = cores)]
        cores: String,
    },
    /// Give a domain idle cores until each of its contexts has its own
    Unfold {
        /// The domain
        #[arg(value_parser = word)]
        domain: String,
    },
    /// Switch cores off, and hold them off until `on`
    Off {
        /// The cores, such as 3 or 2-5,7
        #[arg(value_parser = cores)]
        cores: String,
        /// How the domain is asked.
        #[command(flatten)]
        asking: Asking,
    },
    /// Wake cores into the pool
    On {
        /// The cores, such as 3 or 2-5,7
        #[arg(value_parser = cores)]
        cores: String,
    },
    /// Change how many cores a domain is granted
    Set {
        /// The domain
        #[arg(value_parser = word)]
        domain: String,
        /// The number
        number: u32,
        /// How the domain is asked.
        #[command(flatten)]
        asking: Asking,
    },
    /// End what was asked for cores: their domains keep them
    Cancel {
        /// The cores, such as 3 or 2-5,7
        #[arg(value_parser = cores)]
        cores: String,
    },
    /// End a domain, as failed
    Stop {
        /// The domain
        #[arg(value_parser = word)]
        domain: String,
    },
    /// Break a domain, to see what follows
    #[command(after_help = "\
KIND is one of
  hang        its contexts are never run again
  livelock    its contexts run in a circle, interrupts masked
  crash       as if it had broken a rule
  wild-store  its first context stores to where nothing is
  panic       its first context takes an SError: Linux panics
  silent      the core of its first context does not answer any more
  mute        its heartbeats are not heard any more
  reset       as if it had reset itself")]
    Fail {
        /// The domain
        #[arg(value_parser = word)]
        domain: String,
        /// How
        #[arg(value_name = "KIND", value_parser = InjectedFault::NAMES)]
        kind: String,
        /// Not now, but when it becomes the primary of its group
        #[arg(long)]
        on_promotion: bool,
    },
    /// Replace the primary of a group by a standby
    Failover {
        /// The group
        #[arg(value_parser = word)]
        group: String,
    },
    /// List the members of all groups: role, epoch, whether a standby is ready
    Groups,
    /// Switch the governor on or off
    Governor {
        /// on or off
        #[arg(value_parser = ["on", "off"])]
        state: String,
    },
}

/// How a domain is asked for cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct Asking {
    /// How long the guest has, such as 500ms (or plain milliseconds); 0: take the cores by force at once
    /// [default: the domain's deadline]
    #[arg(long, value_name = "TIME", value_parser = milliseconds_or_time)]
    pub within: Option<Time>,
    /// Leave the cores where they are if the guest refuses or the time passes
    #[arg(long)]
    pub or_give_up: bool,
}

impl fmt::Display for Order {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cores => out.write_str("cores"),
            Self::Domains => out.write_str("domains"),
            Self::Move { cores, from, to, asking } => write!(out, "move {cores} {from} {to}{asking}"),
            Self::Fold { cores } => write!(out, "fold {cores}"),
            Self::Unfold { domain } => write!(out, "unfold {domain}"),
            Self::Off { cores, asking } => write!(out, "off {cores}{asking}"),
            Self::On { cores } => write!(out, "on {cores}"),
            Self::Set { domain, number, asking } => write!(out, "set {domain} {number}{asking}"),
            Self::Cancel { cores } => write!(out, "cancel {cores}"),
            Self::Stop { domain } => write!(out, "stop {domain}"),
            Self::Fail { domain, kind, on_promotion: false } => write!(out, "fail {domain} {kind}"),
            Self::Fail { domain, kind, on_promotion: true } => write!(out, "fail {domain} {kind} on promotion"),
            Self::Failover { group } => write!(out, "failover {group}"),
            Self::Groups => out.write_str("groups"),
            Self::Governor { state } => write!(out, "governor {state}"),
        }
    }
}

impl fmt::Display for Asking {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Time(time)) = self.within {
            write!(out, " within {}", time.as_millis())?;
        }
        if self.or_give_up { out.write_str(" or give-up") } else { Ok(()) }
    }
}

fn cores(text: &str) -> Result<String, String> {
    let hint = || format!("`{text}` does not name cores, such as 3 or 2-5,7");
    CoreSet::parse(text).map(|_| text.to_owned()).ok_or_else(hint)
}

/// A name: anything else would be read as another order.
fn word(text: &str) -> Result<String, String> {
    let is_plain = !text.is_empty() && text.chars().all(|character| character.is_ascii_graphic());
    is_plain.then(|| text.to_owned()).ok_or_else(|| format!("`{text}` is not a name"))
}

fn milliseconds_or_time(text: &str) -> Result<Time, String> {
    match text.parse::<u64>() {
        Ok(_) => format!("{text}ms").parse(),
        Err(_) => text.parse(),
    }
}
