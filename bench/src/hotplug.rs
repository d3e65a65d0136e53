//! What it costs to move a core, in instructions at EL2 on all cores together.
//!
//! In the scenario `bench-hotplug` a domain marks the moment before each order and the moment when all has come to rest;
//! in between all guests spin with interrupts masked. The plugin counts what lies in the kernel's image. What an order
//! was is told by who has its core then: that is followed here.

use crate::counted::Counted;
use crate::profile::{Lines, Places};
use qemu_smp::{
    failure::{Code, Failure},
    workspace::Workspace,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(600);
const SCENARIO: &str = "bench-hotplug";
/// Where QEMU puts the kernel in the RAM.
pub const KERNEL_OFFSET: usize = 2 << 20;

/// The cores of the scenario's domains when it begins, and how many contexts are on in each.
const DOMAINS: [(&[usize], usize); 4] = [(&[0], 1), (&[1, 4, 5, 6], 4), (&[2], 1), (&[3, 7], 2)];

/// The most instructions that it may take to take a core from its domain, and to give one to a domain. From one domain
/// to another is both.
const TAKE: u64 = 2000;
const GIVE: u64 = 3000;
const MOVE: u64 = TAKE + GIVE;

/// One operation on a machine with so many cores.
#[derive(Clone, Debug, Serialize)]
pub struct Operation {
    name: &'static str,
    cores: u32,
    times: usize,
    min: u64,
    median: u64,
    max: u64,
    limit: Option<u64>,
    /// The most cores that had a part in it.
    busy_cores: usize,
    /// Instructions of cores that it is not about.
    uninvolved: u64,
    pass: bool,
}

/// Where a core is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Pool,
    Off,
    Domain(usize),
}

/// What an order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    TakeToPool,
    TakeFromPair,
    TakeToNotified,
    TakeToFolded,
    TakeBack,
    TakeOff,
    TakeSpare,
    GiveNotified,
    GiveFolded,
    IdleOff,
    WakeNotified,
    WakeFolded,
}

impl Kind {
    /// What it is called, and its limit.
    fn about(self) -> (&'static str, Option<u64>) {
        match self {
            Self::TakeToPool => ("take, 4 contexts on: to the pool", Some(TAKE)),
            Self::TakeFromPair => ("take, 2 contexts on: to the pool", Some(TAKE)),
            Self::TakeToNotified => ("take, 4 contexts on: to a domain, notified", Some(MOVE)),
            Self::TakeToFolded => ("take, 4 contexts on: to a domain, unfolds", Some(MOVE)),
            Self::TakeBack => ("take, 2 contexts on: to a domain, unfolds", Some(MOVE)),
            Self::TakeOff => ("take, 4 contexts on: off", Some(TAKE)),
            Self::TakeSpare => ("take, core not in use: to the pool", Some(TAKE)),
            Self::GiveNotified => ("give, idle: domain is notified", Some(GIVE)),
            Self::GiveFolded => ("give, idle: a context unfolds", Some(GIVE)),
            Self::IdleOff => ("idle: off", Some(TAKE)),
            Self::WakeNotified => ("wake and give: domain is notified", None),
            Self::WakeFolded => ("wake and give: a context unfolds", None),
        }
    }
}

/// Who has which core.
struct Holders {
    places: BTreeMap<usize, Place>,
}

impl Holders {
    fn new() -> Self {
        let domains = DOMAINS.iter().enumerate();
        let places =
            domains.flat_map(|(domain, (cores, _))| cores.iter().map(move |&core| (core, Place::Domain(domain))));
        Self { places: places.collect() }
    }

    fn place(&self, core: usize) -> Place {
        self.places.get(&core).copied().unwrap_or(Place::Pool)
    }

    fn of(&self, domain: usize) -> impl Iterator<Item = usize> {
        self.places.iter().filter(move |(_, place)| **place == Place::Domain(domain)).map(|(core, _)| *core)
    }

    /// The order is carried out: what it is, and which cores it may be about.
    fn carry_out(&mut self, core: usize, to: Place) -> Option<(Kind, BTreeSet<usize>)> {
        let from = self.place(core);
        let contexts = |domain: usize| DOMAINS.get(domain).map_or(0, |(_, contexts)| *contexts);
        let mut cores = BTreeSet::from([0, core]);
        for place in [from, to] {
            if let Place::Domain(domain) = place {
                cores.extend(self.of(domain));
            }
        }
        let unfolds = |domain: usize| contexts(domain) > self.of(domain).count();
        let kind = match (from, to) {
            (Place::Domain(from), to) if contexts(from) < self.of(from).count() => {
                (to == Place::Pool).then_some(Kind::TakeSpare)?
            }
            (Place::Domain(from), Place::Pool) if contexts(from) == 2 => Kind::TakeFromPair,
            (Place::Domain(from), Place::Domain(to)) if contexts(from) == 2 && unfolds(to) => Kind::TakeBack,
            (Place::Domain(_), Place::Domain(to)) if unfolds(to) => Kind::TakeToFolded,
            (Place::Domain(_), Place::Domain(_)) => Kind::TakeToNotified,
            (Place::Domain(_), Place::Pool) => Kind::TakeToPool,
            (Place::Domain(_), Place::Off) => Kind::TakeOff,
            (Place::Pool, Place::Domain(to)) if unfolds(to) => Kind::GiveFolded,
            (Place::Pool, Place::Domain(_)) => Kind::GiveNotified,
            (Place::Pool, Place::Off) => Kind::IdleOff,
            (Place::Off, Place::Domain(to)) if unfolds(to) => Kind::WakeFolded,
            (Place::Off, Place::Domain(_)) => Kind::WakeNotified,
            (Place::Pool | Place::Off, _) => return None,
        };
        self.places.insert(core, to);
        Some((kind, cores))
    }
}

