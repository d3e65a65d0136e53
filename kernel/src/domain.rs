//! Domains as the kernel holds them: made from the manifest at boot, started, stopped, restarted.

use crate::arch::context::{self, Context};
use crate::arch::core_local::CoreLocal;
use crate::arch::mmu::{self, Table};
use crate::arch::stage2::{Grain, Right, Stage2};
use crate::arch::{cache, gic, stage2};
use crate::boot::{self, kernel};
use crate::checkpoint::{self, Checkpoints};
use crate::platform::arena::Arena;
use crate::platform::firmware;
use crate::platform::machine::Region;
use crate::platform::memory::FreeMemory;
use crate::takeover::{self, Member, Next, Team};
use crate::trace::{self, About};
use crate::transfer::{self, AllQuotas};
use crate::{govern, power};
use arrayvec::ArrayVec;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use domains::DomainId;
use domains::archive::Archive;
use domains::control::Control;
use domains::guest_fdt;
use domains::ledger::{CoreState, Heir, Ledger, Quota};
use domains::life::{Left, Life, Phase};
use domains::manifest::{self, Action, Board, DomainSpec, GroupSpec, MAX_GROUPS, Manifest};
use domains::pl011::Console;
use domains::protocol::{
    DomainResult, EndKind, ExpectedEnd, MAX_DOMAINS, RUN_MODULE, Rule, Tag, VERDICT_FAIL, VERDICT_PASS, hypercall,
};
use domains::psci::{AffinityState, Entry};
use domains::stolen::{self, StolenPages};
use domains::vgic::{Kick, Redistributor, SgiKind, Vgic};
use domains::watchdog::Watchdog;
use hotplug::grant::{self, Claimed, NoCore};
use hotplug::placement::Placement;
use hotplug::transfer::Leaving;
use log::{error, info, warn};
use smp::core_id::CoreId;
use smp::core_set::CoreSet;
use smp::lock::SpinLock;
use smp::mailbox::{Doorbell, Requests};
use smp::run_queue::{ContextId, Priority, Slot};
use smp::trace::Event;
use spin::Once;

/// INTID of the board's first PL011 (SPI 1).
pub const CONSOLE_INTID: u32 = 33;
/// INTID of the board's second PL011 (SPI 8).
const CONTROL_INTID: u32 = 40;

/// A domain. The large fields come last, so that the others lie within reach of one instruction.
#[repr(C)]
pub struct Domain {
    /// Its index.
    pub id: DomainId,
    /// Who owns which core.
    ledger: &'static Ledger<'static>,
    /// What the manifest says of it.
    pub spec: &'static DomainSpec<'static>,
    /// Where its memory is; `spec.memory.base` is the guest's address of it.
    pub memory: Region,
    /// Its address space.
    pub stage2: Stage2,
    /// Its phase, and who takes part in it.
    pub life: Life,
    /// How many cores it holds and may hold.
    pub quota: Quota,
    /// Which of its contexts are on which of its cores.
    pub placement: SpinLock<Placement>,
    /// By it the domain is asked for cores.
    pub control: SpinLock<Control>,
    /// Its watchdog.
    pub watchdog: SpinLock<Watchdog>,
    /// What it is in its group, if it is in one.
    member: Option<Member>,
    /// Where it broke a rule in this life: context, PC, ESR_EL2, FAR_EL2, and the rule. It is said when nobody waits for its
    /// cores or its successor any more.
    pub fault: SpinLock<Option<(u16, [u64; 3], Rule)>>,
    /// Bytes that were cleared, and then copied, for its next life.
    pub loaded: AtomicU64,
    /// Its checkpoints, if it has any.
    pub checkpoints: Option<Checkpoints>,
    /// CPU_ONs that were denied for want of a core, since the governor looked last.
    pub denied: AtomicU32,
    contexts: Once<&'static [Context]>,
    /// Its interrupt controller.
    pub vgic: Vgic<'static>,
    /// Its console.
    pub console: SpinLock<Console>,
}

