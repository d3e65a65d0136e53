//! The kernel's answers to orders, as its log has them.

use std::collections::BTreeSet;

/// The module of the log lines that answer orders, and the start of each answer on the control socket.
pub const MODULE: &str = "order";

/// One answer: `id=7 core=3 done to=rt folded=1 (text for people)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The order that it answers.
    pub id: u16,
    /// The words without a value, in order: what it says.
    pub words: Vec<String>,
    /// The words with one: `core=3`.
    pub fields: Vec<(String, String)>,
    /// What stands in brackets at the end, for people.
    pub text: Option<String>,
    /// All that follows the id.
    pub line: String,
}

impl Reply {
    /// Reads what follows the module in a log line; `None` if it is no answer.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (id, line) = text.split_once(' ').unwrap_or((text, ""));
        let id = id.strip_prefix("id=")?.parse().ok()?;
        let mut reply = Self { id, words: Vec::new(), fields: Vec::new(), text: None, line: line.to_owned() };
        let (words, text) = match line.split_once('(') {
            Some((words, text)) => (words, text.strip_suffix(')')),
            None => (line, None),
        };
        reply.text = text.map(str::to_owned);
        for word in words.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) => reply.fields.push((key.to_owned(), value.to_owned())),
                None => reply.words.push(word.to_owned()),
            }
        }
        Some(reply)
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The number that a key has.
    pub fn number(&self, key: &str) -> Option<u32> {
        self.value(key)?.parse().ok()
    }

    /// What it says: its first word without a value.
    pub fn says(&self) -> Option<&str> {
        self.words.first().map(String::as_str)
    }
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// All of it was done.
    Done,
    /// It would be accepted.
    Would,
    /// It was not accepted.
    Refused,
    /// With some core it did not work.
    Failed,
}

/// An order that is not over, as far as its answers tell.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// How many cores were accepted.
    accepted: Option<u32>,
    /// The cores that are over.
    over: BTreeSet<u32>,
    failed: bool,
}

impl Pending {
    /// Takes an answer to it; how it ended, if it is over with that.
    pub fn take(&mut self, reply: &Reply) -> Option<End> {
        match reply.says() {
            Some("refused") => return Some(End::Refused),
            Some("would") => return Some(End::Would),
            Some("end") => return Some(if self.failed { End::Failed } else { End::Done }),
            Some("accepted") => self.accepted = reply.number("cores"),
            Some(word @ ("done" | "failed")) => {
                self.failed |= word == "failed";
                self.over.extend(reply.number("core"));
            }
            _ => {}
        }
        let all = self.over.len() >= usize::try_from(self.accepted?).ok()?;
        all.then_some(if self.failed { End::Failed } else { End::Done })
    }

    /// The cores that are over, and all that were accepted.
    pub fn progress(&self) -> (usize, Option<u32>) {
        (self.over.len(), self.accepted)
    }
}
