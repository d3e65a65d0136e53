//! What the kernel's files use of AArch64.

pub mod context;
pub mod core_local;

/// The generic timer: the clock of the simulation, in microseconds.
pub mod timer {
    use crate::simulation;

    /// Ticks since the start.
    pub fn now() -> u64 {
        simulation::step();
        simulation::now()
    }

    /// Ticks a second.
    pub fn frequency() -> u64 {
        1_000_000
    }

    /// Arms EL2's timer, or switches it off.
    pub fn set_deadline(deadline: Option<u64>) {
        simulation::with_this(|hardware| hardware.deadline = deadline);
    }
}

/// The interrupt controller.
pub mod gic {
    use super::core_local::CoreLocal;
    use crate::simulation::{self, step};

    /// Rings a core.
    pub fn ring(core: usize) {
        step();
        simulation::with(core, |hardware| hardware.doorbell = true);
    }

    /// The core takes no interrupts any more: what was pending is lost.
    pub fn stop_core(core: &CoreLocal) {
        step();
        simulation::with(core.id.index(), |hardware| hardware.doorbell = false);
    }

    /// It does again.
    ///
    /// # Errors
    /// None.
    pub fn start_core(_gic: &(), _core: &CoreLocal) -> Result<(), ()> {
        step();
        Ok(())
    }
}

/// System registers.
pub mod sysreg {
    use crate::simulation;

    /// Waits for an interrupt.
    pub fn wait_for_interrupt() {
        simulation::wait_for_interrupt();
    }

    /// Lets others go on.
    pub fn yield_now() {
        simulation::wait_a_little();
    }
}

/// Ways into and out of guests.
pub mod exception {
    use super::context::Registers;
    use super::core_local::CoreLocal;
    use crate::{guest, history, simulation};

    /// Enters the guest that is loaded here.
    pub fn enter(_registers: *const Registers) -> ! {
        let Some(core) = CoreLocal::this() else { history::violation("nobody enters a guest") };
        guest::run(core)
    }

    /// Sets whether waiting traps.
    pub fn trap_waits(share: WaitTrap) {
        simulation::with_this(|hardware| hardware.traps = share);
    }

    /// Whether a guest's WFI traps.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum WaitTrap {
        /// It waits in hardware.
        Off,
        /// It traps.
        On,
    }
}

/// EL2's memory.
pub mod mmu {
    use super::core_local::CoreLocal;

    /// Bytes of a block.
    pub const BLOCK: u64 = 2 << 20;

    /// A translation table.
    pub struct Table;

    impl Table {
        /// An empty one.
        pub const fn new() -> Self {
            Self
        }
    }

    /// There is no guest memory.
    pub fn with_window<T>(
        _core: &CoreLocal,
        _physical: u64,
        _length: u64,
        _body: impl FnOnce(&mut [u8]) -> T,
    ) -> Option<T> {
        None
    }
}

/// Stage 2.
pub mod stage2 {
    use super::mmu::Table;
    use crate::simulation::step;

    /// A domain's translation: none.
    pub struct Stage2;

    impl Stage2 {
        /// An empty one.
        pub const fn new(_root: &'static Table, _vmid: u8) -> Self {
            Self
        }

        /// Maps memory.
        ///
        /// # Errors
        /// None.
        pub fn map_ram(
            &self,
            _ipa: u64,
            _physical: u64,
            _length: u64,
            _take_table: impl FnMut() -> Option<&'static Table>,
        ) -> Result<(), ()> {
            Ok(())
        }

        /// Maps a page.
        ///
        /// # Errors
        /// None.
        pub fn map_data_page(
            &self,
            _ipa: u64,
            _page: u64,
            _take_table: impl FnMut() -> Option<&'static Table>,
        ) -> Result<(), ()> {
            Ok(())
        }

        /// Enters it.
        pub fn enter(&self) {
            step();
        }

        /// Forgets it everywhere.
        pub fn invalidate(&self) {
            step();
        }
    }
}
