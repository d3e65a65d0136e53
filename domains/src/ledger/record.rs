//! What a core's word says, and how it may change.

use crate::DomainId;

/// What a core is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreState {
    /// It was not asked to start.
    Off,
    /// It was asked to start and has not said that it runs.
    Waking,
    /// It runs and belongs to nobody.
    Idle,
    /// It runs contexts of this domain.
    Owned(DomainId),
    /// It is being cleaned of this domain.
    Releasing(DomainId),
    /// It did not come up, or stopped answering.
    Failed,
}

/// What happens to a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreEvent {
    /// It is asked to start.
    Wake,
    /// It says that it runs.
    CameUp,
    /// It is given to this domain.
    Claim(DomainId),
    /// This domain gives it up.
    BeginRelease(DomainId),
    /// It is clean of this domain.
    FinishRelease(DomainId),
    /// It is given up.
    Fail,
}

/// A core's word, read at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreRecord {
    /// Its state, with its owner.
    pub state: CoreState,
    /// The number of changes before; 48 bits, which is years of changes at a million a second.
    pub generation: u64,
}

/// The state after `event`.
///
/// # Errors
/// The state itself, if the event cannot happen in it.
pub fn step(state: CoreState, event: CoreEvent) -> Result<CoreState, CoreState> {
    use {CoreEvent as Event, CoreState as State};
    match (state, event) {
        (State::Off, Event::Wake) => Ok(State::Waking),
        (State::Waking, Event::CameUp) => Ok(State::Idle),
        (State::Idle, Event::Claim(domain)) => Ok(State::Owned(domain)),
        (State::Owned(owner), Event::BeginRelease(domain)) if owner == domain => Ok(State::Releasing(domain)),
        (State::Releasing(owner), Event::FinishRelease(domain)) if owner == domain => Ok(State::Idle),
        (State::Waking | State::Idle | State::Owned(_) | State::Releasing(_), Event::Fail) => Ok(State::Failed),
        _ => Err(state),
    }
}

/// The word: generation in bits 63:16, state in 15:8, owner plus one in 7:0.
impl CoreRecord {
    pub(super) fn after(self, event: CoreEvent) -> Result<Self, CoreState> {
        let state = step(self.state, event)?;
        Ok(Self { state, generation: self.generation.wrapping_add(1) & (u64::MAX >> 16) })
    }

    pub(super) fn to_bits(self) -> u64 {
        (self.generation << 16) | self.state.to_trace()
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        // Only this module writes the word.
        let state = CoreState::from_trace(bits & 0xffff).unwrap_or(CoreState::Failed);
        Self { state, generation: bits >> 16 }
    }
}

impl CoreState {
    /// The state as a trace record carries it: its code in bits 15:8, its owner plus one, or 0, in
    /// 7:0.
    pub fn to_trace(self) -> u64 {
        let (code, owner) = match self {
            Self::Off => (0, None),
            Self::Waking => (1, None),
            Self::Idle => (2, None),
            Self::Owned(owner) => (3, Some(owner)),
            Self::Releasing(owner) => (4, Some(owner)),
            Self::Failed => (5, None),
        };
        let owner = owner.map_or(0, |owner| (owner.index() as u64).wrapping_add(1));
        (code << 8) | owner
    }

    /// The state that [`to_trace`](Self::to_trace) gave.
    pub fn from_trace(word: u64) -> Option<Self> {
        let owner = || DomainId::new(usize::try_from(word & 0xff).ok()?.checked_sub(1)?);
        Some(match word >> 8 {
            0 => Self::Off,
            1 => Self::Waking,
            2 => Self::Idle,
            3 => Self::Owned(owner()?),
            4 => Self::Releasing(owner()?),
            5 => Self::Failed,
            _ => return None,
        })
    }
}
