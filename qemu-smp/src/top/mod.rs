//! `corral top`: a machine that runs, as it runs. The cores' states come out of the trace in the machine's memory
//! file, which is only read; grants, and orders, go by the control socket.

mod app;
mod model;
#[cfg(test)]
mod tests;
mod view;

use std::io::{IsTerminal, stdin, stdout};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyEventKind};
use ratatui::DefaultTerminal;

use crate::cli::TopArgs;
use crate::ctl::client::Client;
use crate::failure::{Code, Failure};
use crate::interrupt;
use crate::machine::LiveRun;
use crate::trace::Collector;
use crate::workspace::Workspace;
use app::{App, Purpose};
use view::Paint;

/// How often the kernel is asked again for what the trace does not tell, at most.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// How often the trace's rings are emptied.
const EMPTYING: Duration = Duration::from_millis(50);

/// The shortest time between two looks.
const SHORTEST_PERIOD: Duration = Duration::from_millis(20);

/// Shows a run until the user leaves.
pub fn command(workspace: &Workspace, args: &TopArgs) -> Result<(), Failure> {
    if !stdin().is_terminal() || !stdout().is_terminal() {
        return Err(Failure::new(Code::Usage, "top needs a terminal")
            .why("standard input or output is something else")
            .remedy("use `cargo corral ctl --json cores` in scripts"));
    }
    let run = LiveRun::find(&workspace.runs(), args.run.as_deref())?;
    let about = run.about()?;
    let ram = run.ram()?;
    let bytes = ram.metadata().map_err(|error| Failure::file("cannot read", &run.path, &error))?.len();
    let client = if args.read_only { None } else { Some(Client::connect(&run)?) };
    let title = format!("{}: {}", run.name, about.machine);
    let mut top = Top {
        app: App::new(title, &about.domains, client.is_some()),
        collector: Collector::new(ram, bytes),
        client,
        run,
        asked: None,
        lost_before: None,
        // The rings have only the last of what happened before.
        misses_cores: true,
        knows: false,
    };
    let paint = if std::env::var_os("NO_COLOR").is_some() { Paint::Plain } else { Paint::Colours };
    let mut terminal = Screen::open()?;
    top.show(&mut terminal.0, paint, args.period.0.max(SHORTEST_PERIOD))
}

/// The terminal taken over. Dropping it restores the terminal, a panic does too.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> Result<Self, Failure> {
        ratatui::try_init().map(Self).map_err(|error| {
            ratatui::restore();
            failed(error)
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn failed(error: std::io::Error) -> Failure {
    Failure::new(Code::Failed, "cannot use the terminal").why(error.to_string())
}

struct Top {
    app: App,
    collector: Collector,
    client: Option<Client>,
    run: LiveRun,
    /// When the kernel was last asked.
    asked: Option<Instant>,
    /// Records that were overwritten before the first look.
    lost_before: Option<u64>,
    /// Records may have been lost that tell of cores.
    misses_cores: bool,
    /// The first answer has come, or does not.
    knows: bool,
}

/// How long the first answer is waited for before the cores' states are shown without it.
const FIRST_ANSWER: Duration = Duration::from_secs(1);

impl Top {
    fn show(&mut self, terminal: &mut DefaultTerminal, paint: Paint, period: Duration) -> Result<(), Failure> {
        let mut next = Instant::now();
        while !self.app.quits && !interrupt::requested() {
            // The rings are emptied more often than the view changes: they are short.
            self.collector.poll();
            let is_due = Instant::now() >= next;
            if is_due {
                next = Instant::now() + period;
                self.look();
                if self.knows() {
                    self.app.model.sample();
                }
            }
            let wait = next.saturating_duration_since(Instant::now()).min(EMPTYING);
            let has_keys = event::poll(wait).map_err(failed)?;
            if has_keys {
                self.keys()?;
            }
            if is_due || has_keys {
                self.hear();
                terminal.draw(|frame| view::draw(frame, &self.app, paint)).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Reads what is new in the trace, and asks the kernel for what is not in it.
    fn look(&mut self) {
        self.app.is_over |= !self.run.is_live();
        self.collector.poll();
        // What was overwritten before the first look was not lost by it.
        let before = *self.lost_before.get_or_insert(self.collector.lost());
        let lost = self.collector.lost() - before;
        let loses = std::mem::replace(&mut self.app.lost, lost) < lost;
        let Some((header, records)) = self.collector.drain() else { return };
        self.app.model.take(&header, &records);
        self.misses_cores |= loses;
        let is_stale = self.app.model.is_stale || self.misses_cores;
        if self.asked.is_none_or(|asked| is_stale && asked.elapsed() > ASK_AGAIN && !self.app.waits()) {
            self.ask();
        }
    }

    /// Asks the kernel for what is not in the trace, or was lost.
    fn ask(&mut self) {
        if std::mem::take(&mut self.misses_cores) {
            self.app.model.forget();
            self.app.model.asking();
            self.give("cores", Purpose::View);
        }
        self.give("domains", Purpose::View);
        self.app.model.is_stale = false;
        self.asked = Some(Instant::now());
    }

    /// Whether the cores' states are known: what the rings still have of the past can mislead.
    fn knows(&mut self) -> bool {
        let waits = self.client.is_some() && self.app.waits();
        self.knows |= self.asked.is_some_and(|asked| !waits || asked.elapsed() > FIRST_ANSWER);
        self.knows
    }

    fn give(&mut self, order: &str, purpose: Purpose) {
        let Some(client) = &mut self.client else { return };
        match client.send(order) {
            Ok(()) => self.app.sent(order, purpose),
            Err(_) => self.disconnected(),
        }
    }

    fn hear(&mut self) {
        let Some(client) = &mut self.client else { return };
        match client.replies(Duration::ZERO) {
            Ok(replies) => replies.iter().for_each(|reply| self.app.reply(reply)),
            Err(_) => self.disconnected(),
        }
    }

    fn disconnected(&mut self) {
        self.client = None;
        self.app.takes_orders = false;
        self.app.say("the run takes no orders any more");
    }

    /// Everything that was typed by now.
    fn keys(&mut self) -> Result<(), Failure> {
        while event::poll(Duration::ZERO).map_err(failed)? {
            if let Event::Key(key) = event::read().map_err(failed)?
                && key.kind != KeyEventKind::Release
                && let Some(order) = self.app.key(key)
            {
                self.give(&order, Purpose::User);
            }
        }
        Ok(())
    }
}
