//! A domain whose cores come and go: its first context serves the requests, all others work.
//!
//! Boot arguments: `until=ON/OWNED[,ON/OWNED…]`, how many contexts are to be on and cores to be there, one after the
//! other; each goal is reached once all contexts that are on have gone on since, and `settle` (0) periods have passed,
//! so that other domains have seen it too. The domain ends with the last one,
//! and fails if there is one left after `ticks` (6000) of `period_us` (10,000). Without goals it ends then; with
//! `then=off`, by SYSTEM_OFF, as things are.

use super::checks::check;
use super::clean;
use super::work::{self, Work, Worker, period};
use core::str::Split;
use rt::arch::{relax, wait_for_interrupt};
use rt::hypercall::{self, CORE_REQUEST_SGI, Cores, Reluctance, Request, core_answer};
use rt::interrupts::{self, PRIORITY};
use rt::timer::{self, Timer};
use rt::{Args, MAX_CONTEXTS, contexts, println, psci};

const TIMER: Timer = Timer::Virtual;
/// For a context to go off after it was dismissed, or to go on.
const PATIENCE_MS: u64 = 20_000;

/// How the domain answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Does what it is asked.
    Obedient,
    /// Refuses to give cores.
    Refusing,
    /// Says two times that it is busy, then obeys.
    BusyTwice,
    /// Resets itself when it is asked for a core.
    Resetting,
    /// Takes the request for a core and never comes back.
    Hanging,
    /// Ends when it is given a core.
    Stopping,
    /// Never asks what is wanted of it, and has all interrupts masked.
    Deaf,
}

struct Agent {
    name: &'static str,
    manner: Manner,
    work: Work,
    start: u64,
    next_tick: u64,
    busy_answers: u32,
    seen: Cores,
    goals: Goals,
}

/// Serves the requests until the domain's goals are reached.
pub fn run(args: Args<'static>, manner: Manner) {
    let start = timer::now();
    let work = Work::of(args);
    let name = args.get("act").unwrap_or_default();
    let goals = Goals::new(args);
    let mut agent =
        Agent { name, manner, work, start, next_tick: start, busy_answers: 0, seen: Cores::default(), goals };
    for context in 1..contexts::count() {
        work.start(context);
    }
    if manner != Manner::Deaf {
        interrupts::enable(TIMER.interrupt(), PRIORITY);
        interrupts::enable(CORE_REQUEST_SGI, PRIORITY);
    }
    let end = start + period() * args.number("ticks", 6000);
    while timer::now() < end && !agent.goals.are_reached() {
        agent.wait();
        agent.answer();
        agent.look();
    }
    match agent.goals.current {
        Some((on, owned)) => check(format_args!("contexts={on} cores={owned} is reached"), false),
        None => check(format_args!("{name} comes to its end"), true),
    }
    if args.get("then") == Some("off") {
        psci::system_off();
    }
    if work == Work::Mark {
        clean::finish();
    }
    work::conclude(work);
}

impl Agent {
    /// Until the next tick, or a request.
    fn wait(&mut self) {
        let now = timer::now();
        if now >= self.next_tick {
            self.next_tick = now + period();
            if self.work == Work::Sleep {
                work::do_duty(self.start, now);
            }
        }
        if self.manner == Manner::Deaf {
            while timer::now() < self.next_tick {
                relax();
            }
            return;
        }
        TIMER.arm(self.next_tick);
        loop {
            if let Some(interrupt) = interrupts::acknowledge() {
                TIMER.disarm();
                interrupts::end(interrupt);
                return;
            }
            match self.work {
                Work::Sleep => {
                    psci::suspend();
                }
                _ => wait_for_interrupt(),
            }
        }
    }

    fn answer(&mut self) {
        if self.manner == Manner::Deaf {
            return;
        }
        while let Some(request) = hypercall::core_request() {
            println!("{}: asked {request:?}", self.name);
            match request {
                Request::Offline(context) => self.offline(context),
                Request::Online(context) => self.online(context),
            }
        }
    }