static DOMAINS: Once<ArrayVec<&'static Domain, MAX_DOMAINS>> = Once::new();
static TEAMS: Once<ArrayVec<&'static Team, MAX_GROUPS>> = Once::new();
/// A bit for each domain that waits for a core to start on.
static WAITING: AtomicU32 = AtomicU32::new(0);
/// Domains that the run waits for.
static AWAITED: AtomicUsize = AtomicUsize::new(0);

/// All domains.
pub fn all() -> &'static [&'static Domain] {
    DOMAINS.get().map_or(&[], |domains| domains.as_slice())
}

/// All groups.
pub fn teams() -> &'static [&'static Team] {
    TEAMS.get().map_or(&[], |teams| teams.as_slice())
}

/// The domain with that number.
pub fn by_id(id: DomainId) -> Option<&'static Domain> {
    all().get(id.index()).copied()
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

    /// The cores that they are on, each as often as they are.
    pub fn seats(&self) -> impl DoubleEndedIterator<Item = CoreId> {
        self.contexts().iter().filter_map(|context| context.seat.now())
    }

    /// Whether a core is its own, and it is not asked for that.
    pub fn owns(&self, id: CoreId) -> bool {
        self.ledger.is(id, CoreState::Owned(self.id))
    }

    /// Whether a core is its own, and perhaps it is asked for that.
    pub fn holds(&self, id: CoreId) -> bool {
        self.owns(id) || self.ledger.asked(id) == Some(self.id)
    }

    /// What it is in its group, if it is in one.
    pub fn member(&self) -> Option<&Member> {
        self.member.as_ref()
    }

    /// Its console's mark in the UART's stream.
    pub fn tag(&self) -> Tag {
        Tag::Domain(self.id.index() as u8)
    }

    /// Whether it has the devices of the board.
    pub fn has_board(&self) -> bool {
        self.spec.board == Board::Virt
    }

    #[inline(never)] // hardly ever, and large
    fn tell_fault(&self) {
        if let Some((context, [pc, esr, far], rule)) = self.fault.lock().take() {
            warn!(
                target: "domain",
                "fault: domain={} context={context} pc={pc:#x} esr={esr:#x} far={far:#x} rule={rule} ({})",
                self.spec.name, rule.text()
            );
        }
    }

    /// Puts all but its memory back to what it was before it was loaded. It runs nowhere, and no
    /// guest is loaded on this core.
    #[inline(never)] // its frame is large, and not to lie below all that `finish` calls
    fn reset(&self, core: &CoreLocal) {
        for context in self.contexts() {
            context.power.reset();
            context.stolen.reset();
            context.take_wanted();
            context.fault.store(0, Ordering::Relaxed);
        }
        self.flush(core);
        self.vgic.reset();
        *self.console.lock() = Console::default();
        *self.control.lock() = Control::default();
        *self.watchdog.lock() = Watchdog::default();
        self.loaded.store(0, Ordering::Relaxed);
        self.quota.restart(self.member().map_or(self.spec.cores.start, |member| member.cores(self.spec.cores.start)));
    }

    /// Forgets what TLBs hold of its translation.
    pub fn flush(&self, core: &CoreLocal) {
        self.stage2.enter();
        self.stage2.invalidate();
        match core.current() {
            Some((_, loaded)) => loaded.domain.stage2.enter(),
            None => stage2::leave(),
        }
    }

    /// Changes what it may do with its group's region.
    pub fn set_region(&self, core: &CoreLocal, right: Right) {
        if let Some(region) = self.member().and_then(|member| member.team.region) {
            // The tables are there since the domain was made.
            let _ = self.stage2.map(guest_fdt::REGION_BASE, region, Grain::Block, right, || None);
            self.flush(core);
        }
    }

    /// Whether its group's region is there.
    pub fn is_in_region(&self, physical: u64) -> bool {
        let region = self.member().and_then(|member| member.team.region);
        region.is_some_and(|region| (region.start..region.end()).contains(&physical))
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
        takeover::stops(core, self);
        self.contexts().iter().for_each(|context| post_to_holder(core, context, Requests::STOP));
    }

    /// Changes the line of its console's interrupt to what the device says.
    pub fn update_console_line(&self, core: &CoreLocal, console: &Console) {
        self.vgic.set_spi_level(CONSOLE_INTID, console.line(), &mut Port { domain: self, core });
    }

    /// The same for its control port.
    pub fn update_control_line(&self, core: &CoreLocal, control: &Control) {
        if self.has_board() {
            self.vgic.set_spi_level(CONTROL_INTID, control.line(), &mut Port { domain: self, core });
        }
    }

    /// Changes what its control port has to say.
    pub fn tell(&self, core: &CoreLocal, change: impl FnOnce(&mut Control)) {
        let mut control = self.control.lock();
        change(&mut control);
        self.update_control_line(core, &control);
    }

    /// Without a board's devices it has no other way to learn that there is a request for it: its first context is
    /// interrupted.
    pub fn notify(&self, core: &CoreLocal) {
        if self.has_board() {
            return;
        }
        const FIRST_CONTEXT: u64 = 1;
        let nobody = usize::MAX;
        let value = u64::from(hypercall::CORE_REQUEST_SGI) << 24 | FIRST_CONTEXT;
        self.vgic.send_sgi(nobody, value, SgiKind::Group1, &mut Port { domain: self, core });
    }
}

