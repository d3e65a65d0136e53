//! A member of a group that goes back to its last checkpoint when it fails, and finds all of itself as it was: memory,
//! registers, timers, pending interrupts. What it had reached before stands in the group's region, which does not go
//! back.

use super::arch::{enable_vectors, read_vectors, write_vectors};
use super::checks::{check, equal};
use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use rt::arch::Width;
use rt::hypercall::{self, Role};
use rt::interrupts::{self, PRIORITY, Target};
use rt::timer::{self, Timer};
use rt::{Args, MAX_CONTEXTS, contexts, println, psci};

const PAGES: usize = 64;
const WORDS_IN_PAGE: usize = 512;
const SGI: u32 = 1;
/// Less urgent than the timer's.
const SGI_PRIORITY: u8 = PRIORITY + 0x20;
/// Rounds from one line to the next.
const LINE: u64 = 20;
/// Rounds whose times stand in the region.
const TIMES: u64 = 1024;

/// All contexts write to all pages, each to words of its own.
static PAGE_WORDS: [[AtomicU64; WORDS_IN_PAGE]; PAGES] =
    [const { [const { AtomicU64::new(0) }; WORDS_IN_PAGE] }; PAGES];
/// The rounds of each context.
static ROUNDS: [AtomicU64; MAX_CONTEXTS] = [const { AtomicU64::new(0) }; MAX_CONTEXTS];

/// As a primary counts `rounds` (200) of `period_us` (2000) and ends, on all contexts; beats once in a round, unless
/// `beats=0`. In the first epoch resets itself after the round `fails_at`, however often it goes back: it has that in its
/// memory. As a standby beats only. Checks that it was set back by at most `lost_ms` (0: that is not checked).
pub fn go_back(args: Args<'_>) {
    let ask = if args.number("beats", 1) != 0 { hypercall::heartbeat } else { hypercall::group };
    let Some(mut place) = ask() else {
        return check("it is in a group", false);
    };
    while place.role == Role::Standby {
        pause_us(10_000);
        place = hypercall::heartbeat().unwrap_or(place);
    }
    let period = args.number("period_us", 2000);
    for context in 1..contexts::count() {
        equal(
            "another context starts",
            contexts::start(context, |period| (1..=u64::MAX).for_each(|n| round(n, period)), period),
            0,
        );
    }
    let region = place.region.start;
    let mut epoch = place.epoch;
    println!("checkpoint: begins epoch={epoch}");
    let fails_at = if epoch == 1 { args.number("fails_at", 0) } else { 0 };
    for n in 1..=args.number("rounds", 200) {
        round(n, period);
        if n == fails_at {
            psci::system_reset();
        }
        let now = ask();
        let (reached, at) = (u64::load(region).unwrap_or(0), u64::load(region + 8).unwrap_or(0));
        if let Some(now) = now.filter(|now| now.epoch != epoch) {
            epoch = now.epoch;
            println!("checkpoint: resumes epoch={epoch} n={n} reached={reached}");
            // This round may have been counted before it failed, or been the first that was not.
            check(format_args!("n={n} is not beyond {reached}"), n <= reached + 1);
            let kept = u64::load(region + 16 + 8 * (n % TIMES)).unwrap_or(0);
            let lost_ms = (at.saturating_sub(kept)) * 1000 / timer::frequency();
            let most = args.number("lost_ms", 0);
            check(format_args!("{lost_ms} ms are lost, at most {most}"), most == 0 || lost_ms <= most || n > reached);
        }
        let time = timer::now();
        for (address, value) in [(region, n), (region + 8, time), (region + 16 + 8 * (n % TIMES), time)] {
            check_silently("a store to the region", value.store(address) == Ok(()));
        }
        if n.is_multiple_of(LINE) {
            let others = (1..contexts::count()).map(|context| ROUNDS[context].load(Relaxed)).min();
            println!("checkpoint: n={n} others={}", others.unwrap_or(0));
        }
    }
}

/// One round of this context: what it leaves everywhere is there after an interrupt that it sent itself before, and one
/// of its timer.
fn round(n: u64, period_us: u64) {
    let context = contexts::current();
    if n == 1 {
        enable_vectors();
        interrupts::enable(SGI, SGI_PRIORITY);
        interrupts::enable(Timer::Virtual.interrupt(), PRIORITY);
    }
    let mark = black_box(n << 8 | context as u64);
    let vectors = core::array::from_fn(|index| [mark << 8 | index as u64, !mark]);
    write_vectors(&vectors);
    Timer::Virtual.arm(timer::now() + timer::ticks_from_us(period_us));
    interrupts::send(SGI, Target::One(contexts::mpidr(context).unwrap_or(0)));
    PAGE_WORDS.iter().for_each(|page| page[context].store(mark, Relaxed));
    pause_us(period_us / 2);
    // Both are pending by the end, or the timer comes later; the SGI is there at any rate, once.
    let mut seen = [0; 2].map(|_: u32| {
        let interrupt = interrupts::wait();
        if interrupt == Timer::Virtual.interrupt() {
            Timer::Virtual.disarm();
        }
        interrupts::end(interrupt);
        interrupt
    });
    seen.sort_unstable();
    check_silently("an SGI and the timer", seen == [SGI, Timer::Virtual.interrupt()]);
    check_silently("no other interrupt", interrupts::acknowledge().is_none());
    check_silently("vectors", read_vectors() == vectors);
    check_silently("pages", PAGE_WORDS.iter().all(|page| page[context].load(Relaxed) == mark));
    check_silently("the rounds before", ROUNDS[context].swap(n, Relaxed) == n - 1);
}

fn check_silently(what: &str, passed: bool) {
    if !passed {
        check(what, false);
    }
}

fn pause_us(time: u64) {
    let next = timer::now() + timer::ticks_from_us(time);
    while timer::now() < next {
        rt::arch::relax();
    }
}
