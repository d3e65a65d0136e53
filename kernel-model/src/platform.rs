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
    use crate::simulation;
    use smccc::psci::error::Error;

    /// How PSCI is called.
    #[derive(Clone, Copy, Debug)]
    pub struct Conduit;

    /// Switches this core off. When it is switched on, it begins anew: what it did before stays on its stack, which is
    /// large enough for as often as a world does that.
    pub fn core_off(_conduit: Conduit) -> Error {
        simulation::go_off();
        crate::boot::begin()
    }

    /// Ends the machine.
    pub fn system_off(_conduit: Conduit) -> ! {
        violation("the kernel switched the machine off")
    }
}
