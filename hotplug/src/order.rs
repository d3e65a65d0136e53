//! Orders, as people type them into the line monitor and `corral ctl` sends them:
//!
//! ```text
//! [#ID] [dry] ORDER
//! help | cores | domains
//! move CORES FROM TO [within MS] [or give-up]
//! fold CORES
//! unfold DOMAIN
//! off CORES [within MS] [or give-up]
//! on CORES
//! set DOMAIN N [within MS] [or give-up]
//! cancel CORES
//! stop DOMAIN
//! governor on|off
//! groups
//! failover GROUP
//! fail DOMAIN FAULT [on promotion]
//! ```
//!
//! Cores are numbers and ranges: `3`, `2-5,7`. FROM is a domain or `pool`, TO one of these or `off`.

use core::str::SplitAsciiWhitespace;
use domains::manifest::InjectedFault;
use smp::core_set::CoreSet;

#[cfg(test)]
mod tests;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Stands in each line of the reply.
    pub id: u16,
    /// Only say whether it could be done.
    pub dry: bool,
    /// What is ordered; `None`: that cannot be read.
    pub order: Option<Order<'a>>,
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order<'a> {
    /// Say what can be ordered.
    Help,
    /// Say what each core is for.
    Cores,
    /// Say how each domain stands.
    Domains,
    /// Cores change hands.
    Move(Move<'a>),
    /// Give a domain idle cores until each of its contexts has its own.
    Unfold(&'a str),
    /// Change how many cores are granted to a domain.
    Set {
        /// Which.
        domain: &'a str,
        /// How many.
        count: u32,
        /// How long it is asked for those that it has too many.
        patience: Patience,
    },
    /// End what was ordered for cores: their domains keep them.
    Cancel(CoreSet),
    /// End a domain.
    Stop(&'a str),
    /// Switch the governor on or off.
    Governor(bool),
    /// Say how the members of each group stand.
    Groups,
    /// Replace the primary of a group.
    Failover(&'a str),
    /// Put a fault into a domain.
    Fail {
        /// Which.
        domain: &'a str,
        /// What.
        fault: InjectedFault,
        /// When it is promoted, instead of now.
        on_promotion: bool,
    },
}

/// The order `move`, and those that are made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move<'a> {
    /// Which cores.
    pub cores: CoreSet,
    /// Whose they are to be now; `None`: anybody's. Only `on` says [`Party::Off`].
    pub from: Option<Party<'a>>,
    /// Whose they are to become.
    pub to: Party<'a>,
    /// How long their domains are asked.
    pub patience: Patience,
}

/// Who has a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party<'a> {
    /// Nobody.
    Pool,
    /// Nobody: it is off.
    Off,
    /// The domain of this name.
    Domain(&'a str),
}

/// How long a domain is asked for a core, and what then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// Milliseconds; `None`: as long as the domain's manifest says; 0: it is not asked.
    pub within: Option<u32>,
    /// When the time is over, or the domain refuses, it keeps the core; otherwise it loses it and goes on without.
    pub give_up: bool,
}

impl<'a> Line<'a> {
    /// Reads a line; `None` if it is empty.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let first = words.next()?;
        let (id, first) = match first.strip_prefix('#') {
            Some(number) => number.parse().ok().zip(words.next()).unzip(),
            None => (None, Some(first)),
        };
        let dry = first == Some("dry");
        let order = if dry { words.next() } else { first };
        let order = order.and_then(|order| Order::parse(order, &mut words)).filter(|_| words.next().is_none());
        Some(Self { id: id.unwrap_or(0), dry, order })
    }
}

impl<'a> Order<'a> {
    fn parse(order: &str, words: &mut SplitAsciiWhitespace<'a>) -> Option<Self> {
        let cores = |words: &mut SplitAsciiWhitespace<'a>| CoreSet::parse(words.next()?);
        Some(match order {
            "help" => Self::Help,
            "cores" => Self::Cores,
            "domains" => Self::Domains,
            "move" => Self::Move(Move {
                cores: cores(words)?,
                from: Some(Party::parse(words.next()?)).filter(|from| *from != Party::Off).map(Some)?,
                to: Party::parse(words.next()?),
                patience: Patience::parse(words)?,
            }),
            "fold" => Self::Move(Move { cores: cores(words)?, from: None, to: Party::Pool, patience: Patience::NONE }),
            "off" => {
                Self::Move(Move { cores: cores(words)?, from: None, to: Party::Off, patience: Patience::parse(words)? })
            }
            "unfold" => Self::Unfold(words.next()?),
            "on" => {
                let (from, patience) = (Some(Party::Off), Patience::default());
                Self::Move(Move { cores: cores(words)?, from, to: Party::Pool, patience })
            }
            "set" => Self::Set {
                domain: words.next()?,
                count: words.next()?.parse().ok()?,
                patience: Patience::parse(words)?,
            },
            "cancel" => Self::Cancel(cores(words)?),
            "stop" => Self::Stop(words.next()?),
            "governor" => Self::Governor(match words.next()? {
                "on" => true,
                "off" => false,
                _ => return None,
            }),
            "groups" => Self::Groups,
            "failover" => Self::Failover(words.next()?),
            "fail" => Self::Fail {
                domain: words.next()?,
                fault: InjectedFault::from_name(words.next()?)?,
                on_promotion: match words.next() {
                    None => false,
                    Some("on") if words.next()? == "promotion" => true,
                    Some(_) => return None,
                },
            },
            _ => return None,
        })
    }
}

impl<'a> Party<'a> {
    fn parse(word: &'a str) -> Self {
        match word {
            "pool" => Self::Pool,
            "off" => Self::Off,
            name => Self::Domain(name),
        }
    }
}

impl Patience {
    /// It is not asked.
    const NONE: Self = Self { within: Some(0), give_up: false };

    fn parse(words: &mut SplitAsciiWhitespace<'_>) -> Option<Self> {
        let mut patience = Self::default();
        while let Some(word) = words.next() {
            match (word, words.next()?) {
                ("within", time) => patience.within = Some(time.parse().ok()?),
                ("or", "give-up") => patience.give_up = true,
                _ => return None,
            }
        }
        Some(patience)
    }
}
