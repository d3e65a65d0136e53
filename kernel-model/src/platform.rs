//! The machine's firmware and memory.

/// Memory.
pub mod machine {
    /// A range of physical addresses.
    #[derive(Clone, Copy, Debug)]
    pub struct Region {
        /// First address.
        pub start: u64,
        /// Bytes.
        pub length: u64,
    }

    impl Region {
        /// First address behind it.
        pub const fn end(self) -> u64 {
            self.start.wrapping_add(self.length)
        }
    }
}

/// Memory of the kernel.
pub mod arena {
    pub use crate::boot::Arena;
}

/// RAM for domains: as much as they want.
pub mod memory {
    use super::machine::Region;
    use crate::boot::Kernel;

    /// What is left.
    pub struct FreeMemory;

    impl FreeMemory {
        /// Everything.
        pub fn of(_kernel: &Kernel) -> Self {
            Self
        }

        /// All free bytes.
        pub fn bytes(&self) -> u64 {
            1 << 40
        }

        /// Takes some.
        pub fn take(&mut self, length: u64) -> Option<Region> {
            Some(Region { start: 0, length })
        }
    }
}

/// PSCI.
pub mod firmware {
    use crate::history::violation;
    use crate::ledger::CoreState;
    use crate::simulation;
    use smccc::psci::error::Error;

    /// How PSCI is called.
    #[derive(Clone, Copy, Debug)]
    pub struct Conduit;

    /// Switches this core off. When it is switched on, it begins anew: what it did before stays on its stack, which is
    /// large enough for as often as a world does that.
    pub fn core_off(_conduit: Conduit) -> Error {
        let state = simulation::this().and_then(|core| {
            let mut words = crate::boot::peek().ledger.cores();
            words.find(|(id, _)| id.index() == core).map(|(_, record)| record.state)
        });
        if matches!(state, Some(CoreState::Off { .. } | CoreState::Waking(_) | CoreState::Failed)) {
            simulation::go_off();
        } else {
            simulation::fall_silent();
        }
        crate::boot::begin()
    }

    /// Ends the machine.
    pub fn system_off(_conduit: Conduit) -> ! {
        violation("the kernel switched the machine off")
    }
}
