//! The domains of `corral bench failover`: members of a group that serve with as little as that takes, and fail. Primaries
//! spin with interrupts masked, and standbys sleep but for their heartbeats, which come when nothing is counted.

use super::bench::{WINDOW, long_turn, turns};
use super::checks::check;
use rt::arch::{Width, mark, mark_anew, wait_for_interrupt};
use rt::hypercall::{self, CORE_REQUEST_SGI, Membership, Role, console_write};
use rt::interrupts::{self, PRIORITY};
use rt::psci::SUCCESS;
use rt::region::Region;
use rt::replicated_log::{Error, Log};
use rt::timer::{self, Timer};
use rt::{Args, contexts, println};

const TIMER: Timer = Timer::Virtual;
/// Where no board has anything: the 64th GiB.
const NOWHERE: u64 = 0x10_0000_0000;
/// Heartbeats of a standby in the time in which there has to be one: at multiples of this part of it.
const BEATS_IN_DEADLINE: u64 = 2;
/// When the primary beats, in percent of the time between two heartbeats of the standby, which may have to wait for its
/// turn; and when it fails otherwise.
const BEAT: u64 = 70;
const FAILURE: u64 = 85;
/// Heartbeats of a primary before it fails: the next standby is ready by then.
const BEATS: u32 = 6;
/// How long before its deadline a primary that beats no more marks that: some long turns of all others.
const MARGIN_US: u64 = 400;

/// Serves with `on` contexts (1), and is replaced: after a store to nowhere, a reset, and silence, and by an order that it
/// asks its console for, in turn. What is promoted makes a record and writes a byte to its console. Three marks each time:
/// before the failure, after the byte, and when all has come to rest. Ends after `rounds` (28) takeovers.
pub fn serve(args: Args<'_>) {
    let Some(mut place) = hypercall::heartbeat() else {
        return check("it is in a group", false);
    };
    let promoted = place.role == Role::Standby;
    if promoted {
        place = stand_by(&place);
    }
    if let Err(error) = take_turn(args, &place, promoted) {
        check(format_args!("the log can be written, not {error:?}"), false);
    }
}

fn take_turn(args: Args<'_>, place: &Membership, promoted: bool) -> Result<(), Error> {
    let region = Region(place.region.clone());
    let mut log = match Log::open(region.clone()) {
        Err(Error::Absent) => Log::create(region)?,
        log => log?,
    };
    if promoted {
        let last = log.read(log.committed()?.sequence)?;
        commit(&mut log, place)?;
        console_write(b"!");
        mark();
        let gap = last.payload().try_into().map_or(0, |bytes| timer::now() - u64::from_le_bytes(bytes));
        turns(WINDOW);
        mark();
        println!("service: epoch={} without-us={}", place.epoch, timer::ns_from_ticks(gap) / 1000);
        hypercall::heartbeat();
    }
    for context in 1..args.number("on", 1) as usize {
        let answer = contexts::start(context, |_| rest(), 0);
        check(format_args!("context {context} starts"), answer == SUCCESS);
    }
    for _ in 0..BEATS {
        pass_to(place, BEAT);
        hypercall::heartbeat();
    }
    if u64::from(place.epoch) > args.number("rounds", 28) {
        check("every failure was survived", true);
        return Ok(());
    }
    match place.epoch % 4 {
        1 => {
            pass_to(place, FAILURE);
            commit(&mut log, place)?;
            mark();
            let _ = 0u64.store(NOWHERE);
        }
        2 => {
            pass_to(place, FAILURE);
            commit(&mut log, place)?;
            mark();
            rt::psci::system_reset();
        }
        3 => {
            pass_to(place, BEAT);
            commit(&mut log, place)?;
            let end = timer::now() + timer::ticks_from_us(place.deadline_ms * 1000 - MARGIN_US);
            hypercall::heartbeat();
            pass_until(end);
            mark();
            rest();
        }
        _ => {
            println!("service: epoch={} is to be replaced", place.epoch);
            mark();
            loop {
                let end = next_time(place, BEAT);
                while timer::now() < end {
                    commit(&mut log, place)?;
                    mark_anew();
                    long_turn();
                }
                hypercall::heartbeat();
            }
        }
    }
    check("it is replaced", false);
    Ok(())
}

/// Sleeps until it is promoted.
fn stand_by(place: &Membership) -> Membership {
    interrupts::enable(TIMER.interrupt(), PRIORITY);
    interrupts::enable(CORE_REQUEST_SGI, PRIORITY);
    loop {
        TIMER.arm((timer::now() / period(place) + 1) * period(place));
        let interrupt = interrupts::wait();
        TIMER.disarm();
        interrupts::end(interrupt);
        if interrupt != CORE_REQUEST_SGI {
            hypercall::heartbeat();
        } else if let Some(place) = hypercall::group()
            && place.role == Role::Promoted
        {
            return place;
        }
    }
}

fn commit(log: &mut Log<Region>, place: &Membership) -> Result<(), Error> {
    log.append(place.epoch, &timer::now().to_le_bytes())?;
    log.commit(place.epoch).map(|_| ())
}

fn period(place: &Membership) -> u64 {
    timer::ticks_from_us(place.deadline_ms * 1000) / BEATS_IN_DEADLINE
}

fn pass_to(place: &Membership, percent: u64) {
    pass_until(next_time(place, percent));
}

/// The next time that is so many percent of a period.
fn next_time(place: &Membership, percent: u64) -> u64 {
    let (now, period) = (timer::now(), period(place));
    let next = now / period * period + period * percent / 100;
    if next > now { next } else { next + period }
}

fn pass_until(end: u64) {
    while timer::now() < end {
        long_turn();
    }
}

fn rest() {
    loop {
        long_turn();
    }
}

/// A domain outside the group. It sleeps, as QEMU's cores take turns: a busy one would take time of all others'.
pub fn outside(_: Args<'_>) {
    loop {
        wait_for_interrupt();
    }
}
