//! One machine of a campaign: strikes when the service has come as far as was drawn, and waits until it goes on.

use domains::manifest::InjectedFault;

use super::calm::{Calm, Watch, Watched};
use super::draw::{Case, Draw};
use super::observer::{Observer, Term};
use crate::console::ConsoleId;
use crate::ctl::reply::{MODULE, Reply};
use crate::failure::Failure;
use crate::run::{LogLine, Watcher};

/// The part of the kernel that speaks when a member was found to have failed, and when another one serves.
const FAILOVER: &str = "failover";

/// Records of a new primary after which the service goes on.
const ENOUGH: u64 = 10;

/// Records within which a standby has to be there again.
const PATIENCE: u64 = 500;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The service begins.
    Begins,
    /// A fault was ordered.
    Struck,
    /// It survived the first of two faults.
    Between,
    /// It goes on; who failed is to come back as a standby.
    Heals,
    /// Nothing is broken, and nothing is to happen.
    Watched,
    /// There is nothing more to see.
    Over,
}

/// What had been seen when a fault was ordered.
#[derive(Clone, Debug, Default)]
struct Mark {
    /// Who served.
    primary: usize,
    epoch: u32,
    acknowledged: u64,
    /// By member, how often it had said that it is a standby.
    standbys: Vec<u64>,
}

/// The trial.
#[derive(Debug)]
pub struct Trial {
    draw: Draw,
    group: String,
    members: Vec<(ConsoleId, String)>,
    observer: Observer,
    stage: Stage,
    mark: Mark,
    /// Faults that are not ordered yet.
    strikes: u32,
    orders: Vec<String>,
    given: u16,
    refusal: Option<String>,
    is_redundant: bool,
    /// For a machine on which nothing is broken.
    watch: Option<Watch>,
}

impl Trial {
    /// Nothing has happened yet. The members are named as the group's are, in its order.
    pub fn new(draw: Draw, calm: Option<Calm>, group: String, members: Vec<(ConsoleId, String)>) -> Self {
        Self {
            draw,
            group,
            observer: Observer::new(members.len()),
            members,
            stage: Stage::Begins,
            mark: Mark::default(),
            strikes: if draw.case == Case::NewPrimary { 2 } else { 1 },
            orders: Vec::new(),
            given: 0,
            refusal: None,
            is_redundant: false,
            watch: calm.map(Watch::new),
        }
    }

    /// What was seen.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// How far it came.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Why the kernel did not do what it was ordered to, if it did not.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// What the kernel said of members that failed, where nothing was broken.
    pub fn alarms(&self) -> &[String] {
        self.watch.as_ref().map_or(&[], Watch::alarms)
    }

    /// How the service went where nothing was broken.
    pub fn watched(&self) -> Option<Watched> {
        self.watch.as_ref().and_then(Watch::watched)
    }

    /// Whether there was a standby again in the end.
    pub fn is_redundant(&self) -> bool {
        self.is_redundant
    }

    /// Whether another one serves than before the last fault.
    pub fn is_replaced(&self) -> bool {
        self.observer.terms().last().is_some_and(|term| term.member != self.mark.primary)
    }

    /// Goes on as far as what was seen allows.
    fn advance(&mut self) {
        let Some(term) = self.observer.terms().last().copied() else { return };
        let acknowledged = self.observer.acknowledged();
        match self.stage {
            Stage::Begins if acknowledged >= self.draw.after && self.has_standby(term) => self.strike(term),
            Stage::Struck if self.serves(term) => {
                self.mark.acknowledged = acknowledged;
                self.stage = if self.strikes > 0 { Stage::Between } else { Stage::Heals };
            }
            Stage::Between => {
                let since = acknowledged - self.mark.acknowledged;
                if since >= PATIENCE || since >= self.draw.then && self.has_standby(term) {
                    self.strike(term);
                }
            }
            Stage::Heals => {
                self.is_redundant = self.has_standby(term);
                let since = acknowledged - self.mark.acknowledged;
                if since >= ENOUGH && self.is_redundant || since >= PATIENCE {
                    self.stage = Stage::Over;
                }
            }
            _ => {}
        }
    }

