//! What a takeover costs, in instructions at EL2 on all cores together.
//!
//! In the scenario `bench-failover` the members of a group fail in turn. The primary sets a mark before it fails, and the
//! standby one after its first output and one when all has come to rest. What is counted begins before the error is
//! found, and so includes how: of an operator's order, the last byte of its line.

use crate::counted::{Counted, Typed, framed};
use crate::hotplug::{KERNEL_OFFSET, Window, windows};
use crate::profile::{Lines, Places};
use qemu_smp::{
    failure::{Code, Failure},
    scenario::{Cores, Scenario},
    workspace::Workspace,
};
use serde::Serialize;
use std::{fmt::Write, time::Duration};

const LIMIT: Duration = Duration::from_secs(600);
const SCENARIO: &str = "bench-failover";
/// The errors that failures are found as, in turn.
const ERRORS: [&str; 4] = ["fault", "reset", "heartbeat", ORDER];
const ORDER: &str = "order";
/// The core that reads orders. It is no one's of the group.
const CONSOLE_CORE: usize = 0;
/// On the host, until the machine has read all of an order but its end.
const READ: Duration = Duration::from_millis(50);
/// How often each error occurs on one machine, and on one with more than so many cores: there QEMU needs most of its time
/// to start a member again, as it empties a table of each core for each piece of code that is overwritten.
const ROUNDS: usize = 7;
const MANY_CORES: u32 = 64;
const ROUNDS_OF_MANY: usize = 4;
/// Marks of a failure.
const MARKS: usize = 3;
/// The scenario's heartbeats.
const HEARTBEAT_MS: f64 = 40.0;
/// The most instructions that it may take until the first output, if the primary has one core, as native services have.
const MOST: u64 = 5000;

/// Primaries with so many cores, and the cores of a standby's own.
const GROUPS: [(u32, u32); 6] = [(1, 1), (2, 1), (4, 1), (1, 0), (2, 0), (4, 0)];

/// Takeovers for one error in one group, on a machine with so many cores.
#[derive(Clone, Debug, Serialize)]
pub struct Takeover {
    error: &'static str,
    primary_cores: u32,
    standby_cores: u32,
    cores: u32,
    times: usize,
    /// Until the first output.
    min: u64,
    median: u64,
    max: u64,
    limit: Option<u64>,
    /// The most until all has come to rest: what is done beside and after the first output, too.
    at_rest: u64,
    /// The most that the core executed of it which reads an order and answers it, if it is one.
    console: Option<u64>,
    /// Instructions of cores outside the group, and other than that.
    uninvolved: u64,
    /// The longest time between the last output of the old primary and the first one of the new, in heartbeats' deadlines.
    without_service: f64,
    pass: bool,
}

/// What was seen of the takeovers for one error.
#[derive(Default)]
struct Samples {
    totals: Vec<u64>,
    at_rest: u64,
    console: u64,
    uninvolved: u64,
    without_us: u64,
    places: Places,
}

impl Samples {
    fn add(&mut self, output: &Window, rest: &Window, involved: &[usize], without_us: u64) {
        let total = |window: &Window| window.cores.iter().map(|(_, count)| count).sum::<u64>();
        self.totals.push(total(output));
        self.at_rest = self.at_rest.max(total(output) + total(rest));
        let console = output.cores.iter().find(|(core, _)| *core == CONSOLE_CORE);
        self.console = self.console.max(console.map_or(0, |(_, count)| *count));
        for (core, count) in output.cores.iter().chain(&rest.cores) {
            self.uninvolved += if involved.contains(core) { 0 } else { *count };
        }
        self.without_us = self.without_us.max(without_us);
        for (address, count) in &output.places {
            *self.places.entry(*address).or_default() += count;
        }
    }

    fn takeover(&self, error: &'static str, (primary_cores, standby_cores): (u32, u32), cores: u32) -> Takeover {
        let mut totals = self.totals.clone();
        totals.sort_unstable();
        let at = |index: usize| totals.get(index).copied().unwrap_or_default();
        let max = at(totals.len().saturating_sub(1));
        let is_order = error == ORDER;
        let limit = (primary_cores == 1 && !is_order).then_some(MOST);
        Takeover {
            error,
            primary_cores,
            standby_cores,
            cores,
            times: totals.len(),
            min: at(0),
            median: at(totals.len() / 2),
            max,
            limit,
            at_rest: self.at_rest,
            console: is_order.then_some(self.console),
            uninvolved: self.uninvolved,
            without_service: self.without_us as f64 / 1000.0 / HEARTBEAT_MS,
            pass: limit.is_none_or(|limit| max <= limit) && self.uninvolved == 0 && !totals.is_empty(),
        }
    }
}

