//! Where in a scenario file something is wrong.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::failure::{Code, Failure};
use crate::workspace::shown;

/// One step on the way to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The entry of a table.
    Key(&'a str),
    /// The element of an array.
    Index(usize),
}

/// A scenario file's text.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::new(Code::Usage, format!("cannot read {}", path.display())).why(error.to_string())
        })?;
        Ok(Self { path: path.to_path_buf(), text })
    }

    /// A text that did not come from a file.
    pub fn of_text(text: &str) -> Self {
        Self { path: PathBuf::from("test.toml"), text: text.to_owned() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A path that the scenario gives is relative to its file.
    pub fn relative(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// An error that the TOML parser found.
    pub fn syntax(&self, error: &toml::de::Error) -> Failure {
        let offset = error.span().map_or(0, |span| span.start);
        self.failure(offset, error.message())
    }

    /// An error in the value at `path`; if that is not there, in what should hold it.
    pub fn error(&self, path: &[Step<'_>], message: impl Display) -> Failure {
        self.failure(self.offset(path), message)
    }

    fn failure(&self, offset: usize, message: impl Display) -> Failure {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let start_of_line = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[start_of_line..].chars().count() + 1;
        let path = shown(&self.path);
        Failure::new(Code::Usage, message.to_string()).at(format!("{path}:{line}:{column}"))
    }

    fn offset(&self, path: &[Step<'_>]) -> usize {
        let Ok(document) = DeTable::parse(&self.text) else {
            return 0;
        };
        let (span, root) = (document.span(), DeValue::Table(document.into_inner()));
        let mut offset = span.start;
        let mut value = &root;
        for step in path {
            let next = match *step {
                Step::Key(key) => value.get(key),
                Step::Index(index) => value.get(index),
            };
            let Some(next) = next else { break };
            offset = next.span().start;
            value = next.get_ref();
        }
        offset
    }
}