/// Posts `requests` to a core, and rings it unless it is the caller's own.
pub fn post(from: &CoreLocal, to: CoreId, requests: Requests) {
    if let Some(target) = from.kernel().core(to) {
        post_to(from, target, requests);
    }
}

/// [`post`], by who has the core's data in hand.
#[inline(always)]
pub fn post_to(from: &CoreLocal, target: &CoreLocal, requests: Requests) {
    if target.mailbox.post(requests) == Doorbell::Ring && target.id != from.id {
        gic::ring(target.doorbell);
    }
}

/// Posts `requests` to the core that a context is on, for those who changed something that it has to see.
pub fn post_to_holder(from: &CoreLocal, context: &Context, requests: Requests) {
    if let Some(holder) = context.seat.find() {
        post(from, holder, requests);
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
        if let Some(context) = self.domain.contexts().get(context) {
            post_to_holder(self.core, context, Requests::KICK);
        }
    }
}

/// Reads the manifest, makes all domains and starts them.
pub fn start_all(core: &'static CoreLocal) {
    let kernel = kernel();
    let archive = Archive::new(kernel.machine.archive_bytes());
    let archive = archive.unwrap_or_else(|_| refuse("the boot archive is damaged"));
    let Some(blob) = archive.find(manifest::FILE_NAME) else { refuse("the boot archive holds no manifest.dtb") };
    let manifest = Manifest::parse(blob).unwrap_or_else(|why| refuse(why));
    let mut memory = FreeMemory::of(kernel);
    let cores = kernel.ledger.cores().filter(|(_, record)| record.state == CoreState::Idle).count();
    let machine = manifest::Machine { cores, memory_bytes: memory.bytes() };
    manifest.validate(&machine, |name| archive.find(name).is_some()).unwrap_or_else(|why| refuse(why));
    boot::stage(core, 5, crate::arch::timer::now(), cores);
    let Some(manifest) = kernel.arena.place(manifest) else { refuse("the arena is full: manifest") };
    let groups = manifest.groups.iter().enumerate();
    let teams = groups.map(|(index, spec)| team(core, index, spec, manifest, &mut memory)).collect::<Result<_, _>>();
    TEAMS.call_once(|| teams.unwrap_or_else(|why| refuse(why)));
    let domains = manifest.domains.iter().enumerate();
    let domains = domains.map(|(index, spec)| make(index, spec, &mut memory)).collect::<Result<_, _>>();
    DOMAINS.call_once(|| domains.unwrap_or_else(|why| refuse(why)));
    let awaited = all().iter().filter(|domain| domain.spec.end != ExpectedEnd::Running).count();
    AWAITED.store(awaited, Ordering::Release);
    // Standbys without a core of their own need their primary's.
    let lodges = |domain: &Domain| domain.member().is_some_and(Member::lodges);
    let lodgers = all().iter().filter(|domain| lodges(domain));
    let others = all().iter().filter(|domain| !lodges(domain));
    others.chain(lodgers).for_each(|domain| start(core, domain, None));
    if let Some(power) = manifest.power.map(|power| power.break_even_us).or(kernel.machine.break_even_us) {
        power::set_break_even(core, power);
    }
    if let Some(governor) = manifest.governor {
        govern::start(core, governor);
    }
    boot::stage(core, 7, crate::arch::timer::now(), cores);
}

