//! Which domain gets a core, and which gives one up, as the load changes.
//!
//! Once a period, for every running domain:
//! - It *wants* one more, up to its maximum and its contexts, when its load was high for `hold` periods, when contexts
//!   of it are folded, or when CPU_ONs of it were denied. The first served is the one with the highest priority, then
//!   the highest load. It gets an idle core; else one of the domain with the lowest load below `low` for `hold` periods
//!   whose priority is not higher; else one of a domain with a lower priority, the lowest first.
//! - It *gives* one to the pool when its load was below `low` for `hold` periods.
//! - What a change touched rests for `hold` periods, and until it is done, as long as that may take: a guest that is slow
//!   has not what it is given yet, and what it is asked for no more.
//!
//! No domain goes below its minimum, or one core. A steady load comes to rest, for with the same work on `n - 1` or
//! `n + 1` cores no change calls for its own reversal:
//! - one is given up for low load only if `load * n / (n - 1) <= (low + high) / 2`: that is not high;
//! - folded contexts count only if `load * n / (n + 1) >= low`: with the core the load is not low (unless the domain
//!   is below its minimum);
//! - a domain never takes one from a higher priority by its load, so preemption does not come back.

use arrayvec::ArrayVec;
use domains::DomainId;
use domains::manifest::GovernorSpec;
use domains::protocol::MAX_DOMAINS;

#[cfg(test)]
mod tests;

smp::named! {
    /// Why a core moves.
    pub enum Reason {
        /// The receiver's load is high.
        HighLoad = 1 "high-load",
        /// The receiver's contexts share cores.
        Folded = 2 "folded",
        /// The receiver was denied a CPU_ON.
        Denied = 3 "denied",
        /// The giver's load is low; the pool receives.
        LowLoad = 4 "low-load",
        /// The receiver wants it as above, and has a higher priority than the giver, which is at work itself.
        Preempted = 5 "preempted",
    }
}

/// What a domain has and needs, as seen at the end of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The domain.
    pub domain: DomainId,
    /// Its priority; the higher, the more urgent.
    pub priority: u8,
    /// Cores that it owns, without those that it was asked to give up.
    pub owned: u32,
    /// The fewest that it is left with.
    pub min: u32,
    /// The most that it gets.
    pub max: u32,
    /// Contexts that are on, on cores that it owns.
    pub contexts_on: u32,
    /// All its contexts.
    pub contexts: u32,
    /// Its load: 1000 if all cores that it owns were busy all the period.
    pub busy_permille: u32,
    /// CPU_ONs that were denied in the period.
    pub denied: u32,
    /// Whether it runs; what does not neither gets nor gives.
    pub running: bool,
    /// A change of its cores is under way, and may take so many periods; 0: none is.
    pub changing: u32,
}

/// One core is to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who gives it; `None`: the pool.
    pub from: Option<DomainId>,
    /// Who gets it; `None`: the pool.
    pub to: Option<DomainId>,
    /// Why.
    pub reason: Reason,
}

/// What is to happen; at most one decision a domain.
pub type Decisions = ArrayVec<Decision, MAX_DOMAINS>;

/// What is remembered of a domain, in periods.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    high: u32,
    low: u32,
    rest: u32,
    /// For how long a change is under way.
    waited: u32,
}

/// The governor, with what it remembers; one for the machine.
#[derive(Clone, Debug)]
pub struct Governor {
    spec: GovernorSpec,
    past: [Past; MAX_DOMAINS],
}

impl Governor {
    /// A governor that has seen nothing yet.
    pub const fn new(spec: GovernorSpec) -> Self {
        Self { spec, past: [Past { high: 0, low: 0, rest: 0, waited: 0 }; MAX_DOMAINS] }
    }

