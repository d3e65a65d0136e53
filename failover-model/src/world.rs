//! What cores share in a world.

use crate::random::Random;
use crate::specification::{Broken, Said, Specification};
use domains::DomainId;
use domains::ledger::{CoreEvent, CoreState, Heir, Ledger, LedgerWord, Quota};
use domains::life::Life;
use domains::manifest::{GroupAction, GroupError};
use failover::group::{Group, State};
use failover::health::Health;
use failover::limit::Limit;
use hotplug::transfer::Quotas;
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use smp::core_id::CoreId;
use smp::mailbox::Mailbox;
use std::collections::BTreeMap;
// Of the model itself: nobody is switched to where it is taken.
use std::sync::Mutex as Quiet;

/// What a world leaves out of what the kernel does, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A standby that was chosen while it stopped is the primary again, in the same epoch.
    OnlyBegun,
    /// The old primary's rights stay.
    NoRevocation,
    /// The next primary is promoted before the old one's contexts have left.
    Early,
    /// One that restarts does not look whether it is to stop.
    NoLook,
}

/// All flaws, with their names.
pub const FLAWS: [(&str, Flaw); 4] = [
    ("only-begun", Flaw::OnlyBegun),
    ("no-revocation", Flaw::NoRevocation),
    ("early", Flaw::Early),
    ("no-look", Flaw::NoLook),
];

/// What ails a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Hang = 1,
    Livelock,
    Crash,
    WildStore,
    Panic,
    Silent,
    Mute,
    Reset,
    Order,
    /// A core stops amid its guest's instructions, and goes on much later.
    Slow,
}

/// All faults.
pub const FAULTS: [Fault; 10] = [
    Fault::Hang,
    Fault::Livelock,
    Fault::Crash,
    Fault::WildStore,
    Fault::Panic,
    Fault::Silent,
    Fault::Mute,
    Fault::Reset,
    Fault::Order,
    Fault::Slow,
];

/// A core, beside its word in the ledger.
pub struct Core {
    pub id: CoreId,
    /// It does not answer, at EL2.
    pub silent: AtomicBool,
    /// It does not go on with its guest.
    pub slow: AtomicBool,
    pub mailbox: Mailbox,
    /// When it was posted what it has not taken.
    pub posted_at: AtomicU64,
}

impl Core {
    fn new(id: CoreId) -> Self {
        Self {
            id,
            silent: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            mailbox: Mailbox::default(),
            posted_at: AtomicU64::new(0),
        }
    }
}

/// Where a context is, and who wants it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seat {
    pub core: Option<CoreId>,
    pub wanted: Option<CoreId>,
}

/// What a guest keeps in the memory of one of its contexts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// The epoch in which it serves, as it has said.
    pub resumed: u32,
    pub started: bool,
}

/// A domain: a member of the group, or, after those, one that has nothing to do with it.
pub struct Domain {
    pub id: DomainId,
    pub index: u8,
    pub life: Life,
    pub quota: Quota,
    pub health: Health,
    pub limit: Limit,
    /// What follows its life, a [`GroupAction`].
    pub after: AtomicU32,
    pub waits: AtomicBool,
    /// When its contexts must have left; 0: it does not stop.
    pub patience: AtomicU64,
    pub ailment: AtomicU8,
    pub on_promotion: AtomicU8,
    /// Its stage 2 lets it write the region.
    pub may_write: AtomicBool,
    pub seats: Mutex<Vec<Seat>>,
    /// It looks for a core to start on.
    pub homeless: AtomicBool,
    pub memory: Vec<Quiet<Memory>>,
}

/// All of it.
pub struct World {
    pub group: Group,
    pub members: usize,
    pub domains: Vec<Domain>,
    pub cores: Vec<Core>,
    words: Vec<LedgerWord>,
    /// The actions for each error, of a primary, a standby, and a promoted one.
    table: BTreeMap<u8, [GroupAction; 3]>,
    pub restarts_max: u32,
    flaw: Option<Flaw>,
    pub clock: AtomicU64,
    /// The same, for who looks from outside.
    pub time: std::sync::atomic::AtomicU64,
    pub over: AtomicBool,
    // What the guests' accesses reach, and what is seen from outside.
    pub region: Quiet<Vec<u64>>,
    pub specification: Quiet<Specification>,
    counts: Quiet<BTreeMap<String, u64>>,
    random: Quiet<Random>,
}