/// A manifest that cannot be carried out: no domain starts, and the run has failed.
fn refuse(why: impl core::fmt::Display) -> ! {
    error!(target: "manifest", "refused: {why}");
    error!(target: RUN_MODULE, "{VERDICT_FAIL}");
    firmware::system_off(kernel().machine.conduit)
}

const FULL: &str = "the kernel's arena is full";
const NO_RAM: &str = "no free RAM is left in one piece";

/// Makes a group out of its part of the manifest.
fn team(
    core: &CoreLocal,
    index: usize,
    spec: &'static GroupSpec<'static>,
    manifest: &Manifest<'_>,
    memory: &mut FreeMemory,
) -> Result<&'static Team, &'static str> {
    let region = (spec.region_size > 0).then(|| memory.take(spec.region_size).ok_or(NO_RAM)).transpose()?;
    for block in region.iter().flat_map(|region| (region.start..region.end()).step_by(mmu::BLOCK as usize)) {
        let _ = mmu::with_window(core, block, mmu::BLOCK, |bytes| {
            cache::clear(bytes);
            cache::clean(bytes);
        });
    }
    let number = |name: &&str| manifest.domains.iter().position(|domain| domain.name == *name);
    let members = spec.members.iter().filter_map(number).filter_map(DomainId::new).collect();
    kernel().arena.place(Team::new(spec, index as u32, members, region)).map(|team| -> &Team { team }).ok_or(FULL)
}

#[inline(never)] // its frame is large
fn new_table(arena: &Arena) -> Option<&'static Table> {
    arena.place(Table::new())
}

/// Makes a domain out of its part of the manifest.
fn make(
    index: usize,
    spec: &'static DomainSpec<'static>,
    memory: &mut FreeMemory,
) -> Result<&'static Domain, &'static str> {
    let arena = &kernel().arena;
    let id = DomainId::new(index).ok_or("too many domains")?;
    let count = spec.cores.max as usize;
    let free = memory;
    let memory = free.take(spec.memory.size).ok_or(NO_RAM)?;
    let place = |team: &&'static Team| Some((*team, team.spec.members.iter().position(|name| *name == spec.name)?));
    let member = teams().iter().find_map(place).map(|(team, place)| Member::new(team, place));
    let table = || new_table(arena);
    let stage2 = Stage2::new(table().ok_or(FULL)?, (index as u8).wrapping_add(1));
    let checkpoints = match member.as_ref().map(|member| member.team.spec) {
        Some(group) if group.checkpoint_ms > 0 => {
            let region = free.take(manifest::checkpoint_bytes(memory.length)).ok_or(NO_RAM)?;
            let own = Arena::over(region).map_err(|_| FULL)?;
            let table = || new_table(&own);
            stage2.map(spec.memory.base, memory, Grain::Page, checkpoint::CLEAN, table).map_err(|_| FULL)?;
            Some(Checkpoints::new(&own, memory.length, count, group).ok_or(FULL)?)
        }
        _ => {
            stage2.map(spec.memory.base, memory, Grain::Block, Right::All, table).map_err(|_| FULL)?;
            None
        }
    };
    let redistributors = arena.place_all(count, |_| Redistributor::default()).ok_or(FULL)?;
    let stolen = arena.place(StolenPages::new()).ok_or(FULL)?;
    if spec.board == Board::Virt {
        let pages = Region { start: core::ptr::from_ref(stolen) as u64, length: size_of::<StolenPages>() as u64 };
        stage2.map(stolen::BASE, pages, Grain::Page, Right::Read, table).map_err(|_| FULL)?;
    }
    let granted = member.as_ref().map_or(spec.cores.start, |member| member.cores(spec.cores.start));
    if let Some(region) = member.as_ref().and_then(|member| member.team.region) {
        stage2.map(guest_fdt::REGION_BASE, region, Grain::Block, Right::None, table).map_err(|_| FULL)?;
    }
    let domain = arena
        .place(Domain {
            id,
            ledger: &kernel().ledger,
            spec,
            memory,
            stage2,
            vgic: Vgic::new(redistributors),
            console: SpinLock::new(Console::default()),
            life: Life::new(),
            quota: Quota::new(spec.cores.min, granted, spec.cores.max),
            placement: SpinLock::default(),
            control: SpinLock::new(Control::default()),
            watchdog: SpinLock::new(Watchdog::default()),
            member,
            fault: SpinLock::new(None),
            checkpoints,
            loaded: AtomicU64::new(0),
            denied: AtomicU32::new(0),
            contexts: Once::new(),
        })
        .ok_or(FULL)?;
    let context =
        |n: usize| Context::new(ContextId(u16::from_be_bytes([index as u8, n as u8])), n as u16, domain, stolen.of(n));
    let contexts = arena.place_all(count, context).ok_or(FULL)?;
    domain.contexts.call_once(|| contexts);
    info!(
        target: "domain",
        "name={} memory={:#x}+{:#x} at={:#x} contexts={count}",
        spec.name, spec.memory.base, spec.memory.size, memory.start
    );
    Ok(domain)
}

