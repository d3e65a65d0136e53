//! What the machine is to be divided into: the manifest, its syntax and its checks.
//!
//! A manifest is a flattened device tree, [`FILE_NAME`] in the boot archive. The host writes it
//! from a scenario and checks it with this code; the kernel checks it again with the same code, so
//! that both refuse it in the same words. Each property is described at the field that holds it;
//! its name is the field's with `-` for `_`, and every unknown node or property is an error.
//!
//! ```text
//! / {
//!     compatible = "corral,manifest-v1";
//!     domains {
//!         linux { image = "Image"; memory-size = /bits/ 64 <0x10000000>; cores-start = <4>; };
//!         metronome { board = "none"; image = "metronome"; format = "elf"; … };
//!     };
//!     groups { pair { members = "one", "two"; heartbeat-ms = <100>; }; };
//!     governor { period-ms = <100>; };
//!     power { break-even-us = <5000>; };
//! };
//! ```

use crate::protocol::{ExpectedEnd, MAX_DOMAINS};
use arrayvec::ArrayVec;
use parse::node;

mod error;
pub mod group;
mod parse;
#[cfg(test)]
mod tests;
mod validate;

pub use error::{Kind, ManifestError, Place, Reason, Value, Words};
pub use group::{ErrorTable, GroupAction, GroupError, GroupSpec, InjectedFault, MAX_GROUPS, MAX_MEMBERS, Role};
pub use validate::checkpoint_bytes;

/// The manifest's name in the archive.
pub const FILE_NAME: &str = "manifest.dtb";
/// The root's `compatible`.
pub const COMPATIBLE: &str = "corral,manifest-v1";
/// The most contexts of one domain: as many redistributors as lie between 0x080A_0000 and the
/// PL011 at 0x0900_0000 on the board.
pub const MAX_CONTEXTS: u32 = 123;
/// A domain's memory begins and ends at a multiple of this, in bytes (one stage 2 block).
pub const MEMORY_GRANULE: u64 = 0x20_0000;
/// Where memory begins on the board, and by default without one.
pub const BOARD_MEMORY_BASE: u64 = 0x4000_0000;
/// Where memory ends at the latest: the board's second redistributor window lies here.
pub const MEMORY_LIMIT: u64 = 0x40_0000_0000;
/// The longest command line that Linux takes on arm64, in bytes without the final zero.
pub const COMMAND_LINE_MAX: usize = 2047;
/// The longest deadline for giving up a core, in milliseconds (an hour).
pub const DEADLINE_MS_MAX: u32 = 3_600_000;
/// The longest period of the governor, in milliseconds (a minute).
pub const PERIOD_MS_MAX: u32 = 60_000;

/// A manifest, borrowed from the tree it was read from. About 6 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest<'a> {
    /// The domains; their indices are the domains' ids.
    pub domains: ArrayVec<DomainSpec<'a>, MAX_DOMAINS>,
    /// The groups.
    pub groups: ArrayVec<GroupSpec<'a>, MAX_GROUPS>,
    /// The node `governor`: cores follow the load, if it is there.
    pub governor: Option<GovernorSpec>,
    /// The node `power`; without it the machine's own numbers count.
    pub power: Option<PowerSpec>,
}

node! {
    /// When the governor gives a core to a domain and takes one from it. A load of 1000 ‰ keeps all
    /// cores of the domain busy.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct GovernorSpec {
        /// It looks once in so many milliseconds, 1 to [`PERIOD_MS_MAX`] (default 100).
        period_ms: u32 = "period-ms" or 100, 1..=PERIOD_MS_MAX;
        /// From this load on, in permille, a domain gets a core (default 800).
        high_permille: u32 = "high-permille" or 800, 1..=1000;
        /// Below this load, in permille, it loses one (default 300); less than `high_permille`.
        low_permille: u32 = "low-permille" or 300;
        /// So many periods in a row, 1 to 1000, have to agree (default 3).
        hold: u32 = "hold" or 3, 1..=1000;
    }
}

node! {
    /// What switching a core off costs.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PowerSpec {
        /// A core that will be idle for longer than this, in microseconds, is better off; not 0.
        break_even_us: u32 = "break-even-us";
    }
}

/// What the machine has for its domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Cores that came up.
    pub cores: usize,
    /// Bytes of memory that the kernel does not use itself.
    pub memory_bytes: u64,
}

