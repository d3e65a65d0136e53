//! From the first instruction in Rust to running domains, and the wake-up of all cores.
//!
//! Cores come up in a tree (`hotplug::bring_up`); a parent makes its child's data ready. When a
//! core was switched on and never arrives, the first core wakes what hung on it after a time-out.

use crate::arch::core_local::CoreLocal;
use crate::arch::sysreg::wait_for_interrupt;
use crate::arch::{self, exception, gic, mmu, timer};
use crate::platform::arena::Arena;
use crate::platform::firmware;
use crate::platform::machine::{Conduit, Machine};
use crate::platform::uart::Uart;
use crate::trace::{self, About};
use crate::{console, domain, fail, govern, power, schedule};
use core::sync::atomic::{AtomicUsize, Ordering};
use domains::ledger::{CoreEvent, CoreState, Heir, Ledger, LedgerWord};
use failover::warden::Wardens;
use hotplug::bring_up;
use log::{error, info};
use smccc::psci::error::Error;
use smp::core_id::CoreId;
use smp::core_set::CoreSet;
use smp::trace::{Event, header};
use spin::Once;

/// What the machine is, and the memory that the kernel keeps.
pub struct Kernel {
    /// The machine.
    pub machine: Machine,
    /// The reserved area.
    pub arena: Arena,
    /// Who owns which core.
    pub ledger: Ledger<'static>,
    /// Who looks after groups of which a core has failed.
    pub wardens: Wardens,
    /// Counter at the first instruction in Rust.
    boot_ticks: u64,
}

static KERNEL: Once<Kernel> = Once::new();
/// Cores that are up or known to have failed.
static ACCOUNTED: AtomicUsize = AtomicUsize::new(0);

/// The kernel's global data; every caller runs after `primary_main` set it.
pub fn kernel() -> &'static Kernel {
    KERNEL.get().unwrap_or_else(|| fail::stop(format_args!("used before it was set: KERNEL")))
}

/// The machine.
pub fn machine() -> &'static Machine {
    &kernel().machine
}

/// How to call PSCI; SMC before the device tree was read.
pub fn conduit() -> Conduit {
    KERNEL.get().map_or(Conduit::Smc, |kernel| kernel.machine.conduit)
}

/// Another core's data; of a core that a domain owns or owned, so that it came up.
pub fn core(id: CoreId) -> Option<&'static CoreLocal> {
    kernel().core(id)
}

impl Kernel {
    /// [`core`].
    pub fn core(&self, id: CoreId) -> Option<&'static CoreLocal> {
        (id.index() < self.machine.cores.len()).then(|| CoreLocal::at(&self.arena, id))
    }
}

/// First Rust code of the first core, on the boot stack, with the MMU on.
pub extern "C" fn primary_main(device_tree: u64) -> ! {
    let boot_ticks = timer::now();
    CoreLocal::set_this(None);
    let (machine, missing) = Machine::read(device_tree, arch::boot::affinity());
    if machine.uart.length != 0 && mmu::map(machine.uart.start, machine.uart.end(), mmu::Access::Device).is_ok() {
        console::start(Uart::new(machine.uart.start));
    }
    if let Some(what) = missing {
        fail::stop(format_args!("the device tree does not describe: {what}"));
    }
    info!(
        target: "boot",
        "corral version={} cores={} ram={:#x}+{:#x} conduit={:?}",
        env!("CARGO_PKG_VERSION"), machine.cores.len(), machine.ram.start, machine.ram.length, machine.conduit
    );
    map_devices(&machine).unwrap_or_else(|_| fail::stop(format_args!("no translation table left for devices")));
    let arena = Arena::reserve(machine.ram, machine.cores.len());
    let arena = arena.unwrap_or_else(|why| fail::stop(format_args!("{why}")));
    let words = arena.place_all(machine.cores.len(), |_| LedgerWord::default());
    let ledger = Ledger(words.unwrap_or_else(|| fail::stop(format_args!("arena full: ledger"))));
    let kernel = KERNEL.call_once(|| Kernel { machine, arena, ledger, wardens: Wardens::default(), boot_ticks });
    let Some(core) = place(kernel, 0) else { fail::stop(format_args!("machine without cores")) };
    CoreLocal::set_this(Some(core));
    start_machine(kernel, core);
    domain::start_all(core);
    // The boot stack, with its room for device tree and manifest, is needed no more.
    arch::boot::continue_on_own_stack(core, schedule::run)
}

fn map_devices(machine: &Machine) -> Result<(), mmu::OutOfTables> {
    let distributor = machine.gic.distributor;
    mmu::map(distributor, distributor.wrapping_add(0x1_0000), mmu::Access::Device)?;
    for region in &machine.gic.redistributors {
        mmu::map(region.start, region.end(), mmu::Access::Device)?;
    }
    mmu::map(machine.archive.start, machine.archive.end, mmu::Access::Read)
}