/// The orders of the scenario, in order: core and receiver.
fn orders(command_line: &str) -> Option<Vec<(usize, Place)>> {
    let value = |key: &str| command_line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let rotated: Vec<usize> = value("d")?.split('/').map(str::parse).collect::<Result<_, _>>().ok()?;
    let mut orders = Vec::new();
    for round in 0..value("rounds")?.parse().ok()? {
        let rotated = *rotated.get(round % rotated.len())?;
        for (core, to) in value("plan")?.split(',').filter_map(|step| step.split_once('>')) {
            let core = if core == "d" { rotated } else { core.parse().ok()? };
            let to = match to {
                "pool" => Place::Pool,
                "off" => Place::Off,
                domain => Place::Domain(domain.parse().ok()?),
            };
            orders.push((core, to));
        }
    }
    Some(orders)
}

/// What was executed between two marks: instructions by core, and by address if that was asked for.
pub struct Window {
    /// By core.
    pub cores: Vec<(usize, u64)>,
    /// By address.
    pub places: Places,
}

/// Lines `vcpu=N since=V:COUNT,… places=V:ADDRESS:COUNT,…`.
pub fn windows(counts: &str) -> impl Iterator<Item = Window> {
    let parse = |line: &str| {
        let list = |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key)).unwrap_or_default().split(',');
        let cores = list("since=").filter_map(|pair| pair.split_once(':'));
        let cores = cores.filter_map(|(core, count)| Some((core.parse().ok()?, count.parse().ok()?))).collect();
        let mut places = Places::new();
        for (address, count) in list("places=").filter_map(|place| place.split_once(':')?.1.split_once(':')) {
            let number = |text| u64::from_str_radix(text, 16).unwrap_or_default();
            *places.entry(number(address)).or_default() += number(count);
        }
        Window { cores, places }
    };
    counts.lines().map(parse)
}

/// What was seen of an operation.
#[derive(Default)]
struct Samples {
    totals: Vec<u64>,
    busy_cores: usize,
    uninvolved: u64,
    places: Places,
}

impl Samples {
    fn add(&mut self, window: &Window, involved: &BTreeSet<usize>) {
        self.totals.push(window.cores.iter().map(|(_, count)| count).sum());
        self.busy_cores = self.busy_cores.max(window.cores.len());
        let uninvolved = window.cores.iter().filter(|(core, _)| !involved.contains(core));
        self.uninvolved += uninvolved.map(|(_, count)| count).sum::<u64>();
        for (address, count) in &window.places {
            *self.places.entry(*address).or_default() += count;
        }
    }

    fn operation(&self, kind: Kind, cores: u32) -> Operation {
        let (name, limit) = kind.about();
        let mut totals = self.totals.clone();
        totals.sort_unstable();
        let at = |index: usize| totals.get(index).copied().unwrap_or_default();
        let max = at(totals.len().saturating_sub(1));
        Operation {
            name,
            cores,
            times: totals.len(),
            min: at(0),
            median: at(totals.len() / 2),
            max,
            limit,
            busy_cores: self.busy_cores,
            uninvolved: self.uninvolved,
            pass: limit.is_none_or(|limit| max <= limit) && self.uninvolved == 0,
        }
    }
}

/// Measures on a machine for each number of cores; with a profile, also says where the instructions went.
pub fn measure(workspace: &Workspace, cores: &[u32], profile: bool) -> Result<(Vec<Operation>, String), Failure> {
    let counted = Counted::new(workspace, SCENARIO)?;
    let broken = || Failure::new(Code::Failed, format!("the orders in {SCENARIO}.toml are not what bench expects"));
    let command_line = counted.scenario().domains.first().and_then(|domain| domain.cmdline.as_deref());
    let orders = command_line.and_then(orders).ok_or_else(broken)?;
    let mut lines = if profile { Some(Lines::read()?) } else { None };
    let (mut measured, mut profiles) = (Vec::new(), String::new());
    for &count in cores {
        eprintln!("  moving cores on a machine with {count}, {} orders", orders.len());
        let places = if profile { ",places=1" } else { "" };
        let plugin = format!(",from={KERNEL_OFFSET},size={}{places}", counted.kernel_bytes());
        let left = counted.run(count, &plugin, &[], LIMIT)?;
        let windows: Vec<_> = windows(&left.counts).skip(1).step_by(2).collect();
        if windows.len() != orders.len() {
            let failed: Vec<_> = left.console.lines().filter(|line| line.contains("FAILED")).collect();
            let why = format!("{} of {} orders were measured\n{}", windows.len(), orders.len(), failed.join("\n"));
            return Err(Failure::new(Code::Failed, "the orders were not carried out").why(why));
        }
        let mut holders = Holders::new();
        let mut by_kind: BTreeMap<Kind, Samples> = BTreeMap::new();
        for (&(core, to), window) in orders.iter().zip(&windows) {
            let (kind, involved) = holders.carry_out(core, to).ok_or_else(broken)?;
            by_kind.entry(kind).or_default().add(window, &involved);
        }
        for (kind, samples) in by_kind {
            measured.push(samples.operation(kind, count));
            if let Some(lines) = &mut lines {
                let _ = writeln!(profiles, "\n  {} ({count} cores)", kind.about().0);
                profiles.push_str(&lines.show(&samples.places, samples.totals.len()));
            }
        }
    }
    Ok((measured, profiles))
}

