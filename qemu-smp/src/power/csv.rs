//! Loads from files: lines `seconds,cores`.

use std::fs;
use std::path::Path;

use super::args::MOST_CORES;
use super::trace::Trace;
use crate::failure::{Code, Failure};
use crate::workspace::shown;

/// The longest trace that is taken for meant: a year.
const LONGEST_S: f64 = 366.0 * 86_400.0;

/// What is wrong with a file, and in which line (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub line: usize,
    pub what: String,
}

/// Reads the file; with `cores`, its load may not want more than that.
pub fn read(path: &Path, cores: Option<u32>) -> Result<Trace, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::new(Code::Usage, format!("cannot read {}", shown(path))).why(error.to_string()))?;
    let name = path.file_stem().map_or_else(|| "trace".to_owned(), |stem| stem.to_string_lossy().into_owned());
    parse(&text, &name, cores).map_err(|Wrong { line, what }| {
        Failure::new(Code::Usage, what)
            .at(format!("{}:{line}", shown(path)))
            .remedy("each line reads `seconds,cores`, such as `12.5,3`; see `cargo corral power --help`")
    })
}

/// Reads the text of a file.
pub fn parse(text: &str, name: &str, cores: Option<u32>) -> Result<Trace, Wrong> {
    let mut points: Vec<(u64, u32)> = Vec::new();
    let mut last = 0;
    for (index, content) in text.lines().enumerate() {
        let line = index + 1;
        let content = content.split('#').next().unwrap_or_default().trim();
        let is_heading = points.is_empty() && content.replace(' ', "").eq_ignore_ascii_case("seconds,cores");
        if content.is_empty() || is_heading {
            continue;
        }
        last = line;
        let point = point(content, cores).map_err(|what| Wrong { line, what })?;
        if points.last().is_some_and(|before| before.0 >= point.0) {
            return Err(Wrong { line, what: "the time is not after that of the line before".to_owned() });
        }
        points.push(point);
    }
    let (Some(first), Some(end)) = (points.first(), points.last().filter(|_| points.len() > 1)) else {
        return Err(Wrong {
            line: last.max(1),
            what: "at least two lines are needed: the last one is the end".to_owned(),
        });
    };
    let (begin, length) = (first.0, end.0 - first.0);
    let most = points.iter().map(|point| point.1).max().unwrap_or(0);
    let mut trace = Trace::new(name, "from a file", cores.unwrap_or(most).max(1), length);
    for (at, wanted) in &points {
        trace.want(at - begin, *wanted);
    }
    Ok(trace.finish(length))
}

fn point(content: &str, cores: Option<u32>) -> Result<(u64, u32), String> {
    let (seconds, wanted) = content.split_once(',').ok_or_else(|| format!("`{content}` has no comma"))?;
    let (seconds, wanted) = (seconds.trim(), wanted.trim());
    let time = seconds.parse::<f64>().ok().filter(|time| (0.0..=LONGEST_S).contains(time));
    let time = time.ok_or_else(|| format!("`{seconds}` is not a number of seconds from 0 to a year"))?;
    let wanted: u32 = wanted.parse().map_err(|_| format!("`{wanted}` is not a number of cores"))?;
    let most = cores.unwrap_or(MOST_CORES);
    if wanted > most {
        let source = if cores.is_some() { "--cores" } else { "a machine has at most" };
        return Err(format!("{wanted} cores are more than there are: {source} {most}"));
    }
    Ok(((time * 1e6).round() as u64, wanted))
}
