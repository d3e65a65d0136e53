//! What came of an order, for people and for programs.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::reply::{End, Reply};
use crate::console::printable;

/// An order with its answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The order's text.
    pub order: String,
    /// The number that the session gave it.
    pub id: Option<u16>,
    /// The kernel's answers.
    pub replies: Vec<Reply>,
    /// How it ended; `None` if it is still under way.
    pub end: Option<End>,
}

/// The lines of a table, if the answers list cores, domains or members of groups: the keys of the first one are the heads.
pub fn table(replies: &[Reply]) -> Vec<String> {
    let rows: Vec<&Reply> = replies.iter().filter(|reply| is_row(reply)).collect();
    let Some(first) = rows.first() else { return Vec::new() };
    let keys: Vec<&str> = first.fields.iter().map(|(key, _)| key.as_str()).collect();
    let head = keys.iter().map(|key| key.replace('-', " ").to_uppercase()).collect::<Vec<_>>();
    let cell = |row: &Reply, key: &&str| printable(row.value(key).unwrap_or("-"));
    let cells = rows.iter().map(|row| keys.iter().map(|key| cell(row, key)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(cells).collect();
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..keys.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect()
}

/// Whether an answer is a row of `cores`, `domains` or `groups`.
pub fn is_row(reply: &Reply) -> bool {
    reply.words.is_empty() && (reply.value("state").is_some() || reply.value("phase").is_some())
}

/// An answer in a line for people; `None` if it says nothing to them.
pub fn line(reply: &Reply) -> Option<String> {
    if matches!(reply.says(), Some("sent" | "end")) || is_row(reply) {
        return None;
    }
    let mut line = String::new();
    if let Some(core) = reply.value("core") {
        let _ = write!(line, "core {core}: ");
    }
    let value = |key| reply.value(key).unwrap_or("?");
    let _ = match (reply.says(), reply.value("answer")) {
        (_, Some(answer)) => write!(line, "the guest says {answer}"),
        (Some("refused"), _) => write!(line, "refused: {}", value("reason")),
        (Some("failed"), _) => write!(line, "failed: {}", value("reason")),
        (Some("accepted"), _) => write!(line, "accepted for {}", cores(value("cores"))),
        (Some("would"), _) if reply.value("cores").is_none() => write!(line, "would be done"),
        (Some("would"), _) => write!(line, "would be done with {}", cores(value("cores"))),
        (Some("asked"), _) => write!(line, "asked for context {}", value("context")),
        (Some("done"), _) => {
            let folded = match reply.number("folded") {
                Some(1) => ", 1 context goes on on other cores".to_owned(),
                Some(count @ 2..) => format!(", {count} contexts go on on other cores"),
                _ => String::new(),
            };
            write!(line, "done, now {}{folded}", value("to"))
        }
        _ => write!(line, "{}", reply.line),
    };
    if let Some(text) = &reply.text
        && !line.ends_with(')')
    {
        let _ = write!(line, " ({text})");
    }
    Some(printable(&line))
}

fn cores(count: &str) -> String {
    if count == "1" { "1 core".to_owned() } else { format!("{count} cores") }
}

/// How it came out, in a word.
pub fn word(end: Option<End>) -> &'static str {
    match end {
        Some(End::Done) => "done",
        Some(End::Would) => "would be accepted",
        Some(End::Refused) => "refused",
        Some(End::Failed) => "failed",
        None => "not over",
    }
}

/// Everything as JSON.
pub fn json(answered: &Answered) -> Value {
    let Answered { order, id, replies, end } = answered;
    let replies: Vec<Value> =
        replies.iter().filter(|reply| !matches!(reply.says(), Some("sent" | "end"))).map(object).collect();
    json!({ "order": order, "id": id, "result": end, "replies": replies })
}

/// An answer's words as an object, with numbers as numbers.
fn object(reply: &Reply) -> Value {
    let mut object = Map::new();
    if let Some(says) = reply.says() {
        object.insert("says".to_owned(), says.into());
    } else if reply.fields.is_empty() {
        object.insert("says".to_owned(), reply.line.clone().into());
    }
    for (key, value) in &reply.fields {
        let value = match value.as_str() {
            // Nothing, in a row.
            "-" => Value::Null,
            text => text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from),
        };
        object.insert(key.clone(), value);
    }
    if let Some(text) = &reply.text {
        object.insert("text".to_owned(), text.clone().into());
    }
    Value::Object(object)
}
