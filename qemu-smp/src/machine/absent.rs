//! Cores that are listed and not there: QEMU's own device tree with other affinities for them, which
//! its firmware does not know.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use dtoolkit::{Node, Property};

use crate::failure::{Code, Failure};
use crate::process::{Limit, capture};

/// Affinities that no core of QEMU's `virt` board has.
const NOWHERE: u64 = 0x7_0000;

/// Has QEMU write the tree of the machine that `arguments` make to `tree`, and moves the cores with
/// these indices out of it.
pub fn write_tree(program: &Path, arguments: &[OsString], absent: &[u32], tree: &Path) -> Result<(), Failure> {
    let dump = format!("dumpdtb={}", tree.display().to_string().replace(',', ",,"));
    let mut command = Command::new(program);
    command.args(arguments).args(["-machine", &dump]);
    let dumped = capture(&mut command, Limit::None)?;
    if !dumped.status.success() {
        return Err(Failure::new(Code::Failed, "QEMU wrote no device tree").why(dumped.errors));
    }
    let mut blob = std::fs::read(tree).map_err(|error| Failure::file("cannot read", tree, &error))?;
    move_away(&mut blob, absent)
        .ok_or_else(|| Failure::new(Code::Failed, "QEMU's device tree does not list its cores as expected"))?;
    std::fs::write(tree, blob).map_err(|error| Failure::file("cannot write", tree, &error))
}

/// Writes another affinity into the `reg` of the cpu nodes with these indices.
fn move_away(blob: &mut [u8], absent: &[u32]) -> Option<()> {
    for index in absent {
        let tree = domains::tree::open(blob).ok()?;
        let node = tree.find_node(&format!("/cpus/cpu@{index}"))?;
        let reg = node.property("reg")?.value_as::<&[u8]>().ok()?;
        let value = (NOWHERE + u64::from(*index)).to_be_bytes();
        let value = value.get(8usize.checked_sub(reg.len())?..)?.to_vec();
        let offset = (reg.as_ptr() as usize).checked_sub(blob.as_ptr() as usize)?;
        blob.get_mut(offset..offset + value.len())?.copy_from_slice(&value);
    }
    Some(())
}
