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

    /// The guest takes an SError of its own.
    pub fn inject_system_error(registers: &mut Registers) {
        registers.error = true;
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

/// Caches.
pub mod cache {
    /// Nothing is there.
    pub fn clear(_bytes: &mut [u8]) {}

    /// There is no cache.
    pub fn clean(_bytes: &mut [u8]) {}
}

/// Stage 2.
pub mod stage2 {
    use super::mmu::Table;
    use crate::guest_fdt::REGION_BASE;
    use crate::history::violation;
    use crate::platform::machine::Region;
    use crate::simulation::{self, step};
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    /// What a domain may do with a piece of memory.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Right {
        /// Nothing.
        None,
        /// Read.
        Read,
        /// Read and write.
        Write,
        /// Read and execute.
        Execute,
        /// Read, write and execute.
        All,
    }

    /// What one entry maps.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Grain {
        /// 4 KiB.
        Page,
        /// 2 MiB.
        Block,
    }

    /// No domain's translation is used on this core.
    pub fn leave() {
        step();
        simulation::with_this(|hardware| hardware.vmid = 0);
    }

    /// A domain's translation: its right to its group's region, as it is in the tables and as TLBs have it.
    pub struct Stage2 {
        vmid: u8,
        table: AtomicU32,
        buffered: AtomicU32,
    }

    impl Stage2 {
        /// An empty one.
        pub const fn new(_root: &'static Table, vmid: u8) -> Self {
            Self { vmid, table: AtomicU32::new(Right::None as u32), buffered: AtomicU32::new(Right::None as u32) }
        }

        /// What the domain may do with its group's region now.
        pub fn right(&self) -> Right {
            match self.buffered.load(Relaxed) {
                right if right == Right::Write as u32 => Right::Write,
                right if right == Right::Read as u32 => Right::Read,
                _ => Right::None,
            }
        }

        /// Maps memory; of interest is the region of its group.
        ///
        /// # Errors
        /// None.
        pub fn map(
            &self,
            ipa: u64,
            _memory: Region,
            _grain: Grain,
            right: Right,
            _take_table: impl FnMut() -> Option<&'static Table>,
        ) -> Result<(), ()> {
            if ipa == REGION_BASE {
                step();
                self.table.store(right as u32, Relaxed);
            }
            Ok(())
        }

        /// Maps nothing any more.
        pub fn cut(&self) {
            step();
            self.table.store(Right::None as u32, Relaxed);
        }

        /// Enters it.
        pub fn enter(&self) {
            step();
            simulation::with_this(|hardware| hardware.vmid = self.vmid);
        }

        /// Forgets it everywhere.
        pub fn invalidate(&self) {
            step();
            simulation::with_this(|hardware| {
                if hardware.vmid != self.vmid {
                    violation("what is not entered is invalidated");
                }
            });
            self.buffered.store(self.table.load(Relaxed), Relaxed);
        }
    }
}
