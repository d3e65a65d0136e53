//! How it looks.

use domains::ledger::CoreState;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};

use super::app::{App, SAID};
use crate::trace::detail::{label, percent};
use crate::trace::owner;

const COLOURS: [Color; 8] = [
    Color::Cyan,
    Color::Yellow,
    Color::Green,
    Color::Magenta,
    Color::Blue,
    Color::LightRed,
    Color::LightGreen,
    Color::LightMagenta,
];

/// Columns for what a core is for now.
const LABEL: usize = 24;

/// Columns of the bar that shows a load.
const BAR: usize = 20;

/// Whether colours may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// They may.
    Colours,
    /// The signs have to do.
    Plain,
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, app: &App, paint: Paint) {
    let area = frame.area();
    // A frame takes two lines, the head of the table one.
    let domains = (app.model.domains.len() + 3).min(usize::from(area.height) / 4 + 3) as u16;
    let cores = (app.model.cores.len() + 2).min(usize::from(area.height) / 2) as u16;
    let said = app.said.len().min(SAID) as u16;
    let rows = [
        Constraint::Length(1),
        Constraint::Length(cores.max(3)),
        Constraint::Length(domains),
        Constraint::Min(3),
        Constraint::Length(said),
        Constraint::Length(1),
    ];
    let [title, cores, domains, events, said, prompt] = Layout::vertical(rows).areas(area);
    frame.render_widget(title_line(app), title);
    draw_cores(frame, app, cores, paint);
    draw_domains(frame, app, domains, paint);
    draw_events(frame, app, events);
    let lines = app.said.iter().map(|line| Line::raw(line.as_str()));
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), said);
    draw_prompt(frame, app, prompt);
}

fn title_line(app: &App) -> Line<'_> {
    let mut line = format!(" {}   {:.3} s", app.title, app.model.now);
    if app.lost > 0 {
        line += &format!("   {} records lost", app.lost);
    }
    if app.is_over {
        line += "   THE RUN IS OVER";
    }
    Line::styled(line, Style::new().add_modifier(Modifier::BOLD))
}

fn draw_cores(frame: &mut Frame<'_>, app: &App, area: Rect, paint: Paint) {
    let names: Vec<&str> = app.model.domains.iter().map(|domain| domain.name.as_str()).collect();
    let shown = usize::from(area.height.saturating_sub(2));
    let first = app.first_core.min(app.model.cores.len().saturating_sub(shown));
    let columns = usize::from(area.width).saturating_sub(2 + 4 + 2 + LABEL + 1);
    let cores = app.model.cores.iter().enumerate().skip(first).take(shown);
    let lines = cores.map(|(index, core)| {
        let now = core.state.map_or_else(|| "?".to_owned(), |state| label(state, &names));
        let mut spans = vec![Span::raw(format!("{index:>4} ")), cell(core.state, paint)];
        spans.push(Span::raw(format!(" {now:<LABEL$.LABEL$}")));
        let skipped = core.history.len().saturating_sub(columns);
        spans.extend(core.history.iter().skip(skipped).map(|state| cell(*state, paint)));
        Line::from(spans)
    });
    let count = app.model.cores.len();
    let range = match count > shown {
        true => format!(" cores {first} to {} of {count} ", (first + shown).min(count).saturating_sub(1)),
        false => " cores ".to_owned(),
    };
    let legend = " a-z owner  ? asked  < releasing  ^ waking  . idle  _ off  = held  ! failed ";
    let block = Block::bordered().title(range).title_bottom(legend);
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).block(block), area);
}

/// A state in one character: the owner by colour and letter, other states by their signs.
fn cell(state: Option<CoreState>, paint: Paint) -> Span<'static> {
    let Some(state) = state else { return Span::raw(" ") };
    let sign = match state {
        CoreState::Owned(domain) => mark(domain.index()),
        CoreState::Asked(..) => '?',
        CoreState::Releasing(..) => '<',
        CoreState::Waking(_) => '^',
        CoreState::Idle => '.',
        CoreState::Off { held: false } => '_',
        CoreState::Off { held: true } => '=',
        CoreState::Failed => '!',
    };
    let style = match (paint, owner(state), state) {
        (Paint::Plain, _, _) => Style::new(),
        (_, Some(index), _) => Style::new().fg(Color::Black).bg(colour(index)),
        (_, None, CoreState::Failed) => Style::new().fg(Color::White).bg(Color::Red),
        (_, None, CoreState::Waking(_)) => Style::new().fg(Color::LightYellow),
        (_, None, _) => Style::new().fg(Color::DarkGray),
    };
    Span::styled(sign.to_string(), style)
}

/// A domain's letter.
fn mark(index: usize) -> char {
    u8::try_from(index % 26).map_or('?', |index| char::from(b'a' + index))
}

fn colour(index: usize) -> Color {
    COLOURS.get(index % COLOURS.len()).copied().unwrap_or(Color::Reset)
}

fn draw_domains(frame: &mut Frame<'_>, app: &App, area: Rect, paint: Paint) {
    let number = |value: Option<u32>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let rows = app.model.domains.iter().enumerate().map(|(index, domain)| {
        let style = if paint == Paint::Colours { Style::new().fg(colour(index)) } else { Style::new() };
        let granted = match domain.granted {
            Some((granted, min, max)) => format!("{granted} ({min}-{max})"),
            None => "-".to_owned(),
        };
        Row::new([
            Cell::from(Span::styled(format!("{} {}", mark(index), domain.name), style)),
            Cell::from(domain.phase.clone().unwrap_or_else(|| "-".to_owned())),
            Cell::from(app.model.owned(index).to_string()),
            Cell::from(granted),
            Cell::from(number(domain.contexts_on)),
            Cell::from(domain.load.map_or_else(|| "-".to_owned(), percent)),
            Cell::from(Span::styled(domain.load.map(bar).unwrap_or_default(), style)),
        ])
    });
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(10),
        Constraint::Length(6),
        Constraint::Length(12),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Length(BAR as u16),
    ];
    let head = Row::new(["domain", "phase", "cores", "granted", "contexts", "load", ""])
        .style(Style::new().add_modifier(Modifier::DIM));
    let table = Table::new(rows, widths).header(head).block(Block::bordered().title(" domains "));
    frame.render_widget(table, area);
}

fn bar(permille: u64) -> String {
    let full = (usize::try_from(permille).unwrap_or(0).saturating_mul(BAR).saturating_add(500) / 1000).min(BAR);
    "█".repeat(full)
}

fn draw_events(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let shown = usize::from(area.height.saturating_sub(2));
    let skipped = app.model.events.len().saturating_sub(shown);
    let lines = app.model.events.iter().skip(skipped).map(|(at, event)| Line::raw(format!("{at:>12.6}  {event}")));
    let block = Block::bordered().title(" events ");
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).block(block), area);
}

fn draw_prompt(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let line = match &app.typing {
        Some(text) => {
            let column = u16::try_from(text.len() + 1).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
            frame.set_cursor_position((area.x + column, area.y));
            Line::raw(format!(":{text}"))
        }
        None => Line::styled(" q quit   : order   up/down cores", Style::new().add_modifier(Modifier::DIM)),
    };
    frame.render_widget(line, area);
}