/// Makes the data of the `index`-th core ready, for the one who may switch it on: the ledger word
/// goes from off to waking once. `None`: there is no such core, or somebody else has it in hand.
fn place(kernel: &'static Kernel, index: usize) -> Option<&'static CoreLocal> {
    let mpidr = *kernel.machine.cores.get(index)?;
    let id = CoreId::new(index)?;
    kernel.ledger.change(id, CoreEvent::Wake(Heir::Pool)).ok()?;
    Some(CoreLocal::place(kernel, id, mpidr))
}

/// Starts the GIC and all other cores.
fn start_machine(kernel: &Kernel, core: &'static CoreLocal) {
    let machine = &kernel.machine;
    publish_trace(kernel);
    stage(core, 1, kernel.boot_ticks, 1);
    let started = gic::start_distributor(&machine.gic).and_then(|()| gic::start_core(&machine.gic, core));
    started.unwrap_or_else(|why| fail::stop(format_args!("GIC: {why:?}")));
    stage(core, 3, timer::now(), machine.cores.len());
    join(core);
    bring_up::wake_children(0, &mut ask);
    wait_for_all(kernel);
    let up = report_cores(kernel, core);
    stage(core, 4, timer::now(), up);
    gic::enable_shared(&machine.gic, machine.uart_interrupt, core.mpidr);
}

/// Notes that a stage of the boot was reached at `ticks`, with so many cores.
pub fn stage(core: &CoreLocal, number: u64, ticks: u64, cores: usize) {
    trace::record_at(core, Event::BootStage, About::Machine, ticks, number, cores as u64);
}

fn publish_trace(kernel: &Kernel) {
    let ram = kernel.machine.ram;
    kernel.arena.header().publish([
        u64::from(header::VERSION) | (kernel.machine.cores.len() as u64) << 32,
        timer::frequency(),
        kernel.boot_ticks,
        kernel.arena.block(CoreId::FIRST).wrapping_add(arch::core_local::layout::TRACE),
        arch::core_local::layout::BLOCK,
        ram.start,
        ram.length,
    ]);
}

/// First Rust code of every other core.
pub extern "C" fn secondary_main(core: &'static CoreLocal) -> ! {
    let woke = power::woke(core);
    if let Err(why) = gic::start_core(&machine().gic, core) {
        error!(target: "boot", "core={} GIC: {why:?}", core.id);
        loop {
            wait_for_interrupt();
        }
    }
    if woke {
        exception::set_traps();
        arch::context::clean(core);
        power::came_up(core);
    } else {
        bring_up::wake_children(core.id.index(), &mut ask);
        join(core);
    }
    schedule::run(core)
}

/// This core is up: into the pool.
fn join(core: &'static CoreLocal) {
    exception::set_traps();
    arch::context::clean(core);
    if let Err(why) = kernel().ledger.change(core.id, CoreEvent::CameUp) {
        error!(target: "boot", "core={} ledger: {why:?}", core.id);
    }
    trace::record(core, Event::CoreUp, About::Machine, core.id.index() as u64, core.mpidr.value());
    account(core);
}

/// One more core is accounted for; the last rings the first core.
fn account(core: &CoreLocal) {
    let cores = &machine().cores;
    // Release: with the count the first core sees what this one did to come up.
    let accounted = ACCOUNTED.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
    let first = cores.first().filter(|_| accounted == cores.len() && core.id != CoreId::FIRST);
    if let Some(first) = first {
        gic::ring(gic::doorbell(*first));
    }
}

/// Switches a core on, if that is the caller's to do; whether the firmware refused.
fn ask(index: usize) -> bool {
    let kernel = kernel();
    let (Some(this), Some(local)) = (CoreLocal::this(), place(kernel, index)) else { return false };
    let Err(why) = switch_on(local) else { return false };
    error!(target: "boot", "core={index} mpidr={:#x} does not come up: PSCI CPU_ON says {why:?}", local.mpidr.value());
    trace::record(this, Event::CoreFailed, About::Machine, index as u64, i64::from(why) as u64);
    let _ = kernel.ledger.change(local.id, CoreEvent::Fail);
    account(this);
    true
}

/// Asks the firmware to switch a core on.
///
/// # Errors
/// What the firmware answered.
pub fn switch_on(core: &CoreLocal) -> Result<(), Error> {
    let entry = arch::boot::secondary_entry_address();
    firmware::core_on(machine().conduit, core.mpidr, entry, core::ptr::from_ref(core) as u64)
}

/// Waits until all cores are accounted for, or the time for that is over; then wakes those that
/// nobody got to, because a core above them in the tree was lost, and waits once more.
fn wait_for_all(kernel: &Kernel) {
    wait(kernel);
    let forgotten: CoreSet = govern::cores_that_are(CoreState::Off { held: false }).collect();
    let refused = forgotten.iter().map(CoreId::index).filter(|index| ask(*index));
    refused.for_each(|index| bring_up::wake_children(index, &mut ask));
    if !forgotten.is_empty() {
        wait(kernel);
    }
}

fn wait(kernel: &Kernel) {
    let cores = kernel.machine.cores.len();
    let deadline = timer::now().wrapping_add(power::patience());
    timer::set_deadline(Some(deadline));
    while ACCOUNTED.load(Ordering::Acquire) < cores && timer::now() < deadline {
        wait_for_interrupt();
        while let Some(intid) = gic::acknowledge() {
            gic::end(intid);
        }
    }
    timer::set_deadline(None);
}

/// Logs which cores are up, gives up those that are not; returns how many are.
fn report_cores(kernel: &Kernel, core: &CoreLocal) -> usize {
    // One that has failed was reported when that was found.
    let is_missing = |state| matches!(state, CoreState::Off { .. } | CoreState::Waking(_));
    for (id, _) in kernel.ledger.cores().filter(|(_, record)| is_missing(record.state)) {
        let _ = kernel.ledger.change(id, CoreEvent::Fail);
        error!(target: "boot", "core={id} never came up and is left out");
        trace::record(core, Event::CoreFailed, About::Machine, id.index() as u64, 0);
    }
    let up = govern::cores_that_are(CoreState::Idle).count();
    info!(target: "boot", "cores up={up} of={}", kernel.machine.cores.len());
    up
}
