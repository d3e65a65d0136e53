//! Random orders to a machine under QEMU whose guests work, and take CPUs off and on, meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::orders::{self, Given};
use super::report::{Report, Tally};
use super::spec::{Answers, Spec, View};
use crate::build::Verbosity;
use crate::bundle::Substitutes;
use crate::cli::SetupArgs;
use crate::console::live::Place;
use crate::ctl::client::Client;
use crate::ctl::reply::{End, MODULE, Pending, Reply};
use crate::failure::{Code, Failure};
use crate::interrupt;
use crate::machine::{Configuration, LiveRun};
use crate::power::random::Random;
use crate::run::{self, Draft, Guide, Hypervisor, Images, LogLine, Outcome, Plan, Refusal, Workshop};
use crate::scenario::{Scenario, Source};
use crate::summary::Summary;
use crate::ui::Ui;
use crate::workspace::Workspace;

/// The domains whose load lasts as long as the orders.
const LINUX: [&str; 2] = ["linux-a", "linux-b"];
/// The domain whose guest never takes a CPU off or on by itself.
const STEADY: &str = "marks";

/// How long the guests are under load around the orders, and for each core that they move, in seconds, where nothing is
/// said.
const AROUND: u64 = 20;
const PER_MOVE: u64 = 2;

/// How long an order may take: its guests have two seconds at most.
const ORDER_LIMIT: Duration = Duration::from_secs(20);
/// How long Linux may take to boot.
const BOOT_LIMIT: Duration = Duration::from_secs(240);
/// How often a machine is looked at until its numbers fit.
const LOOKS: usize = 100;
/// How often something is waited for.
const POLL: Duration = Duration::from_millis(50);
/// Orders that are shown before a violation.
const HISTORY: usize = 12;

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Cores of the machine.
    pub cores: u32,
    /// Cores that orders are to move.
    pub moves: u64,
    /// Where they are drawn from.
    pub seed: u64,
    /// For how many seconds the guests are under load.
    pub load: u64,
}

/// How long the guests are under load while so many cores move.
pub const fn load_for(moves: u64) -> u64 {
    AROUND + moves.saturating_mul(PER_MOVE)
}

/// What came of it all.
pub struct Ran {
    /// The report.
    pub report: Report,
    /// What was run.
    pub plan: Plan,
    /// What came out.
    pub outcome: Outcome,
}

/// The scenario.
pub fn scenario(wanted: &Wanted) -> String {
    let Wanted { cores, load: seconds, .. } = *wanted;
    let share = (cores / 4).clamp(1, 8);
    let linux = |name: &str, more: &str| {
        format!(
            "[[domain]]\nname = \"{name}\"\nimage = \"debian:linux\"\ninitramfs = \"debian:initramfs-stress\"\n\
             cmdline = \"console=ttyAMA0 quiet maxcpus={share} corral.run=stress corral.hotplug=1 corral.denied=1 \
             corral.seconds={seconds}{more}\"\nmemory = \"256MiB\"\n\
             cores = {{ min = 1, start = {share}, max = {}, deadline = \"2s\" }}\nend = \"off\"\n\n\
             [[assert]]\ndomain = \"{name}\"\nconsole = \"corral-stress: ok complaints=0\"\n\n\
             [[assert]]\ndomain = \"{name}\"\nabsent = \"WARNING\"\n\n\
             [[assert]]\ndomain = \"{name}\"\nabsent = \"BUG\"\n\n\
             [[assert]]\ndomain = \"{name}\"\nabsent = \"stall\"\n\n",
            2 * share
        )
    };
    // Longer than the orders, so that each guest sees all of them.
    let ticks = 20 * (seconds + AROUND);
    let native = |name: &str, act: &str, start: u32| {
        format!(
            "[[domain]]\nname = \"{name}\"\nimage = \"guest:rogue\"\nboard = \"none\"\n\
             cmdline = \"{act} period_us=50000 ticks={ticks}\"\nmemory = \"8MiB\"\n\
             cores = {{ min = 1, start = {start}, max = {} }}\nend = \"exit\"\n\n\
             [[assert]]\ndomain = \"{name}\"\nconsole = \"comes to its end ok\"\n\n\
             [[assert]]\ndomain = \"{name}\"\nmetric = \"failed\"\nequals = 0\n\n",
            share + 1
        )
    };
    format!(
        "[machine]\ncores = {cores}\nmemory = \"1GiB\"\ntime-limit = \"{}s\"\n\n[power]\nbreak-even = \"20ms\"\n\n\
         {}{}{}{}",
        BOOT_LIMIT.as_secs() + 2 * seconds,
        linux("linux-a", ""),
        linux("linux-b", " corral.agent=off"),
        native(STEADY, "act=deaf work=mark", share),
        native("timers", "act=timers", share.max(2) - 1),
    )
}