/// Whether all limits are kept.
pub fn pass(measured: &[Operation]) -> bool {
    measured.iter().all(|operation| operation.pass)
}

/// For people.
pub fn table(measured: &[Operation]) -> String {
    let mut text = "Moving a core: instructions at EL2, on all cores together\n".to_owned();
    let _ = writeln!(
        text,
        "  {:<43} {:>5} {:>5} {:>6} {:>6} {:>6} {:>6}  {:<4}  {:>10} {:>10}",
        "operation", "cores", "times", "min", "median", "max", "limit", "", "busy cores", "uninvolved"
    );
    for operation in measured {
        let Operation { name, cores, times, min, median, max, limit, busy_cores, uninvolved, pass } = operation;
        let limit = limit.map_or("-".to_owned(), |limit| limit.to_string());
        let verdict = if *pass { "ok" } else { "FAIL" };
        let _ = writeln!(
            text,
            "  {name:<43} {cores:>5} {times:>5} {min:>6} {median:>6} {max:>6} {limit:>6}  {verdict:<4}  {busy_cores:>10} {uninvolved:>10}"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_repeated_and_rotated() {
        let orders = orders("act=x rounds=3 d=1/4 plan=d>pool,wait,d>2,7>off").unwrap();
        let expected = |core| [(core, Place::Pool), (core, Place::Domain(2)), (7, Place::Off)];
        assert_eq!(orders, [expected(1), expected(4), expected(1)].concat());
        assert!(super::orders("rounds=3 d=1 plan=x>pool").is_none());
        assert!(super::orders("plan=1>pool").is_none());
    }

    #[test]
    fn a_mark_ends_a_window() {
        let windows: Vec<_> = windows(
            "vcpu=0 since=0:9,3:8\nvcpu=0 since=1:20,0:100 places=0:4020:a,1:4020:1,1:4024:2\n\
                               vcpu=0 since=\nvcpu=0 since=5:7\n",
        )
        .collect();
        assert_eq!(windows.len(), 4);
        assert_eq!(windows[1].cores, [(1, 20), (0, 100)]);
        assert_eq!(windows[1].places, Places::from([(0x4020, 11), (0x4024, 2)]));
        assert_eq!(windows[2].cores, []);
        assert_eq!(windows[3].cores, [(5, 7)]);
    }

    #[test]
    fn an_order_is_what_it_does_to_its_core() {
        let mut holders = Holders::new();
        let mut kind = |core, to| holders.carry_out(core, to).map(|(kind, _)| kind);
        assert_eq!(kind(1, Place::Pool), Some(Kind::TakeToPool));
        assert_eq!(kind(1, Place::Domain(2)), Some(Kind::GiveNotified));
        assert_eq!(kind(1, Place::Pool), Some(Kind::TakeSpare));
        assert_eq!(kind(1, Place::Off), Some(Kind::IdleOff));
        assert_eq!(kind(1, Place::Domain(1)), Some(Kind::WakeFolded));
        assert_eq!(kind(4, Place::Domain(2)), Some(Kind::TakeToNotified));
        assert_eq!(kind(9, Place::Pool), None);
    }

    #[test]
    fn a_limit_or_another_core_breaks_it() {
        let mut samples = Samples::default();
        let involved = BTreeSet::from([0, 1]);
        samples.add(&Window { cores: vec![(0, 900), (1, 1000)], places: Places::new() }, &involved);
        assert!(samples.operation(Kind::TakeToPool, 8).pass);
        samples.add(&Window { cores: vec![(0, 900), (1, 1101)], places: Places::new() }, &involved);
        let operation = samples.operation(Kind::TakeToPool, 8);
        assert_eq!((operation.min, operation.max, operation.pass), (1900, 2001, false));
        assert!(samples.operation(Kind::WakeNotified, 8).pass);
        samples.add(&Window { cores: vec![(6, 1)], places: Places::new() }, &involved);
        let operation = samples.operation(Kind::WakeNotified, 8);
        assert_eq!((operation.uninvolved, operation.pass), (1, false));
    }
}
