//! What the machine's device tree says: cores, memory, UART, GIC, timers, PSCI, boot archive.

use arrayvec::ArrayVec;
use core::ops::Range;
use fdt::Fdt;
use fdt::node::FdtNode;
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
        // SAFETY: boot mapped 2 MiB from here; the booting protocol puts the tree there, no
        // longer than that; `fdt` checks magic and reads within its total size.
        let Ok(tree) = (unsafe { Fdt::from_ptr(address as *const u8) }) else {
            return (Self::default(), Some("device tree"));
        };
        let mut machine = Self { tree: address..address.wrapping_add(tree.total_size() as u64), ..Self::default() };
        let mut conduit = None;
        let nodes = tree.find_node("/").into_iter().flat_map(|root| root.children());
        nodes.for_each(|node| machine.take(node, &mut conduit));
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
    fn take(&mut self, node: FdtNode<'_, '_>, conduit: &mut Option<Conduit>) {
        match node.name.split('@').next().unwrap_or_default() {
            "cpus" => {
                self.cores = node.children().filter_map(core_affinity).take(MAX_CORES).collect();
                let states = node.children().filter(|child| child.name == "idle-states");
                self.break_even_us = states.flat_map(|states| states.children().filter_map(min_residency)).max();
            }
            "memory" => self.ram = regions(node).next().unwrap_or_default(),
            "chosen" => self.archive = archive(node).unwrap_or_default(),
            // Looking for a property costs most of the time here: once for each node.
            _ => node
                .compatible()
                .into_iter()
                .flat_map(|list| list.all())
                .for_each(|kind| self.take_device(node, kind, conduit)),
        }
    }

    fn take_device(&mut self, node: FdtNode<'_, '_>, kind: &str, conduit: &mut Option<Conduit>) {
        match kind {
            "arm,pl011" if self.uart.length == 0 => {
                self.uart = regions(node).next().unwrap_or_default();
                self.uart_interrupt = interrupt(node, 0).unwrap_or(0);
            }
            "arm,gic-v3" => {
                let mut frames = regions(node);
                self.gic.distributor = frames.next().map_or(0, |distributor| distributor.start);
                self.gic.redistributors = frames.take(8).collect();
                self.gic.maintenance = interrupt(node, 0).unwrap_or(0);
            }
            "arm,armv8-timer" => self.gic.timers = timers(node).unwrap_or_default(),
            "arm,psci-1.0" | "arm,psci-0.2" => {
                let method = node.property("method").and_then(|method| method.as_str());
                *conduit = method.map(|method| if method == "hvc" { Conduit::Hvc } else { Conduit::Smc });
            }
            _ => {}
        }
    }
}

/// A big-endian number of one or two cells.
fn number(bytes: &[u8]) -> Option<u64> {
    match bytes.len() {
        4 => Some(u64::from(u32::from_be_bytes(bytes.try_into().ok()?))),
        8 => Some(u64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}

fn core_affinity(node: FdtNode<'_, '_>) -> Option<Mpidr> {
    node.name.starts_with("cpu@").then_some(())?;
    Some(Mpidr::from_raw(number(node.property("reg")?.value)?))
}

/// An idle state's break-even (devicetree binding `idle-states.yaml`).
fn min_residency(state: FdtNode<'_, '_>) -> Option<u32> {
    Some(number(state.property("min-residency-us")?.value)? as u32)
}

fn regions<'a>(node: FdtNode<'_, 'a>) -> impl Iterator<Item = Region> + 'a {
    node.raw_reg()
        .into_iter()
        .flatten()
        .filter_map(|reg| Some(Region { start: number(reg.address)?, length: number(reg.size)? }))
}

fn archive(chosen: FdtNode<'_, '_>) -> Option<Range<u64>> {
    let value = |name| number(chosen.property(name)?.value);
    Some(value("linux,initrd-start")?..value("linux,initrd-end")?)
}

/// The INTID of a node's `index`-th interrupt (GICv3 binding: three cells, type, number, flags).
fn interrupt(node: FdtNode<'_, '_>, index: usize) -> Option<u32> {
    let cells = node.property("interrupts")?.value.chunks_exact(12).nth(index)?;
    let kind = number(cells.get(..4)?)?;
    let id = number(cells.get(4..8)?)? as u32;
    Some(id.wrapping_add(if kind == 0 { 32 } else { 16 }))
}

fn timers(node: FdtNode<'_, '_>) -> Option<Timers> {
    // The binding's order: secure, non-secure, virtual, hypervisor.
    Some(Timers { physical: interrupt(node, 1)?, virtual_: interrupt(node, 2)?, hypervisor: interrupt(node, 3)? })
}
