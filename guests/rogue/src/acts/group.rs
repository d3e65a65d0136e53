//! Members of a group that check what they are told, or do what they may not; and a domain that is in none.

use super::checks::{check, equal};
use domains::protocol::hypercall::{GROUP, HEARTBEAT};
use rt::arch::{Conduit, Width, call, call_wide};
use rt::hypercall::{self, Membership, Role};
use rt::psci::error;
use rt::region::Region;
use rt::replicated_log::{Error, Log};
use rt::timer;
use rt::{Args, contexts, println};

/// Heartbeats in the time in which there has to be one.
const BEATS_IN_DEADLINE: u64 = 4;

/// What the calls answer to a domain that is in no group.
pub fn outside(_: Args<'_>) {
    for function in [GROUP, HEARTBEAT] {
        let answer = call(Conduit::Hvc, [u64::from(function), u64::MAX, u64::MAX, u64::MAX, 0, 0, 0, 0]);
        let answer = answer.map(|[x0, ..]| x0 as i64);
        equal(format_args!("{function:#x} in no group"), answer, Ok(i64::from(error::NOT_SUPPORTED)));
    }
}

/// Beats for `ms` (1000) milliseconds as a primary, for ever as a standby: from any context, and by SMC too.
pub fn member(args: Args<'_>) {
    // A primary that has not beaten is another one.
    let Some(mut place) = hypercall::heartbeat() else {
        return check("it is in a group", false);
    };
    println!("member: context={} place={place:?}", contexts::current());
    for function in [GROUP, HEARTBEAT] {
        // As 32-bit calls they do not exist.
        let answer = call(Conduit::Hvc, [u64::from(function & !(1 << 30)), 0, 0, 0, 0, 0, 0, 0]);
        equal(format_args!("{function:#x} as a 32-bit call"), answer.map(|[x0, ..]| x0), Ok(u64::MAX));
        let answer = call_wide(Conduit::Smc, [u64::from(function), u64::MAX, u64::MAX, u64::MAX, 0, 0, 0, 0]);
        let Membership { role, epoch, ref region, deadline_ms } = place;
        let expected = [0, role as u64, epoch.into(), region.start, region.end - region.start, deadline_ms];
        equal(
            format_args!("{function:#x} by SMC"),
            answer.map(|[x0, x1, x2, x3, x4, x5, ..]| [x0, x1, x2, x3, x4, x5]),
            Ok(expected),
        );
    }
    let end = timer::now() + timer::ticks_from_us(args.number("ms", 1000) * 1000);
    while place.role == Role::Standby || timer::now() < end {
        pause(&place);
        let now = hypercall::heartbeat();
        // The primary may begin a new epoch by going back to a checkpoint.
        if let (Role::Standby, Some(now)) = (place.role, &now) {
            place.epoch = now.epoch;
        }
        equal("the place", now.as_ref(), Some(&place));
    }
}

/// Stores to the region as a standby, which may only read it.
pub fn standby_writes(_: Args<'_>) {
    let Some(place) = hypercall::heartbeat() else {
        return check("it is in a group", false);
    };
    equal("the role", place.role, Role::Standby);
    let address = place.region.end - 8;
    equal("a word that nobody wrote", u64::load(address), Ok(0));
    println!("rogue: address={address:#x}");
    let stored = 0x2bad_c0de_u64.store(address);
    check(format_args!("the store stopped the domain, not {stored:?}"), false);
}

/// Counts in the log as fast as it can and says nothing of it, as a primary, so that it is in the middle of a record
/// when it is replaced. After `records` (0: never) it looks at the log and ends. Beats as it should, and as a standby
/// does nothing else.
pub fn writer(args: Args<'_>) {
    let Some(mut place) = hypercall::heartbeat() else {
        return check("it is in a group", false);
    };
    while place.role == Role::Standby {
        pause(&place);
        place = hypercall::heartbeat().unwrap_or(place);
    }
    match write(&place, args.number("records", 0)) {
        Ok((last, found)) => equal("the last record, by count and by the log", found, last),
        Err(error) => check(format_args!("the log is its primary's, not {error:?}"), false),
    }
}

/// Answers the last number that it wrote, and the one that the log says at last.
fn write(place: &Membership, records: u64) -> Result<(u64, u64), Error> {
    let region = Region(place.region.clone());
    let mut log = match Log::open(region.clone()) {
        Err(Error::Absent) => Log::create(region)?,
        log => log?,
    };
    let mut last = log.committed()?.sequence;
    println!("writer: resumes epoch={} after={last}", place.epoch);
    let end = last + records;
    let mut next_beat = timer::now();
    while records == 0 || last < end {
        let sequence = log.append(place.epoch, &sequence_after(last))?;
        log.commit(place.epoch)?;
        if sequence != last + 1 {
            return Ok((last, sequence));
        }
        last = sequence;
        if timer::now() >= next_beat {
            hypercall::heartbeat();
            next_beat = timer::now() + beat_period(place);
        }
    }
    let committed = log.catch_up(log.first_kept()?, |_| ())?;
    Ok((last, committed.sequence))
}

fn sequence_after(last: u64) -> [u8; 8] {
    (last + 1).to_le_bytes()
}

fn beat_period(place: &Membership) -> u64 {
    timer::ticks_from_us(place.deadline_ms * 1000 / BEATS_IN_DEADLINE)
}

fn pause(place: &Membership) {
    let next = timer::now() + beat_period(place);
    while timer::now() < next {
        rt::arch::relax();
    }
}