/// Failures on a machine with so many cores.
fn failures(cores: u32) -> usize {
    ERRORS.len() * if cores > MANY_CORES { ROUNDS_OF_MANY } else { ROUNDS }
}

/// Makes the scenario's group one with so many cores.
fn change(scenario: &mut Scenario, (primary_cores, standby_cores): (u32, u32), failures: usize) {
    for domain in scenario.domains.iter_mut().skip(1) {
        domain.cmdline = Some(format!("act=bench-service rounds={failures} on={primary_cores}"));
        let (min, start) = (Some(standby_cores), Some(primary_cores));
        domain.cores = Some(Cores { min, start, max: start, deadline: None });
    }
    for group in &mut scenario.groups {
        group.standby_cores = Some(standby_cores);
    }
}

/// An order for each primary that waits for one.
fn orders(failures: usize) -> Vec<Typed> {
    let wait = ERRORS.iter().position(|error| *error == ORDER).unwrap_or_default();
    let epochs = (1..=failures).skip(wait).step_by(ERRORS.len());
    let order = framed("failover service");
    let (end, begin) = order.split_last().unwrap_or((&b'\n', &[]));
    let typed = |epoch| {
        let when = format!("service: epoch={epoch} is to be replaced");
        let typed = |pause, bytes: &[u8]| Typed { when: when.clone(), pause, bytes: bytes.to_vec() };
        [typed(Duration::ZERO, begin), typed(READ, &[*end])]
    };
    epochs.flat_map(typed).collect()
}

/// Microseconds without service, by takeover: the domains say `service: epoch=E without-us=N`.
fn without_service(console: &str) -> Vec<u64> {
    let mut times: Vec<(u32, u64)> = console
        .lines()
        .filter_map(|line| line.split_once("service: epoch=")?.1.split_once(" without-us="))
        .filter_map(|(epoch, time)| Some((epoch.parse().ok()?, time.trim().parse().ok()?)))
        .collect();
    times.sort_unstable();
    times.into_iter().map(|(_, time)| time).collect()
}

/// Measures on a machine for each number of cores; with a profile, also says where the instructions went.
pub fn measure(workspace: &Workspace, cores: &[u32], profile: bool) -> Result<(Vec<Takeover>, String), Failure> {
    let mut counted = Counted::new(workspace, SCENARIO)?;
    let mut lines = if profile { Some(Lines::read()?) } else { None };
    let (mut measured, mut profiles) = (Vec::new(), String::new());
    for &count in cores {
        let failures = failures(count);
        for group in GROUPS {
            let (primary_cores, standby_cores) = group;
            eprintln!("  takeovers on a machine with {count}: primary {primary_cores}, standby {standby_cores}");
            counted.alter(None, |scenario| change(scenario, group, failures))?;
            let places = if profile { ",places=1" } else { "" };
            let plugin = format!(",from={KERNEL_OFFSET},size={}{places}", counted.kernel_bytes());
            let left = counted.run(count, &plugin, &orders(failures), LIMIT)?;
            let windows: Vec<_> = windows(&left.counts).collect();
            let without = without_service(&left.console);
            if windows.len() != failures * MARKS || without.len() != failures {
                let said = left.console.lines().filter(|line| line.contains("FAILED") || line.contains("failover:"));
                let why = format!("{} marks, {} takeovers\n{}", windows.len(), without.len(), said.collect::<String>());
                return Err(Failure::new(Code::Failed, "not all takeovers were measured").why(why));
            }
            let group = 1..=(primary_cores + standby_cores) as usize;
            for (first, error) in ERRORS.into_iter().enumerate() {
                let console = (error == ORDER).then_some(CONSOLE_CORE);
                let involved: Vec<usize> = group.clone().chain(console).collect();
                let mut samples = Samples::default();
                for (marks, without_us) in windows.chunks(MARKS).zip(&without).skip(first).step_by(ERRORS.len()) {
                    if let [_, output, rest] = marks {
                        samples.add(output, rest, &involved, *without_us);
                    }
                }
                measured.push(samples.takeover(error, (primary_cores, standby_cores), count));
                if let Some(lines) = &mut lines {
                    let _ = writeln!(
                        profiles,
                        "\n  {error}, primary {primary_cores}, standby {standby_cores} ({count} cores)"
                    );
                    profiles.push_str(&lines.show(&samples.places, samples.totals.len()));
                }
            }
        }
    }
    Ok((measured, profiles))
}

