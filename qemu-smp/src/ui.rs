//! Progress for people, on standard error: bars on a terminal, plain lines elsewhere.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Prints a line on standard output. A reader that has gone away is no reason to fail.
pub fn say(line: impl Display) {
    let _ = writeln!(stdout(), "{line}");
}

/// How much is said about what is already in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Everything: the user asked for it.
    All,
    /// Only what takes time.
    Work,
}

/// The place that progress is shown at.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    detail: Detail,
    bars: bool,
}

impl Ui {
    /// Progress on standard error.
    pub fn new(detail: Detail) -> Self {
        Self { detail, bars: stderr().is_terminal() }
    }

    /// Says that something was in place already.
    pub fn have(&self, what: &str, version: &str) {
        if self.detail == Detail::All {
            eprintln!("{} {what}: {version}", self.tick());
        }
    }

    /// Starts a piece of work that takes a while.
    pub fn work(&self, what: impl Into<Cow<'static, str>>) -> Work {
        let what = what.into();
        let bar = self.bars.then(|| {
            let bar = ProgressBar::new(100);
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(what.to_string());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if bar.is_none() {
            eprintln!("  {what} ...");
        }
        Work { ui: *self, what, bar, said: AtomicU64::new(0) }
    }

    /// A line at the bottom of the terminal for whatever is going on.
    pub fn spinner(&self) -> ProgressBar {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    fn tick(&self) -> &'static str {
        if self.bars { "✓" } else { "ok" }
    }
}

/// A piece of work under way. Dropped without [`done`](Self::done), it leaves no trace on a
/// terminal: the failure that follows says the rest.
#[derive(Debug)]
pub struct Work {
    ui: Ui,
    what: Cow<'static, str>,
    bar: Option<ProgressBar>,
    /// The tenth that was said last, where there is no bar.
    said: AtomicU64,
}

impl Work {
    /// Shows how far it got, in percent; by a line for each tenth, where there is no terminal.
    pub fn percent(&self, percent: f64) {
        let Some(bar) = &self.bar else {
            let tenth = (percent.clamp(0.0, 100.0) / 10.0) as u64;
            if self.said.fetch_max(tenth, Ordering::Relaxed) < tenth && tenth < 10 {
                eprintln!("  {} ... {tenth}0%", self.what);
            }
            return;
        };
        if bar.position() == 0
            && let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} [{bar:24}] {percent:>3}%")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_position(percent.clamp(0.0, 100.0) as u64);
    }

    /// Shows what it is at.
    pub fn at(&self, step: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {step}", self.what));
        }
    }

    /// Ends it, with what came out.
    pub fn done(self, result: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{} {}: {result}", self.ui.tick(), self.what);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
