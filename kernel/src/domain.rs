//! Domains as the kernel holds them: made from the manifest at boot, started, stopped, restarted.

use crate::arch::context::Context;
use crate::arch::core_local::CoreLocal;
use crate::arch::gic;
use crate::arch::mmu::{self, Table};
use crate::arch::stage2::Stage2;
use crate::boot::{self, kernel};
use crate::platform::firmware;
use crate::platform::machine::Region;
use crate::platform::memory::FreeMemory;
use crate::trace::{self, About};
use arrayvec::ArrayVec;
use core::sync::atomic::{AtomicUsize, Ordering};
use domains::DomainId;
use domains::archive::Archive;
use domains::console::Console;
use domains::ledger::{CoreState, Quota};
use domains::life::{Left, Life, Phase};
use domains::manifest::{self, Action, Board, DomainSpec, Manifest};
use domains::protocol::{DomainResult, EndKind, ExpectedEnd, MAX_DOMAINS, RUN_MODULE, Tag, VERDICT_FAIL, VERDICT_PASS};
use domains::psci::Entry;
use domains::vgic::{Kick, Redistributor, Vgic};
use hotplug::grant::{self, NoCore};
use log::{error, info, warn};
use smp::core_id::CoreId;
use smp::lock::SpinLock;
use smp::mailbox::{Doorbell, Requests};
use smp::run_queue::{ContextId, Priority, Slot};
use smp::trace::Event;
use spin::Once;

/// INTID of the board's first PL011 (SPI 1).
pub const CONSOLE_INTID: u32 = 33;

/// A domain.
pub struct Domain {
    /// Its index.
    pub id: DomainId,
    /// What the manifest says of it.
    pub spec: &'static DomainSpec<'static>,
    /// Where its memory is; `spec.memory.base` is the guest's address of it.
    pub memory: Region,
    /// Its address space.
    pub stage2: Stage2,
    /// Its interrupt controller.
    pub vgic: Vgic<'static>,
    /// Its console.
    pub console: SpinLock<Console>,
    /// Its phase, and who takes part in it.
    pub life: Life,
    /// How many cores it holds and may hold.
    pub quota: Quota,
    contexts: Once<&'static [Context]>,
}

static DOMAINS: Once<ArrayVec<&'static Domain, MAX_DOMAINS>> = Once::new();
/// Domains that the run waits for.
static AWAITED: AtomicUsize = AtomicUsize::new(0);

/// All domains.
pub fn all() -> &'static [&'static Domain] {
    DOMAINS.get().map_or(&[], |domains| domains.as_slice())
}

/// A context by its machine-wide number: the domain's index in the upper byte, its own in the
/// lower (a domain has at most 123).
pub fn context(id: ContextId) -> Option<&'static Context> {
    let [domain, index] = id.0.to_be_bytes();
    all().get(usize::from(domain))?.contexts().get(usize::from(index))
}

impl Domain {
    /// Its contexts.
    pub fn contexts(&self) -> &'static [Context] {
        self.contexts.get().copied().unwrap_or_default()
    }

    /// Its console's mark in the UART's stream.
    pub fn tag(&self) -> Tag {
        Tag::Domain(self.id.index() as u8)
    }

    /// Whether it has the devices of the board.
    pub fn has_board(&self) -> bool {
        self.spec.board == Board::Virt
    }

    /// Puts all but its memory back to what it was before it was loaded. It runs nowhere, and no
    /// guest is loaded on this core.
    #[inline(never)] // its frame is large, and not to lie below all that `finish` calls
    fn reset(&self) {
        for context in self.contexts() {
            context.power.reset();
        }
        self.stage2.enter();
        self.stage2.invalidate();
        self.vgic.reset();
        self.console.lock().reset();
    }

    /// Calls `body` with the bytes behind `[address, address + length)` of its memory, piece by
    /// piece and in order. False, and nothing done, if that is not all its memory.
    pub fn with_memory(&self, core: &CoreLocal, address: u64, length: u64, mut body: impl FnMut(&mut [u8])) -> bool {
        if !self.spec.memory.contains(address, length) {
            return false;
        }
        let mut physical = self.memory.start.wrapping_add(address.wrapping_sub(self.spec.memory.base));
        let end = physical.wrapping_add(length);
        while physical < end {
            let to_block_end = mmu::BLOCK.wrapping_sub(physical & mmu::BLOCK.wrapping_sub(1));
            let piece = to_block_end.min(end.wrapping_sub(physical));
            if mmu::with_window(core, physical, piece, &mut body).is_none() {
                return false;
            }
            physical = physical.wrapping_add(piece);
        }
        true
    }

    /// Stops the domain for this reason, wherever its contexts run. The caller's own core leaves
    /// its context when it next looks into its mailbox.
    pub fn stop(&self, core: &CoreLocal, kind: EndKind) {
        if !self.life.stop(kind) {
            return;
        }
        for context in self.contexts() {
            if let Some(holder) = context.core() {
                post(core, holder, Requests::STOP);
            }
        }
    }

    /// Changes the line of its console's interrupt to what the device says.
    pub fn update_console_line(&self, core: &CoreLocal, console: &Console) {
        self.vgic.set_spi_level(CONSOLE_INTID, console.line(), &mut Port { domain: self, core });
    }
}

