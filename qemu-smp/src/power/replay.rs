//! A pool of cores under a load.
//!
//! The cost of being idle, in core-seconds of idle power: time idle and on counts as it is, time off counts nothing,
//! and each time a core goes off counts one break-even, for going off and coming back. It is the cost of the
//! competitive analysis in [`hotplug::idle`]: for one idle period of length `x` the optimum is `min(x, break-even)`.
//!
//! The optimum for the whole pool: level `k` of the load is whether more than `k` cores are wanted. Let `a(t)` be the
//! cores that are on, at least those wanted. Both the time on and the number of times that `a` goes down are sums over
//! the levels of `a`, so the levels can be served one by one, each by a core of its own: `min(x, break-even)` for each
//! of its idle periods. No rule can cost less, whichever core it hands out.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use serde::Serialize;

use super::rule::{Kept, Rule};
use super::trace::Trace;

/// What is replayed on. Times in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Cores in the pool; on at the beginning.
    pub cores: u32,
    /// Being idle for so long takes as much energy as going off and coming back.
    pub break_even: u64,
    /// From the order to come up until the core can be used; at most the break-even.
    pub wake_latency: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// Core-seconds that no load wanted.
    pub idle_s: f64,
    /// Core-seconds off.
    pub off_s: f64,
    /// Time off as a share of the time that no load wanted.
    pub off_of_idle: f64,
    /// How often a core went off.
    pub sleeps: u64,
    /// How often one was woken.
    pub wake_ups: u64,
    /// Sleeps shorter than the break-even.
    pub too_short: u64,
    /// Core-seconds wanted while the core was still coming up.
    pub unmet_s: f64,
    /// Core-seconds of idle power, see above.
    pub cost_s: f64,
}

/// The same in whole microseconds, while it is counted.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    on: u64,
    off: u64,
    /// Coming up before anybody asks.
    waking: u64,
    sleeps: u64,
    wake_ups: u64,
    too_short: u64,
    unmet: u64,
}

impl Count {
    fn outcome(self, machine: &Machine) -> Outcome {
        let seconds = |microseconds: u64| microseconds as f64 / 1e6;
        let (on, off) = (seconds(self.on), seconds(self.off));
        let idle = on + off + seconds(self.waking);
        Outcome {
            idle_s: idle,
            off_s: off,
            off_of_idle: if self.off == 0 { 0.0 } else { off / idle },
            sleeps: self.sleeps,
            wake_ups: self.wake_ups,
            too_short: self.too_short,
            unmet_s: seconds(self.unmet),
            cost_s: on + seconds(self.sleeps * machine.break_even),
        }
    }
}

/// A core.
struct Core {
    rule: Kept,
    /// Since when it is wanted, or idle.
    since: u64,
    /// When it is up, if it was woken.
    up_at: u64,
}

/// The cores by what they are, each by its number.
struct Pool<'a> {
    machine: &'a Machine,
    cores: Vec<Core>,
    wanted: BTreeSet<usize>,
    idle: BTreeSet<usize>,
    off: BTreeSet<usize>,
    /// When an idle core is still on for the last time. Entries of cores that were claimed meanwhile stay, and are told
    /// by the time since which they are idle.
    last_on: BinaryHeap<Reverse<(u64, usize, u64)>>,
    count: Count,
}

impl<'a> Pool<'a> {
    fn new(machine: &'a Machine, rule: Rule) -> Self {
        let core = || Core { rule: rule.begin(machine.break_even), since: 0, up_at: 0 };
        let cores: Vec<Core> = (0..machine.cores).map(|_| core()).collect();
        let wanted = (0..cores.len()).collect();
        let (idle, off, last_on) = Default::default();
        let mut pool = Self { machine, cores, wanted, idle, off, last_on, count: Count::default() };
        while pool.release(0).is_some() {}
        pool
    }

    /// Time passes.
    fn switch_off(&mut self, now: u64) {
        while let Some(Reverse((last_on, index, since))) = self.last_on.peek().copied()
            && last_on < now
        {
            self.last_on.pop();
            if self.cores.get(index).is_some_and(|core| core.since == since) && self.idle.remove(&index) {
                self.off.insert(index);
            }
        }
    }

    /// Claims a core that is on, else one that is off; the lowest.
    fn claim(&mut self, now: u64) -> Option<()> {
        self.switch_off(now);
        let index = self.idle.pop_first().or_else(|| self.off.pop_first())?;
        self.wanted.insert(index);
        let core = self.cores.get_mut(index)?;
        let idle = now - core.since;
        match core.rule.claimed(idle) {
            Some(off) => {
                self.count.on += idle - off;
                self.count.off += off;
                self.count.sleeps += 1;
                self.count.wake_ups += 1;
                self.count.too_short += u64::from(off < self.machine.break_even);
                core.up_at = now + self.machine.wake_latency;
            }
            None => self.count.on += idle,
        }
        core.since = now;
        Some(())
    }

    /// The highest core is not wanted any more.
    fn release(&mut self, now: u64) -> Option<()> {
        let index = self.wanted.pop_last()?;
        let core = self.cores.get_mut(index)?;
        self.count.unmet += core.up_at.min(now).saturating_sub(core.since);
        core.since = now;
        self.idle.insert(index);
        if let Some(wait) = core.rule.wait() {
            self.last_on.push(Reverse((now.saturating_add(wait), index, now)));
        }
        Some(())
    }

    /// The trace is over: nobody claims a core any more.
    fn end(mut self, now: u64) -> Outcome {
        while self.release(now).is_some() {}
        for core in &self.cores {
            let idle = now - core.since;
            let off = core.rule.wait().map_or(0, |wait| idle.saturating_sub(wait));
            self.count.on += idle - off;
            self.count.off += off;
            self.count.sleeps += u64::from(off > 0);
        }
        self.count.outcome(self.machine)
    }
}

/// Replays a trace. As in the kernel, a core that is idle and on is handed out before one that is off; the highest one
/// is given back first.
pub fn replay(trace: &Trace, machine: &Machine, rule: Rule) -> Outcome {
    let (mut pool, mut wanted) = (Pool::new(machine, rule), 0);
    for step in &trace.steps {
        while wanted < step.cores && pool.claim(step.at).is_some() {
            wanted += 1;
        }
        while wanted > step.cores && pool.release(step.at).is_some() {
            wanted -= 1;
        }
    }
    pool.end(trace.end)
}

/// What one who knows the future makes of the trace: a core goes off at once where its idle period is at least the
/// break-even, and is up again in time.
pub fn optimum(trace: &Trace, machine: &Machine) -> Outcome {
    let mut count = Count::default();
    for level in 0..machine.cores {
        for (from, to) in trace.idle_periods(level) {
            let idle = to - from;
            if idle < machine.break_even {
                count.on += idle;
                continue;
            }
            count.sleeps += 1;
            let wakes = to < trace.end;
            count.wake_ups += u64::from(wakes);
            // What coming up takes is in the break-even.
            let waking = if wakes { machine.wake_latency.min(idle) } else { 0 };
            count.waking += waking;
            count.off += idle - waking;
        }
    }
    count.outcome(machine)
}