node! {
    /// One domain.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DomainSpec<'a> {
        /// The node's name: a letter and up to 30 more of a-z, 0-9 and `-`; unique.
        name: &'a str;
        /// `"virt"` (default) or `"none"`.
        board: Board = "board" or Board::Virt;
        /// The file to start, by its name in the archive.
        image: &'a str = "image";
        /// `"image"` (default), `"elf"` or `"raw"`.
        format: ImageFormat = "format" or ImageFormat::Image;
        /// Bytes from the start of the memory to a raw image (64 bits, default 0); only with `"raw"`.
        load_offset: Option<u64> = "load-offset" or None;
        /// The initial file system, by its name in the archive, if there is one.
        initramfs: Option<&'a str> = "initramfs" or None;
        /// The text for `/chosen/bootargs`; default empty.
        cmdline: &'a str = "cmdline" or "";
        /// `memory-base` (64 bits, default [`BOARD_MEMORY_BASE`]) and `memory-size` (64 bits): the
        /// domain's memory, as it sees it.
        memory: Memory;
        /// `cores-min`, `cores-start` and `cores-max` (32 bits each).
        cores: CoreCounts;
        /// `cores-deadline-ms` (32 bits, default 2000, at most [`DEADLINE_MS_MAX`]): how long it has to
        /// give up a core that it is asked for, unless the order says otherwise.
        deadline_ms: u32 = "cores-deadline-ms" or 2000, 0..=DEADLINE_MS_MAX;
        /// Whether (1) or not (0, default) its CPU_ON may raise what it is granted while a core is idle.
        takes_idle: bool = "takes-idle" or false;
        /// Whether (1) or not (0, default) it may give orders about the machine's cores.
        manages_cores: bool = "manages-cores" or false;
        /// The priority of its contexts, 1 (lowest) to 254 (default 100).
        priority: u32 = "priority" or 100, 1..=254;
        /// What follows when it breaks a rule: `"stop"` (default) or `"restart"`.
        on_fault: Action = "on-fault" or Action::Stop;
        /// What follows when it resets itself: `"restart"` (default) or `"stop"`.
        on_reset: Action = "on-reset" or Action::Restart;
        /// The most restarts (32 bits, default 3); the next end is final.
        restarts_max: u32 = "restarts-max" or 3;
        /// The end that makes the run pass, default `"off"`. The run is over when every domain has
        /// ended that is not expected to be `"running"`.
        end: ExpectedEnd = "end" or ExpectedEnd::Off;
    }
}

smp::named! {
    /// The devices that a domain sees.
    pub enum Board {
        /// QEMU's `virt` board.
        Virt = 0 "virt",
        /// None: the domain knows hypercalls.
        None = 1 "none",
    }
}

smp::named! {
    /// How the image is put into memory and where it starts.
    pub enum ImageFormat {
        /// By its Linux Image header (Linux, `Documentation/arch/arm64/booting.rst`).
        Image = 0 "image",
        /// By its ELF program headers.
        Elf = 1 "elf",
        /// As it is, at the load offset, started at its first byte.
        Raw = 2 "raw",
    }
}

node! {
    /// A domain's memory in its own (intermediate physical) addresses.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Memory {
        /// The first byte.
        base: u64 = "memory-base" or BOARD_MEMORY_BASE;
        /// The number of bytes.
        size: u64 = "memory-size";
    }
}

impl Memory {
    /// Whether all `length` bytes from `address` on lie in it.
    pub fn contains(&self, address: u64, length: u64) -> bool {
        address.checked_sub(self.base).and_then(|offset| offset.checked_add(length)).is_some_and(|end| end <= self.size)
    }
}

node! {
    /// How many cores a domain owns: 0 ≤ min ≤ start ≤ max, 1 ≤ start.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct CoreCounts {
        /// At least as many are left to it; default 1.
        min: u32 = "cores-min" or 1;
        /// As many as it starts with; default 1.
        start: u32 = "cores-start" or 1;
        /// At most as many, and the number of its contexts, 1 to [`MAX_CONTEXTS`]; default as it starts with.
        max: u32 = "cores-max" or start, 1..=MAX_CONTEXTS;
    }
}

smp::named! {
    /// What follows when a domain ends otherwise than for good.
    pub enum Action {
        /// Nothing.
        Stop = 0 "stop",
        /// It starts again from its pristine image.
        Restart = 1 "restart",
    }
}