/// Posts `requests` to a core, and rings it unless it is the caller's own.
pub fn post(from: &CoreLocal, to: CoreId, requests: Requests) {
    let Some(target) = boot::core(to) else { return };
    if target.mailbox.post(requests) == Doorbell::Ring && to != from.id {
        gic::ring(target.mpidr);
    }
}

/// A domain's way to the cores of its contexts, from the core that runs this.
pub struct Port<'a> {
    /// The domain.
    pub domain: &'a Domain,
    /// The core that runs this.
    pub core: &'a CoreLocal,
}

impl Kick for Port<'_> {
    fn kick(&mut self, context: usize) {
        let holder = self.domain.contexts().get(context).and_then(Context::core);
        if let Some(holder) = holder {
            post(self.core, holder, Requests::KICK);
        }
    }
}

/// Reads the manifest, makes all domains and starts them.
pub fn start_all(core: &'static CoreLocal) {
    let kernel = kernel();
    let Some(archive) = Archive::new(kernel.machine.archive_bytes()).ok() else {
        refuse("the boot archive is damaged");
    };
    let Some(blob) = archive.find(manifest::FILE_NAME) else { refuse("the boot archive holds no manifest.dtb") };
    let manifest = match Manifest::parse(blob) {
        Ok(manifest) => manifest,
        Err(why) => refuse(why),
    };
    let mut memory = FreeMemory::of(kernel);
    let cores = kernel.ledger.cores().filter(|(_, record)| record.state == CoreState::Idle).count();
    let machine = manifest::Machine { cores, memory_bytes: memory.bytes() };
    if let Err(why) = manifest.validate(&machine, |name| archive.find(name).is_some()) {
        refuse(why);
    }
    boot::stage(core, 5, crate::arch::timer::now(), cores);
    let Some(manifest) = kernel.arena.place(manifest) else { refuse("the arena is full: manifest") };
    let made = manifest.domains.iter().enumerate().map(|(index, spec)| make(index, spec, &mut memory)).collect();
    match made {
        Ok(domains) => DOMAINS.call_once(|| domains),
        Err(why) => refuse(why),
    };
    let awaited = all().iter().filter(|domain| domain.spec.end != ExpectedEnd::Kind(EndKind::Running)).count();
    AWAITED.store(awaited, Ordering::Release);
    for domain in all() {
        start(core, domain);
    }
    boot::stage(core, 7, crate::arch::timer::now(), cores);
}

/// A manifest that cannot be carried out: no domain starts, and the run has failed.
fn refuse(why: impl core::fmt::Display) -> ! {
    error!(target: "manifest", "refused: {why}");
    error!(target: RUN_MODULE, "{VERDICT_FAIL}");
    firmware::system_off(kernel().machine.conduit)
}

/// Makes a domain out of its part of the manifest.
fn make(
    index: usize,
    spec: &'static DomainSpec<'static>,
    memory: &mut FreeMemory,
) -> Result<&'static Domain, &'static str> {
    const FULL: &str = "the kernel's arena is full";
    let arena = &kernel().arena;
    let id = DomainId::new(index).ok_or("too many domains")?;
    let count = spec.cores.max as usize;
    let memory = memory.take(spec.memory.size).ok_or("no free RAM is left in one piece")?;
    let table = || arena.place(Table::new());
    let stage2 = Stage2::new(table().ok_or(FULL)?, (index as u8).wrapping_add(1));
    stage2.map_ram(spec.memory.base, memory.start, memory.length, table).map_err(|_| FULL)?;
    let redistributors = arena.place_all(count, |_| Redistributor::new()).ok_or(FULL)?;
    let domain = arena
        .place(Domain {
            id,
            spec,
            memory,
            stage2,
            vgic: Vgic::new(redistributors),
            console: SpinLock::new(Console::new()),
            life: Life::new(),
            quota: Quota::new(spec.cores.max),
            contexts: Once::new(),
        })
        .ok_or(FULL)?;
    let contexts = arena
        .place_all(count, |n| Context::new(ContextId(u16::from_be_bytes([index as u8, n as u8])), n as u16, domain))
        .ok_or(FULL)?;
    domain.contexts.call_once(|| contexts);
    info!(
        target: "domain",
        "name={} memory={:#x}+{:#x} at={:#x} contexts={count}",
        spec.name, spec.memory.base, spec.memory.size, memory.start
    );
    Ok(domain)
}