/// Checks, fetches and builds what a run needs.
pub fn plan(workspace: &Workspace, setup: &SetupArgs, ui: Ui, wanted: &Wanted) -> Result<Plan, Failure> {
    let source = Source::of_text(&scenario(wanted));
    let scenario = Scenario::parse(&source)?;
    let draft = Draft::new(workspace, &source, &scenario, &Substitutes::default(), Refusal::ByHost)?;
    let workshop = Workshop { workspace, setup, ui, verbosity: Verbosity::Progress };
    let images = Images::make(&workshop, &[&draft], Hypervisor::Built)?;
    Ok(Plan {
        configuration: Configuration::of(&scenario.machine),
        qemu: images.qemu().clone(),
        kernel: images.kernel().to_vec(),
        archive: images.archive(&draft)?,
        runs: workspace.runs(),
        name: "stress-hotplug".to_owned(),
        limit: Some(scenario.machine.time_limit.0),
        attach: None,
        view: Place::Nowhere,
        verbose: false,
        scenario,
    })
}

/// Runs a machine and gives orders until enough cores have moved; `progress` hears what is going on, and how far it is.
pub fn run(plan: Plan, wanted: &Wanted, progress: impl Fn(&str, u64)) -> Result<Ran, Failure> {
    let (begun, told) = mpsc::channel();
    let over = Arc::new(AtomicBool::new(false));
    let guide = Guide { begun, over: Arc::clone(&over) };
    let mut driver = Driver::new(&plan, wanted);
    let (outcome, driven) = thread::scope(|scope| {
        // QEMU dies with the thread that started it: this one waits for it.
        let running = scope.spawn(|| run::run_guided(&plan, guide));
        let driven = driver.drive(&told, &progress);
        if driven.is_err() {
            over.store(true, Ordering::Relaxed);
        }
        (running.join(), driven)
    });
    let outcome = outcome.map_err(|_| Failure::new(Code::Failed, "the run panicked"))??;
    let Driver { mut tally, history, .. } = driver;
    let summary = Summary::new(&plan, &outcome);
    let complaint = match driven {
        Ok(()) => answers(&outcome).err(),
        Err(Stopped::Violated(what)) => Some(what),
        // The run's own end says why.
        Err(Stopped::Ended) => None,
    };
    tally.order_latency();
    let report = Report::new(*wanted, tally, complaint, history, summary);
    Ok(Ran { report, plan, outcome })
}

/// Reads the kernel's log: each order is answered as it should be.
fn answers(outcome: &Outcome) -> Result<(), String> {
    let (_, log) = outcome.logs.first().ok_or("there is no log")?;
    let text = fs::read(log.path()).map_err(|error| error.to_string())?;
    let mut answers = Answers::default();
    for line in String::from_utf8_lossy(&text).lines() {
        let line = LogLine::parse(line).filter(|line| line.module == MODULE);
        if let Some(reply) = line.and_then(|line| Reply::parse(line.text)) {
            answers.take(&reply)?;
        }
    }
    answers.left()
}

/// Why no more orders are given.
enum Stopped {
    /// Something was not as it should be.
    Violated(String),
    /// The machine has ended, or never began.
    Ended,
}