    fn offline(&mut self, context: usize) {
        match self.manner {
            // Nobody else serves requests.
            _ if context == 0 => self.decline(context, Reluctance::Refused),
            Manner::Refusing => self.decline(context, Reluctance::Refused),
            Manner::BusyTwice if self.busy_answers < 2 => {
                self.busy_answers += 1;
                self.decline(context, Reluctance::Busy);
            }
            Manner::Resetting => {
                psci::system_reset();
            }
            Manner::Hanging => loop {
                relax();
            },
            _ => Worker::of(context).dismiss(),
        }
    }

    fn decline(&self, context: usize, why: Reluctance) {
        let answer = core_answer(context, why);
        if answer != psci::SUCCESS {
            check(format_args!("{}: {why:?} for {context} is taken, not {answer}", self.name), false);
        }
    }

    fn online(&self, context: usize) {
        if self.manner == Manner::Stopping {
            check("a core is given", true);
            rt::exit(super::checks::conclude());
        }
        let mpidr = contexts::mpidr(context).unwrap_or(u64::MAX);
        // One that was dismissed may still be on its way.
        let is_off = contexts::wait_until(PATIENCE_MS, || psci::affinity_info(mpidr) != psci::ON);
        let answer = self.work.start(context);
        if answer != psci::SUCCESS {
            println!("{}: online {context} answer={answer} was_off={is_off}", self.name);
        }
    }

    /// Says what changed, and looks for the goal.
    fn look(&mut self) {
        let now = hypercall::cores();
        if now != self.seen {
            let Cores { owned, granted, contexts_on } = now;
            println!("{}: contexts={contexts_on} cores={owned} granted={granted}", self.name);
            self.seen = now;
        }
        self.goals.look(now);
    }
}

/// What is to come, and how far it is.
struct Goals {
    rest: Split<'static, char>,
    reached: usize,
    current: Option<(u64, u64)>,
    /// Where all contexts were when the numbers were right, and when that was.
    since: Option<([u64; MAX_CONTEXTS], u64)>,
    settle: u64,
    has_any: bool,
}

impl Goals {
    fn new(args: Args<'static>) -> Self {
        let text = args.get("until").unwrap_or_default();
        let mut goals = Self {
            rest: text.split(','),
            reached: 0,
            current: None,
            since: None,
            settle: args.number("settle", 0) * period(),
            has_any: !text.is_empty(),
        };
        if goals.has_any {
            goals.go_on();
        }
        goals
    }

    fn go_on(&mut self) {
        let parse = |goal: &str| {
            let (on, owned) = goal.split_once('/')?;
            Some((on.parse().ok()?, owned.parse().ok()?))
        };
        let next = self.rest.next();
        self.current = next.and_then(parse);
        assert_eq!(next.is_some(), self.current.is_some(), "until={next:?} is not ON/OWNED");
        self.since = None;
    }

    fn are_reached(&self) -> bool {
        self.has_any && self.current.is_none()
    }

    fn look(&mut self, now: Cores) {
        let Some((on, owned)) = self.current else { return };
        if let Some((since, began)) = &self.since {
            let stands = |&context: &usize| {
                let worker = Worker::of(context);
                worker.is_on() && worker.done() == since[context]
            };
            let standing = (1..contexts::count()).find(stands);
            let waited = timer::now() - began;
            if standing.is_none() && waited >= self.settle || waited > timer::ticks_from_us(PATIENCE_MS * 1000) {
                self.reached += 1;
                check(format_args!("goal={} contexts={on} cores={owned}", self.reached), true);
                if let Some(context) = standing {
                    check(format_args!("context {context} goes on"), false);
                }
                self.go_on();
            }
        } else if now.contexts_on == on && now.owned == owned {
            let since = core::array::from_fn(|context| Worker::of(context).done());
            self.since = Some((since, timer::now()));
        }
    }
}
