//! Random numbers that are the same on every host and with every version of every crate: the traces are named by
//! their seeds. SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).

/// The generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Evenly distributed over [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly distributed over `from..=to`.
    pub fn range(&mut self, from: u32, to: u32) -> u32 {
        from + (self.unit() * (f64::from(to) - f64::from(from) + 1.0)) as u32
    }

    /// Exponentially distributed with this mean; at least 1.
    pub fn exponential(&mut self, mean: f64) -> u64 {
        ((-mean * (1.0 - self.unit()).ln()) as u64).max(1)
    }

    /// Pareto-distributed from `least` on: a tail that is the heavier the smaller `shape` is; at most 1000 times
    /// `least`.
    pub fn pareto(&mut self, least: f64, shape: f64) -> u64 {
        let factor = (1.0 - self.unit()).powf(-1.0 / shape);
        (least * factor.min(1000.0)) as u64
    }
}
