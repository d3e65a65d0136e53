//! What the contexts of a domain do while its cores come and go. Each counts what it has done, so that the first one
//! can tell whether all of them go on.

use super::clean;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use domains::protocol::ReportKey;
use rt::arch::relax;
use rt::hypercall::report;
use rt::interrupts::{self, PRIORITY};
use rt::timer::{self, Timer};
use rt::{Args, MAX_CONTEXTS, boot, contexts, println, psci};

const TIMER: Timer = Timer::Virtual;

/// A context that works.
pub struct Worker {
    done: AtomicU64,
    is_on: AtomicBool,
    is_to_leave: AtomicBool,
}

static WORKERS: [Worker; MAX_CONTEXTS] =
    [const { Worker { done: AtomicU64::new(0), is_on: AtomicBool::new(false), is_to_leave: AtomicBool::new(false) } };
        MAX_CONTEXTS];
static TICKS: AtomicU64 = AtomicU64::new(0);
static MISSED: AtomicU64 = AtomicU64::new(0);
static WORST_NS: AtomicU64 = AtomicU64::new(0);

impl Worker {
    /// The one on this context.
    pub fn of(context: usize) -> &'static Self {
        &WORKERS[context]
    }

    /// Goes on.
    pub fn progress(&self) {
        self.done.fetch_add(1, Relaxed);
    }

    /// How often it went on.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Whether it works.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    /// Whether it was told to go off.
    pub fn is_to_leave(&self) -> bool {
        self.is_to_leave.load(Relaxed)
    }

    /// Tells it to go off, which it does before long.
    pub fn dismiss(&self) {
        self.is_to_leave.store(true, Relaxed);
    }
}

/// A kind of work: boot argument `work`, or the act of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Counts, without a pause and with interrupts masked.
    Count,
    /// Suspends itself for all of a period but its duty.
    Sleep,
    /// Takes a timer's ticks.
    Ticks,
    /// Leaves marks in its core, and looks whether they are there.
    Mark,
}

impl Work {
    /// What the boot arguments say.
    pub fn of(args: Args<'_>) -> Self {
        match args.get("work").or(args.get("act")) {
            Some("sleep" | "sleeper") => Self::Sleep,
            Some("ticks" | "timers") => Self::Ticks,
            Some("mark" | "mark-all") => Self::Mark,
            _ => Self::Count,
        }
    }

    /// Lets a context do it that is off; the answer of CPU_ON.
    pub fn start(self, context: usize) -> i64 {
        contexts::start(context, run, self as u64)
    }
}

/// The job of a context that works: until it is dismissed.
fn run(work: u64) {
    let me = Worker::of(contexts::current());
    me.is_to_leave.store(false, Relaxed);
    me.is_on.store(true, Relaxed);
    const SLEEP: u64 = Work::Sleep as u64;
    const TICKS: u64 = Work::Ticks as u64;
    const MARK: u64 = Work::Mark as u64;
    match work {
        SLEEP => sleep(me),
        TICKS => take_ticks(me),
        MARK => clean::live_marked(me),
        _ => count(me),
    }
    me.is_on.store(false, Relaxed);
}

fn count(me: &Worker) {
    while !me.is_to_leave() {
        me.progress();
        relax();
    }
}

/// The period of all that is periodic, in counter ticks: boot argument `period_us` (10,000).
pub fn period() -> u64 {
    timer::ticks_from_us(boot().args.number("period_us", 10_000)).max(1)
}

fn sleep(me: &Worker) {
    let start = timer::now();
    interrupts::enable(TIMER.interrupt(), PRIORITY);
    while !me.is_to_leave() {
        let now = timer::now();
        do_duty(start, now);
        TIMER.arm(now + period());
        while !take_timer() {
            psci::suspend();
        }
        me.progress();
    }
}

/// Works for as much of the period from `now` on as is this phase's duty: boot arguments `duty=PERCENT[,PERCENT…]`
/// (10), of which each holds for `phase` periods (100) and the last one for ever; all began at `start`.
pub fn do_duty(start: u64, now: u64) {
    let args = boot().args;
    let phase = (now - start) / (period() * args.number("phase", 100).max(1));
    let duties = args.get("duty").unwrap_or("10").split(',');
    let duty: u64 = duties.take(phase as usize + 1).last().and_then(|duty| duty.parse().ok()).unwrap_or(0);
    let end = now + period() * duty.min(100) / 100;
    while timer::now() < end {
        relax();
    }
}

/// Takes an interrupt, if there is one; whether it was the timer's.
fn take_timer() -> bool {
    let interrupt = interrupts::acknowledge();
    let is_timer = interrupt == Some(TIMER.interrupt());
    if is_timer {
        TIMER.disarm();
    }
    if let Some(interrupt) = interrupt {
        interrupts::end(interrupt);
    }
    is_timer
}

fn take_ticks(me: &Worker) {
    interrupts::enable(TIMER.interrupt(), PRIORITY);
    let mut deadline = timer::now();
    while !me.is_to_leave() {
        deadline += period();
        TIMER.arm(deadline);
        while !take_timer() {
            rt::arch::wait_for_interrupt();
        }
        let late = timer::now().saturating_sub(deadline);
        let missed = late / period();
        deadline += missed * period();
        TICKS.fetch_add(1 + missed, Relaxed);
        MISSED.fetch_add(missed, Relaxed);
        WORST_NS.fetch_max(timer::ns_from_ticks(late), Relaxed);
        me.progress();
    }
}

/// Says and reports what came of it: the ticks of all contexts.
pub fn conclude(work: Work) {
    if work == Work::Ticks {
        let [ticks, missed, worst_ns] = [&TICKS, &MISSED, &WORST_NS].map(|number| number.load(Relaxed));
        println!("rogue: ticks={ticks} missed={missed} worst_lateness_ns={worst_ns}");
        report(ReportKey::Ticks, ticks);
        report(ReportKey::Missed, missed);
        report(ReportKey::WorstLatenessNs, worst_ns);
    }
}
