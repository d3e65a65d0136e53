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

use arrayvec::ArrayVec;
use domains::manifest::InjectedFault;
use smp::core_set::CoreSet;

#[cfg(test)]
mod tests;

/// The words of the longest line; no order has so many.
const MAX_WORDS: usize = 16;

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
        let all: ArrayVec<&str, MAX_WORDS> = text.split_ascii_whitespace().take(MAX_WORDS).collect();
        let (id, words) = match all.as_slice() {
            [] => return None,
            [first, rest @ ..] if first.starts_with('#') => (first.get(1..)?.parse().ok(), rest),
            words => (Some(0), words),
        };
        let (dry, words) = if let ["dry", rest @ ..] = words { (true, rest) } else { (false, words) };
        let order = id.filter(|_| !all.is_full()).and_then(|_| Order::parse(words));
        Some(Self { id: id.unwrap_or(0), dry, order })
    }
}

impl<'a> Order<'a> {
    fn parse(words: &[&'a str]) -> Option<Self> {
        Some(match *words {
            ["help"] => Self::Help,
            ["cores"] => Self::Cores,
            ["domains"] => Self::Domains,
            ["move", cores, from, to, ref patience @ ..] if from != "off" => {
                Self::moves(cores, Some(Party::parse(from)), Party::parse(to), Patience::parse(patience)?)?
            }
            ["fold", cores] => Self::moves(cores, None, Party::Pool, Patience { within: Some(0), give_up: false })?,
            ["off", cores, ref patience @ ..] => Self::moves(cores, None, Party::Off, Patience::parse(patience)?)?,
            ["unfold", domain] => Self::Unfold(domain),
            ["on", cores] => Self::moves(cores, Some(Party::Off), Party::Pool, Patience::default())?,
            ["set", domain, count, ref patience @ ..] => {
                Self::Set { domain, count: count.parse().ok()?, patience: Patience::parse(patience)? }
            }
            ["cancel", cores] => Self::Cancel(CoreSet::parse(cores)?),
            ["stop", domain] => Self::Stop(domain),
            ["governor", "on"] => Self::Governor(true),
            ["governor", "off"] => Self::Governor(false),
            ["groups"] => Self::Groups,
            ["failover", group] => Self::Failover(group),
            ["fail", domain, fault, ref when @ ..] if matches!(when, [] | ["on", "promotion"]) => {
                Self::Fail { domain, fault: InjectedFault::from_name(fault)?, on_promotion: !when.is_empty() }
            }
            _ => return None,
        })
    }

    fn moves(cores: &str, from: Option<Party<'a>>, to: Party<'a>, patience: Patience) -> Option<Self> {
        Some(Self::Move(Move { cores: CoreSet::parse(cores)?, from, to, patience }))
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
    fn parse(words: &[&str]) -> Option<Self> {
        let mut patience = Self::default();
        for pair in words.chunks(2) {
            match *pair {
                ["within", time] => patience.within = Some(time.parse().ok()?),
                ["or", "give-up"] => patience.give_up = true,
                _ => return None,
            }
        }
        Some(patience)
    }
}