/// Each world says what happens in it.
pub static TELLS: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// The longest time from one heartbeat to the next, in turns of a guard.
pub const HEARTBEAT: u64 = 40;
/// From a start to the first heartbeat.
pub const START: u64 = 100;
/// Until contexts must have left.
pub const PATIENCE: u64 = 60;
/// Until a core must have taken what it was posted.
pub const SILENCE: u64 = 60;
/// Restarts are counted within so many turns.
pub const WITHIN: u32 = 2_000;
/// The region's words: a log of 16 records.
const WORDS: usize = 512 + 16 * 8;

impl Quotas for World {
    fn quota(&self, domain: DomainId) -> Option<&Quota> {
        self.domains.get(domain.index()).map(|domain| &domain.quota)
    }
}

impl Domain {
    fn new(index: usize, contexts: usize, quota: Quota) -> Self {
        Self {
            id: DomainId::new(index).unwrap(),
            index: index as u8,
            life: Life::new(),
            quota,
            health: Health::default(),
            limit: Limit::default(),
            after: AtomicU32::new(GroupAction::Restart as u32),
            waits: AtomicBool::new(false),
            patience: AtomicU64::new(0),
            ailment: AtomicU8::new(0),
            on_promotion: AtomicU8::new(0),
            may_write: AtomicBool::new(false),
            seats: Mutex::new(vec![Seat::default(); contexts]),
            homeless: AtomicBool::new(false),
            memory: (0..contexts).map(|_| Quiet::default()).collect(),
        }
    }
}

