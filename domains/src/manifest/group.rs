//! Groups: a primary, its standbys, and what follows when one of them fails.

use super::parse::{Checked, Fields, Node, Property, node, properties};
use super::validate::{check, is_name};
use super::{Kind, MEMORY_GRANULE, Manifest, ManifestError, Place, Reason, Value, Words};
use arrayvec::ArrayVec;
use core::str::Split;

/// The most members of a group.
pub const MAX_MEMBERS: usize = 4;
/// The most groups.
pub const MAX_GROUPS: usize = 8;
/// The longest time that a group's deadlines can be, in milliseconds.
pub const GROUP_MS_MAX: u32 = 60_000;
/// The shortest deadline for a heartbeat, in milliseconds.
const HEARTBEAT_MS_MIN: u32 = 5;

smp::named! {
    /// How a member of a group can fail.
    pub enum GroupError {
        /// It did not beat in time, or its watchdog ran out.
        Heartbeat = 0 "heartbeat",
        /// It runs, and never comes to EL2.
        Stall = 1 "stall",
        /// It reset itself.
        Reset = 2 "reset",
        /// It broke a rule, or ended with another code than 0.
        Fault = 3 "fault",
        /// A core of it does not answer.
        Silent = 4 "silent",
        /// An operator ordered it.
        Order = 5 "order",
    }
}

smp::named! {
    /// What follows.
    pub enum GroupAction {
        /// Nothing.
        Ignore = 0 "ignore",
        /// It starts again from its pristine image, in the role that it has.
        Restart = 1 "restart",
        /// A standby becomes the primary; it starts again as a standby.
        TakeOver = 2 "take-over",
        /// It ends.
        Stop = 3 "stop",
        /// It goes on from its last checkpoint.
        RollBack = 4 "roll-back",
    }
}

smp::named! {
    /// A fault that an operator or a scenario puts into a domain.
    pub enum InjectedFault {
        /// None of its contexts runs any more.
        Hang = 1 "hang",
        /// The next instruction of each context is a branch to itself, with all interrupts masked.
        Livelock = 2 "livelock",
        /// It is treated as if it had broken a rule.
        Crash = 3 "crash",
        /// Its first context stores to where nothing is.
        WildStore = 4 "wild-store",
        /// Its first context takes a virtual SError: Linux panics.
        Panic = 5 "panic",
        /// The core of its first context stops answering, at EL2.
        Silent = 6 "silent",
        /// Its heartbeats are not heard any more.
        Mute = 7 "mute",
        /// It is treated as if it had reset itself.
        Reset = 8 "reset",
    }
}

smp::named! {
    /// What a domain is in its group.
    pub enum Role {
        /// It is in no group.
        None = 0 "none",
        /// It serves.
        Primary = 1 "primary",
        /// It is there to take over.
        Standby = 2 "standby",
        /// It has just become the primary, and has not beaten since.
        Promoted = 3 "promoted",
    }
}

/// What follows each error in each role.
pub type ErrorTable = [[GroupAction; ROLES]; ERRORS];
const ERRORS: usize = GroupError::ALL.len();
/// Roles in a group.
const ROLES: usize = 3;
/// The properties of the errors, in their order.
const ON: [&str; ERRORS] = ["on-heartbeat", "on-stall", "on-reset", "on-fault", "on-silent", "on-order"];
node! {
    /// A group.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GroupSpec<'a> {
        /// The node's name, as a domain's; unique among groups.
        name: &'a str;
        /// `members` (a list of 2 to [`MAX_MEMBERS`] strings): domains of which each is in one group. The first one begins
        /// as the primary.
        members: ArrayVec<&'a str, MAX_MEMBERS> = "members";
        /// `heartbeat-ms`: the longest time from one heartbeat to the next, 5 to [`GROUP_MS_MAX`] (default 500).
        heartbeat_ms: u32 = "heartbeat-ms" or 500, HEARTBEAT_MS_MIN..=GROUP_MS_MAX;
        /// `start-ms`: the longest time from a start to the first heartbeat (default 60000); 0: any.
        start_ms: u32 = "start-ms" or 60_000, 0..=GROUP_MS_MAX;
        /// `progress-ms`: the longest time for which a primary may not come to EL2 at all; 0 (default): any.
        progress_ms: u32 = "progress-ms" or 0, 0..=GROUP_MS_MAX;
        /// `standby-cores`: the cores of a standby, 1 (default), or 0: it shares the core of the primary's first context.
        standby_cores: u32 = "standby-cores" or 1, 0..=1;
        /// `region-size` (64 bits): bytes of the region that all members see and the primary writes; default 0: there is none.
        region_size: u64 = "region-size" or 0;
        /// `checkpoint-ms`: the time from one checkpoint of the primary to the next; 0 (default): there are none.
        checkpoint_ms: u32 = "checkpoint-ms" or 0, 0..=GROUP_MS_MAX;
        /// `restarts-max`: so many restarts (default 3) within...
        restarts_max: u32 = "restarts-max" or 3;
        /// `restarts-within-ms`: ... this time (default 10000) are allowed to each member; it ends instead of the next.
        restarts_within_ms: u32 = "restarts-within-ms" or 10_000, 1..=GROUP_MS_MAX;
        /// `on-heartbeat` and so on: for each error a list of three actions, of a primary, a standby, and one that was just
        /// promoted.
        table: ErrorTable;
    }
}

