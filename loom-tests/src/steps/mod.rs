//! What a core does when cores move, for the models: the steps of `kernel/src/{transfer,domain,power,schedule}.rs`, under
//! the same names and in the same order, on top of the very libraries. Left out: registers, the trace, the log, the
//! control port (what a guest is asked is a count), and clocks (`now` says whether deadlines have passed).
//!
//! A model's threads are cores at work. When all are done, [`Machine::settle`] lets every core do what it was posted,
//! and [`Machine::check`] says whether all that the words, queues, seats and quotas say fits together.

mod checks;
mod domain;
mod power;
mod schedule;
mod transfer;

use crate::harness::Crossing;
use domains::DomainId;
use domains::ledger::{CoreEvent, CoreState, Heir, Ledger, LedgerWord, Quota};
use domains::life::Life;
use domains::psci::{AffinityState, CpuPower, Entry};
use hotplug::placement::{Placement, Seat};
use hotplug::transfer::{Quotas, Reason};
use loom::cell::UnsafeCell;

use loom::sync::atomic::{AtomicBool, AtomicU32};
use loom::thread::{self, JoinHandle};
use smp::core_id::CoreId;
use smp::core_set::CoreSet;
use smp::lock::SpinLock;
use smp::mailbox::{Mailbox, Requests};
use smp::run_queue::{ContextId, Priority, RunQueue, Slot};
use std::sync::{Arc, Mutex};

pub use transfer::{Errand, Terms};

/// When a core looks.
pub type Now = u32;
/// Before every deadline.
pub const EARLY: Now = 0;
/// After the deadline of an order that was given before the model's threads began.
pub const LATE: Now = 1;
/// After every deadline.
pub const LATER: Now = 3;

/// Where a context starts.
pub const ENTRY: Entry = Entry { address: 0x4000_0000, context_id: 0 };
const PRIORITY: Priority = Priority(1);

/// An order's number, and how it ended.
pub type Report = (u32, Result<Heir, Reason>);

/// A physical core.
pub struct Core {
    pub id: CoreId,
    pub queue: RunQueue,
    pub mailbox: Mailbox,
    pub errand: Errand,
    /// What it has loaded (own).
    current: UnsafeCell<Option<(Slot, ContextId)>>,
    /// When it looks at its errand again; 0: never (own).
    alarm: UnsafeCell<u32>,
    /// The cores that it wakes first.
    to_wake: SpinLock<CoreSet>,
    /// When it was asked to wake; 0: it is up since, or about to be asked.
    woken_at: AtomicU32,
    /// What the firmware knows: it is on.
    on: AtomicBool,
}

/// A virtual CPU.
pub struct Context {
    pub index: usize,
    pub domain: usize,
    pub power: CpuPower,
    pub seat: Seat,
    wanted: AtomicU32,
    /// Its registers: whoever holds it writes them.
    state: UnsafeCell<u32>,
    /// Interrupts for it, as the events of its redistributor.
    pending: AtomicU32,
}

/// A domain.
pub struct Domain {
    pub id: DomainId,
    pub life: Life,
    pub quota: Quota,
    /// As many cores as it starts with.
    pub start: u32,
    pub placement: SpinLock<Placement>,
    pub contexts: Vec<Context>,
    pub takes_idle: bool,
    pub restarts: bool,
    /// Who gets its cores when it is fenced.
    pub heir: Option<DomainId>,
}

/// All cores and domains.
pub struct Machine {
    words: Vec<LedgerWord>,
    pub cores: Vec<Core>,
    pub domains: Vec<Domain>,
    waiting: AtomicU32,
    crossing: Crossing,
    // Not loom's: they are of the model, not of the kernel.
    reports: Mutex<Vec<Report>>,
    started: Mutex<Vec<usize>>,
}

// SAFETY: loom checks every access to the cells.
unsafe impl Sync for Machine {}
// SAFETY: plain data.
unsafe impl Send for Machine {}

/// A domain as a model begins with it.
pub struct Spec {
    pub min: u32,
    pub start: u32,
    pub max: u32,
    /// The cores that it owns.
    pub cores: &'static [usize],
    /// For each context the core on which it runs, if it is on.
    pub contexts: &'static [Option<usize>],
}

/// The core with that index.
pub fn core_id(index: usize) -> CoreId {
    CoreId::new(index).unwrap()
}

/// The domain with that index.
pub fn domain_id(index: usize) -> DomainId {
    DomainId::new(index).unwrap()
}

/// That domain as heir.
pub fn heir(index: usize) -> Heir {
    Heir::Domain(domain_id(index))
}

impl Core {
    fn new(index: usize) -> Self {
        Self {
            id: core_id(index),
            queue: RunQueue::new(),
            mailbox: Mailbox::default(),
            errand: Errand::new(),
            current: UnsafeCell::new(None),
            alarm: UnsafeCell::new(0),
            to_wake: SpinLock::new(CoreSet::default()),
            woken_at: AtomicU32::new(0),
            on: AtomicBool::new(true),
        }
    }

    /// What it has loaded; itself only.
    pub fn current(&self) -> Option<(Slot, ContextId)> {
        // SAFETY: loom checks that only one thread at a time is the core.
        self.current.with(|current| unsafe { *current })
    }

    fn set_current(&self, loaded: Option<(Slot, ContextId)>) {
        // SAFETY: as above.
        self.current.with_mut(|current| unsafe { *current = loaded });
    }

