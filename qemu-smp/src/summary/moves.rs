//! The moves of cores, summed up.

use domains::ledger::Heir;
use serde::Serialize;

use crate::trace::detail::heir;
use crate::trace::moves::{End, Kind, Latency, Move};

/// All moves of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Moves {
    /// Cores that were asked for and got where they were meant to go.
    pub done: usize,
    /// Cores that their domains keep.
    pub cancelled: usize,
    /// Cores with which it went wrong.
    pub failed: usize,
    /// Cores that were on their way at the end.
    pub open: usize,
    /// Cores whose guest did not answer in time.
    pub deadline_passed: usize,
    /// Cores that nobody had and that were given to a domain.
    pub from_pool: usize,
    /// Cores that were woken for a domain.
    pub woken: usize,
    /// Cores that their domains gave up by themselves.
    pub released: usize,
    /// From asking for a core until the core was clean.
    pub asked_to_taken: Option<Latency>,
    /// From there until its heir had it.
    pub taken_to_given: Option<Latency>,
    /// The whole way.
    pub asked_to_given: Option<Latency>,
    /// Each of them.
    pub list: Vec<CoreMove>,
}

/// One core's move. Times are milliseconds since the kernel was entered.
#[derive(Clone, Debug, Serialize)]
pub struct CoreMove {
    /// The core.
    pub core: usize,
    /// The number of the order; 0 without one.
    pub order: u64,
    /// Who wanted it to move.
    pub kind: Kind,
    /// Whose it was.
    pub from: String,
    /// Whose it was to be.
    pub to: String,
    /// How it came out.
    pub end: End,
    /// When it was asked for.
    pub asked_ms: Option<f64>,
    /// When the core was clean.
    pub taken_ms: Option<f64>,
    /// When its heir had it.
    pub given_ms: Option<f64>,
    /// How often the guest was busy.
    pub busy: u32,
    /// Whether the guest refused.
    pub refused: bool,
    /// Whether the guest's time was over.
    pub deadline: bool,
}

impl Moves {
    /// Sums moves up.
    pub fn new(moves: &[Move], names: &[&str]) -> Self {
        let asked = || moves.iter().filter(|one| one.kind == Kind::Asked);
        let count = |end: End| asked().filter(|one| one.end == end).count();
        let of_kind = |kind: Kind| moves.iter().filter(|one| one.kind == kind).count();
        let latency = |times: &dyn Fn(&Move) -> Option<f64>| Latency::of(asked().filter_map(times));
        Self {
            done: count(End::Done),
            cancelled: count(End::Cancelled),
            failed: count(End::Failed),
            open: count(End::Open),
            deadline_passed: asked().filter(|one| one.deadline).count(),
            from_pool: of_kind(Kind::FromPool),
            woken: of_kind(Kind::Woken),
            released: of_kind(Kind::Released),
            asked_to_taken: latency(&|one| Some(one.taken_us? - one.asked_us?)),
            taken_to_given: latency(&|one| Some(one.given_us? - one.taken_us?)),
            asked_to_given: latency(&|one| Some(one.given_us? - one.asked_us?)),
            list: moves.iter().map(|one| CoreMove::new(one, names)).collect(),
        }
    }

    /// How often a core changed hands.
    pub fn moved(&self) -> usize {
        self.done + self.from_pool + self.woken + self.released
    }
}

impl CoreMove {
    fn new(one: &Move, names: &[&str]) -> Self {
        let milliseconds = |time: Option<f64>| time.map(|time| time / 1e3);
        Self {
            core: one.core,
            order: one.order,
            kind: one.kind,
            from: heir(one.from.map_or(Heir::Pool, Heir::Domain), names).to_owned(),
            to: heir(one.to, names).to_owned(),
            end: one.end,
            asked_ms: milliseconds(one.asked_us),
            taken_ms: milliseconds(one.taken_us),
            given_ms: milliseconds(one.given_us),
            busy: one.busy,
            refused: one.refused,
            deadline: one.deadline,
        }
    }
}
