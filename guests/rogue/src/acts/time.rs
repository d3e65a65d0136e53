//! The timers as a guest's operating system needs them.

use super::checks::check;
use rt::arch::{
    cntp_tval_el0, cntpct_el0, cntv_ctl_el0, cntv_tval_el0, cntvct_el0, mask_interrupts, unmask_interrupts,
};
use rt::interrupts::{self, PRIORITY};
use rt::timer::{self, Timer};
use rt::{Args, contexts, println};

const BOTH: [Timer; 2] = [Timer::Virtual, Timer::Physical];
const DELAY_US: u64 = 2000;
const TIMEOUT_US: u64 = 2_000_000;
const FAR: u64 = u64::MAX >> 1;

/// All checks of this act.
pub fn timers(_: Args<'_>) {
    println!("rogue: counter_hz={}", timer::frequency());
    check("the counter has a frequency", timer::frequency() >= 1_000_000);
    check("CNTVCT never goes back", is_monotonic(cntvct_el0::read));
    check("CNTPCT never goes back", is_monotonic(cntpct_el0::read));
    BOTH.iter().for_each(|timer| interrupts::enable(timer.interrupt(), PRIORITY));
    for timer in BOTH {
        check(format_args!("{timer:?} fires"), fires(timer, DELAY_US));
        check(format_args!("{timer:?} in the past fires"), fires(timer, 0));
        check(format_args!("{timer:?} by its timer value fires"), fires_by_value(timer));
        check(format_args!("{timer:?} is taken through the vector"), is_taken(timer));
        check(format_args!("{timer:?} is a level"), is_level(timer));
    }
    check("both fire at once", fire_together());
    check("a masked timer stays silent", masked_is_silent());
    check("500 short sleeps end", (0..500).all(|n| fires(Timer::Virtual, n % 50)));
}

fn is_monotonic(counter: impl Fn() -> u64) -> bool {
    let mut last = counter();
    (0..10_000).all(|_| {
        let now = counter();
        let went_on = now >= last;
        last = now;
        went_on
    })
}

fn counter(timer: Timer) -> u64 {
    match timer {
        Timer::Virtual => timer::now(),
        Timer::Physical => cntpct_el0::read(),
    }
}

fn arm_in(timer: Timer, delay_us: u64) {
    timer.arm(counter(timer) + timer::ticks_from_us(delay_us));
}

/// Sleeps until this timer's interrupt comes; the other timer ends a sleep that is too long.
fn sleep(timer: Timer) -> bool {
    let watchdog = match timer {
        Timer::Virtual => Timer::Physical,
        Timer::Physical => Timer::Virtual,
    };
    arm_in(watchdog, TIMEOUT_US);
    let interrupt = interrupts::wait();
    BOTH.iter().for_each(|timer| timer.disarm());
    interrupts::end(interrupt);
    interrupt == timer.interrupt()
}

fn is_silent() -> bool {
    interrupts::acknowledge().is_none()
}

/// It wakes a sleeping context, not a tick too early, and leaves nothing behind.
pub fn fires(timer: Timer, delay_us: u64) -> bool {
    let deadline = counter(timer) + timer::ticks_from_us(delay_us);
    timer.arm(deadline);
    sleep(timer) && counter(timer) >= deadline && is_silent()
}

fn fires_by_value(timer: Timer) -> bool {
    let delay = timer::ticks_from_us(DELAY_US);
    let start = counter(timer);
    timer.arm(FAR);
    match timer {
        Timer::Virtual => cntv_tval_el0::write(delay),
        Timer::Physical => cntp_tval_el0::write(delay),
    }
    sleep(timer) && counter(timer) - start >= delay
}

fn is_taken(timer: Timer) -> bool {
    let before = interrupts::taken(timer.interrupt());
    unmask_interrupts();
    arm_in(timer, DELAY_US);
    let taken = contexts::wait_until(TIMEOUT_US / 1000, || interrupts::taken(timer.interrupt()) == before + 1);
    mask_interrupts();
    timer.disarm();
    taken
}

/// Ended while its condition still holds, it comes again at once; else not.
fn is_level(timer: Timer) -> bool {
    timer.arm(counter(timer));
    let first = interrupts::wait();
    interrupts::end(first);
    first == timer.interrupt() && sleep(timer) && is_silent()
}

fn fire_together() -> bool {
    BOTH.iter().for_each(|&timer| arm_in(timer, DELAY_US));
    let mut seen = [0; 2];
    for interrupt in &mut seen {
        *interrupt = interrupts::wait();
        let fired = BOTH.iter().filter(|timer| timer.interrupt() == *interrupt);
        fired.for_each(|timer| timer.disarm());
        interrupts::end(*interrupt);
    }
    seen.sort_unstable();
    seen == BOTH.map(Timer::interrupt)
}

fn masked_is_silent() -> bool {
    const ENABLED_AND_MASKED: u64 = 3;
    Timer::Virtual.arm(FAR);
    cntv_ctl_el0::write(ENABLED_AND_MASKED);
    cntv_tval_el0::write(0);
    let silent = fires(Timer::Physical, DELAY_US);
    Timer::Virtual.disarm();
    silent && is_silent()
}