    /// What to do after a period, with so many `idle` cores in the pool, on or off. `demands` has each domain once.
    pub fn decide(&mut self, demands: &[Demand], mut idle: u32) -> Decisions {
        demands.iter().for_each(|demand| self.remember(demand));
        let mut decisions = Decisions::new();
        let mut wanting: ArrayVec<(&Demand, Reason), MAX_DOMAINS> =
            demands.iter().filter_map(|demand| Some((demand, self.wants(demand)?))).take(MAX_DOMAINS).collect();
        let urgency = |demand: &Demand| (u8::MAX.abs_diff(demand.priority), u32::MAX.abs_diff(demand.busy_permille));
        wanting.sort_unstable_by_key(|(demand, _)| (urgency(demand), demand.domain.index()));
        for (receiver, reason) in wanting {
            if self.past(receiver).rest > 0 {
                continue;
            }
            let giver = if idle > 0 { Some((None, reason)) } else { self.giver(demands, receiver, reason) };
            let Some((from, reason)) = giver else { continue };
            idle = idle.saturating_sub(1);
            self.decided(&mut decisions, Decision { from, to: Some(receiver.domain), reason });
        }
        for demand in demands {
            if self.has_spare(demand) {
                let from = Some(demand.domain);
                self.decided(&mut decisions, Decision { from, to: None, reason: Reason::LowLoad });
            }
        }
        decisions
    }

    fn past(&self, demand: &Demand) -> Past {
        self.past.get(demand.domain.index()).copied().unwrap_or_default()
    }

    fn remember(&mut self, demand: &Demand) {
        let GovernorSpec { high_permille, low_permille, .. } = self.spec;
        let Some(past) = self.past.get_mut(demand.domain.index()) else { return };
        if past.waited < demand.changing {
            *past = Past { rest: past.rest.max(1), waited: past.waited.saturating_add(1), ..Past::default() };
            return;
        }
        let counted = |so_far: u32, holds: bool| if holds && demand.running { so_far.saturating_add(1) } else { 0 };
        *past = Past {
            high: counted(past.high, demand.busy_permille >= high_permille),
            low: counted(past.low, demand.busy_permille < low_permille && demand.denied == 0),
            rest: past.rest.saturating_sub(1),
            waited: if demand.changing > 0 { past.waited } else { 0 },
        };
    }

    fn wants(&self, demand: &Demand) -> Option<Reason> {
        if !demand.running || demand.owned >= demand.max.min(demand.contexts) {
            return None;
        }
        let with_one_more = load_on(demand, demand.owned.saturating_add(1));
        let needed = demand.owned < floor(demand) || with_one_more >= self.spec.low_permille;
        let reasons = [
            (demand.denied > 0, Reason::Denied),
            (demand.contexts_on > demand.owned && needed, Reason::Folded),
            (self.past(demand).high >= self.spec.hold, Reason::HighLoad),
        ];
        reasons.into_iter().find_map(|(holds, reason)| holds.then_some(reason))
    }

    /// Whether it can do without one of its cores.
    fn has_spare(&self, demand: &Demand) -> bool {
        let past = self.past(demand);
        let GovernorSpec { low_permille, high_permille, hold, .. } = self.spec;
        let middle = low_permille.saturating_add(high_permille) / 2;
        // `low` counts from the last change on: that is the rest.
        past.low >= hold && demand.owned > floor(demand) && load_on(demand, demand.owned.saturating_sub(1)) <= middle
    }

    /// Who gives one up for `receiver`, and why: for this reason, or because the giver is the lesser one.
    fn giver(&self, demands: &[Demand], receiver: &Demand, reason: Reason) -> Option<(Option<DomainId>, Reason)> {
        let others = || demands.iter().filter(|other| other.domain != receiver.domain);
        let spare = others().filter(|other| other.priority <= receiver.priority && self.has_spare(other));
        let lower = others().filter(|other| {
            let may = other.running && self.past(other).rest == 0;
            may && other.priority < receiver.priority && other.owned > floor(other)
        });
        let spare = spare.min_by_key(|other| (other.busy_permille, other.priority));
        let lower = lower.min_by_key(|other| (other.priority, other.busy_permille));
        let preempted = lower.map(|giver| (Some(giver.domain), Reason::Preempted));
        spare.map(|giver| (Some(giver.domain), reason)).or(preempted)
    }

    /// Both sides begin anew and rest.
    fn decided(&mut self, decisions: &mut Decisions, decision: Decision) {
        for domain in [decision.from, decision.to].into_iter().flatten() {
            if let Some(past) = self.past.get_mut(domain.index()) {
                *past = Past { rest: self.spec.hold, ..Past::default() };
            }
        }
        let _ = decisions.try_push(decision);
    }
}

/// What a domain is left with.
fn floor(demand: &Demand) -> u32 {
    demand.min.max(1)
}

/// The load if the same work were done on that many cores, in permille.
fn load_on(demand: &Demand, cores: u32) -> u32 {
    demand.busy_permille.saturating_mul(demand.owned).checked_div(cores).unwrap_or(u32::MAX)
}