    fn alarm(&self) -> u32 {
        // SAFETY: as above.
        self.alarm.with(|alarm| unsafe { *alarm })
    }

    fn set_alarm(&self, at: u32) {
        // SAFETY: as above.
        self.alarm.with_mut(|alarm| unsafe { *alarm = at });
    }
}

impl Context {
    fn new(domain: usize, index: usize) -> Self {
        Self {
            index,
            domain,
            power: CpuPower::default(),
            seat: Seat::default(),
            wanted: AtomicU32::new(0),
            state: UnsafeCell::new(0),
            pending: AtomicU32::new(0),
        }
    }

    /// Whether it is on, or about to be.
    pub fn is_on(&self) -> bool {
        self.power.affinity_info() != AffinityState::Off
    }

    fn id(&self) -> ContextId {
        ContextId((self.domain << 8 | self.index) as u16)
    }

    /// Whoever holds the context changes its registers.
    fn touch(&self) {
        // SAFETY: loom checks that nobody else does so at the same time.
        self.state.with_mut(|state| unsafe { *state = state.read().wrapping_add(1) });
    }
}

impl Quotas for Machine {
    fn quota(&self, domain: DomainId) -> Option<&Quota> {
        self.domains.get(domain.index()).map(|domain| &domain.quota)
    }
}

impl Machine {
    /// So many cores, all up, and these domains, which run; a domain that owns no core is still to be started.
    pub fn start(cores: usize, specs: &[Spec]) -> Self {
        let domains = specs.iter().enumerate().map(|(index, spec)| Domain {
            id: domain_id(index),
            life: Life::new(),
            quota: Quota::new(spec.min, spec.start, spec.max),
            start: spec.start,
            placement: SpinLock::default(),
            contexts: (0..spec.contexts.len()).map(|n| Context::new(index, n)).collect(),
            takes_idle: false,
            restarts: false,
            heir: None,
        });
        let machine = Self {
            words: (0..cores).map(|_| LedgerWord::default()).collect(),
            cores: (0..cores).map(Core::new).collect(),
            domains: domains.collect(),
            waiting: AtomicU32::new(0),
            crossing: Crossing::default(),
            reports: Mutex::new(Vec::new()),
            started: Mutex::new(Vec::new()),
        };
        for id in (0..cores).map(core_id) {
            machine.ledger().change(id, CoreEvent::Wake(Heir::Pool)).unwrap();
            machine.ledger().change(id, CoreEvent::CameUp).unwrap();
        }
        specs.iter().enumerate().for_each(|(index, spec)| machine.furnish(index, spec));
        machine
    }

    fn furnish(&self, index: usize, spec: &Spec) {
        let domain = &self.domains[index];
        let mut placement = domain.placement.lock();
        for core in spec.cores {
            domain.quota.take(false).unwrap();
            self.ledger().change(core_id(*core), CoreEvent::Claim(domain.id)).unwrap();
            placement.spare.insert(core_id(*core));
        }
        if !spec.cores.is_empty() {
            assert!(domain.life.loaded());
        }
        let on = domain.contexts.iter().zip(spec.contexts).filter_map(|(context, core)| Some((context, (*core)?)));
        for (nth, (context, core)) in on.enumerate() {
            if nth > 0 {
                domain.life.join().unwrap();
            }
            context.power.request_on().unwrap().publish(ENTRY);
            context.power.begin().unwrap();
            let core = &self.cores[core];
            let others = core.queue.attached();
            let slot = core.queue.attach(context.id(), PRIORITY).unwrap();
            context.seat.set(Some(core.id));
            placement.seated(core.id, others);
            core.queue.wake(slot);
            if others == 0 {
                core.set_current(Some((slot, context.id())));
            }
        }
    }

    /// Runs a core, or several after one another, in a thread of its own.
    pub fn spawn<T: 'static>(self: &Arc<Self>, run: impl FnOnce(&Self) -> T + 'static) -> JoinHandle<T> {
        let machine = Arc::clone(self);
        thread::spawn(move || run(&machine))
    }

    pub fn ledger(&self) -> Ledger<'_> {
        Ledger(&self.words)
    }

    pub fn state(&self, core: usize) -> CoreState {
        self.ledger().read(core_id(core)).unwrap().state
    }

    fn state_of(&self, core: CoreId) -> CoreState {
        self.state(core.index())
    }

    pub fn context(&self, id: ContextId) -> &Context {
        &self.domains[usize::from(id.0 >> 8)].contexts[usize::from(id.0 & 0xff)]
    }

    fn domain_of(&self, context: &Context) -> &Domain {
        &self.domains[context.domain]
    }

    /// Posts; nobody has to ring, as cores look by themselves here.
    pub fn post(&self, to: CoreId, requests: Requests) {
        let _ = self.cores[to.index()].mailbox.post(requests);
    }

    /// How the order with that number ended, so far.
    pub fn reports(&self, order: u32) -> Vec<Result<Heir, Reason>> {
        self.reports.lock().unwrap().iter().filter(|(of, _)| *of == order).map(|(_, end)| *end).collect()
    }

    /// An order that was accepted has one end, and no other has any.
    pub fn ended_once(&self, order: u32, accepted: bool) -> Option<Result<Heir, Reason>> {
        let ends = self.reports(order);
        assert_eq!(ends.len(), usize::from(accepted), "order {order} ended {ends:?}");
        ends.first().copied()
    }
}