/// Finds a core for one more context of a domain and hands the context over to it: a core that the domain has and does
/// not use, else one that nobody has, `core` if that is idle. The context's power state is to be pending already when
/// this succeeds, so `publish` is called in between.
///
/// # Errors
/// See [`NoCore`]; then nothing has changed and `publish` was not called.
pub fn place(core: &'static CoreLocal, context: &'static Context, publish: impl FnOnce()) -> Result<(), NoCore> {
    let domain = context.domain;
    let mut placement = domain.placement.lock();
    let spare = placement.spare.iter().find(|id| domain.owns(*id));
    // Who begins needs one, even if all that were granted to it were taken.
    let beyond = domain.spec.takes_idle || domain.seats().next().is_none();
    let claimed = match spare {
        Some(id) => Claimed::Idle(id),
        None => grant::claim(&kernel().ledger, &domain.quota, domain.id, core.id, beyond)?,
    };
    let (Claimed::Idle(id) | Claimed::Off(id)) = claimed;
    // It succeeds: a run queue holds all contexts of a domain.
    let target = seat(core, &mut placement, context, id, publish).ok_or(NoCore::Pool)?;
    drop(placement);
    if claimed == Claimed::Idle(id) {
        post(core, id, Requests::KICK);
    } else if power::switch_on(core, target, CoreSet::default()).is_err() {
        power::give_up(core, target, Heir::Domain(domain.id));
    }
    Ok(())
}

/// Puts a context that is off on the core `id` of its domain, and traces that.
fn seat(
    core: &CoreLocal,
    placement: &mut Placement,
    context: &'static Context,
    id: CoreId,
    publish: impl FnOnce(),
) -> Option<&'static CoreLocal> {
    let target = boot::core(id)?;
    let others = target.residents();
    let slot = target.queue.attach(context.id, Priority(context.domain.spec.priority as u8)).ok()?;
    // The receiver looks at the context only after `wake`; a stop that comes before the seat is set is seen by the
    // receiver's `Life::enter`.
    publish();
    context.seat.set(Some(id));
    placement.seated(id, others);
    target.queue.wake(slot);
    trace_owner(core, id);
    trace::record(core, Event::ContextOn, About::Context(context), u64::from(context.index), id.index() as u64);
    Some(target)
}

/// Writes who owns a core to the trace.
pub fn trace_owner(core: &CoreLocal, about: CoreId) {
    if let Some(state) = core.kernel().ledger.trace(about) {
        trace::record(core, Event::CoreOwner, About::Machine, about.index() as u64, state);
    }
}