/// Whether all limits are kept.
pub fn pass(measured: &[Takeover]) -> bool {
    measured.iter().all(|takeover| takeover.pass)
}

/// For people.
pub fn table(measured: &[Takeover]) -> String {
    let mut text =
        "Takeovers: instructions at EL2, on all cores together, from before the failure to the first output\n"
            .to_owned();
    let _ = writeln!(
        text,
        "  {:<9} {:>13} {:>13} {:>7} {:>5} {:>6} {:>6} {:>6} {:>6}  {:<4}  {:>7} {:>7} {:>10} {:>15}",
        "error",
        "primary cores",
        "standby cores",
        "machine",
        "times",
        "min",
        "median",
        "max",
        "limit",
        "",
        "at rest",
        "console",
        "uninvolved",
        "without service"
    );
    for takeover in measured {
        let Takeover { error, primary_cores, standby_cores, cores, times, min, median, max, .. } = takeover;
        let Takeover { limit, at_rest, console, uninvolved, without_service, pass, .. } = takeover;
        let [limit, console] = [limit, console].map(|it| it.map_or("-".to_owned(), |it| it.to_string()));
        let verdict = if *pass { "ok" } else { "FAIL" };
        let _ = writeln!(
            text,
            "  {error:<9} {primary_cores:>13} {standby_cores:>13} {cores:>7} {times:>5} {min:>6} {median:>6} {max:>6} \
             {limit:>6}  {verdict:<4}  {at_rest:>7} {console:>7} {uninvolved:>10} {without_service:>15.4}"
        );
    }
    text.push_str(
        "  Without service: the longest time between outputs, as a part of the deadline for heartbeats. Who faults, resets or\n  \
         is replaced by order was right after an output; who is silent, after an output and a last heartbeat.\n  \
         An order's instructions are those after the last byte of its line has arrived; console: those of the core that\n  \
         reads it, begins to carry it out, and says so.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(cores: &[(usize, u64)]) -> Window {
        Window { cores: cores.to_vec(), places: Places::new() }
    }

    #[test]
    fn a_limit_or_another_core_breaks_it() {
        let mut samples = Samples::default();
        assert!(!samples.takeover("fault", (1, 1), 8).pass);
        samples.add(&window(&[(1, 2000), (2, 3000)]), &window(&[(2, 400)]), &[1, 2], 20_000);
        let takeover = samples.takeover("fault", (1, 1), 8);
        assert_eq!((takeover.max, takeover.at_rest, takeover.uninvolved, takeover.pass), (5000, 5400, 0, true));
        assert!((takeover.without_service - 0.5).abs() < f64::EPSILON);
        samples.add(&window(&[(1, 1)]), &window(&[(3, 7)]), &[1, 2], 0);
        let takeover = samples.takeover("fault", (1, 1), 8);
        assert_eq!((takeover.min, takeover.max, takeover.uninvolved, takeover.pass), (1, 5000, 7, false));
        samples.uninvolved = 0;
        samples.add(&window(&[(1, 5001)]), &window(&[]), &[1, 2], 0);
        assert!(!samples.takeover("fault", (1, 1), 8).pass);
        assert!(samples.takeover("fault", (2, 1), 8).pass);
    }

    #[test]
    fn an_order_is_typed_to_its_end_when_it_is_waited_for() {
        let orders = orders(28);
        assert_eq!(orders.len(), 2 * ROUNDS);
        let typed: Vec<u8> = orders.iter().take(2).flat_map(|typed| typed.bytes.clone()).collect();
        assert_eq!(typed, b"\x010failover service\n");
        assert_eq!(orders.last().map(|typed| &*typed.when), Some("service: epoch=28 is to be replaced"));
    }

    #[test]
    fn times_are_in_the_order_of_epochs() {
        let console = "\u{1}1!service: epoch=3 without-us=70\r\nx\nservice: epoch=2 without-us=9\n";
        assert_eq!(without_service(console), [9, 70]);
    }
}
