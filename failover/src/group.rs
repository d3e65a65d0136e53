//! Who of a group serves, and since which epoch: one word, so that detectors on several cores, heartbeats and the end of
//! a fencing cannot miss each other.
//!
//! ```text
//!                 begin(p)                        promote(p), by who left p last
//!   Serving(p) ─────────────▶ Fencing(p, n) ──────────────────────────────┐
//!      ▲  ▲                        ▲                                      │ epoch + 1
//!      │  └────────── beat(s) ─────┼───────────── Promoted(s) ◀───────────┘
//!      │                           └── begin(s) ─────┘
//! ```
//!
//! `n` says whether a standby is to replace p, or p is to begin anew; s is that standby, or p. Invariants:
//! - Of several who [`begin`](Group::begin), exactly one learns that it did; only the member that is the primary can be
//!   replaced, so an error that is found late, of a primary that was, changes nothing.
//! - While the word says Fencing there is no new primary. The core on which a member's last context leaves calls
//!   [`promote`](Group::promote), whatever that member is: once nothing of it runs on any core and it has no right to
//!   anything shared any more, and before it begins anew or ends. So no two members, and no two lives of one, are ever
//!   the primary of one epoch, and epochs only grow.
//! - A standby may be chosen while it stops. It is the primary then, whatever it was stopped for, and its own `promote`
//!   passes that on: also where nobody began.
//! - `ready` holds standbys that have beaten since they started, and never the primary. Which of them takes over is
//!   decided when the old primary is fenced: one that failed meanwhile is not chosen. If none is left, the old primary
//!   begins anew.
//! - A heartbeat of a primary that is being fenced says nothing.
//! - A member that begins anew calls [`gone`](Group::gone) after `domains::life::Life::restart`. If its group ended
//!   meanwhile, or somebody began to fence it again, either it sees that there ([`Moment::stops`]), or it is stopped by
//!   who did so, and who stops it after [`end`](Group::end) or [`begin`](Group::begin): neither is lost in between.

use domains::manifest::{MAX_MEMBERS, Role};
use smp::sync::atomic::{AtomicU64, Ordering};

#[cfg(all(test, not(loom)))]
mod tests;

/// Where a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The primary serves.
    Serving = 0,
    /// The primary is new, and has not beaten yet.
    Promoted = 1,
    /// The primary is being fenced; a standby is to replace it.
    Fencing = 2,
    /// The primary is being fenced, to begin anew.
    Renewing = 3,
    /// The group has ended.
    Over = 4,
}

/// A group's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// How often a primary began to serve.
    pub epoch: u32,
    /// The member that serves, or did last.
    pub primary: u8,
    /// How it stands.
    pub state: State,
    /// A bit for each standby that is ready to take over.
    pub ready: u8,
}

impl Moment {
    const fn to_word(self) -> u64 {
        self.epoch as u64 | (self.primary as u64) << 32 | (self.state as u64) << 40 | (self.ready as u64) << 48
    }

    fn from_word(word: u64) -> Self {
        const STATES: [State; 5] = [State::Serving, State::Promoted, State::Fencing, State::Renewing, State::Over];
        let state = STATES.into_iter().find(|state| *state as u64 == word >> 40 & 0xff).unwrap_or(State::Over);
        Self { epoch: word as u32, primary: (word >> 32) as u8, state, ready: (word >> 48) as u8 }
    }

    /// What a member is.
    pub fn role(self, member: u8) -> Role {
        match (member == self.primary, self.state) {
            (false, _) => Role::Standby,
            (true, State::Promoted) => Role::Promoted,
            (true, _) => Role::Primary,
        }
    }

    /// Whether `member` is not to go on: its group is over, or it is being fenced.
    pub fn stops(self, member: u8) -> bool {
        match self.state {
            State::Over => true,
            State::Fencing | State::Renewing => member == self.primary,
            State::Serving | State::Promoted => false,
        }
    }

    fn without(self, member: u8) -> Self {
        Self { ready: self.ready & !bit(member), ..self }
    }

    /// The standby that takes over: the next ready one after the primary.
    pub fn successor(self) -> Option<u8> {
        let members = MAX_MEMBERS as u8;
        let after = |step: u8| self.primary.wrapping_add(step).checked_rem(members).unwrap_or(0);
        (1..members).map(after).find(|member| self.ready & bit(*member) != 0)
    }
}

const fn bit(member: u8) -> u8 {
    1u8.wrapping_shl(member as u32)
}

/// Why nobody begins to replace a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotBegun {
    /// It is not the primary (any more), or is being fenced already.
    NotPrimary,
    /// No standby is ready.
    NoStandby,
}

