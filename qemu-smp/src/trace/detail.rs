//! What the words of a record about moving cores and about groups mean.

use std::fmt;

use domains::DomainId;
use domains::ledger::{CoreState, Heir};
use domains::manifest::{GroupAction, GroupError, InjectedFault, Role};
use hotplug::governor::Reason;
use smp::trace::{Event, Record};
use trace_reader::Tagged;

smp::named! {
    /// A step of an order for a core.
    pub enum Step {
        /// Its domain was asked to give it up.
        Asked = 1 "asked",
        /// The guest cannot now.
        Busy = 2 "busy",
        /// The guest does not want to.
        Refused = 3 "refused",
        /// The time that the guest had is over.
        Deadline = 4 "deadline",
        /// It is clean of its domain.
        Taken = 5 "taken",
        /// It has its new domain.
        Given = 6 "given",
        /// Its domain keeps it.
        Cancelled = 7 "cancelled",
        /// It could not be done.
        Failed = 8 "failed",
    }
}

smp::named! {
    /// What the governor decided.
    pub enum Decision {
        /// The domain gets a core.
        Give = 1 "give",
        /// The domain loses a core.
        Take = 2 "take",
        /// Everything stays.
        Hold = 3 "hold",
    }
}

smp::named! {
    /// A step on the way from a failed member of a group to one that serves again.
    pub enum FailoverStep {
        /// A member has failed.
        Detected = 1 "detected",
        /// All of its contexts are stopped.
        Stopped = 2 "stopped",
        /// It can change nothing any more that others see.
        Revoked = 3 "revoked",
        /// The group has a new epoch.
        Raised = 4 "epoch raised",
        /// A core is the new primary's.
        HandedOver = 5 "core handed over",
        /// The new primary was told.
        Notified = 6 "notified",
        /// The new primary beats.
        Confirmed = 7 "confirmed",
        /// The failed member starts again as a standby.
        Restarts = 8 "restarts as standby",
        /// It does not: that was too often.
        TooOften = 9 "restarted too often",
        /// Nobody is there to take over.
        NoStandby = 10 "no standby",
        /// A standby can take over.
        Ready = 11 "ready",
        /// A fault was put into the member.
        Injected = 12 "fault injected",
        /// The primary's state was kept.
        Checkpoint = 13 "checkpoint",
        /// A member goes on from its last checkpoint.
        RolledBack = 14 "rolled back",
        /// A member gave no sign of life in time, and is given more.
        PutOff = 15 "deadline put off",
    }
}

/// A record's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A core's word changed.
    Owner {
        /// The core.
        core: u64,
        /// Its state.
        state: CoreState,
    },
    /// An order for a core made a step.
    Move {
        /// The core.
        core: u64,
        /// The order's id; 0 if it has none.
        order: u64,
        /// The step.
        step: Step,
    },
    /// A context goes on on another core.
    Context {
        /// Its index.
        context: u64,
        /// The core that it left.
        from: u64,
        /// The core that it goes on on.
        to: u64,
    },
    /// The governor decided.
    Governor {
        /// The core, if it is about one.
        core: Option<u64>,
        /// What it decided.
        decision: Decision,
        /// The code of the reason.
        reason: u64,
        /// The domain's load in permille.
        load: u64,
    },
    /// A group made a step.
    Failover {
        /// Which.
        step: FailoverStep,
        /// What the step is about: [`smp::trace::Event::Failover`].
        word: u64,
    },
    /// What a domain used.
    Load {
        /// Permille of all its cores.
        busy: u64,
        /// How many those were.
        cores: u64,
    },
}

impl Detail {
    /// The content of a record; `None` if its event has no words to explain, or unknown ones.
    pub fn of(record: &Record) -> Option<Self> {
        let Record { a, b, .. } = *record;
        Some(match record.event()? {
            Event::CoreOwner => Self::Owner { core: a, state: CoreState::from_trace(b)? },
            Event::CoreMove => Self::Move { core: a & 0xffff, order: a >> 16 & 0xffff, step: Step::from_code(b)? },
            Event::ContextMove => Self::Context { context: a & 0xffff, from: a >> 16 & 0xffff, to: b },
            Event::Governor => Self::Governor {
                core: (a != 0xffff).then_some(a),
                decision: Decision::from_code(b & 0xff)?,
                reason: b >> 8 & 0xff,
                load: b >> 16,
            },
            Event::Failover => Self::Failover { step: FailoverStep::from_code(a)?, word: b },
            Event::Load => Self::Load { busy: a, cores: b },
            _ => return None,
        })
    }
}

/// The word for a reason of the governor.
pub fn reason(code: u64) -> String {
    Reason::from_code(code).map_or_else(|| format!("reason-{code}"), |reason| reason.to_string())
}

