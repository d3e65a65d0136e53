//! What a core has for itself: its block of the reserved area, found through TPIDR_EL2.
//!
//! Block layout (physical, one after the other for all cores): a guard page that is never mapped,
//! the stack, this structure in one page, the trace area. See [`layout`].

use super::context::Context;
use super::mmu::PAGE;
use super::sysreg::{read, write};
use super::{cache, gic};
use crate::boot::Kernel;
use crate::platform::arena::Arena;
use crate::power::Power;
use crate::transfer::Errand;
use core::ptr::null;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};
use smp::core_id::{CoreId, Mpidr};
use smp::mailbox::Mailbox;
use smp::run_queue::{RunQueue, Slot};
use smp::trace::Area;

/// Byte offsets within a core's block.
pub mod layout {
    use super::PAGE;
    /// The stack grows down to the guard page at the block's start.
    pub const STACK_TOP: u64 = 3 * PAGE;
    /// The `CoreLocal` page.
    pub const LOCAL: u64 = STACK_TOP;
    /// Exit counters and trace ring, read by the host.
    pub const TRACE: u64 = LOCAL + PAGE;
    /// Bytes of trace area.
    pub const TRACE_BYTES: u64 = 3 * PAGE;
    /// Bytes of a block.
    pub const BLOCK: u64 = TRACE + TRACE_BYTES;
}

/// Per-core data. Fields written after start-up are atomics; those marked "own" are only
/// written by the core itself.
#[repr(C, align(64))]
pub struct CoreLocal {
    /// Top of this core's stack (`vectors.s` reads it).
    pub stack_top: u64,
    kernel: &'static Kernel,
    /// Index in the machine's list of cores.
    pub id: CoreId,
    /// Affinity.
    pub mpidr: Mpidr,
    /// What rings it.
    pub doorbell: u64,
    /// Physical address of this core's GIC redistributor frames (own; 0 before start-up).
    pub redistributor: AtomicU64,
    /// Messages from other cores.
    pub mailbox: Mailbox,
    /// Contexts that run here.
    pub queue: RunQueue,
    /// Traps are set for a core that several contexts share (own).
    pub shared: AtomicBool,
    /// When the running context's time slice ends; 0: it has none (own).
    pub slice_end: AtomicU64,
    /// The running context's equals are to run next (own).
    pub turn_over: AtomicBool,
    /// The context that ran here last, plus one (own).
    pub ran_last: AtomicU32,
    /// When EL2's timer is due for something other than contexts; 0: never (own).
    pub alarm: AtomicU64,
    /// EL2's timer is on (own).
    pub timer_on: AtomicBool,
    /// What was ordered for this core.
    pub errand: Errand,
    /// Idle times, and how it goes off and wakes.
    pub power: Power,
    /// A context of a domain that does not own the core, plus one; 0: there is none. Changed under the owner's placement
    /// lock.
    pub lodger: AtomicU32,
    /// A bit for each group that the core looks after.
    pub guards: AtomicU32,
    /// The bit of the group whose member it holds, and whose deadlines it has looked at since then; 0: none (own).
    pub holds: AtomicU32,
    /// When a guard of the group that it serves asked it for an answer, in ticks; 0: it has answered, by taking an errand.
    pub asked: AtomicU64,
    /// The attempt at a checkpoint that it last stood still for (own).
    pub stands: AtomicU64,
    /// The context whose state is in the core's registers (own).
    current: AtomicPtr<Context>,
    /// Slot of `current` in `queue` (own).
    slot: AtomicU64,
}

const _: () = assert!(size_of::<CoreLocal>() <= PAGE as usize);
const _: () = assert!(size_of::<Area>() as u64 <= layout::TRACE_BYTES);

