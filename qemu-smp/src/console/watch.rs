//! Waiting for a text in a stream that comes in pieces.

/// A text that somebody waits for. Carriage returns in the stream do not count, so that a text of
/// several lines is found in output with either kind of line end.
#[derive(Clone, Debug)]
pub struct Watch {
    text: Vec<u8>,
    /// The last bytes, fewer than the text has.
    recent: Vec<u8>,
    seen: bool,
}

impl Watch {
    /// Waits for `text`, which is not empty.
    pub fn new(text: &str) -> Self {
        Self { text: text.bytes().filter(|&byte| byte != b'\r').collect(), recent: Vec::new(), seen: false }
    }

    /// Takes the next bytes; whether the text has appeared by now.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        if self.seen || self.text.is_empty() {
            return self.seen;
        }
        self.recent.extend(bytes.iter().filter(|&&byte| byte != b'\r'));
        self.seen = self.recent.windows(self.text.len()).any(|window| window == self.text);
        let surplus = self.recent.len().saturating_sub(self.text.len() - 1);
        self.recent.drain(..surplus);
        self.seen
    }

    /// Whether the text has appeared.
    pub fn is_seen(&self) -> bool {
        self.seen
    }
}
