//! What the machine's device tree says: cores, memory, UART, GIC, timers, PSCI, boot archive.

use arrayvec::ArrayVec;
use core::ops::Range;
use dtoolkit::error::FdtErrorKind::{InvalidNodeName, InvalidPropertyName};
use dtoolkit::fdt::{Fdt, FdtNode, FdtProperty};
use dtoolkit::{Cells, Node, Property, ToCellInt};
use smp::core_id::{MAX_CORES, Mpidr};

/// How PSCI is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduit {
    /// SMC instruction.
    #[default]
    Smc,
    /// HVC instruction.
    Hvc,
}

/// A range of physical addresses.
#[derive(Clone, Copy, Debug, Default)]
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

/// INTIDs of the generic timers (all PPIs).
#[derive(Clone, Copy, Debug, Default)]
pub struct Timers {
    /// EL1 physical timer.
    pub physical: u32,
    /// EL1 virtual timer.
    pub virtual_: u32,
    /// EL2 physical timer.
    pub hypervisor: u32,
}

/// The interrupt controller.
#[derive(Clone, Debug, Default)]
pub struct Gic {
    /// Distributor frame.
    pub distributor: u64,
    /// Redistributor regions, in the order of the cores.
    pub redistributors: ArrayVec<Region, 8>,
    /// Maintenance interrupt (PPI).
    pub maintenance: u32,
    /// Timer interrupts.
    pub timers: Timers,
}

/// The machine.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Affinities of all cores, in device tree order; the one that booted first.
    pub cores: ArrayVec<Mpidr, MAX_CORES>,
    /// RAM.
    pub ram: Region,
    /// PL011.
    pub uart: Region,
    /// Its SPI's INTID.
    pub uart_interrupt: u32,
    /// Interrupt controller.
    pub gic: Gic,
    /// PSCI conduit.
    pub conduit: Conduit,
    /// The boot archive with manifest and images.
    pub archive: Range<u64>,
    /// The device tree itself.
    pub tree: Range<u64>,
    /// From how many microseconds on the deepest idle state is worth entering, if the tree has idle states.
    pub break_even_us: Option<u32>,
}

impl Machine {
    /// What the tree at `address` describes, and what it lacks; `boot_core` is the affinity of the core that runs this.
    pub fn read(address: u64, boot_core: Mpidr) -> (Self, Option<&'static str>) {
        let tree = address as *const u8;
        // SAFETY: the booting protocol puts a tree there, and boot mapped the 2 MiB block that it is in. Its total size may
        // go beyond that (QEMU leaves much free behind it), but what it describes does not, and nothing else is read.
        let tree = match unsafe { Fdt::from_raw(tree) } {
            Ok(tree) => tree,
            // Boards have longer names than the specification allows.
            // SAFETY: as above; all that went before that name was found to be right.
            Err(error) if matches!(error.kind, InvalidNodeName | InvalidPropertyName) => unsafe {
                Fdt::from_raw_unchecked(tree)
            },
            Err(_) => return (Self::default(), Some("device tree")),
        };
        let mut machine = Self { tree: address..address.wrapping_add(tree.data().len() as u64), ..Self::default() };
        let mut conduit = None;
        children(tree.root()).for_each(|node| machine.take(node, &mut conduit));
        let boot_index = machine.cores.iter().position(|core| *core == boot_core);
        let parts = [
            (boot_index.is_some(), "the boot core's cpu node"),
            (machine.gic.distributor != 0, "arm,gic-v3"),
            (machine.gic.timers.hypervisor != 0, "arm,armv8-timer"),
            (machine.ram.length != 0, "memory"),
            (machine.uart.length != 0, "arm,pl011"),
            (conduit.is_some(), "arm,psci"),
            (!machine.archive.is_empty(), "boot archive (linux,initrd-start in /chosen)"),
        ];
        machine.conduit = conduit.unwrap_or_default();
        if let Some(boot_index) = boot_index {
            machine.cores.swap(0, boot_index);
        }
        (machine, parts.into_iter().find(|(is_there, _)| !is_there).map(|(_, what)| what))
    }

