//! How many cores are wanted over time.

use serde::Serialize;

/// From a time on, so many cores are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Microseconds since the trace's begin.
    pub at: u64,
    /// Cores wanted.
    pub cores: u32,
}

/// A load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// Its name.
    pub name: String,
    /// What it is like.
    pub about: String,
    /// Cores in the pool.
    pub cores: u32,
    /// Its changes, in order; the first one is at 0.
    #[serde(skip)]
    pub steps: Vec<Step>,
    /// When it ends, microseconds.
    #[serde(rename = "length_us")]
    pub end: u64,
    /// So much of its begin shows what it is like, microseconds.
    #[serde(skip)]
    pub typical: u64,
}

impl Trace {
    /// A trace of which nothing is known yet; no core is wanted.
    pub fn new(name: &str, about: impl Into<String>, cores: u32, typical: u64) -> Self {
        let steps = vec![Step { at: 0, cores: 0 }];
        Self { name: name.to_owned(), about: about.into(), cores, steps, end: 0, typical }
    }

    /// From `at` on so many cores are wanted, at most all that there are. `at` is not before the last step.
    pub fn want(&mut self, at: u64, cores: u32) {
        let cores = cores.min(self.cores);
        match self.steps.last_mut() {
            Some(last) if last.at == at => last.cores = cores,
            Some(last) if last.cores == cores => {}
            _ => self.steps.push(Step { at, cores }),
        }
    }

    /// It ends.
    pub fn finish(mut self, end: u64) -> Self {
        self.end = end;
        self.typical = self.typical.min(end);
        self
    }

    /// The periods in which at most `level` cores are wanted: from, to.
    pub fn idle_periods(&self, level: u32) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut steps = self.steps.iter();
        std::iter::from_fn(move || {
            let from = steps.find(|step| step.cores <= level)?.at;
            let to = steps.find(|step| step.cores > level).map_or(self.end, |step| step.at);
            Some((from, to))
        })
        .filter(|(from, to)| to > from)
    }
}