impl From<String> for Stopped {
    fn from(what: String) -> Self {
        Self::Violated(what)
    }
}

/// The client has nobody to talk to.
impl From<Failure> for Stopped {
    fn from(_: Failure) -> Self {
        Self::Ended
    }
}

/// An order and what came of it so far.
struct Open {
    given: Given,
    since: Instant,
    id: Option<u16>,
    pending: Pending,
    replies: Vec<Reply>,
    end: Option<End>,
    took: Duration,
}

impl Open {
    fn new(given: Given) -> Self {
        let (pending, replies) = (Pending::default(), Vec::new());
        Self { given, since: Instant::now(), id: None, pending, replies, end: None, took: Duration::ZERO }
    }

    fn take(&mut self, reply: Reply) {
        if let Some(end) = self.pending.take(&reply) {
            self.end = Some(end);
            self.took = self.since.elapsed();
        }
        self.replies.push(reply);
    }

    /// In a line: what was ordered, and how it ended.
    fn line(&self) -> String {
        let told = |reply: &&Reply| matches!(reply.says(), Some("refused" | "done" | "failed"));
        let word = |reply: &Reply| {
            let words = reply.line.split('(').next().unwrap_or_default();
            words.trim().to_owned()
        };
        let ends: Vec<String> = self.replies.iter().filter(told).map(word).collect();
        format!("#{} {}: {}", self.id.unwrap_or(0), self.given.text, ends.join("; "))
    }
}

struct Driver {
    wanted: Wanted,
    random: Random,
    spec: Spec,
    tally: Tally,
    history: Vec<String>,
}

impl Driver {
    fn new(plan: &Plan, wanted: &Wanted) -> Self {
        let names = plan.scenario.domains.iter().map(|domain| domain.name.clone()).collect();
        Self {
            wanted: *wanted,
            random: Random::new(wanted.seed),
            spec: Spec::new(plan.configuration.machine.cores as usize, names, vec![STEADY.to_owned()]),
            tally: Tally::default(),
            history: Vec::new(),
        }
    }

    fn drive(&mut self, told: &Receiver<LiveRun>, progress: &impl Fn(&str, u64)) -> Result<(), Stopped> {
        let run = told.recv().map_err(|_| Stopped::Ended)?;
        progress("booting", 0);
        self.boot(&run)?;
        let end = Instant::now() + Duration::from_secs(self.wanted.load);
        let mut client = Client::connect(&run)?;
        let given = self.give_all(&mut client, end, progress);
        if let Err(Stopped::Violated(_)) = given {
            // For the log: how everything stands.
            let _ = self.view(&mut client);
        }
        given
    }

    fn give_all(&mut self, client: &mut Client, end: Instant, progress: &impl Fn(&str, u64)) -> Result<(), Stopped> {
        self.look(client)?;
        while self.tally.moves() < self.wanted.moves {
            if Instant::now() > end {
                let moves = self.tally.moves();
                return Err(Stopped::Violated(format!("only {moves} cores had moved as the guests' load was over")));
            }
            let first = orders::draw(&mut self.random, &self.spec.view);
            let mut both = vec![first];
            if self.random.range(0, 3) == 0 {
                both.push(self.second(&both[0]));
            }
            self.give(client, both)?;
            self.look(client)?;
            progress("orders", self.tally.moves());
        }
        progress("waiting for the guests' ends", self.tally.moves());
        Ok(())
    }

    /// Waits until both Linux work.
    fn boot(&self, run: &LiveRun) -> Result<(), Stopped> {
        let started = Instant::now();
        let works = |path: &Path| fs::read(path).is_ok_and(|log| contains(&log, b"corral-stress: started"));
        for name in LINUX {
            while !works(&run.path.join(format!("{name}.log"))) {
                if interrupt::requested() || !run.is_live() {
                    return Err(Stopped::Ended);
                }
                if started.elapsed() > BOOT_LIMIT {
                    return Err(Stopped::Violated(format!("{name} did not boot in {} s", BOOT_LIMIT.as_secs())));
                }
                thread::sleep(POLL);
            }
        }
        Ok(())
    }