/// Claims a core for a context and hands the context over to it, `near` if that is idle. The
/// context's power state is to be pending already when this succeeds, so `publish` is called in
/// between.
///
/// # Errors
/// See [`NoCore`]; then nothing has changed and `publish` was not called.
pub fn place(
    core: &CoreLocal,
    context: &'static Context,
    near: CoreId,
    publish: impl FnOnce(),
) -> Result<CoreId, NoCore> {
    let domain = context.domain;
    let id = grant::claim(&kernel().ledger, &domain.quota, domain.id, near)?;
    let target = boot::core(id).ok_or(NoCore::Pool)?;
    let Ok(slot) = target.queue.attach(context.id, Priority(domain.spec.priority as u8)) else {
        give_up(id, domain);
        return Err(NoCore::Queue);
    };
    // The receiver looks at the context only after `wake`; a stop that comes before `set_core` is
    // seen by the receiver's `Life::enter`.
    publish();
    context.set_core(Some(target.id));
    target.queue.wake(slot);
    trace_owner(core, target.id);
    trace::record(core, Event::ContextOn, About::Context(context), u64::from(context.index), target.id.index() as u64);
    post(core, target.id, Requests::KICK);
    Ok(target.id)
}

/// Gives a core that a domain owns back to the pool.
fn give_up(id: CoreId, domain: &Domain) {
    grant::release(&kernel().ledger, &domain.quota, domain.id, id);
}

/// Writes who owns a core to the trace.
fn trace_owner(core: &CoreLocal, about: CoreId) {
    if let Some(record) = kernel().ledger.read(about) {
        trace::record(core, Event::CoreOwner, About::Machine, about.index() as u64, record.state.to_trace());
    }
}

/// Hands a domain's first context to a core, which loads the domain and enters it.
fn start(core: &CoreLocal, domain: &'static Domain) {
    let Some(first) = domain.contexts().first() else { return };
    let Ok(ticket) = first.power.request_on() else { return };
    let start = Entry { address: 0, context_id: 0 };
    if let Err(why) = place(core, first, core.id, || ticket.publish(start)) {
        error!(target: "domain", "name={} has no core to start on ({why:?}): others hold them all", domain.spec.name);
        let _ = domain.life.stop(EndKind::Failed);
        finish(core, domain, EndKind::Failed);
    }
}

/// A context leaves this core for good: its CPU went off, or its domain stops.
pub fn leave(core: &CoreLocal, slot: Slot, context: &'static Context) {
    let domain = context.domain;
    if core.current().is_some_and(|(_, loaded)| core::ptr::eq(loaded, context)) {
        context.unload(core);
        core.set_current(None);
    }
    core.queue.detach(slot);
    context.set_core(None);
    if core.queue.attached() == 0 {
        give_up(core.id, domain);
        trace_owner(core, core.id);
    }
    trace::record(core, Event::ContextOff, About::Context(context), u64::from(context.index), core.id.index() as u64);
    // From here on CPU_ON may start the context again, on any core.
    context.power.off();
    if let Left::Last(kind) = domain.life.leave() {
        finish(core, domain, kind);
    }
}

/// The domain runs nowhere any more: restart it, or count its end.
fn finish(core: &CoreLocal, domain: &'static Domain, kind: EndKind) {
    let spec = domain.spec;
    let boots = domain.life.now().boots;
    if failover::after(spec, kind, boots) == Action::Restart {
        warn!(target: "domain", "name={} restarts after={} boots={boots}", spec.name, kind.name());
        trace::record(core, Event::DomainRestart, About::Domain(domain.id.index()), kind as u64, u64::from(boots));
        domain.reset();
        domain.life.restart();
        start(core, domain);
        return;
    }
    domain.life.end();
    info!(target: "domain", "name={} ended={} boots={boots}", spec.name, kind.name());
    trace::record(core, Event::DomainEnd, About::Domain(domain.id.index()), kind as u64, u64::from(boots));
    // AcqRel: who counts the last one down sees how all others ended.
    if spec.end != ExpectedEnd::Kind(EndKind::Running) && AWAITED.fetch_sub(1, Ordering::AcqRel) == 1 {
        end_run(core);
    }
}

/// Every domain that the run waits for has ended: gives the verdict and switches the machine off.
fn end_run(core: &CoreLocal) -> ! {
    let mut pass = true;
    for domain in all() {
        let now = domain.life.now();
        let end = if now.phase == Phase::Ended { now.kind } else { EndKind::Running };
        let result = DomainResult { name: domain.spec.name, end, boots: now.boots, expected: domain.spec.end };
        pass &= result.is_ok();
        info!(target: RUN_MODULE, "{result}");
    }
    trace::record(core, Event::Verdict, About::Machine, u64::from(pass), 0);
    info!(target: RUN_MODULE, "{}", if pass { VERDICT_PASS } else { VERDICT_FAIL });
    firmware::system_off(kernel().machine.conduit)
}