impl CoreLocal {
    /// Makes the block of a core ready, before the core is switched on.
    pub fn place(kernel: &'static Kernel, id: CoreId, mpidr: Mpidr) -> &'static Self {
        let block = kernel.arena.block(id);
        let local = (block.wrapping_add(layout::LOCAL)) as *mut Self;
        let value = Self {
            stack_top: block.wrapping_add(layout::STACK_TOP),
            kernel,
            id,
            mpidr,
            doorbell: gic::doorbell(mpidr),
            redistributor: AtomicU64::new(0),
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
            stands: AtomicU64::new(0),
            current: AtomicPtr::new(null::<Context>().cast_mut()),
            slot: AtomicU64::new(0),
        };
        let trace = block.wrapping_add(layout::TRACE) as *mut u8;
        // SAFETY: 1. the arena mapped the block and keeps it for this core, which is off; 2. `LOCAL`
        // is page-aligned within it and leaves a page; 3. the trace area is all atomics, for
        // which zero is a value.
        unsafe {
            cache::clear(core::slice::from_raw_parts_mut(trace, layout::TRACE_BYTES as usize));
            local.write(value);
            &*local
        }
    }

    /// The data of a core that came up (its ledger word was idle once), or is on its way.
    pub fn at(arena: &Arena, id: CoreId) -> &'static Self {
        let address = arena.block(id).wrapping_add(layout::LOCAL) as *const Self;
        // SAFETY: the arena maps the block for ever, and `place` wrote this before the core was
        // switched on; the ledger lets it do so once.
        unsafe { &*address }
    }

    /// The kernel's global data, without a look whether it is there yet.
    pub fn kernel(&self) -> &'static Kernel {
        self.kernel
    }

    /// The contexts here that are its owner's.
    pub fn residents(&self) -> usize {
        self.queue.attached().saturating_sub(usize::from(self.lodger.load(Relaxed) != 0))
    }

    /// This core's part of what the host reads: exit counters and trace ring.
    pub fn trace(&self) -> &'static Area {
        let address = (core::ptr::from_ref(self) as u64).wrapping_add(PAGE) as *const Area;
        // SAFETY: the trace area follows this page in the block, and `place` cleared it; all
        // its fields are atomics.
        unsafe { &*address }
    }

    /// Makes this the data of the core that runs this. It has none yet: TPIDR_EL2 is unknown at reset.
    pub fn set_this(this: Option<&'static Self>) {
        write!("tpidr_el2", this.map_or(0, |this| core::ptr::from_ref(this) as u64));
    }

    /// The running core's data; `None` in the first core's early boot.
    pub fn this() -> Option<&'static Self> {
        let pointer = read!("tpidr_el2") as *const Self;
        // SAFETY: TPIDR_EL2 is 0 until `set_this` or `boot.s` set it to a `CoreLocal` that lives
        // for ever; `primary_main` clears it first.
        unsafe { pointer.as_ref() }
    }

    /// The context whose state is loaded here, and its slot.
    pub fn current(&self) -> Option<(Slot, &'static Context)> {
        // SAFETY: only `set_current` stores here, from a `&'static Context`.
        let context = unsafe { self.current.load(Relaxed).as_ref() }?;
        Some((Slot::new(self.slot.load(Relaxed) as usize)?, context))
    }

    /// Forgets what it did before it went off, which it did idle; by itself, when it wakes.
    pub fn begin_anew(&self) {
        [&self.shared, &self.timer_on].into_iter().for_each(|flag| flag.store(false, Relaxed));
        [&self.ran_last, &self.guards, &self.holds].into_iter().for_each(|word| word.store(0, Relaxed));
        [&self.slice_end, &self.alarm, &self.asked].into_iter().for_each(|time| time.store(0, Relaxed));
        self.set_current(None);
    }

    /// Notes which context's state is loaded.
    pub fn set_current(&self, loaded: Option<(Slot, &'static Context)>) {
        let pointer = loaded.map_or(null(), |(_, context)| core::ptr::from_ref(context));
        self.current.store(pointer.cast_mut(), Relaxed);
        self.slot.store(loaded.map_or(0, |(slot, _)| slot.index() as u64), Relaxed);
    }
}
