//! Output as lines.

/// Longer lines are taken in pieces of this many bytes.
const LONGEST: usize = 4096;

/// Puts lines together from output as it comes.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
}

impl Lines {
    /// Takes output; every line that it completes goes to `on_line`, without its end.
    pub fn push(&mut self, bytes: &[u8], mut on_line: impl FnMut(&str)) {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
            }
            if byte == b'\n' || self.line.len() == LONGEST {
                on_line(&text(&self.line));
                self.line.clear();
            }
        }
    }

    /// The line that has not ended yet, if there is anything in it.
    pub fn unfinished(&self) -> Option<String> {
        (!self.line.is_empty()).then(|| text(&self.line))
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

/// The line without what would act on a terminal: escape sequences and control characters.
pub fn printable(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // A control sequence (ECMA-48) ends with its first character from @ to ~.
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                while characters.next_if(|next| !('@'..='~').contains(next)).is_some() {}
                characters.next();
            }
            '\t' => shown.push('\t'),
            other if other.is_control() => {}
            other => shown.push(other),
        }
    }
    shown
}
