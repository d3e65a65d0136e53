//! A host core that a machine has to share with other load, and how much of it the machine got.

use std::collections::BTreeMap;
use std::fs;
use std::hint;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

use crate::failure::{Code, Failure};

#[cfg(test)]
mod tests;

/// How often the kernel is asked what it gave to whom: QEMU's threads are gone before the last word on them.
const LOOK: Duration = Duration::from_millis(100);

/// What QEMU's threads together had of the core.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The core.
    pub core: usize,
    /// Threads beside QEMU that computed all the time.
    pub busy_threads: u16,
    /// The time that was looked at.
    pub elapsed_ms: u64,
    /// For so long QEMU's threads ran.
    pub ran_ms: u64,
    /// For so long they were ready to run and did not.
    pub waited_ms: u64,
}

impl Share {
    /// Of the core's time, the part that they got.
    pub fn of_core(&self) -> f64 {
        self.ran_ms as f64 / self.elapsed_ms.max(1) as f64
    }

    /// Of the time that they asked for, the part that they got.
    pub fn of_wanted(&self) -> f64 {
        self.ran_ms as f64 / (self.ran_ms + self.waited_ms).max(1) as f64
    }
}

/// Nanoseconds that a thread ran, and that it was ready and waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    ran: u64,
    waited: u64,
}

impl Times {
    /// Reads a `schedstat` (Linux' `Documentation/scheduler/sched-stats.rst`).
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().map(str::parse);
        Some(Self { ran: words.next()?.ok()?, waited: words.next()?.ok()? })
    }
}

/// The machine and the other load on one core. Dropping it ends the load.
#[derive(Debug)]
pub struct Starved {
    core: usize,
    busy_threads: u16,
    tasks: PathBuf,
    over: Arc<AtomicBool>,
    began: Instant,
    looked: Instant,
    /// By thread, what it had when this was begun, and what it had at last.
    threads: BTreeMap<u32, (Times, Times)>,
}

impl Starved {
    /// Lets a process, with all its threads, run on one core only, beside so many busy threads.
    pub fn begin(process: u32, busy_threads: u16) -> Result<Self, Failure> {
        let cannot = |errno: Errno| {
            Failure::new(Code::Failed, "cannot bind QEMU and other load to one host core").why(errno.to_string())
        };
        // The first one has most of the host's interrupts.
        let allowed = sched_getaffinity(None).map_err(cannot)?;
        let core = (0..CpuSet::MAX_CPU).rev().find(|core| allowed.is_set(*core)).unwrap_or(0);
        let mut only = CpuSet::new();
        only.set(core);
        let tasks = Path::new("/proc").join(process.to_string()).join("task");
        // Threads that begin after the first of these inherit it.
        for thread in [process].into_iter().chain(numbers(&tasks)) {
            match sched_setaffinity(i32::try_from(thread).ok().and_then(Pid::from_raw), &only) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => return Err(cannot(errno)),
            }
        }
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..busy_threads {
            let over = over.clone();
            thread::spawn(move || {
                // Where the process could be bound, so can this thread.
                let _ = sched_setaffinity(None, &only);
                while !over.load(Ordering::Relaxed) {
                    for turn in 0..100_000 {
                        hint::black_box(turn);
                    }
                }
            });
        }
        let now = Instant::now();
        Ok(Self { core, busy_threads, tasks, over, began: now, looked: now, threads: BTreeMap::new() })
    }

    /// What was until now does not count.
    pub fn begin_count(&mut self) {
        self.look_now();
        self.threads.values_mut().for_each(|(first, last)| *first = *last);
        self.began = self.looked;
    }

    /// Has to be called now and then.
    pub fn look(&mut self) {
        if self.looked.elapsed() >= LOOK {
            self.look_now();
        }
    }

    fn look_now(&mut self) {
        let read = |thread: &u32| fs::read_to_string(self.tasks.join(thread.to_string()).join("schedstat")).ok();
        let now: Vec<_> = numbers(&self.tasks).filter_map(|it| Some((it, Times::parse(&read(&it)?)?))).collect();
        if !now.is_empty() {
            self.looked = Instant::now();
        }
        for (thread, times) in now {
            self.threads.entry(thread).or_default().1 = times;
        }
    }

    /// What it came to at the last look; `None` if the host's kernel does not say.
    pub fn share(&self) -> Option<Share> {
        let sum = |of: fn(Times) -> u64| {
            let spent = self.threads.values().map(|(first, last)| of(*last).saturating_sub(of(*first)));
            spent.sum::<u64>() / 1_000_000
        };
        let elapsed = self.looked.saturating_duration_since(self.began);
        (!self.threads.is_empty()).then(|| Share {
            core: self.core,
            busy_threads: self.busy_threads,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            ran_ms: sum(|times| times.ran),
            waited_ms: sum(|times| times.waited),
        })
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// The names in a folder that are numbers.
fn numbers(folder: &Path) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