/// What a heartbeat meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// The member lives.
    Lives,
    /// It is ready to take over, from now on.
    Ready,
    /// It serves, from now on.
    Serves,
    /// It is being fenced: nobody listens.
    Late,
}

/// A group.
#[derive(Debug)]
pub struct Group(AtomicU64);

impl Group {
    /// A group whose first member is the primary and has not beaten yet.
    pub fn new() -> Self {
        let first = Moment { epoch: 1, primary: 0, state: State::Promoted, ready: 0 };
        Self(AtomicU64::new(first.to_word()))
    }

    /// Where it stands now.
    pub fn now(&self) -> Moment {
        Moment::from_word(self.0.load(Ordering::Acquire))
    }

    /// Changes the word by `next`, which gives `None` where there is nothing to change; the moment before.
    fn change(&self, next: impl Fn(Moment) -> Option<Moment>) -> Result<Moment, Moment> {
        let next = |word| next(Moment::from_word(word)).map(Moment::to_word);
        // AcqRel: what was revoked of the old primary was so before the new one learns of its epoch.
        let changed = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        changed.map(Moment::from_word).map_err(Moment::from_word)
    }

    /// Changes how the group stands, if `member` is its primary, and it `was` such a moment.
    fn turn(&self, member: u8, was: impl Fn(Moment) -> bool, state: State) -> Result<Moment, Moment> {
        self.change(|now| (member == now.primary && was(now)).then_some(Moment { state, ..now }))
    }

    /// The primary is to be fenced: for a standby to replace it, or, with `renew`, to begin anew. The caller that
    /// succeeds sees to it.
    ///
    /// # Errors
    /// See [`NotBegun`]; nothing has changed.
    pub fn begin(&self, member: u8, renew: bool) -> Result<(), NotBegun> {
        let serves = |now: Moment| member == now.primary && matches!(now.state, State::Serving | State::Promoted);
        let state = if renew { State::Renewing } else { State::Fencing };
        let begun = self.turn(member, |now| serves(now) && (renew || now.successor().is_some()), state);
        begun.map(|_| ()).map_err(|now| if serves(now) { NotBegun::NoStandby } else { NotBegun::NotPrimary })
    }

    /// The primary, which was to begin anew, cannot: a standby replaces it after all, if one gets ready.
    pub fn lose(&self, member: u8) {
        let _ = self.turn(member, |now| now.state == State::Renewing, State::Fencing);
    }

    /// Nothing of `member` is left. If it was the primary, the next epoch begins, with the primary that is returned:
    /// perhaps itself. `None`: it is a standby, and not ready from now on, or the group is over.
    pub fn promote(&self, member: u8) -> Option<Moment> {
        let promoted = |now: Moment| {
            let primary = match now.state {
                State::Over => return None,
                _ if member != now.primary => return Some(now.without(member)),
                State::Renewing => member,
                State::Serving | State::Promoted | State::Fencing => now.successor().unwrap_or(member),
            };
            let epoch = now.epoch.wrapping_add(1);
            Some(Moment { epoch, primary, state: State::Promoted, ..now.without(primary) })
        };
        self.change(promoted).ok().filter(|before| before.primary == member).and_then(promoted)
    }

    /// A member lives.
    pub fn beat(&self, member: u8) -> (Beat, Moment) {
        let beaten = |now: Moment| match (member == now.primary, now.state) {
            (_, State::Over) => (Beat::Lives, None),
            (false, _) if now.ready & bit(member) == 0 => {
                (Beat::Ready, Some(Moment { ready: now.ready | bit(member), ..now }))
            }
            (true, State::Promoted) => (Beat::Serves, Some(Moment { state: State::Serving, ..now })),
            (true, State::Fencing | State::Renewing) => (Beat::Late, None),
            _ => (Beat::Lives, None),
        };
        let (Ok(seen) | Err(seen)) = self.change(|now| beaten(now).1);
        let (beat, next) = beaten(seen);
        (beat, next.unwrap_or(seen))
    }

    /// A standby is not ready (any more): it failed, or begins anew. The moment before.
    pub fn gone(&self, member: u8) -> Moment {
        // A read-modify-write even if it changes nothing: see the module's last invariant.
        let (Ok(before) | Err(before)) = self.change(|now| Some(now.without(member)));
        before
    }

    /// The group ends with its primary; the caller sees to who [waits](crate::waiting). False: that is not `member`, or
    /// the group is over.
    pub fn end(&self, member: u8) -> bool {
        self.turn(member, |now| now.state != State::Over, State::Over).is_ok()
    }
}
