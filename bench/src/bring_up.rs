//! What it takes to bring up many cores, in instructions of each core by itself, counted by a QEMU
//! plugin (`bench/plugin`).
//!
//! Core n is switched on by core (n - 1) / 2, whose SMCs come in the order of its children. So the
//! longest path from the first wake-up to the last core that waits in the pool can be added up
//! from each core's own counts: where it executed its SMCs, and where its first WFI.

use crate::counted::Counted;
use qemu_smp::{failure::Failure, workspace::Workspace};
use serde::Serialize;
use std::{fmt::Write, time::Duration};

const LIMIT: Duration = Duration::from_secs(180);

/// One number of cores.
#[derive(Debug, Serialize)]
pub struct BringUp {
    cores: u32,
    up: usize,
    /// Instructions of the first core before it wakes another: device tree, maps, GIC.
    before: u64,
    /// Instructions on the longest path from there until the last core waits in the pool.
    longest_path: u64,
    /// Instructions of all cores on the way.
    total: u64,
}

/// What the plugin wrote of a core.
#[derive(Debug, Default)]
struct Core {
    first_wfi: u64,
    smc: Vec<u64>,
}

/// Brings up a machine for each number of cores.
pub fn measure(workspace: &Workspace, cores: &[u32]) -> Result<Vec<BringUp>, Failure> {
    let counted = Counted::new(workspace, "tests/system-off")?;
    let mut measured = Vec::new();
    for &count in cores {
        eprintln!("  bringing up {count} cores");
        let count = count.max(counted.scenario().machine.cores);
        let left = counted.run(count, "", &[], LIMIT)?;
        measured.push(add_up(count, &parse(&left.counts)));
    }
    Ok(measured)
}

/// Lines `vcpu=N total=T first_wfi=W smc=A,B,…`.
fn parse(text: &str) -> Vec<Core> {
    let mut cores = Vec::new();
    for line in text.lines() {
        let value = |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key));
        let number = |key| value(key).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        let index = number("vcpu=") as usize;
        let smc = value("smc=").unwrap_or_default().split(',').filter_map(|mark| mark.parse().ok()).collect();
        cores.resize_with(cores.len().max(index + 1), Core::default);
        if let Some(core) = cores.get_mut(index) {
            *core = Core { first_wfi: number("first_wfi="), smc };
        }
    }
    cores
}

fn add_up(count: u32, cores: &[Core]) -> BringUp {
    let before = cores.first().and_then(|core| core.smc.first()).copied().unwrap_or_default();
    // The first core's own clock starts at its first wake-up.
    let own = |index: usize, mark: u64| if index == 0 { mark.saturating_sub(before) } else { mark };
    let mut woken_at = vec![0; cores.len()];
    let (mut longest_path, mut total, mut up) = (0, 0, 0);
    for (index, core) in cores.iter().enumerate() {
        if index > 0 {
            let parent = (index - 1) / 2;
            let mark =
                cores.get(parent).and_then(|parent| parent.smc.get((index - 1) % 2)).copied().unwrap_or_default();
            let woken = woken_at.get(parent).copied().unwrap_or_default() + own(parent, mark);
            if let Some(slot) = woken_at.get_mut(index) {
                *slot = woken;
            }
        }
        let until_idle = own(index, core.first_wfi);
        longest_path = longest_path.max(woken_at.get(index).copied().unwrap_or_default() + until_idle);
        total += until_idle;
        up += usize::from(core.first_wfi > 0);
    }
    BringUp { cores: count, up, before, longest_path, total }
}

/// For people.
pub fn table(measured: &[BringUp]) -> String {
    let mut text = "\nBring-up in instructions (each core counted by itself)\n".to_owned();
    let _ = writeln!(text, "   cores      up  first core alone  longest path  all cores");
    for BringUp { cores, up, before, longest_path, total } in measured {
        let _ = writeln!(text, "  {cores:>6}  {up:>6}  {before:>16}  {longest_path:>12}  {total:>9}");
    }
    if let (Some(first), Some(last)) = (measured.first(), measured.last()) {
        let levels = f64::from(last.cores).log2() / f64::from(first.cores).log2();
        let growth = last.longest_path as f64 / first.longest_path as f64;
        let _ = writeln!(text, "  longest path {growth:.1} times as long for {levels:.1} times the tree levels");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_is_added_up_along_the_tree() {
        let cores = parse(
            "vcpu=0 total=500 first_wfi=300 smc=100,200\nvcpu=1 total=90 first_wfi=50 smc=20\n\
                           vcpu=2 total=90 first_wfi=40 smc=\nvcpu=3 total=90 first_wfi=30 smc=\n",
        );
        assert_eq!(cores.len(), 4);
        let BringUp { up, before, longest_path, total, .. } = add_up(4, &cores);
        assert_eq!((up, before, longest_path, total), (4, 100, 200, 200 + 50 + 40 + 30));
        assert_eq!(add_up(4, &cores[1..]).up, 3);
    }
}
