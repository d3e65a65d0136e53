//! What a core's word says, and how it may change.

use crate::DomainId;

/// Who gets a core that its domain gives up, or that wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heir {
    /// Nobody.
    Pool,
    /// Nobody: it goes off, and is held off until somebody orders otherwise.
    Off,
    /// This domain.
    Domain(DomainId),
}

/// What a core is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreState {
    /// It is switched off, or about to be. If it is held, it was ordered off, and is not woken on demand.
    Off {
        /// See above.
        held: bool,
    },
    /// It was asked to start and has not said that it runs.
    Waking(Heir),
    /// It runs and belongs to nobody.
    Idle,
    /// It runs contexts of this domain, or waits for one.
    Owned(DomainId),
    /// As `Owned`, but the domain was asked to give it up.
    Asked(DomainId, Heir),
    /// It is being cleaned of this domain.
    Releasing(DomainId, Heir),
    /// It did not come up, or stopped answering.
    Failed,
}

/// What happens to a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreEvent {
    /// It is asked to start, unless it is held off.
    Wake(Heir),
    /// It is held off from now on, or no more.
    Hold(bool),
    /// It says that it runs.
    CameUp,
    /// It is idle and switches itself off; held, if it was ordered to.
    SwitchOff {
        /// See above.
        held: bool,
    },
    /// It is given to this domain.
    Claim(DomainId),
    /// This domain is asked to give it up.
    Ask(DomainId, Heir),
    /// It need not be given up.
    Cancel,
    /// This domain gives it up.
    BeginRelease(DomainId),
    /// This domain, which nobody asked for it, gives it up to an heir of its own choice.
    Bequeath(DomainId, Heir),
    /// It is clean of this domain, and the heir's.
    FinishRelease(DomainId),
    /// It is clean of this domain, whose heir cannot take it: the pool's.
    Disinherit(DomainId),
    /// This domain keeps it after all.
    Keep(DomainId),
    /// It is given up.
    Fail,
}

/// A core's word, read at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreRecord {
    /// Its state, with its owner.
    pub state: CoreState,
    /// The number of changes before; 40 bits, which is ten days of changes at a million a second.
    pub generation: u64,
}

/// The state after `event`.
///
/// # Errors
/// The state itself, if the event cannot happen in it.
pub fn step(state: CoreState, event: CoreEvent) -> Result<CoreState, CoreState> {
    after(state.to_trace(), event).and_then(|word| CoreState::from_trace(word & STATE)).ok_or(state)
}

/// Codes of the states, in bits 15:8 of the word; generation in bits 63:24, heir in 23:16, owner plus one in 7:0.
pub(super) mod code {
    pub const OFF: u64 = 0;
    pub const WAKING: u64 = 1;
    pub const IDLE: u64 = 2;
    pub const OWNED: u64 = 3;
    pub const RELEASING: u64 = 4;
    pub const FAILED: u64 = 5;
    pub const ASKED: u64 = 6;
}

/// Bits of the word that hold the state; the generation counts in those above.
pub(super) const STATE: u64 = 0xff_ffff;

const fn word(code: u64, owner: u64, heir: u64) -> u64 {
    heir << 16 | code << 8 | owner
}

/// The word after `event`, without decoding it: this is on the way of every core that moves.
#[inline(always)]
pub(super) fn after(bits: u64, event: CoreEvent) -> Option<u64> {
    use code::{ASKED, FAILED, IDLE, OFF, OWNED, RELEASING, WAKING};
    let (code, owner, heir) = (bits >> 8 & 0xff, bits & 0xff, bits >> 16 & 0xff);
    let inherited = match heir {
        0 => word(IDLE, 0, 0),
        Heir::OFF => word(OFF, 0, Heir::OFF),
        domain => word(OWNED, domain, 0),
    };
    let off = |held| word(OFF, 0, if held { Heir::OFF } else { 0 });
    let is = |state, domain| code == state && owner == number(domain);
    let (possible, next) = match event {
        CoreEvent::Wake(to) => (code == OFF && heir == 0 && to != Heir::Off, word(WAKING, 0, to.to_bits())),
        CoreEvent::Hold(held) => (code == OFF, off(held)),
        CoreEvent::CameUp => (code == WAKING, inherited),
        CoreEvent::SwitchOff { held } => (code == IDLE, off(held)),
        CoreEvent::Claim(domain) => (code == IDLE, word(OWNED, number(domain), 0)),
        CoreEvent::Ask(domain, to) => (is(OWNED, domain), word(ASKED, owner, to.to_bits())),
        CoreEvent::Cancel => (code == ASKED, word(OWNED, owner, 0)),
        CoreEvent::BeginRelease(domain) => {
            (matches!(code, OWNED | ASKED) && owner == number(domain), word(RELEASING, owner, heir))
        }
        CoreEvent::Bequeath(domain, to) => (is(OWNED, domain), word(RELEASING, owner, to.to_bits())),
        CoreEvent::FinishRelease(domain) => (is(RELEASING, domain), inherited),
        CoreEvent::Disinherit(domain) => (is(RELEASING, domain), word(IDLE, 0, 0)),
        CoreEvent::Keep(domain) => (is(RELEASING, domain), word(OWNED, owner, 0)),
        CoreEvent::Fail => (!matches!(code, OFF | FAILED), word(FAILED, 0, 0)),
    };
    possible.then_some((bits & !STATE).wrapping_add(STATE + 1) | next)
}

