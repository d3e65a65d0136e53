//! Loads made up from a seed. Each is typical of something; the last one is the worst that can happen to the kernel's
//! rule. All but that one are the same whatever the break-even is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::f64::consts::TAU;

use hotplug::idle::IdlePolicy;

use super::random::Random;
use super::trace::Trace;

const MS: u64 = 1000;
const S: u64 = 1000 * MS;

/// All loads for so many cores.
pub fn all(seed: u64, cores: u32, break_even: u64) -> Vec<Trace> {
    let random = |number: u64| Random::new(seed.wrapping_mul(0x1_0001).wrapping_add(number));
    vec![
        diurnal(random(1), cores),
        bursty(random(2), cores),
        requests(random(3), cores),
        periodic(random(4), cores),
        ramp(cores),
        adversarial(cores, break_even),
    ]
}

/// A day: a wave with its trough at 4 o'clock, and a flicker of seconds and of milliseconds on top.
fn diurnal(mut random: Random, cores: u32) -> Trace {
    let day = 86_400 * S;
    let mut trace = Trace::new("diurnal", "24 h: trough at 4 o'clock, flicker of ms and s on top", cores, day);
    let mut at = 0;
    while at < day {
        let hour = at as f64 / (3600 * S) as f64;
        let wave = 0.5 - 0.5 * (TAU * (hour - 4.0) / 24.0).cos();
        let noise = 0.3 * (random.unit() - 0.5);
        let wanted = (f64::from(cores) * (0.05 + 0.75 * wave + noise)).round().max(0.0);
        trace.want(at, wanted as u32);
        at += if random.unit() < 0.5 { random.exponential(10_000.0) } else { random.exponential(8e6) };
    }
    trace.finish(day)
}

/// Bursts of any width, with gaps that are mostly short and sometimes very long.
fn bursty(mut random: Random, cores: u32) -> Trace {
    let end = 120 * S;
    let mut trace = Trace::new("bursty", "bursts of 8 ms in the mean; gaps from 1 ms on, heavy tail", cores, S);
    let mut at = random.exponential(5000.0);
    while at < end {
        trace.want(at, random.range(1, cores));
        at += random.exponential(8000.0);
        trace.want(at.min(end), 0);
        at += random.pareto(1000.0, 1.1);
    }
    trace.finish(end)
}

/// Requests that come at random and take a core each, as long as there is one.
fn requests(mut random: Random, cores: u32) -> Trace {
    let mean = 4000.0;
    let mut trace = Trace::new("requests", "requests at random of 4 ms in the mean, 30 % load", cores, S / 2);
    let mut ends: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let mut at = 0;
    for _ in 0..20_000 {
        at += random.exponential(mean / (0.3 * f64::from(cores)));
        while let Some(Reverse(end)) = ends.peek().copied().filter(|Reverse(end)| *end < at) {
            ends.pop();
            trace.want(end, ends.len() as u32);
        }
        ends.push(Reverse(at + random.exponential(mean)));
        trace.want(at, ends.len() as u32);
    }
    trace.finish(at)
}

/// What a real-time system does, in three modes of 20 s.
fn periodic(mut random: Random, cores: u32) -> Trace {
    let mut trace =
        Trace::new("periodic", "3 ms of 10, then 5 of 40, then 9 of 16, in half the cores or all", cores, S / 4);
    let modes = [(10 * MS, 3 * MS), (40 * MS, 5 * MS), (16 * MS, 9 * MS)];
    let mut at = 0;
    for (period, busy) in modes {
        for cycle in 0..20 * S / period {
            let wanted = if cycle % 4 == 0 { cores } else { cores.div_ceil(2) };
            let late = u64::from(random.range(0, 300));
            trace.want(at + late, wanted);
            trace.want(at + late + busy, 0);
            at += period;
        }
    }
    trace.finish(at)
}

/// Up by one core each second, and down again, three times.
fn ramp(cores: u32) -> Trace {
    let mut trace = Trace::new("ramp", "a core more each second, then one less, three times", cores, u64::MAX);
    let mut at = 0;
    for wanted in (0..3).flat_map(|_| (0..cores).chain((1..=cores).rev())) {
        trace.want(at, wanted);
        at += S;
    }
    trace.want(at, 0);
    trace.finish(at + S)
}

/// Claims all cores just after the kernel's rule has switched them off, again and again.
fn adversarial(cores: u32, break_even: u64) -> Trace {
    let about = "all cores claimed just after the kernel's rule switched them off";
    let mut trace = Trace::new("adversarial", about, cores, 50 * break_even);
    let mut policy = IdlePolicy::new(break_even);
    let mut at = 0;
    for _ in 0..2000 {
        at += policy.wait() + 1;
        policy.slept(1);
        trace.want(at, cores);
        at += break_even;
        trace.want(at, 0);
    }
    trace.finish(at)
}