    /// Whether somebody has become a standby since the last fault.
    fn has_standby(&self, term: Term) -> bool {
        let said = |member| self.observer.standbys(member);
        let before = |member: usize| self.mark.standbys.get(member).copied().unwrap_or(0);
        (0..self.members.len()).any(|member| member != term.member && said(member) > before(member))
    }

    /// Whether the service goes on after a fault.
    fn serves(&self, term: Term) -> bool {
        let epochs = match self.draw.case {
            Case::Standby => 0,
            Case::DuringTakeover => 2,
            _ => 1,
        };
        if epochs == 0 {
            return self.observer.acknowledged() >= self.mark.acknowledged + ENOUGH;
        }
        let acknowledged = term.last.map_or(0, |last| last - term.after);
        term.epoch >= self.mark.epoch + epochs && acknowledged >= ENOUGH
    }

    fn strike(&mut self, term: Term) {
        let all = 0..self.members.len();
        self.mark = Mark {
            primary: term.member,
            epoch: term.epoch,
            acknowledged: self.observer.acknowledged(),
            standbys: all.clone().map(|member| self.observer.standbys(member)).collect(),
        };
        let name = |member: Option<usize>| {
            member.and_then(|member| self.members.get(member)).map_or("", |(_, name)| name.as_str())
        };
        let primary = name(Some(term.member));
        let standby = name(all.clone().find(|member| *member != term.member && self.observer.standbys(*member) > 0));
        let word = |fault: Option<InjectedFault>| fault.map_or("", InjectedFault::name);
        let (first, second) = (word(self.draw.fault), word(self.draw.second));
        let again = self.draw.case == Case::NewPrimary && self.strikes == 1;
        let orders = match self.draw.case {
            Case::None => Vec::new(),
            Case::Operator => vec![format!("failover {}", self.group)],
            Case::Standby => vec![format!("fail {standby} {first}")],
            Case::DuringTakeover => {
                vec![format!("fail {standby} {second} on promotion"), format!("fail {primary} {first}")]
            }
            _ if again => vec![format!("fail {primary} {second}")],
            _ => vec![format!("fail {primary} {first}")],
        };
        for order in orders {
            self.given += 1;
            self.orders.push(format!("#{} {order}", self.given));
        }
        self.strikes -= 1;
        self.stage = Stage::Struck;
        if let Some(watch) = &mut self.watch {
            self.stage = Stage::Watched;
            watch.begin();
        }
    }
}

impl Watcher for Trial {
    fn started(&mut self, process: u32) -> Result<(), Failure> {
        self.watch.as_mut().map_or(Ok(()), |watch| watch.started(process))
    }

    fn line(&mut self, console: ConsoleId, line: &str) {
        if self.stage == Stage::Over {
            return;
        }
        if console == ConsoleId::KERNEL {
            let log = LogLine::parse(line);
            if let (Some(watch), Some(log)) = (&mut self.watch, log.filter(|log| log.module == FAILOVER)) {
                watch.alarm(log.text);
            }
            let reply = log.filter(|log| log.module == MODULE).map(|log| log.text);
            let refused = reply.and_then(Reply::parse).filter(|reply| reply.says() == Some("refused"));
            self.refusal = self.refusal.take().or(refused.map(|reply| reply.line));
            return;
        }
        if let Some(member) = self.members.iter().position(|(its, _)| *its == console) {
            let before = self.observer.acknowledged();
            self.observer.line(member, line);
            if self.observer.acknowledged() > before {
                self.watch.iter_mut().for_each(Watch::record);
            }
            self.advance();
        }
    }

    fn orders(&mut self) -> Vec<String> {
        let is_time = self.watch.as_mut().is_some_and(Watch::look);
        if is_time && self.stage == Stage::Watched && self.observer.acknowledged() > self.mark.acknowledged {
            self.is_redundant = true;
            self.stage = Stage::Over;
        }
        std::mem::take(&mut self.orders)
    }

    fn is_over(&self) -> bool {
        // A finding will not go away.
        self.stage == Stage::Over || self.refusal.is_some() || !self.observer.findings().is_empty()
    }
}
