//! The way of each core from one owner to another, with how long its steps took.

use domains::DomainId;
use domains::ledger::{CoreState, Heir};
use serde::Serialize;
use smp::trace::Record;

use super::Trace;
use super::core_map::change;
use super::detail::{Detail, Step};

/// Who wanted a core to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An order, or the governor: its domain was to give it up.
    Asked,
    /// An order, or the governor: nobody had it.
    FromPool,
    /// An order, the governor, or the domain's CPU_ON: it was off.
    Woken,
    /// Its domain, by itself.
    Released,
}

/// How a move came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The core is where it was meant to go.
    Done,
    /// Its domain keeps it.
    Cancelled,
    /// It is not where it was meant to go.
    Failed,
    /// The record ends before it was over.
    Open,
}

/// One core on its way. Times are microseconds since the kernel was entered.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    /// The core.
    pub core: usize,
    /// The number of the order that wanted it; 0 if none with a number did.
    pub order: u64,
    /// Who wanted it to move.
    pub kind: Kind,
    /// Whose it was; `None` is nobody.
    pub from: Option<DomainId>,
    /// Whose it was to be.
    pub to: Heir,
    /// When it was asked for.
    pub asked_us: Option<f64>,
    /// When it was clean of its domain.
    pub taken_us: Option<f64>,
    /// When its heir had it.
    pub given_us: Option<f64>,
    /// How often the guest could not.
    pub busy: u32,
    /// Whether the guest did not want to.
    pub refused: bool,
    /// Whether the guest's time was over before it answered.
    pub deadline: bool,
    /// How it came out.
    pub end: End,
}

/// How long something took, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// How often.
    pub count: usize,
    /// The shortest.
    pub min_us: f64,
    /// As many were shorter as were longer.
    pub median_us: f64,
    /// The longest.
    pub max_us: f64,
}

impl Latency {
    /// Of all these; `None` of none.
    pub fn of(times: impl Iterator<Item = f64>) -> Option<Self> {
        let mut times: Vec<f64> = times.collect();
        times.sort_by(f64::total_cmp);
        let (count, middle) = (times.len(), times.len() / 2);
        let upper = *times.get(middle)?;
        let median_us = if count % 2 == 1 { upper } else { (times.get(middle - 1)? + upper) / 2.0 };
        Some(Self { count, min_us: *times.first()?, median_us, max_us: *times.last()? })
    }
}

/// Every move in the trace, by the time it ended; those that did not end come last.
pub fn from_trace(trace: &Trace) -> Vec<Move> {
    let off = Core { state: CoreState::Off { held: false }, before: None, waking_us: None, open: None };
    let mut cores = vec![off; trace.header.cores as usize];
    let mut moves = Vec::new();
    for record in &trace.records {
        let at_us = trace.microseconds(record.time);
        moves.extend(ledger(&mut cores, record, at_us).into_iter().chain(step(&mut cores, record, at_us)).flatten());
    }
    moves.extend(cores.into_iter().filter_map(|core| core.open));
    moves
}

/// What is known of a core while the records are read.
#[derive(Clone)]
struct Core {
    state: CoreState,
    /// Who had it before it came into this state.
    before: Option<DomainId>,
    /// When it was asked to wake, if it was.
    waking_us: Option<f64>,
    /// Its move that is not over.
    open: Option<Move>,
}

/// Takes a change of a core's word: with `Asked` a move begins, and one that had an owner when it came up was woken for it.
fn ledger(cores: &mut [Core], record: &Record, at_us: f64) -> Option<Option<Move>> {
    let (index, change) = change(record)?;
    let core = cores.get_mut(index)?;
    let before = core.state;
    (core.before, core.state) = (before.owner(), change.after(before));
    match (before, core.state) {
        (_, CoreState::Waking(_)) => core.waking_us = Some(at_us),
        (CoreState::Off { .. } | CoreState::Waking(_), CoreState::Owned(domain)) => {
            let to = Heir::Domain(domain);
            let (asked_us, given_us) = (core.waking_us.take(), Some(at_us));
            return Some(Some(Move { kind: Kind::Woken, to, asked_us, given_us, end: End::Done, ..Move::new(index) }));
        }
        (_, CoreState::Asked(from, to)) => {
            let new = Move { kind: Kind::Asked, from: Some(from), to, asked_us: Some(at_us), ..Move::new(index) };
            return Some(core.open.replace(new));
        }
        _ => core.waking_us = None,
    }
    None
}

/// Takes a step; gives the moves that are over with it.
fn step(cores: &mut [Core], record: &Record, at_us: f64) -> Option<Option<Move>> {
    let Detail::Move { core: index, order, step } = Detail::of(record)? else { return None };
    let index = usize::try_from(index).ok()?;
    let core = cores.get_mut(index)?;
    let open = core.open.get_or_insert_with(|| Move::begun_by(index, order, step, (core.before, core.state)));
    open.order = order;
    match step {
        Step::Asked => drop(open.asked_us.get_or_insert(at_us)),
        Step::Busy => open.busy += 1,
        Step::Refused => open.refused = true,
        Step::Deadline => open.deadline = true,
        Step::Taken => open.taken_us = Some(at_us),
        Step::Given => (open.given_us, open.end) = (Some(at_us), End::Done),
        Step::Cancelled => open.end = End::Cancelled,
        Step::Failed => open.end = End::Failed,
    }
    Some(core.open.take_if(|open| open.end != End::Open))
}

impl Move {
    fn new(core: usize) -> Self {
        Self {
            core,
            order: 0,
            kind: Kind::Released,
            from: None,
            to: Heir::Pool,
            asked_us: None,
            taken_us: None,
            given_us: None,
            busy: 0,
            refused: false,
            deadline: false,
            end: End::Open,
        }
    }

    /// A move whose first record is this step, made when the core came into this state, from who had it before.
    fn begun_by(core: usize, order: u64, step: Step, (before, state): (Option<DomainId>, CoreState)) -> Self {
        let new = Self::new(core);
        if step != Step::Given {
            // The record of the asking was lost.
            return Self { kind: Kind::Asked, from: state.owner(), ..new };
        }
        // The ledger's word changes before the step is recorded. Nobody was asked for a core that was taken at once.
        let to = match state {
            CoreState::Off { .. } => Heir::Off,
            state => state.owner().map_or(Heir::Pool, Heir::Domain),
        };
        let kind = match before {
            None => Kind::FromPool,
            Some(_) if order == 0 && to == Heir::Pool => Kind::Released,
            Some(_) => Kind::Asked,
        };
        Self { kind, from: before, to, ..new }
    }
}
