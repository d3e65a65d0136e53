use super::*;

const T: u64 = 1000;

/// A policy with its account: what its idle periods cost, and what they would have at best.
struct Core {
    policy: IdlePolicy,
    cost: u64,
    optimum: u64,
}

impl Core {
    fn new() -> Self {
        Self { policy: IdlePolicy::new(T), cost: 0, optimum: 0 }
    }

    fn idle(&mut self, length: u64) {
        let wait = self.policy.wait();
        assert!((T..=LONGEST * T).contains(&wait), "{wait}");
        self.optimum += length.min(T);
        if length <= wait {
            self.policy.idled(length);
            self.cost += length;
        } else {
            self.policy.slept(length - wait);
            self.cost += wait + T;
        }
        assert!(self.cost + self.policy.credit <= 2 * self.optimum + T, "{:?} after {length}", self.policy);
    }
}

/// xorshift64*: the same numbers in every run.
fn numbers(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D) % below
    }
}

#[test]
fn it_begins_with_the_break_even() {
    assert_eq!(IdlePolicy::new(T).wait(), T);
}

#[test]
fn sleeps_that_are_too_short_make_it_wait_longer_and_long_ones_bring_it_back() {
    let mut core = Core::new();
    core.idle(T + T / 2);
    assert_eq!(core.policy.wait(), 2 * T);
    for _ in 0..10 {
        core.idle(T + T / 2);
    }
    assert_eq!(core.cost, 2 * T + 10 * (T + T / 2), "it went off once only");
    let long = (1..).find(|_| {
        core.idle(10 * T);
        core.policy.wait() == T
    });
    assert!(long.unwrap() <= 6, "{long:?}");
}

#[test]
fn one_period_in_another_mode_does_not_change_its_mind() {
    let mut core = Core::new();
    for _ in 0..50 {
        core.idle(T + T / 2);
    }
    core.idle(10 * T);
    assert_eq!(core.policy.wait(), 2 * T);
}

#[test]
fn sleeps_that_are_long_enough_teach_nothing() {
    for length in [2 * T + 1, 3 * T, 100 * T] {
        let mut core = Core::new();
        for _ in 0..100 {
            core.idle(length);
            assert_eq!(core.policy.wait(), T);
        }
    }
}

#[test]
fn it_waits_as_long_as_is_best_and_as_it_has_saved_for() {
    let mut core = Core::new();
    for _ in 0..100 {
        core.idle(T / 2);
    }
    let mut waits = Vec::new();
    for _ in 0..60 {
        core.idle(T + T / 10);
        core.idle(15 * T);
        waits.push(core.policy.wait() / T);
    }
    // One more sleep is cheaper than waiting 15 break-evens.
    assert!(waits[10..].iter().all(|wait| *wait <= 2), "{waits:?}");
    let mut core = Core::new();
    for _ in 0..100 {
        core.idle(T);
    }
    let mut waits = Vec::new();
    for _ in 0..60 {
        core.idle(core.policy.wait() + 1);
        waits.push(core.policy.wait() / T);
    }
    assert!(waits.iter().any(|wait| *wait > 4), "{waits:?}");
    assert_eq!(waits.last(), Some(&1), "nothing is left to pay for lessons: {waits:?}");
}

#[test]
fn no_adversary_makes_it_cost_more_than_twice_the_optimum() {
    let mut core = Core::new();
    for _ in 0..10_000 {
        core.idle(core.policy.wait() + 1);
    }
    assert!(core.cost <= 2 * core.optimum + T);
    // Nor one that saves up first, nor any mixture.
    for seed in 1..=200 {
        let (mut core, mut random) = (Core::new(), numbers(seed));
        let mut longest = 0;
        for _ in 0..500 {
            let just_past = core.policy.wait() + 1 + random(3);
            core.idle(match random(4) {
                0 => random(T),
                1 => just_past,
                2 => random(40 * T),
                _ => T + random(2 * T),
            });
            longest = longest.max(core.policy.wait());
        }
        assert!(longest > T, "seed {seed} never made it wait longer");
    }
}

#[test]
fn times_beyond_any_clock_do_no_harm() {
    for break_even in [0, 1, u64::MAX / 2, u64::MAX] {
        let mut policy = IdlePolicy::new(break_even);
        for length in [0, 1, u64::MAX] {
            policy.slept(length);
            policy.idled(length);
            assert!(policy.wait() >= break_even);
        }
    }
}