/// Hands a domain's first context to a core, which loads the domain and enters it: to this one, if it is `leaving` the
/// domain by itself, or there is no other.
fn start(core: &'static CoreLocal, domain: &'static Domain, leaving: Option<Leaving>) {
    let Some(first) = domain.contexts().first() else { return };
    let begin = Entry { address: 0, context_id: 0 };
    let Ok(ticket) = first.power.request_on() else { return };
    let mut ticket = Some(ticket);
    let mut publish = || {
        if let Some(ticket) = ticket.take() {
            ticket.publish(begin);
            takeover::loads(domain);
        }
    };
    if domain.member().is_some_and(Member::lodges) {
        release(core, leaving);
        return takeover::lodge(core, first, &mut publish);
    }
    let stays = leaving.is_some_and(|leaving| !leaving.asked);
    let placed = if stays { Err(NoCore::Pool) } else { place(core, first, &mut publish) };
    if placed.is_ok() {
        return release(core, leaving);
    }
    let Some(leaving) = leaving else {
        // The next core that somebody gives up is this domain's; one that was given up just now was too early for that, and
        // so was one that was on its way here and is not any more.
        drop(ticket);
        if WAITING.fetch_or(bit(domain), Ordering::AcqRel) & bit(domain) == 0 {
            let why = if placed == Err(NoCore::Quota) { "it may have no more" } else { "others hold them all" };
            warn!(target: "domain", "name={} waits for a core: {why}", domain.spec.name);
            fence(Ordering::SeqCst);
            if placed != Err(NoCore::Quota) || domain.quota.can_take(true) {
                start_waiting(core);
            }
        }
        return;
    };
    transfer::keep(core, leaving, 0);
    let _ = seat(core, &mut domain.placement.lock(), first, core.id, publish);
    post(core, core.id, Requests::KICK);
}

/// A domain's bit in [`WAITING`].
fn bit(domain: &Domain) -> u32 {
    1u32.wrapping_shl(domain.id.index() as u32)
}

/// A core is idle: a domain that waits for one to start on gets it.
pub fn start_waiting(core: &'static CoreLocal) {
    // Either who released a core sees here that a domain waits, or that domain's last core sees here that one is idle.
    fence(Ordering::SeqCst);
    let waiting = WAITING.load(Ordering::Acquire);
    if waiting != 0 {
        start_those(core, waiting);
    }
}

#[inline(never)]
fn start_those(core: &'static CoreLocal, waiting: u32) {
    let free = |state| matches!(state, CoreState::Idle | CoreState::Off { held: false });
    for domain in all().iter().filter(|domain| waiting & bit(domain) != 0) {
        if kernel().ledger.cores().any(|(_, record)| free(record.state))
            && WAITING.fetch_and(!bit(domain), Ordering::AcqRel) & bit(domain) != 0
        {
            start(core, domain, None);
        }
    }
}

/// A context leaves this core for good: its CPU went off, or its domain stops. When it was the core's last, the core is
/// given up, unless a folded context can use it.
pub fn leave(core: &'static CoreLocal, slot: Slot, context: &'static Context) {
    let domain = context.domain;
    if core.current().is_some_and(|(_, loaded)| core::ptr::eq(loaded, context)) {
        context.unload(core);
        core.set_current(None);
    }
    if core.queue.attached() == 1 {
        context::clean(core);
        core.holds.store(0, Ordering::Relaxed);
    }
    let mut placement = domain.placement.lock();
    if context.seat.now() != Some(core.id) {
        return; // it was given up, as this core did not answer
    }
    let free = unseat(core, &mut placement, slot, context) && core.residents() == 0;
    let owned = || domain.owns(core.id);
    let unfolds = free && placement.folded > 0 && domain.life.now().phase == Phase::Running && owned();
    // A standby's core stays, and what is fenced leaves all its cores at once.
    let hosts = || core.lodger.load(Ordering::Relaxed) != 0;
    let stays = free && (hosts() || domain.member().is_some_and(Member::is_replaced)) && owned();
    if unfolds || stays {
        placement.spare.insert(core.id);
    }
    let begin = || hotplug::transfer::begin(&kernel().ledger, core.id, domain.id);
    let mut leaving = if !free || unfolds || stays { None } else { begin() };
    drop(placement);
    trace::record(core, Event::ContextOff, About::Context(context), u64::from(context.index), core.id.index() as u64);
    // A domain that runs on can have the core back for the next CPU_ON as soon as it sees that this CPU is off; one that
    // stops may need it to start again.
    if domain.life.now().phase == Phase::Running
        && let Some(leaving) = leaving.take()
    {
        transfer::hand_over(core, core.id, leaving, 0);
    }
    transfer::disappoint(core, context);
    domain.control.lock().withdraw(context.index);
    // From here on CPU_ON may start the context again, on any core.
    context.power.off();
    leave_life(core, domain, leaving);
    if unfolds {
        transfer::welcome_again(core, core.id, domain);
    }
}

