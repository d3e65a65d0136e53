//! What it takes to wake many cores for a domain by one order, in instructions of each core at EL2.
//!
//! The cores are woken in a tree: whoever wakes a core hands it the upper half of those that are still to be woken, and
//! goes on with the lower half. Each core's own counts say when it woke which, and when it had nothing left to do; the
//! longest path from the order's first wake to the last core that has arrived is added up from them.

use crate::counted::{Counted, Typed, framed};
use crate::hotplug::KERNEL_OFFSET;
use qemu_smp::{
    failure::{Code, Failure},
    workspace::Workspace,
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write, time::Duration};

const LIMIT: Duration = Duration::from_secs(600);
const SCENARIO: &str = "bench-wake";
/// The first core that is woken, and how many by one order.
const FIRST: usize = 64;
const MANY: usize = 64;
/// How many times as long as for one core the path may be for many.
const RATIO: f64 = 3.0;

/// One and many, on a machine with so many cores.
#[derive(Debug, Serialize)]
pub struct Bulk {
    cores: u32,
    woken: usize,
    /// Instructions on the longest path for one core.
    one: u64,
    /// For all.
    many: u64,
    /// Instructions of all cores together for all, from the first wake on.
    total: u64,
    ratio: f64,
    limit: f64,
    /// Whether it keeps the limit.
    pub pass: bool,
}

/// What a core executed before its SMCs, and before it was at rest; each since it woke.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Steps {
    smc: Vec<u64>,
    rest: u64,
}

/// The path of an order, and all instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Path {
    longest: u64,
    total: u64,
}

/// Measures on the smallest machine that has cores enough, and on the larger ones of these.
pub fn measure(workspace: &Workspace, cores: &[u32]) -> Result<Vec<Bulk>, Failure> {
    let mut counted = Counted::new(workspace, SCENARIO)?;
    let least = counted.scenario().machine.cores;
    let larger = cores.iter().copied().filter(|cores| *cores > least);
    let mut measured = Vec::new();
    for cores in [least].into_iter().chain(larger) {
        eprintln!("  waking one core and {MANY} of {cores}");
        let one = path(&mut counted, cores, 1)?;
        let many = path(&mut counted, cores, MANY)?;
        let ratio = many.longest as f64 / one.longest as f64;
        let (one, many, total) = (one.longest, many.longest, many.total);
        measured.push(Bulk { cores, woken: MANY, one, many, total, ratio, limit: RATIO, pass: ratio <= RATIO });
    }
    Ok(measured)
}

/// Wakes so many cores.
fn path(counted: &mut Counted, cores: u32, count: usize) -> Result<Path, Failure> {
    let wanted = count + 1;
    counted.alter(None, |scenario| {
        if let Some(domain) = scenario.domains.first_mut() {
            domain.cmdline = Some(format!("act=bench-wait wanted={wanted}"));
        }
    })?;
    let typed = Typed {
        when: format!("ready for {wanted} cores"),
        pause: Duration::ZERO,
        bytes: framed(&format!("move {FIRST}-{} pool big", FIRST + count - 1)),
    };
    let plugin = format!(",from={KERNEL_OFFSET},size={},steps=1", counted.kernel_bytes());
    let left = counted.run(cores, &plugin, &[typed], LIMIT)?;
    let woken: Vec<usize> = (FIRST..FIRST + count).collect();
    let steps = left.counts.lines().nth(1).map(parse).unwrap_or_default();
    add_up(&steps, &woken).map_err(|why| {
        let lines: Vec<_> =
            left.console.lines().filter(|line| line.contains("order") || line.contains("big")).collect();
        Failure::new(Code::Failed, format!("{why} of {count} cores that were to wake")).why(lines.join("\n"))
    })
}

/// The part `steps=V:REST:SMC/SMC/…,…` of a line.
fn parse(line: &str) -> BTreeMap<usize, Steps> {
    let steps = line.split(' ').find_map(|word| word.strip_prefix("steps=")).unwrap_or_default();
    let parse = |core: &str| {
        let mut parts = core.split(':');
        let (core, rest) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let smc = parts.next()?.split('/').filter_map(|smc| smc.parse().ok()).collect();
        Some((core, Steps { smc, rest }))
    };
    steps.split(',').filter_map(parse).collect()
}

/// Adds up the path along the tree that the first core begins.
fn add_up(steps: &BTreeMap<usize, Steps>, cores: &[usize]) -> Result<Path, String> {
    let first = steps.get(&0).ok_or("the first core woke none")?;
    let began = *first.smc.first().ok_or("the first core woke none")?;
    let mut path = Path { longest: 0, total: first.smc.last().map_or(0, |last| last - began) };
    let mut waking = vec![(0, 0, began, cores)];
    while let Some((waker, at, before, mut cores)) = waking.pop() {
        let Steps { smc, .. } = steps.get(&waker).ok_or_else(|| format!("core {waker} did not come"))?;
        let mut calls = smc.iter();
        while let Some((&core, rest)) = cores.split_first() {
            let (lower, upper) = rest.split_at(rest.len().div_ceil(2));
            cores = lower;
            let call = calls.next().ok_or_else(|| format!("core {waker} woke fewer than expected"))?;
            let woken_at = at + call - before;
            let rest = steps.get(&core).ok_or_else(|| format!("core {core} did not come"))?.rest;
            path.longest = path.longest.max(woken_at + rest);
            path.total += rest;
            waking.push((core, woken_at, 0, upper));
        }
        if calls.next().is_some() {
            return Err(format!("core {waker} made more SMCs than it was to wake cores"));
        }
    }
    Ok(path)
}

/// For people.
pub fn table(measured: &[Bulk]) -> String {
    let mut text =
        "\nWaking cores that are off and giving them by one order: instructions at EL2 on the longest path\n"
            .to_owned();
    let _ = writeln!(
        text,
        "  {:>5} {:>5}  {:>8} {:>8} {:>6} {:>6}  {:<4}  {:>9}",
        "cores", "woken", "one core", "all", "ratio", "limit", "", "all cores"
    );
    for Bulk { cores, woken, one, many, total, ratio, limit, pass } in measured {
        let verdict = if *pass { "ok" } else { "FAIL" };
        let _ = writeln!(
            text,
            "  {cores:>5} {woken:>5}  {one:>8} {many:>8} {ratio:>6.2} {limit:>6.2}  {verdict:<4}  {total:>9}"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_parsed() {
        let steps = parse("vcpu=0 since=0:9 steps=0:5:100/200,64:70:30,65:40:");
        assert_eq!(steps.len(), 3);
        assert_eq!(steps[&0], Steps { smc: vec![100, 200], rest: 5 });
        assert_eq!(steps[&65], Steps { smc: vec![], rest: 40 });
        assert!(parse("vcpu=0 since=0:9").is_empty());
    }

    #[test]
    fn the_path_goes_along_the_tree() {
        // 0 wakes 64 and hands it 66; then it wakes 65.
        let steps = parse("x steps=0:5:100/200,64:70:30,65:40:,66:50:");
        assert_eq!(add_up(&steps, &[64, 65, 66]), Ok(Path { longest: 140, total: 100 + 70 + 40 + 50 }));
        assert_eq!(add_up(&parse("x steps=0:5:100,64:70:"), &[64]), Ok(Path { longest: 70, total: 70 }));
        assert!(add_up(&steps, &[64, 65]).is_err());
        assert!(add_up(&steps, &[64, 65, 66, 67]).is_err());
        assert!(add_up(&parse("x"), &[64]).is_err());
    }
}