/// Content for people, with the domains' names.
pub struct Named<'a, 'n>(pub Detail, pub &'a [&'n str]);

impl fmt::Display for Named<'_, '_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(detail, names) = self;
        match detail {
            Detail::Owner { core, state } => write!(out, "core {core}: {}", label(*state, names)),
            Detail::Move { core, order: 0, step } => write!(out, "core {core}: {step}"),
            Detail::Move { core, order, step } => write!(out, "core {core}: {step} (order {order})"),
            Detail::Context { context, from, to } => write!(out, "context {context}: core {from} to core {to}"),
            Detail::Governor { core, decision, reason: code, load } => {
                write!(out, "{decision}")?;
                if let Some(core) = core {
                    write!(out, " core {core}")?;
                }
                write!(out, ": {}, load {}", reason(*code), percent(*load))
            }
            Detail::Failover { step, word } => write_failover(out, *step, *word),
            Detail::Load { busy, cores } => write!(out, "load {} of {cores}", percent(*busy)),
        }
    }
}

fn write_failover(out: &mut fmt::Formatter<'_>, step: FailoverStep, word: u64) -> fmt::Result {
    write!(out, "{step}")?;
    match step {
        FailoverStep::Detected => match Detected::of(word) {
            Some(Detected { error, role, action, .. }) => write!(out, ": {error} of the {role}, {action} follows"),
            None => write!(out, ": {word:#x}"),
        },
        FailoverStep::Raised | FailoverStep::Notified | FailoverStep::Confirmed => {
            write!(out, ": epoch {}", word & 0xffff_ffff)
        }
        FailoverStep::HandedOver => write!(out, ": core {word}"),
        FailoverStep::Injected => write!(out, ": {}", InjectedFault::from_code(word).map_or("?", InjectedFault::name)),
        FailoverStep::Checkpoint => write!(out, ": {} pages, {} us", word & 0xffff_ffff, (word >> 32) / 1000),
        FailoverStep::RolledBack => write!(out, ": {word} pages"),
        FailoverStep::PutOff => write!(out, ": {}", if word == 0 { "a core had no time to run" } else { "a warning" }),
        _ => Ok(()),
    }
}

/// What was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detected {
    /// How the member failed.
    pub error: GroupError,
    /// What it was in its group.
    pub role: Role,
    /// What follows.
    pub action: GroupAction,
    /// The group's index.
    pub group: usize,
}

impl Detected {
    /// Reads the second word of [`FailoverStep::Detected`].
    pub fn of(word: u64) -> Option<Self> {
        Some(Self {
            error: GroupError::from_code(word & 0xff)?,
            role: Role::from_code(word >> 8 & 0xff)?,
            action: GroupAction::from_code(word >> 16 & 0xff)?,
            group: usize::try_from(word >> 24).ok()?,
        })
    }
}

/// Permille as percent.
pub fn percent(permille: u64) -> String {
    format!("{}.{}%", permille / 10, permille % 10)
}

/// What a core is for, with its domain's name, and its heir's if it is to have another one.
pub fn label(state: CoreState, names: &[&str]) -> String {
    match state {
        CoreState::Asked(owner, to) => format!("{} (asked, for {})", name(owner, names), heir(to, names)),
        CoreState::Releasing(owner, Heir::Domain(to)) => {
            format!("{} (releasing, for {})", name(owner, names), name(to, names))
        }
        CoreState::Waking(Heir::Domain(to)) => format!("waking, for {}", name(to, names)),
        other => kind(other, names),
    }
}

/// The same without the heir.
pub fn kind(state: CoreState, names: &[&str]) -> String {
    match state {
        CoreState::Off { held: false } => "off".to_owned(),
        CoreState::Off { held: true } => "off (held)".to_owned(),
        CoreState::Waking(_) => "waking".to_owned(),
        CoreState::Idle => "idle".to_owned(),
        CoreState::Owned(owner) => name(owner, names).to_owned(),
        CoreState::Asked(owner, _) => format!("{} (asked)", name(owner, names)),
        CoreState::Releasing(owner, _) => format!("{} (releasing)", name(owner, names)),
        CoreState::Failed => "failed".to_owned(),
    }
}

/// Who gets a core.
pub fn heir<'n>(heir: Heir, names: &[&'n str]) -> &'n str {
    match heir {
        Heir::Pool => "pool",
        Heir::Off => "off",
        Heir::Domain(domain) => name(domain, names),
    }
}

fn name<'n>(domain: DomainId, names: &[&'n str]) -> &'n str {
    names.get(domain.index()).copied().unwrap_or("?")
}