impl World {
    /// A group of two or three, whose primary has one to three cores, and each standby one; one more domain; and a core
    /// that is idle.
    pub fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let mut random = Random::new(seed);
        let members = 2 + random.below(2);
        let owned: Vec<usize> = (0..=members).map(|n| if n == 0 { 1 + random.below(3) } else { 1 }).collect();
        let count = owned.iter().sum::<usize>() + 1;
        let domains = owned.iter().enumerate().map(|(index, cores)| {
            let contexts = if index < members { 1 + random.below(3) } else { 0 };
            Domain::new(index, contexts, Quota::new(1, *cores as u32, count as u32))
        });
        let domains = domains.collect();
        let table = draw_table(&mut random);
        let restarts_max = if random.percent(80) { 100 } else { 1 + random.below(3) as u32 };
        let world = Self {
            group: Group::new(),
            members,
            domains,
            cores: (0..count).filter_map(CoreId::new).map(Core::new).collect(),
            words: (0..count).map(|_| LedgerWord::default()).collect(),
            table,
            restarts_max,
            flaw,
            clock: AtomicU64::new(1),
            time: std::sync::atomic::AtomicU64::new(1),
            over: AtomicBool::new(false),
            region: Quiet::new(vec![0; WORDS]),
            specification: Quiet::default(),
            counts: Quiet::default(),
            random: Quiet::new(random),
        };
        world.furnish(&owned);
        world
    }

    fn furnish(&self, owned: &[usize]) {
        let mut free = self.cores.iter().map(|core| core.id);
        for core in &self.cores {
            self.ledger().change(core.id, CoreEvent::Wake(Heir::Pool)).unwrap();
            self.ledger().change(core.id, CoreEvent::CameUp).unwrap();
        }
        for (domain, cores) in self.domains.iter().zip(owned) {
            let cores: Vec<CoreId> = free.by_ref().take(*cores).collect();
            for core in &cores {
                domain.quota.take(false).unwrap();
                self.ledger().change(*core, CoreEvent::Claim(domain.id)).unwrap();
            }
            if usize::from(domain.index) < self.members {
                domain.seats.lock().unwrap()[0].core = cores.first().copied();
                domain.health.arm(Some(START));
            } else {
                assert!(domain.life.loaded());
            }
        }
        self.domains[0].may_write.store(true, SeqCst);
    }

    pub fn ledger(&self) -> Ledger<'_> {
        Ledger(&self.words)
    }

    pub fn state(&self, core: CoreId) -> CoreState {
        self.ledger().read(core).map_or(CoreState::Failed, |record| record.state)
    }

    /// The group's members.
    pub fn members(&self) -> &[Domain] {
        &self.domains[..self.members]
    }

    pub fn now(&self) -> u64 {
        self.clock.load(SeqCst)
    }

    pub fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    pub fn action(&self, error: GroupError, column: usize) -> GroupAction {
        self.table[&(error as u8)][column]
    }

    /// A number below `limit`.
    pub fn draw(&self, limit: usize) -> usize {
        self.random.lock().unwrap().below(limit)
    }

    pub fn count(&self, what: impl Into<String>) {
        let what = what.into();
        self.tell(|| what.clone());
        *self.counts.lock().unwrap().entry(what).or_default() += 1;
    }

    /// So many.
    pub fn add(&self, what: &str, count: u64) {
        *self.counts.lock().unwrap().entry(what.to_owned()).or_default() += count;
    }

    /// Says what happens, if somebody wants to know.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if TELLS.load(Relaxed) {
            // Nothing is looked at that another thread could go on at: the world is to be the same.
            eprintln!("{:>6} {:?} {}", self.time.load(Relaxed), shuttle::current::me(), what());
        }
    }

    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap().clone()
    }

    /// A member says something, through EL2, which looks whether it is the primary: nothing comes between the last look
    /// and the output. (In the kernel, a core that is given up has not been on its way between them for long.)
    pub fn say(&self, core: CoreId, domain: &Domain, boots: u32, epoch: u32, said: Said) {
        if self.state(core) == CoreState::Failed || self.group.now().primary != domain.index {
            return self.count("outputs not let through");
        }
        let heard = self.specification.lock().unwrap().hear(domain.index, boots, epoch, said);
        if let Err(broken) = heard {
            self.broken(broken, &format!("member {} life {boots} epoch {epoch} says {said:?}", domain.index));
        }
    }

    /// Ends the run: a promise was broken.
    pub fn broken(&self, broken: Broken, what: &str) -> ! {
        let now = self.group.now();
        panic!("{broken:?}: {what}; {now:?}")
    }

    /// Whether the group has ended.
    pub fn has_ended(&self) -> bool {
        self.group.now().state == State::Over
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "{:?} at {}", self.group.now(), self.now())?;
        for domain in &self.domains {
            let seats = domain.seats.lock().unwrap();
            let seats: Vec<_> = seats.iter().map(|seat| seat.core.map(CoreId::index)).collect();
            let due = domain.health.due();
            let flags = [&domain.waits, &domain.homeless, &domain.may_write].map(|flag| flag.load(SeqCst));
            writeln!(
                formatter,
                "{}: {:?} due={due:?} ailment={} waits, homeless, may write={flags:?} seats={seats:?}",
                domain.index,
                domain.life.now(),
                domain.ailment.load(SeqCst)
            )?;
        }
        for core in &self.cores {
            writeln!(formatter, "{}: {:?} silent={}", core.id, self.state(core.id), core.silent.load(SeqCst))?;
        }
        Ok(())
    }
}

/// The defaults, or something else that a manifest could say.
fn draw_table(random: &mut Random) -> BTreeMap<u8, [GroupAction; 3]> {
    use GroupAction::{Ignore, Restart, Stop, TakeOver};
    let mut row = |error: GroupError| {
        let (primary, standby, usual): (&[_], &[_], _) = match error {
            GroupError::Heartbeat | GroupError::Stall => (&[TakeOver, Restart], &[Restart, Ignore], Restart),
            GroupError::Silent => (&[TakeOver], &[Stop], Stop),
            _ => (&[TakeOver, Restart, Stop], &[Restart, Stop], Restart),
        };
        let mut draw = |from: &[GroupAction], usual| {
            let unusual = random.percent(10).then(|| random.pick(from)).flatten();
            unusual.unwrap_or(usual)
        };
        (error as u8, [draw(primary, TakeOver), draw(standby, usual), draw(primary, TakeOver)])
    };
    GroupError::ALL.iter().map(|error| row(*error)).collect()
}
