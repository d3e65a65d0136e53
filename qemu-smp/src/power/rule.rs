//! When an idle core goes off: the kernel's rule and simple ones to compare it with.

use hotplug::idle::IdlePolicy;

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The kernel's.
    Corral,
    /// It goes off after so many break-evens; 0 is at once.
    After(u64),
    /// It stays on.
    Never,
}

impl Rule {
    /// All that are compared.
    pub const ALL: [Self; 5] = [Self::Corral, Self::After(1), Self::After(10), Self::After(0), Self::Never];

    /// The word for it.
    pub fn name(self) -> String {
        match self {
            Self::Corral => "corral".to_owned(),
            Self::After(0) => "at-once".to_owned(),
            Self::After(times) => format!("after-{times}x"),
            Self::Never => "never-off".to_owned(),
        }
    }

    /// What one core keeps of it.
    pub fn begin(self, break_even: u64) -> Kept {
        match self {
            Self::Corral => Kept::Learns(IdlePolicy::new(break_even)),
            Self::After(times) => Kept::Fixed(Some(break_even * times)),
            Self::Never => Kept::Fixed(None),
        }
    }
}

/// A core's own copy.
#[derive(Clone, Copy, Debug)]
pub enum Kept {
    /// The kernel's, with what it learned.
    Learns(IdlePolicy),
    /// The same wait ever; none: it stays on.
    Fixed(Option<u64>),
}

impl Kept {
    /// How long the core waits before it goes off.
    pub fn wait(&self) -> Option<u64> {
        match self {
            Self::Learns(policy) => Some(policy.wait()),
            Self::Fixed(wait) => *wait,
        }
    }

    /// The core was claimed after being idle for so long. Tells whether, and for how long, it was off.
    pub fn claimed(&mut self, idle: u64) -> Option<u64> {
        let off = self.wait().and_then(|wait| idle.checked_sub(wait)).filter(|off| *off > 0);
        if let Self::Learns(policy) = self {
            match off {
                Some(off) => policy.slept(off),
                None => policy.idled(idle),
            }
        }
        off
    }
}