/// The domain that a word in this state names as the owner.
#[inline]
pub(super) fn owner(bits: u64, state: u64) -> Option<DomainId> {
    if bits >> 8 & 0xff == state { domain(bits & 0xff) } else { None }
}

/// Who gets the core in a word that says that it is owned, and whether it is asked for.
#[inline]
pub(super) fn leaving(bits: u64) -> Option<(Heir, bool)> {
    Some((Heir::from_bits(bits >> 16 & 0xff)?, bits >> 8 & 0xff == code::ASKED))
}

impl CoreRecord {
    pub(super) fn to_bits(self) -> u64 {
        self.generation << STATE.trailing_ones() | self.state.to_trace()
    }

    #[inline]
    pub(super) fn from_bits(bits: u64) -> Self {
        // Only this module writes the word.
        let state = CoreState::from_trace(bits & STATE).unwrap_or(CoreState::Failed);
        Self { state, generation: bits >> STATE.trailing_ones() }
    }
}

/// A domain in the word.
fn number(domain: DomainId) -> u64 {
    (domain.index() as u64).wrapping_add(1)
}

impl Heir {
    const OFF: u64 = 0xff;

    fn to_bits(self) -> u64 {
        match self {
            Self::Pool => 0,
            Self::Off => Self::OFF,
            Self::Domain(domain) => number(domain),
        }
    }

    fn from_bits(bits: u64) -> Option<Self> {
        match bits {
            0 => Some(Self::Pool),
            Self::OFF => Some(Self::Off),
            _ => domain(bits).map(Self::Domain),
        }
    }
}

/// The domain whose number plus one this is.
fn domain(bits: u64) -> Option<DomainId> {
    DomainId::new(usize::try_from(bits).ok()?.checked_sub(1)?)
}

impl CoreState {
    /// The state as a trace record carries it: its heir in bits 23:16, its code in 15:8, its owner plus one, or 0, in
    /// 7:0.
    #[inline(always)]
    pub fn to_trace(self) -> u64 {
        match self {
            Self::Off { held } => word(code::OFF, 0, if held { Heir::OFF } else { 0 }),
            Self::Waking(heir) => word(code::WAKING, 0, heir.to_bits()),
            Self::Idle => word(code::IDLE, 0, 0),
            Self::Owned(owner) => word(code::OWNED, number(owner), 0),
            Self::Releasing(owner, heir) => word(code::RELEASING, number(owner), heir.to_bits()),
            Self::Failed => word(code::FAILED, 0, 0),
            Self::Asked(owner, heir) => word(code::ASKED, number(owner), heir.to_bits()),
        }
    }

    /// The state that [`to_trace`](Self::to_trace) gave.
    pub fn from_trace(word: u64) -> Option<Self> {
        let owner = domain(word & 0xff);
        let heir = Heir::from_bits(word >> 16)?;
        let state = match word >> 8 & 0xff {
            code::OFF => Self::Off { held: heir == Heir::Off },
            code::WAKING => Self::Waking(heir),
            code::IDLE => Self::Idle,
            code::OWNED => Self::Owned(owner?),
            code::RELEASING => Self::Releasing(owner?, heir),
            code::FAILED => Self::Failed,
            code::ASKED => Self::Asked(owner?, heir),
            _ => return None,
        };
        Some(state)
    }

    /// The domain that owns the core, if one does.
    pub fn owner(self) -> Option<DomainId> {
        match self {
            Self::Owned(owner) | Self::Asked(owner, _) | Self::Releasing(owner, _) => Some(owner),
            _ => None,
        }
    }
}
