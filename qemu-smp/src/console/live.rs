//! What a person sees of a running machine: lines with the domain's name in front.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::{Duration, Instant};

use crossterm::style::{Color, Stylize};
use indicatif::ProgressBar;

use super::{ConsoleId, Lines, printable};
use crate::ui::{Detail, Ui};

/// After this much silence an unfinished line (a prompt) is shown as it is.
const PATIENCE: Duration = Duration::from_millis(300);

const COLOURS: [Color; 8] = [
    Color::DarkGrey,
    Color::Cyan,
    Color::Yellow,
    Color::Green,
    Color::Magenta,
    Color::Blue,
    Color::DarkYellow,
    Color::DarkCyan,
];

/// Where the view goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Standard output.
    Output,
    /// Standard error: standard output is for machines.
    Errors,
    /// Nowhere.
    Nowhere,
}

/// The view.
#[derive(Debug)]
pub struct Live {
    place: Place,
    names: Vec<String>,
    width: usize,
    lines: Vec<(Lines, Instant)>,
    colours: bool,
    progress: Option<ProgressBar>,
}

impl Live {
    /// A view of the consoles with these names.
    pub fn new(place: Place, names: &[String], what: &str) -> Self {
        let terminal = match place {
            Place::Output => stdout().is_terminal() && stderr().is_terminal(),
            Place::Errors => stderr().is_terminal(),
            Place::Nowhere => false,
        };
        Self {
            place,
            names: names.to_vec(),
            width: names.iter().map(String::len).max().unwrap_or(0),
            lines: vec![(Lines::default(), Instant::now()); names.len()],
            colours: terminal && std::env::var_os("NO_COLOR").is_none(),
            progress: terminal.then(|| {
                let bar = Ui::new(Detail::Work).spinner();
                bar.set_message(what.to_owned());
                bar
            }),
        }
    }

    /// Shows output.
    pub fn push(&mut self, id: ConsoleId, bytes: &[u8]) {
        if self.place == Place::Nowhere {
            return;
        }
        let Some((lines, since)) = self.lines.get_mut(id.0) else {
            return;
        };
        *since = Instant::now();
        let mut complete = Vec::new();
        lines.push(bytes, |line| complete.push(line.to_owned()));
        for line in complete {
            self.show(id, &line);
        }
    }

    /// Shows unfinished lines that have waited long enough.
    pub fn idle(&mut self) {
        self.show_unfinished(PATIENCE);
    }

    /// Shows everything that is left.
    pub fn finish(mut self) {
        self.show_unfinished(Duration::ZERO);
        if let Some(progress) = self.progress.take() {
            progress.finish_and_clear();
        }
    }

    fn show_unfinished(&mut self, patience: Duration) {
        for index in 0..self.lines.len() {
            let Some((lines, since)) = self.lines.get_mut(index) else {
                continue;
            };
            if since.elapsed() < patience {
                continue;
            }
            if let Some(line) = lines.unfinished() {
                *lines = Lines::default();
                self.show(ConsoleId(index), &line);
            }
        }
    }

    fn show(&self, id: ConsoleId, line: &str) {
        let name = self.names.get(id.0).map_or("?", String::as_str);
        let prefix = format!("{name:>width$} |", width = self.width);
        let line = printable(line);
        let line = if self.colours {
            let colour = COLOURS.get(id.0 % COLOURS.len()).copied();
            format!("{} {line}", prefix.with(colour.unwrap_or(Color::Reset)))
        } else {
            format!("{prefix} {line}")
        };
        let print = || {
            // Nobody reading any more is no reason to stop the machine.
            let _ = match self.place {
                Place::Errors => writeln!(stderr(), "{line}"),
                _ => writeln!(stdout(), "{line}"),
            };
        };
        match &self.progress {
            Some(progress) => progress.suspend(print),
            None => print(),
        }
    }
}
