//! The kernel's global data, and cores that come up.

use crate::arch::context::clean_core;
use crate::arch::core_local::CoreLocal;
use crate::arch::exception::{self, WaitTrap};
use crate::core_id::CoreId;
use crate::ledger::{CoreEvent, Ledger, LedgerWord};
use crate::lock::Once;
use crate::platform::firmware::Conduit;
use crate::platform::machine::Region;
use crate::simulation::{self, step};
use crate::warden::Wardens;
use crate::{check, domain, power, schedule};
use smccc::psci::error::Error;

/// What the machine is.
pub struct Machine {
    /// A mark for each core.
    pub cores: Vec<usize>,
    /// PSCI conduit.
    pub conduit: Conduit,
    /// From how many microseconds on the deepest idle state is worth entering.
    pub break_even_us: Option<u32>,
    /// Nothing is asked of it.
    pub gic: (),
    archive: &'static [u8],
}

impl Machine {
    /// The boot archive.
    pub fn archive_bytes(&self) -> &'static [u8] {
        self.archive
    }
}

/// Memory that is never freed.
pub struct Arena;

impl Arena {
    /// One over a region.
    ///
    /// # Errors
    /// None.
    pub fn over(_region: Region) -> Result<Self, ()> {
        Ok(Self)
    }

    /// Room for so many.
    pub fn place_all<T>(&self, count: usize, make: impl FnMut(usize) -> T) -> Option<&'static mut [T]> {
        Some((0..count).map(make).collect::<Vec<_>>().leak())
    }

    /// Room for one.
    pub fn place<T>(&self, value: T) -> Option<&'static T> {
        Some(Box::leak(Box::new(value)))
    }
}

/// The global data.
pub struct Kernel {
    /// The machine.
    pub machine: Machine,
    /// Its memory.
    pub arena: Arena,
    /// Who owns which core.
    pub ledger: Ledger<'static>,
    /// Who looks after groups of which a core has failed.
    pub wardens: Wardens,
    cores: Vec<&'static CoreLocal>,
}

static KERNEL: Once<Kernel> = Once::new();

/// Makes a machine whose cores are all up and idle.
pub fn make(cores: usize, archive: Vec<u8>) -> Option<()> {
    let words: &[LedgerWord] = (0..cores).map(|_| LedgerWord::default()).collect::<Vec<_>>().leak();
    let ledger = Ledger(words);
    let mut locals = Vec::new();
    for id in (0..cores).filter_map(CoreId::new) {
        ledger.change(id, CoreEvent::Wake(crate::ledger::Heir::Pool)).ok()?;
        ledger.change(id, CoreEvent::CameUp).ok()?;
        locals.push(&*Box::leak(Box::new(CoreLocal::new(id))));
    }
    KERNEL.call_once(|| Kernel {
        machine: Machine {
            cores: (0..cores).collect(),
            conduit: Conduit,
            break_even_us: None,
            gic: (),
            archive: archive.leak(),
        },
        arena: Arena,
        ledger,
        wardens: Wardens::default(),
        cores: locals,
    });
    Some(())
}

/// The kernel's global data: a look at what cores share.
pub fn kernel() -> &'static Kernel {
    check::ledger();
    step();
    peek()
}

/// The same, for those who only look on.
pub fn peek() -> &'static Kernel {
    KERNEL.call_once(|| crate::history::violation("the kernel was used before it was made"))
}

impl Kernel {
    /// Another core's data.
    pub fn core(&self, id: CoreId) -> Option<&'static CoreLocal> {
        core(id)
    }

    /// Every core's own data.
    pub fn cores(&self) -> &[&'static CoreLocal] {
        &self.cores
    }
}

/// The machine.
pub fn machine() -> &'static Machine {
    &peek().machine
}

/// Another core's data.
pub fn core(id: CoreId) -> Option<&'static CoreLocal> {
    step();
    peek().cores.get(id.index()).copied()
}

/// Stages are not noted.
pub fn stage(_core: &CoreLocal, _number: u64, _ticks: u64, _cores: usize) {}

/// Asks the firmware to switch a core on.
///
/// # Errors
/// What the firmware answered.
pub fn switch_on(core: &CoreLocal) -> Result<(), Error> {
    step();
    simulation::switch_on(core.id.index())
}

/// What a core does when it comes up (`boot::secondary_main`).
pub fn begin() -> ! {
    let Some(core) = CoreLocal::this() else { crate::history::violation("nobody comes up") };
    let woke = power::woke(core);
    exception::trap_waits(WaitTrap::Off);
    clean_core();
    if woke {
        power::came_up(core);
    } else if core.id.index() == 0 {
        domain::start_all(core);
    }
    schedule::run(core)
}