/// A context has no core any more, `from` that it had. Whether that is its domain's; if not, it lodged there.
fn unseat(from: &CoreLocal, placement: &mut Placement, slot: Slot, context: &Context) -> bool {
    from.queue.detach(slot);
    context.seat.set(None);
    let lodged = takeover::lodges(from, context);
    if lodged {
        from.lodger.store(0, Ordering::Relaxed);
        context.domain.quota.unexpect(false);
    } else {
        placement.left(from.residents());
    }
    !lodged
}

/// A context of a core that was lost is off again. Called by who found that: the core did not wake, or is `silent`, and
/// fails here. False: the context has left it meanwhile.
pub fn abandon(core: &'static CoreLocal, lost: &CoreLocal, context: &'static Context, silent: bool) -> bool {
    let domain = context.domain;
    let mut placement = domain.placement.lock();
    let slot = lost.queue.entries().find(|(_, id)| *id == context.id);
    let Some((slot, _)) = slot.filter(|_| context.seat.now() == Some(lost.id)) else { return false };
    if unseat(lost, &mut placement, slot, context) {
        if silent { transfer::lose(core, lost, domain.id) } else { domain.quota.give_back() }
    }
    drop(placement);
    context.power.reset();
    leave_life(core, domain, None);
    true
}

/// Somebody held the domain's life, and does so no more; `leaving` is the core that a context left with it.
pub fn leave_life(core: &'static CoreLocal, domain: &'static Domain, leaving: Option<Leaving>) {
    match domain.life.leave() {
        Left::Last(kind) => finish(core, domain, kind, leaving),
        Left::Others => release(core, leaving),
    }
}

/// The domain runs nowhere any more: restart it, or count its end. `leaving` is this core, if it was the domain's last.
fn finish(core: &'static CoreLocal, domain: &'static Domain, kind: EndKind, leaving: Option<Leaving>) {
    let heir = takeover::fenced(core, domain);
    let boots = domain.life.now().boots;
    let next = match domain.member() {
        Some(member) => takeover::next(core, domain, member, heir.is_some()),
        None if failover::after(domain.spec, kind, boots) == Action::Restart => Next::Restart,
        None => Next::End,
    };
    release_spare(core, domain, heir, next);
    if let Some(heir) = heir {
        takeover::promoted(core, heir);
    }
    if matches!(next, Next::Restart | Next::RollBack) {
        domain.tell_fault();
        warn!(target: "domain", "name={} restarts after={} boots={boots}", domain.spec.name, kind.name());
        trace::record(core, Event::DomainRestart, About::Domain(domain.id.index()), kind as u64, u64::from(boots));
        return match &domain.checkpoints {
            Some(checkpoints) if next == Next::RollBack => go_back(core, domain, checkpoints, leaving),
            _ => start_again(core, domain, leaving),
        };
    }
    release(core, leaving);
    if next == Next::Wait {
        return takeover::wait(core, domain);
    }
    takeover::ended(core, domain);
    over(core, domain, kind);
}

/// Nothing of the domain that had this core is left on it: it goes to its heir.
fn release(core: &'static CoreLocal, leaving: Option<Leaving>) {
    if let Some(leaving) = leaving {
        transfer::hand_over(core, core.id, leaving, 0);
    }
}