    /// The boot archive.
    pub fn archive_bytes(&self) -> &'static [u8] {
        let length = self.archive.end.saturating_sub(self.archive.start) as usize;
        // SAFETY: boot mapped the range read-only, and it is given to nobody: `FreeMemory` leaves
        // it out.
        unsafe { core::slice::from_raw_parts(self.archive.start as *const u8, length) }
    }

    /// Takes what a node of the root says.
    fn take(&mut self, node: FdtNode<'_>, conduit: &mut Option<Conduit>) {
        match node.name_without_address() {
            "cpus" => children(node).for_each(|child| self.take_cpu(child)),
            "memory" => self.ram = region(node, 0).unwrap_or_default(),
            "chosen" => self.archive = archive(node).unwrap_or_default(),
            // Looking for a property costs most of the time here: once for each node.
            _ => node.compatible().into_iter().flatten().for_each(|kind| self.take_device(node, kind, conduit)),
        }
    }

    /// Takes what a node of the CPUs says. An idle state has its break-even (devicetree binding `idle-states.yaml`).
    fn take_cpu(&mut self, node: FdtNode<'_>) {
        match node.name_without_address() {
            "cpu" => self.cores.extend(number(node, "reg").map(Mpidr::from_raw).filter(|_| !self.cores.is_full())),
            "idle-states" => {
                let break_evens = children(node).filter_map(|state| number(state, "min-residency-us"));
                self.break_even_us = break_evens.max().map(|us| us as u32);
            }
            _ => {}
        }
    }

    fn take_device(&mut self, node: FdtNode<'_>, kind: &str, conduit: &mut Option<Conduit>) {
        match kind {
            "arm,pl011" if self.uart.length == 0 => {
                self.uart = region(node, 0).unwrap_or_default();
                self.uart_interrupt = interrupt(node, 0).unwrap_or(0);
            }
            "arm,gic-v3" => {
                self.gic.distributor = region(node, 0).map_or(0, |distributor| distributor.start);
                self.gic.redistributors = (1..9).map_while(|index| region(node, index)).collect();
                self.gic.maintenance = interrupt(node, 0).unwrap_or(0);
            }
            "arm,armv8-timer" => self.gic.timers = timers(node).unwrap_or_default(),
            "arm,psci-1.0" | "arm,psci-0.2" => {
                let method = property(node, "method").and_then(|method| method.value_as().ok());
                *conduit = method.map(|method: &str| if method == "hvc" { Conduit::Hvc } else { Conduit::Smc });
            }
            _ => {}
        }
    }
}

// Out of line, as is a node's `children`: else what the crate does there is in each place that looks for something.
#[inline(never)]
fn property<'a>(node: FdtNode<'a>, name: &str) -> Option<FdtProperty<'a>> {
    node.property(name)
}

#[inline(never)]
fn children<'a>(node: FdtNode<'a>) -> impl Iterator<Item = FdtNode<'a>> {
    node.children()
}

/// A property that is a number of one or two cells.
fn number(node: FdtNode<'_>, name: &str) -> Option<u64> {
    property(node, name)?.value_as::<Cells>().ok()?.to_int().ok()
}

/// The `index`-th region of a node's `reg`.
#[inline(never)]
fn region(node: FdtNode<'_>, index: usize) -> Option<Region> {
    let region = node.reg().ok()??.nth(index)?;
    Some(Region { start: region.address().ok()?, length: region.size().ok()? })
}

fn archive(chosen: FdtNode<'_>) -> Option<Range<u64>> {
    Some(number(chosen, "linux,initrd-start")?..number(chosen, "linux,initrd-end")?)
}

/// The INTID of a node's `index`-th interrupt (GICv3 binding: three cells, type, number, flags).
fn interrupt(node: FdtNode<'_>, index: usize) -> Option<u32> {
    let [kind, number, _] = property(node, "interrupts")?.as_prop_encoded_array([1; 3]).ok()?.nth(index)?;
    let first = if kind.to_int::<u32>().ok()? == 0 { 32 } else { 16 };
    Some(number.to_int::<u32>().ok()?.wrapping_add(first))
}

fn timers(node: FdtNode<'_>) -> Option<Timers> {
    // The binding's order: secure, non-secure, virtual, hypervisor.
    Some(Timers { physical: interrupt(node, 1)?, virtual_: interrupt(node, 2)?, hypervisor: interrupt(node, 3)? })
}
