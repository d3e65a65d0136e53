//! What a core has for itself (the real one's fields, without its stack and its trace).

use super::context::Context;
use crate::boot::Kernel;
use crate::core_id::CoreId;
use crate::mailbox::Mailbox;
use crate::power::Power;
use crate::run_queue::{RunQueue, Slot};
use crate::trace::Area;
use crate::transfer::Errand;
use crate::{boot, simulation};
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

/// Per-core data.
#[allow(missing_docs)]
pub struct CoreLocal {
    pub id: CoreId,
    /// Where it is rung.
    pub doorbell: usize,
    pub mailbox: Mailbox,
    pub queue: RunQueue,
    pub shared: AtomicBool,
    pub slice_end: AtomicU64,
    pub turn_over: AtomicBool,
    pub ran_last: AtomicU32,
    pub alarm: AtomicU64,
    pub timer_on: AtomicBool,
    pub errand: Errand,
    pub power: Power,
    pub lodger: AtomicU32,
    pub guards: AtomicU32,
    pub holds: AtomicU32,
    pub asked: AtomicU64,
    trace: Area,
    current: Mutex<Option<(Slot, &'static Context)>>,
}

impl CoreLocal {
    /// A core that has done nothing yet.
    pub fn new(id: CoreId) -> Self {
        Self {
            id,
            doorbell: id.index(),
            mailbox: Mailbox::default(),
            queue: RunQueue::new(),
            shared: AtomicBool::new(false),
            slice_end: AtomicU64::new(0),
            turn_over: AtomicBool::new(false),
            ran_last: AtomicU32::new(0),
            alarm: AtomicU64::new(0),
            timer_on: AtomicBool::new(false),
            errand: Errand::default(),
            power: Power::default(),
            lodger: AtomicU32::new(0),
            guards: AtomicU32::new(0),
            holds: AtomicU32::new(0),
            asked: AtomicU64::new(0),
            trace: Area::default(),
            current: Mutex::new(None),
        }
    }

    /// The kernel's global data.
    pub fn kernel(&self) -> &'static Kernel {
        boot::kernel()
    }

    /// The contexts here that are its owner's.
    pub fn residents(&self) -> usize {
        self.queue.attached().saturating_sub(usize::from(self.lodger.load(Relaxed) != 0))
    }

    /// What it counts.
    pub fn trace(&self) -> &Area {
        &self.trace
    }

    /// The running core's data.
    pub fn this() -> Option<&'static Self> {
        boot::peek().cores().get(simulation::this()?).copied()
    }

    /// The context whose state is loaded here, and its slot.
    pub fn current(&self) -> Option<(Slot, &'static Context)> {
        self.current.lock().ok().and_then(|current| *current)
    }

    /// Notes which context's state is loaded.
    pub fn set_current(&self, loaded: Option<(Slot, &'static Context)>) {
        if let Ok(mut current) = self.current.lock() {
            *current = loaded;
        }
    }

    /// Forgets what it did before it went off.
    pub fn begin_anew(&self) {
        self.shared.store(false, Relaxed);
        self.slice_end.store(0, Relaxed);
        self.ran_last.store(0, Relaxed);
        self.alarm.store(0, Relaxed);
        self.timer_on.store(false, Relaxed);
        self.guards.store(0, Relaxed);
        self.holds.store(0, Relaxed);
        self.asked.store(0, Relaxed);
        self.set_current(None);
    }
}