/// Cores of a domain that runs nowhere, and that were not given up as its contexts left: its heir's, or a lodger's, or
/// the pool's; some stay for its next life.
#[inline(never)]
pub fn release_spare(core: &'static CoreLocal, domain: &'static Domain, heir: Option<&'static Domain>, next: Next) {
    let spare = core::mem::take(&mut domain.placement.lock().spare);
    let waits = domain.member().filter(|_| next == Next::Wait);
    let mut to_keep = waits.map_or(0, |member| member.team.spec.standby_cores);
    for id in spare.iter() {
        let lodger = boot::core(id).and_then(takeover::lodger);
        let suits = |heir: &Domain, lodger: &Domain| heir.id != lodger.id && heir.quota.can_expect_some();
        let heir = heir.filter(|heir| lodger.is_none_or(|lodger| suits(heir, lodger)));
        let stays = match next {
            Next::RollBack => true,
            Next::Restart => lodger.is_some(),
            Next::Wait | Next::End => to_keep > 0 && lodger.is_none(),
        };
        let inherited = || lodger.is_some_and(|lodger| transfer::inherit(core, id, domain.id, lodger));
        if !stays && heir.is_none() && inherited() {
            continue;
        }
        // Who orders it away at this moment has noted that, or has not asked for it yet.
        let mut placement = domain.placement.lock();
        if stays {
            // It may have been ordered away since it was seen here.
            if domain.holds(id) {
                to_keep = to_keep.saturating_sub(1);
                placement.spare.insert(id);
            }
            continue;
        }
        let leaving = match heir {
            Some(heir) => hotplug::transfer::bequeath(&kernel().ledger, &AllQuotas, id, domain.id, heir.id),
            None => hotplug::transfer::begin(&kernel().ledger, id, domain.id),
        };
        drop(placement);
        if let Some(leaving) = leaving {
            transfer::hand_over(core, id, leaving, 0);
        }
    }
}

/// The domain, which runs nowhere, goes on from its last checkpoint. `leaving` is this core, if it was the domain's last.
#[inline(never)]
fn go_back(core: &'static CoreLocal, domain: &'static Domain, checkpoints: &Checkpoints, leaving: Option<Leaving>) {
    checkpoints.restore(core, domain);
    takeover::begin(core, domain); // who looks after the group expects a sign from one that runs
    domain.life.resume();
    if let Some(leaving) = leaving {
        transfer::keep(core, leaving, 0);
        domain.placement.lock().spare.insert(core.id);
    }
    let contexts = domain.contexts();
    for context in contexts.iter().filter(|context| context.power.affinity_info() == AffinityState::On) {
        // It may be stopped meanwhile.
        if domain.life.join().is_ok() && place(core, context, || ()).is_err() && !fold(core, context) {
            domain.stop(core, EndKind::Failed);
            let _ = domain.life.leave();
        }
    }
    domain.notify(core);
    leave_life(core, domain, None);
}

/// Puts a context that is off on a core of its domain with others.
fn fold(core: &CoreLocal, context: &'static Context) -> bool {
    let domain = context.domain;
    let mut placement = domain.placement.lock();
    let target = domain.seats().find(|id| domain.owns(*id));
    let target = target.and_then(|id| seat(core, &mut placement, context, id, || ()));
    target.inspect(|target| post_to(core, target, Requests::ARRIVAL)).is_some()
}

/// The domain, which runs nowhere, begins anew. `leaving` is this core, if it was the domain's last.
pub fn start_again(core: &'static CoreLocal, domain: &'static Domain, leaving: Option<Leaving>) {
    domain.tell_fault();
    if let Some(checkpoints) = &domain.checkpoints {
        checkpoints.forget(domain);
    }
    domain.reset(core);
    domain.life.restart();
    if let Some(kind) = domain.member().and_then(takeover::stopped_already) {
        domain.life.stop(kind);
        return leave_life(core, domain, leaving);
    }
    start(core, domain, leaving);
}

/// The domain, which runs nowhere, is over.
pub fn over(core: &CoreLocal, domain: &Domain, kind: EndKind) {
    domain.tell_fault();
    let boots = domain.life.now().boots;
    domain.life.end(kind);
    info!(target: "domain", "name={} ended={} boots={boots}", domain.spec.name, kind.name());
    trace::record(core, Event::DomainEnd, About::Domain(domain.id.index()), kind as u64, u64::from(boots));
    // AcqRel: who counts the last one down sees how all others ended.
    if domain.spec.end != ExpectedEnd::Running && AWAITED.fetch_sub(1, Ordering::AcqRel) == 1 {
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
