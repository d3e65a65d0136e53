//! What a guest learns from its device tree.

use crate::Args;
use arrayvec::ArrayVec;
use core::ops::Range;
use domains::tree;
use dtoolkit::fdt::FdtNode;
use dtoolkit::standard::NodeStandard;
use dtoolkit::{Cells, Node, Property, ToCellInt};

#[cfg(test)]
mod tests;

/// The most contexts that the runtime has stacks for; a domain's further ones stay off.
pub const MAX_CONTEXTS: usize = 32;

/// What the guest finds around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Board {
    /// No devices: console and interrupt control by hypercall.
    None,
    /// QEMU's `virt` board. Base addresses of its devices.
    Virt {
        /// The PL011 of the console.
        uart: u64,
        /// The GICv3 distributor.
        distributor: u64,
        /// The first GICv3 redistributor frame.
        redistributors: u64,
    },
}

/// What a guest was started with.
#[derive(Debug)]
pub struct Boot<'a> {
    /// The boot arguments.
    pub args: Args<'a>,
    /// The domain's memory.
    pub memory: Range<u64>,
    /// Its board.
    pub board: Board,
    /// The MPIDR affinity values of its possible contexts, by context index.
    pub mpidrs: ArrayVec<u64, MAX_CONTEXTS>,
    /// All of x1 to x30 at entry, ORed: 0 unless something leaked into them.
    pub entry_registers: u64,
}

/// Why a device tree can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootError {
    /// It is not a flattened device tree.
    NotATree,
    /// It has no memory node with a size.
    NoMemory,
    /// It has no CPU.
    NoCpu,
    /// It has a PL011 but no GICv3 with two regions.
    NoInterruptController,
}

impl<'a> Boot<'a> {
    /// Reads the device tree (Devicetree specification 0.4).
    pub fn read(tree: &'a [u8], entry_registers: u64) -> Result<Self, BootError> {
        let tree = tree::open(tree).map_err(|_| BootError::NotATree)?;
        let args = tree
            .find_node("/chosen")
            .and_then(|chosen| chosen.property("bootargs"))
            .and_then(|property| property.value_as().ok())
            .unwrap_or_default();
        let mpidrs: ArrayVec<u64, MAX_CONTEXTS> = tree
            .find_node("/cpus")
            .into_iter()
            .flat_map(|cpus| cpus.children())
            .filter(|node| node.name().starts_with("cpu@"))
            .filter_map(|node| node.property("reg")?.value_as::<Cells>().ok()?.to_int().ok())
            .take(MAX_CONTEXTS)
            .collect();
        if mpidrs.is_empty() {
            return Err(BootError::NoCpu);
        }
        let root = tree.root();
        let board = match first_region(root.find_compatible("arm,pl011").next()) {
            None => Board::None,
            Some(uart) => {
                let mut regions = regions(root.find_compatible("arm,gic-v3").next());
                match (regions.next(), regions.next()) {
                    (Some(distributor), Some(redistributors)) => Board::Virt {
                        uart: uart.start,
                        distributor: distributor.start,
                        redistributors: redistributors.start,
                    },
                    _ => return Err(BootError::NoInterruptController),
                }
            }
        };
        Ok(Self {
            args: Args(args),
            memory: first_region(tree.find_node("/memory")).ok_or(BootError::NoMemory)?,
            board,
            mpidrs,
            entry_registers,
        })
    }
}

fn first_region(node: Option<FdtNode<'_>>) -> Option<Range<u64>> {
    regions(node).next()
}

/// The regions in the node's `reg`.
fn regions(node: Option<FdtNode<'_>>) -> impl Iterator<Item = Range<u64>> {
    let regions = node.and_then(|node| node.reg().ok().flatten()).into_iter().flatten();
    regions.filter_map(|region| {
        let start: u64 = region.address().ok()?;
        Some(start..start.checked_add(region.size().ok()?)?)
    })
}
