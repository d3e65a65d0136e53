//! A console's log: a file that cannot fill the disk.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Lines;
use crate::failure::Failure;

/// The most that is kept of one console, in bytes.
pub const LIMIT: u64 = 16 << 20;

/// Lines kept in memory, to show when something went wrong.
const TAIL: usize = 20;

/// A log being written.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    room: u64,
    lines: Lines,
    tail: Vec<String>,
}

impl Log {
    /// An empty log.
    pub fn create(path: PathBuf) -> Result<Self, Failure> {
        let file = File::create(&path).map_err(|error| Failure::file("cannot create", &path, &error))?;
        Ok(Self { path, file, room: LIMIT, lines: Lines::default(), tail: Vec::new() })
    }

    /// Appends output and shows `on_line` the lines that it completes. Once the file is full, a
    /// note ends it and the rest is not kept.
    pub fn write(&mut self, bytes: &[u8], mut on_line: impl FnMut(&str)) -> Result<(), Failure> {
        self.store(bytes).map_err(|error| Failure::file("cannot write", &self.path, &error))?;
        let tail = &mut self.tail;
        self.lines.push(bytes, |line| {
            if tail.len() == TAIL {
                tail.remove(0);
            }
            tail.push(line.to_owned());
            on_line(line);
        });
        Ok(())
    }

    /// The last lines, with the unfinished one.
    pub fn tail(&self) -> Vec<String> {
        let mut tail = self.tail.clone();
        tail.extend(self.lines.unfinished());
        tail
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn store(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.room == 0 {
            return Ok(());
        }
        let length = usize::try_from(self.room).unwrap_or(usize::MAX).min(bytes.len());
        self.file.write_all(bytes.get(..length).unwrap_or_default())?;
        self.room -= length as u64;
        if self.room == 0 {
            let limit = LIMIT >> 20;
            writeln!(self.file, "\n[the log ends here: it reached {limit} MiB]")?;
        }
        Ok(())
    }
}
