//! What the user does, and what comes of it.

use std::collections::{BTreeMap, VecDeque};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::Model;
use crate::console::printable;
use crate::ctl::reply::{Pending, Reply};
use crate::ctl::show;

/// The longest order that can be typed.
const LONGEST: usize = 112;

/// Lines that are kept of what the kernel said.
pub const SAID: usize = 4;

/// Cores that a page has, for paging.
const PAGE: usize = 16;

/// Who wants an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The view.
    View,
    /// The user.
    User,
}

/// The view's state.
#[derive(Debug)]
pub struct App {
    /// The run's name and machine.
    pub title: String,
    /// What is shown.
    pub model: Model,
    /// Records that were overwritten before they could be read.
    pub lost: u64,
    /// What is being typed, if something is.
    pub typing: Option<String>,
    /// What the kernel said to the last orders, the last line last.
    pub said: VecDeque<String>,
    /// The first core shown.
    pub first_core: usize,
    /// Whether the machine is gone.
    pub is_over: bool,
    /// Whether the user wants to leave.
    pub quits: bool,
    /// Orders may be given.
    pub takes_orders: bool,
    /// Orders that have no number yet, in the order in which they were sent.
    sent: VecDeque<Purpose>,
    /// By number, orders that are not over.
    pending: BTreeMap<u16, (Purpose, Pending)>,
}

impl App {
    /// Nothing has happened yet.
    pub fn new(title: String, names: &[String], takes_orders: bool) -> Self {
        Self {
            title,
            model: Model::new(names),
            lost: 0,
            typing: None,
            said: VecDeque::new(),
            first_core: 0,
            is_over: false,
            quits: false,
            takes_orders,
            sent: VecDeque::new(),
            pending: BTreeMap::new(),
        }
    }

    /// Takes a key; an order that has to be sent.
    pub fn key(&mut self, key: KeyEvent) -> Option<String> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            self.quits = true;
            return None;
        }
        if self.typing.is_some() {
            return self.key_typing(key.code, control);
        }
        let last = self.model.cores.len().saturating_sub(1);
        match key.code {
            KeyCode::Char('q') => self.quits = true,
            KeyCode::Char(':') if self.takes_orders => self.typing = Some(String::new()),
            KeyCode::Char(':') => self.say("no orders can be given here"),
            KeyCode::Up => self.first_core = self.first_core.saturating_sub(1),
            KeyCode::Down => self.first_core = (self.first_core + 1).min(last),
            KeyCode::PageUp => self.first_core = self.first_core.saturating_sub(PAGE),
            KeyCode::PageDown => self.first_core = (self.first_core + PAGE).min(last),
            KeyCode::Home => self.first_core = 0,
            KeyCode::End => self.first_core = last,
            _ => {}
        }
        None
    }

    fn key_typing(&mut self, code: KeyCode, control: bool) -> Option<String> {
        let text = self.typing.as_mut()?;
        match code {
            KeyCode::Esc => self.typing = None,
            KeyCode::Backspace if text.pop().is_none() => self.typing = None,
            KeyCode::Char('u') if control => text.clear(),
            KeyCode::Char(character) if (character.is_ascii_graphic() || character == ' ') && text.len() < LONGEST => {
                text.push(character);
            }
            KeyCode::Enter => {
                let order = self.typing.take()?.trim().to_owned();
                return (!order.is_empty()).then_some(order);
            }
            _ => {}
        }
        None
    }

    /// An order is on its way.
    pub fn sent(&mut self, order: &str, purpose: Purpose) {
        self.sent.push_back(purpose);
        if purpose == Purpose::User {
            self.say(&format!("> {order}"));
        }
    }

    /// Takes an answer.
    pub fn reply(&mut self, reply: &Reply) {
        let purpose = match (reply.says(), self.pending.get(&reply.id)) {
            (Some("sent"), _) => {
                if let Some(purpose) = self.sent.pop_front() {
                    self.pending.insert(reply.id, (purpose, Pending::default()));
                }
                return;
            }
            (_, Some((purpose, _))) => *purpose,
            // It did not get as far as to the kernel.
            (Some("refused"), None) if reply.id == 0 => self.sent.pop_front().unwrap_or(Purpose::User),
            (_, None) => return,
        };
        if show::is_row(reply) {
            self.model.row(reply);
        }
        if purpose == Purpose::User {
            let row = show::is_row(reply).then(|| reply.line.clone());
            if let Some(line) = row.or_else(|| show::line(reply)) {
                self.say(&line);
            }
        }
        if let Some((_, pending)) = self.pending.get_mut(&reply.id)
            && pending.take(reply).is_some()
        {
            self.pending.remove(&reply.id);
            self.model.is_stale |= purpose == Purpose::User;
        }
    }

    /// Shows a line to the user.
    pub fn say(&mut self, line: &str) {
        if self.said.len() == SAID {
            self.said.pop_front();
        }
        self.said.push_back(printable(line));
    }

    /// Whether the view itself still waits for answers.
    pub fn waits(&self) -> bool {
        let pending = self.pending.values().map(|(purpose, _)| purpose);
        self.sent.iter().chain(pending).any(|purpose| *purpose == Purpose::View)
    }
}
