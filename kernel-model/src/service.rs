//! What the members of groups do: each beats; the one that serves counts, in the log of the group's region, and says each
//! number once it is committed; the others read along. The region and those who listen outside look on: nothing of an old
//! epoch gets in or out, and what was committed stays, in order, once.

use crate::arch::context::Context;
use crate::arch::core_local::CoreLocal;
use crate::arch::stage2::Right;
use crate::domain::Domain;
use crate::history::{count, note, violation};
use crate::manifest::Role;
use crate::protocol::hypercall;
use crate::simulation;
use crate::takeover::Team;
use crate::{domain, exits};
use std::cell::RefCell;

/// What a member's program keeps for it.
#[derive(Debug, Default)]
pub struct Service {
    /// When it beats next.
    due: u64,
    /// What it was told that it is, and since which epoch.
    role: Option<(Role, u32)>,
    /// The epoch that it serves, once it has said so.
    serves: u32,
    /// The record that comes next, and how far it is.
    next: u64,
    stage: Stage,
    /// Records that it makes before it rests.
    left: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Append,
    Commit,
    Say,
}

/// The region of a group, and what was heard of it outside.
#[derive(Default)]
struct Region {
    /// The epoch of each record.
    records: Vec<u32>,
    /// Epoch and number of the last one that counts.
    commit: (u32, u64),
    /// The epoch and the number that were said last.
    said: (u32, u64),
}

thread_local! {
    static REGIONS: RefCell<Vec<Region>> = const { RefCell::new(Vec::new()) };
}

fn region<T>(team: &Team, act: impl FnOnce(&mut Region) -> T) -> T {
    REGIONS.with(|regions| {
        let mut regions = regions.borrow_mut();
        let index = team.index as usize;
        while regions.len() <= index {
            regions.push(Region::default());
        }
        act(&mut regions[index])
    })
}

/// When the member has to beat next.
pub fn due(domain: &Domain, service: &Service) -> Option<u64> {
    domain.member().map(|_| service.due)
}

/// What the guest is to do next of its service.
pub enum Deed {
    /// Nothing.
    None,
    /// Beat.
    Beat,
    /// Serve, or read along.
    Work,
}

/// Decides that, at this time.
pub fn next(domain: &Domain, service: &mut Service) -> Deed {
    let Some(member) = domain.member() else { return Deed::None };
    let now = simulation::now();
    if now >= service.due {
        let period = u64::from(member.team.spec.heartbeat_ms) * 1000;
        service.due = now + period / (3 + simulation::random(|random| random.below(4)) as u64);
        service.left = 1 + simulation::random(|random| random.below(3));
        return Deed::Beat;
    }
    if service.left > 0 && service.role.is_some() { Deed::Work } else { Deed::None }
}

/// The guest was told what it is.
pub fn told(service: &mut Service, role: Role, epoch: u32) {
    service.role = Some((role, epoch));
}

/// Says that it lives; answers what it is, if it was told.
pub fn beat(core: &'static CoreLocal, context: &'static Context) -> Option<(Role, u32)> {
    let with_watchdog = context.domain.has_board();
    if with_watchdog && !exits::refresh(core, context) {
        return None;
    }
    if with_watchdog && simulation::random(|random| random.percent(70)) {
        return None; // its control port says it
    }
    let call = if with_watchdog { hypercall::GROUP } else { hypercall::HEARTBEAT };
    let [status, role, epoch, ..] = exits::call(core, context, &[u64::from(call)])?;
    if status != 0 {
        violation(&format!("domain {} is in a group, and the call answers {status:#x}", context.domain.id.index()));
    }
    let role = Role::from_code(role).unwrap_or_else(|| violation("there is no such role"));
    Some((role, epoch as u32))
}

/// One access to the region, or one line to the outside. False: the guest broke a rule by it.
pub fn work(domain: &Domain, service: &mut Service) -> bool {
    let (Some(member), Some((role, epoch))) = (domain.member(), service.role) else { return true };
    let team = member.team;
    if role == Role::Standby {
        service.left = 0;
        return domain.stage2.right() != Right::None || team.region.is_none();
    }
    if service.serves != epoch {
        if team.region.is_some() && domain.stage2.right() == Right::None {
            return false;
        }
        let after = region(team, |region| region.commit.1);
        says(domain, team, epoch, after, "resumes");
        (service.serves, service.next, service.stage) = (epoch, after + 1, Stage::Append);
        return true;
    }
    let writes = service.stage != Stage::Say;
    if writes && team.region.is_some() && domain.stage2.right() != Right::Write {
        note(|| format!("domain {} stores, and may not", domain.id.index()));
        return false;
    }
    let seq = service.next;
    service.stage = match service.stage {
        Stage::Append => {
            region(team, |region| region.append(domain, epoch, seq));
            Stage::Commit
        }
        Stage::Commit => {
            region(team, |region| region.commit(domain, epoch, seq));
            count("commits");
            Stage::Say
        }
        Stage::Say => {
            says(domain, team, epoch, seq, "counts");
            service.next += 1;
            service.left -= 1;
            Stage::Append
        }
    };
    true
}

impl Region {
    fn append(&mut self, domain: &Domain, epoch: u32, seq: u64) {
        let last = self.commit;
        if epoch < last.0 || seq != last.1 + 1 {
            violation(&format!("domain {} appends {seq} in epoch {epoch} after {last:?}", domain.id.index()));
        }
        self.records.truncate(last.1 as usize);
        self.records.push(epoch);
    }

    fn commit(&mut self, domain: &Domain, epoch: u32, seq: u64) {
        let last = self.commit;
        let there = self.records.len() as u64 == seq && self.records.last() == Some(&epoch);
        if epoch < last.0 || seq != last.1 + 1 || !there {
            violation(&format!("domain {} commits {seq} in epoch {epoch} after {last:?}", domain.id.index()));
        }
        self.commit = (epoch, seq);
    }
}

/// A line gets out.
fn says(domain: &Domain, team: &Team, epoch: u32, seq: u64, what: &str) {
    let this = domain.id.index();
    note(|| format!("domain {this} {what} epoch={epoch} seq={seq}"));
    let now = team.word.peek();
    if now.epoch != epoch || domain.member().is_none_or(|member| member.index != now.primary) {
        violation(&format!("domain {this} {what} in epoch {epoch}, and the group says {now:?}"));
    }
    region(team, |region| {
        let (before, last) = region.said;
        let right = match what {
            "resumes" => epoch > before && (last..=last + 1).contains(&seq),
            _ => epoch == before && seq == last + 1 && region.commit.1 >= seq,
        };
        if !right {
            violation(&format!("domain {this} {what} epoch={epoch} seq={seq} after {:?}", region.said));
        }
        region.said = (epoch, seq);
    });
}

/// The guest stores where it may not if it is a standby: into the region, beside the log.
pub fn writes_wildly(domain: &Domain) -> bool {
    domain.stage2.right() != Right::Write
}

/// Whether any group is left that serves.
pub fn goes_on() -> bool {
    domain::teams().iter().any(|team| team.word.peek().state != crate::group::State::Over)
}
