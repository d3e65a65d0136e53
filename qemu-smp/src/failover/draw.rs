//! What is done to each machine of a campaign, drawn from a seed.

use clap::ValueEnum;
use domains::manifest::InjectedFault;
use serde::Serialize;

use crate::power::random::Random;

/// What fails, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// The primary: its contexts are never run again
    Hang,
    /// The primary: its contexts run in a circle, interrupts masked
    Livelock,
    /// The primary: as if it had broken a rule
    Crash,
    /// The primary: it stores to where nothing is
    WildStore,
    /// The primary: it takes an SError (Linux panics)
    Panic,
    /// The primary: one of its cores does not answer any more
    Silent,
    /// The primary: its heartbeats are not heard any more
    Mute,
    /// The primary: as if it had reset itself
    Reset,
    /// Nothing: an operator orders the primary to be replaced
    Operator,
    /// The primary, and the standby in the moment in which it is promoted
    DuringTakeover,
    /// The primary, and the new one some time later
    NewPrimary,
    /// The standby
    Standby,
    /// Nothing
    #[value(skip)]
    None,
}

impl Case {
    /// Its word.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(|| "none".to_owned(), |value| value.get_name().to_owned())
    }

    /// The fault that it names, if it names one of the primary's.
    fn fault(self) -> Option<InjectedFault> {
        InjectedFault::from_name(&self.name())
    }
}

/// What is done to one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The run's number.
    pub number: u64,
    /// What fails.
    pub case: Case,
    /// The fault, if it is one.
    pub fault: Option<InjectedFault>,
    /// The second one, if there is one.
    pub second: Option<InjectedFault>,
    /// It happens when so many records are acknowledged.
    pub after: u64,
    /// The second one happens when so many more are.
    pub then: u64,
}

/// Records before a fault: with a period of 10 ms up to a second, so that every phase of a heartbeat is met.
const AFTER: (u32, u32) = (5, 100);
const THEN: (u32, u32) = (1, 40);

impl Draw {
    /// What is done to the machine with this number. The kinds come in turn, each round in another order, so that
    /// each comes as often as the others.
    pub fn new(seed: u64, number: u64, kinds: &[Case]) -> Self {
        let mix = |salt: u64| {
            Random::new(seed.wrapping_mul(1_000_003).wrapping_add(number).wrapping_mul(2).wrapping_add(salt))
        };
        let count = kinds.len().max(1) as u64;
        let (round, place) = (number / count, (number % count) as usize);
        let mut order: Vec<Case> = kinds.to_vec();
        let mut random = Random::new(seed.wrapping_mul(7_919).wrapping_add(round));
        for last in (1..order.len()).rev() {
            order.swap(last, random.range(0, last as u32) as usize);
        }
        let case = order.get(place).copied().unwrap_or(Case::Hang);
        let mut random = mix(1);
        let mut any = || {
            let index = random.range(0, InjectedFault::ALL.len() as u32 - 1) as usize;
            InjectedFault::ALL.get(index).copied()
        };
        let (first, second) = (any(), any());
        let (fault, second) = match case {
            Case::Operator | Case::None => (None, None),
            Case::DuringTakeover | Case::NewPrimary => (first, second),
            Case::Standby => (first, None),
            _ => (case.fault(), None),
        };
        let mut random = mix(0);
        let mut between = |(from, to)| u64::from(random.range(from, to));
        Self { number, case, fault, second, after: between(AFTER), then: between(THEN) }
    }

    /// In a few words, to be read after the run's number.
    pub fn about(&self) -> String {
        let name = |fault: Option<InjectedFault>| fault.map_or("", InjectedFault::name);
        let (fault, second) = (name(self.fault), name(self.second));
        let what = match self.case {
            Case::DuringTakeover => format!("{fault}, and {second} of the new primary on its promotion"),
            Case::NewPrimary => format!("{fault}, and {second} of the new primary {} records later", self.then),
            Case::Standby => format!("{fault} of the standby"),
            Case::Operator => "operator's order".to_owned(),
            Case::None => return "nothing".to_owned(),
            _ => fault.to_owned(),
        };
        format!("{what}, after {} records", self.after)
    }
}
