//! `corral ctl`: orders to a machine that runs, and the socket that takes them.

pub mod client;
pub mod order;
pub mod reply;
pub mod server;
pub mod show;
pub mod socket;
#[cfg(test)]
pub mod tests;

use std::time::{Duration, Instant};

use crate::cli::CtlArgs;
use crate::failure::{Code, Failure};
use crate::interrupt;
use crate::machine::LiveRun;
use crate::ui::say;
use crate::workspace::Workspace;
use client::Client;
use reply::{End, Pending, Reply};
use show::Answered;

/// How often a wait looks for Ctrl-C.
const POLL: Duration = Duration::from_millis(50);

/// Gives an order and tells what came of it; the code to exit with.
pub fn command(workspace: &Workspace, args: &CtlArgs) -> Result<Option<Code>, Failure> {
    let run = LiveRun::find(&workspace.runs(), args.run.as_deref())?;
    let dry = if args.dry_run { "dry " } else { "" };
    let order = format!("{dry}{}", args.order);
    let print = |reply: &Reply| {
        if let Some(line) = show::line(reply).filter(|_| !args.json) {
            say(line);
        }
    };
    let answered = give(&mut Client::connect(&run)?, &order, args.timeout.0, print)?;
    if args.json {
        say(show::json(&answered));
    } else {
        show::table(&answered.replies).into_iter().for_each(say);
        if answered.replies.iter().all(|reply| show::line(reply).is_none() && !show::is_row(reply)) {
            say(format_args!("{order}: {}", show::word(answered.end)));
        }
    }
    match answered.end {
        Some(End::Done | End::Would) => Ok(None),
        Some(End::Refused | End::Failed) => {
            eprintln!("{order}: {}", show::word(answered.end));
            Ok(Some(Code::Failed))
        }
        None => Err(late(&order, args.timeout.0, &answered.replies)),
    }
}

/// Gives an order and waits until it is over, at most so long. `heard` gets each answer as it comes.
fn give(client: &mut Client, order: &str, limit: Duration, heard: impl Fn(&Reply)) -> Result<Answered, Failure> {
    let started = Instant::now();
    let mut answered = Answered { order: order.to_owned(), id: None, replies: Vec::new(), end: None };
    let mut pending = Pending::default();
    client.send(order)?;
    while answered.end.is_none() && started.elapsed() < limit {
        interrupt::check()?;
        for reply in client.replies(POLL.min(limit))? {
            heard(&reply);
            match reply.says() {
                Some("sent") => answered.id = Some(reply.id),
                _ => answered.end = answered.end.or(pending.take(&reply)),
            }
            answered.replies.push(reply);
        }
    }
    Ok(answered)
}

/// The order is not over in time.
fn late(order: &str, limit: Duration, replies: &[Reply]) -> Failure {
    let mut pending = Pending::default();
    for reply in replies {
        pending.take(reply);
    }
    let failure = Failure::new(Code::TimedOut, format!("{order}: not over after {} s", limit.as_secs_f64()));
    match pending.progress() {
        (over, Some(all)) => failure
            .why(format!("{over} of {all} cores are over"))
            .remedy("wait longer (--timeout), or take it back by `cargo corral ctl cancel CORES`"),
        (_, None) => failure.why("the kernel did not answer"),
    }
}