    /// An order to be given while another one is under way.
    fn second(&mut self, first: &Given) -> Given {
        if !first.cores.is_empty() && self.random.range(0, 9) < 4 {
            return Given::cancel(&first.cores);
        }
        orders::draw(&mut self.random, &self.spec.view)
    }

    /// Gives orders, each soon after the one before, and waits until all are over.
    fn give(&mut self, client: &mut Client, given: Vec<Given>) -> Result<(), Stopped> {
        let mut open: Vec<Open> = Vec::new();
        for given in given {
            if !open.is_empty() {
                let pause = Duration::from_millis(u64::from(self.random.range(0, 300)));
                self.hear(client, &mut open, pause, false)?;
            }
            client.send(&given.text)?;
            open.push(Open::new(given));
        }
        self.hear(client, &mut open, ORDER_LIMIT, true)?;
        for open in &open {
            self.history.push(open.line());
            if self.history.len() > HISTORY {
                self.history.remove(0);
            }
        }
        if let Some(late) = open.iter().find(|open| open.end.is_none()) {
            let seconds = ORDER_LIMIT.as_secs();
            return Err(Stopped::Violated(format!("`{}` was not over after {seconds} s", late.given.text)));
        }
        let cancelled = open.iter().any(|open| open.given.kind == "cancel" && open.end == Some(End::Done));
        for open in &open {
            self.tally.add(&open.given, &open.replies, open.took);
            self.spec.ended(&open.given, &open.replies, cancelled)?;
        }
        if let [alone] = open.as_slice()
            && alone.end == Some(End::Done)
        {
            self.spec.done_alone(&alone.given);
        }
        Ok(())
    }

    /// Takes answers for a while, or until all orders are over.
    fn hear(&self, client: &mut Client, open: &mut [Open], limit: Duration, to_end: bool) -> Result<(), Stopped> {
        let until = Instant::now() + limit;
        while !to_end || open.iter().any(|open| open.end.is_none()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if interrupt::requested() {
                return Err(Stopped::Ended);
            }
            for reply in client.replies(left.min(POLL))? {
                // Orders get their numbers in the order in which they were sent.
                let new = reply.says() == Some("sent");
                let its = |open: &&mut Open| if new { open.id.is_none() } else { open.id == Some(reply.id) };
                match open.iter_mut().find(its) {
                    Some(open) if new => open.id = Some(reply.id),
                    Some(open) => open.take(reply),
                    None => {
                        return Err(Stopped::Violated(format!(
                            "`{}` answers order {}, which is over",
                            reply.line, reply.id
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks for cores and domains, until all numbers fit.
    fn look(&mut self, client: &mut Client) -> Result<(), Stopped> {
        let mut misfit = String::new();
        for _ in 0..LOOKS {
            let view = self.view(client)?;
            self.spec.allows(&view)?;
            match self.spec.adds_up(&view) {
                Ok(()) => {
                    self.spec.accept(view);
                    return Ok(());
                }
                Err(why) => misfit = why,
            }
            thread::sleep(POLL);
        }
        Err(Stopped::Violated(format!("after {LOOKS} looks {misfit}")))
    }

    fn view(&self, client: &mut Client) -> Result<View, Stopped> {
        let query = |kind| Given { kind, text: kind.to_owned(), ..Given::cancel(&[]) };
        let mut open = Vec::new();
        for query in [query("cores"), query("domains")] {
            client.send(&query.text)?;
            open.push(Open::new(query));
        }
        self.hear(client, &mut open, ORDER_LIMIT, true)?;
        if open.iter().any(|open| open.end != Some(End::Done)) {
            return Err(Stopped::Violated("`cores` and `domains` are not answered".to_owned()));
        }
        Ok(View::parse(open.iter().flat_map(|open| &open.replies))?)
    }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

/// Counts by name.
pub type Counts = BTreeMap<String, u64>;