/// Where nothing else is said: a primary is replaced, a standby starts again.
const DEFAULTS: ErrorTable = {
    use GroupAction::{Restart, Stop, TakeOver};
    let mut table = [[TakeOver, Restart, TakeOver]; ERRORS];
    // A core that is lost is not to be lost again.
    let [.., [_, silent, _], _] = &mut table;
    *silent = Stop;
    table
};

impl GroupSpec<'_> {
    /// What follows.
    pub fn action(&self, error: GroupError, role: Role) -> GroupAction {
        let column = (role as usize).wrapping_sub(1);
        let row = self.table.get(error as usize);
        row.and_then(|row| row.get(column)).copied().unwrap_or(GroupAction::Stop)
    }
}

properties! { |fields, key, property|
    ArrayVec<&'a str, MAX_MEMBERS> => {
        let mut members = Self::new();
        for name in Split::read(fields, key, property)? {
            members.try_push(name).map_err(|_| fields.odd(Reason::MemberCount(MAX_MEMBERS)))?;
        }
        Ok(members)
    };
}

impl<'a> Node<'a> for ErrorTable {
    fn knows(key: &str) -> bool {
        ON.contains(&key)
    }

    fn read(fields: Fields<'a>) -> Checked<'a, Self> {
        let mut table = DEFAULTS;
        for (row, key) in table.iter_mut().zip(ON) {
            let Some(words) = fields.get::<Split<'a, char>>(key)? else { continue };
            if words.clone().count() != ROLES {
                return Err(fields.wrong(key, Value::Unknown, Reason::ThreeActions));
            }
            for (action, word) in row.iter_mut().zip(words) {
                let unknown = fields.wrong(key, Value::Text(word), Reason::NotOneOf(Words(&GroupAction::NAMES)));
                *action = GroupAction::from_name(word).ok_or(unknown)?;
            }
        }
        Ok(table)
    }
}

impl<'a> Manifest<'a> {
    /// Checks all groups.
    pub(super) fn check_groups(&self) -> Checked<'a, ()> {
        for (index, group) in self.groups.iter().enumerate() {
            let odd = |reason| Err(ManifestError { place: Place::Node(Kind::Group, group.name), reason });
            if !is_name(group.name) {
                return odd(Reason::BadName);
            }
            let earlier = || self.groups.iter().take(index);
            if earlier().any(|other| other.name == group.name) {
                return odd(Reason::SameGroup);
            }
            if !(2..=MAX_MEMBERS).contains(&group.members.len()) {
                return odd(Reason::MemberCount(MAX_MEMBERS));
            }
            for (place, member) in group.members.iter().enumerate() {
                let Some(domain) = self.domains.iter().find(|domain| domain.name == *member) else {
                    return odd(Reason::NoSuchDomain(member));
                };
                let again = group.members.iter().take(place).any(|other| other == member);
                if again || earlier().any(|other| other.members.contains(member)) {
                    return odd(Reason::MemberOfTwo(member));
                }
                let (min, most) = (domain.cores.min, group.standby_cores);
                let more = Reason::MoreThan("standby-cores", most.into());
                check(Kind::Domain, member, [(min > most, "cores-min", Value::Number(min.into()), more)])?;
            }
            group.check()?;
        }
        Ok(())
    }
}

impl<'a> GroupSpec<'a> {
    fn check(&self) -> Checked<'a, ()> {
        use GroupAction::{Ignore, Restart, RollBack, TakeOver};
        let (size, granule) = (self.region_size, Reason::NotAMultipleOf(MEMORY_GRANULE));
        let is_odd = !size.is_multiple_of(MEMORY_GRANULE) || size > 1 << 30;
        check(Kind::Group, self.name, [(is_odd, "region-size", Value::Address(size), granule)])?;
        for ((error, row), key) in GroupError::ALL.into_iter().zip(self.table).zip(ON) {
            for (action, role) in row.into_iter().zip([Role::Primary, Role::Standby, Role::Promoted]) {
                let goes_on = matches!(error, GroupError::Heartbeat | GroupError::Stall);
                let impossible = match action {
                    TakeOver => role == Role::Standby,
                    Ignore => !goes_on,
                    Restart => error == GroupError::Silent,
                    RollBack => error == GroupError::Silent || self.checkpoint_ms == 0 || role == Role::Standby,
                    GroupAction::Stop => false,
                };
                let reason = Reason::ImpossibleAction(role.name());
                check(Kind::Group, self.name, [(impossible, key, Value::Text(action.name()), reason)])?;
            }
        }
        Ok(())
    }
}
