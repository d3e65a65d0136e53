//! When an idle core goes off.
//!
//! Idle costs power; off costs (next to) none, but going off and coming back costs as much energy as the *break-even*
//! `T` of being idle. In units of idle time, an idle period of length `x` costs at least `min(x, T)`, for which one has
//! to know `x`. A core that waits `T` pays `x` up to there and `2T` beyond: never more than twice the optimum, and no
//! deterministic rule has a better bound. It is the ski-rental problem (Karlin, Manasse, McGeoch and Owicki,
//! "Competitive Randomized Algorithms for Nonuniform Problems", Algorithmica 11, 1994); for power states see
//! Augustine, Irani and Swamy, "Optimal Power-Down Strategies", FOCS 2004.
//!
//! Sleeps that were too short tell that a longer wait would have been better: the core waits that multiple of `T` that
//! would have cost least in its latest idle periods. It pays for that out of what periods so far stayed below twice
//! their optimum, the *credit*: a wait of at most `T + credit` keeps, over any sequence of periods,
//!
//! ```text
//! cost + credit <= 2 * optimum + T        (T: the credit to begin with; it pays for the first lesson)
//! ```
//!
//! - gone off after waiting `w >= T`: costs `w + T`, optimum `T`: the credit falls by `w - T`;
//! - claimed after `x <= w`: costs `x`, optimum `min(x, T)`: the credit rises by `2 * min(x, T) - x`.

#[cfg(test)]
mod tests;

/// The waits that are compared, in break-evens.
const WAITS: [u64; 5] = [1, 2, 4, 8, 16];

/// The longest wait, in break-evens.
pub const LONGEST: u64 = 16;

/// Costs fade by 1 / 2^this with each idle period: about the latest 16 count.
const MEMORY: u32 = 4;

/// One core's rule; by that core only. Times are ticks of any one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdlePolicy {
    break_even: u64,
    credit: u64,
    /// What each of [`WAITS`] would have cost of late.
    costs: [u64; WAITS.len()],
}

impl IdlePolicy {
    /// Nothing learned yet: waits `break_even`.
    pub const fn new(break_even: u64) -> Self {
        Self { break_even, credit: break_even, costs: [0; WAITS.len()] }
    }

    /// How long the core waits idle before it goes off: between 1 and [`LONGEST`] break-evens.
    pub fn wait(&self) -> u64 {
        let best = WAITS.iter().zip(&self.costs).min_by_key(|(_, cost)| **cost).map_or(1, |(wait, _)| *wait);
        self.break_even.saturating_mul(best).min(self.break_even.saturating_add(self.credit))
    }

    /// It went off after [`wait`](Self::wait) and was woken after `off_ticks`.
    pub fn slept(&mut self, off_ticks: u64) {
        let wait = self.wait();
        self.credit = self.credit.saturating_sub(wait.saturating_sub(self.break_even));
        self.learn(wait.saturating_add(off_ticks));
    }

    /// It was claimed after `ticks`, before it went off.
    pub fn idled(&mut self, ticks: u64) {
        let allowed = ticks.min(self.break_even).saturating_mul(2);
        let most = self.break_even.saturating_mul(LONGEST);
        self.credit = self.credit.saturating_add(allowed).saturating_sub(ticks).min(most);
        self.learn(ticks);
    }

    fn learn(&mut self, idle: u64) {
        for (wait, cost) in WAITS.iter().zip(&mut self.costs) {
            let wait = self.break_even.saturating_mul(*wait);
            let paid = if idle <= wait { idle } else { wait.saturating_add(self.break_even) };
            *cost = cost.saturating_sub(*cost >> MEMORY).saturating_add(paid);
        }
    }
}
