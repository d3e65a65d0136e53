//! The Debian mirrors among the host's apt sources, as sources for another architecture.
//!
//! Both formats of sources.list(5) are read. Whatever ties an entry to the host's architecture is
//! left out; the rest (suites, keys, options) stays as the host's administrator wrote it.

use std::fs;
use std::path::Path;

/// Sources for a private apt configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Stanzas, for a `.sources` file.
    pub stanzas: String,
    /// Lines, for a `.list` file.
    pub lines: String,
}

/// Whose entries a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// Debian's own file on a Debian host: every entry with the `main` component counts, whatever
    /// its mirror is called.
    Debian,
    /// Any other file: only entries that look like Debian's archive count.
    Unknown,
}

impl Sources {
    /// The host's Debian sources; empty where there are none.
    pub fn of_host(apt: &Path, os_release: &Path) -> Self {
        let host_is_debian =
            fs::read_to_string(os_release).is_ok_and(|text| text.lines().any(|line| line.trim() == "ID=debian"));
        let mut files = vec![apt.join("sources.list")];
        if let Ok(folder) = fs::read_dir(apt.join("sources.list.d")) {
            files.extend(folder.flatten().map(|entry| entry.path()));
        }
        files.sort();
        let mut sources = Self::default();
        for file in files {
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let own = host_is_debian && matches!(&*name, "sources.list" | "debian.sources");
            let origin = if own { Origin::Debian } else { Origin::Unknown };
            if name.ends_with(".sources") {
                sources.add_stanzas(&text, origin);
            } else if name.ends_with(".list") {
                sources.add_lines(&text, origin);
            }
        }
        sources
    }

    /// One mirror that the user named.
    pub fn of_mirror(url: &str, suite: &str, keyring: &Path) -> Self {
        let keyring = keyring.display();
        Self {
            stanzas: format!("Types: deb\nURIs: {url}\nSuites: {suite}\nComponents: main\nSigned-By: {keyring}\n\n"),
            lines: String::new(),
        }
    }

    /// Whether no mirror was found.
    pub fn is_empty(&self) -> bool {
        self.stanzas.is_empty() && self.lines.is_empty()
    }

    fn add_stanzas(&mut self, text: &str, origin: Origin) {
        for stanza in text.split("\n\n") {
            let fields = fields(stanza);
            let value = |name: &str| {
                let field = fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
                field.map_or("", |(_, value)| value.as_str())
            };
            let has = |name: &str, word: &str| value(name).split_whitespace().any(|it| it == word);
            let is_debian = value("URIs").split_whitespace().any(is_debian_archive)
                || value("Signed-By").contains("debian-archive")
                || origin == Origin::Debian;
            if !has("Types", "deb") || !has("Components", "main") || has("Enabled", "no") || !is_debian {
                continue;
            }
            self.stanzas.push_str("Types: deb\n");
            for (name, value) in &fields {
                let lower = name.to_ascii_lowercase();
                if lower != "types" && !lower.starts_with("architectures") {
                    self.stanzas.push_str(&format!("{name}:{value}\n"));
                }
            }
            self.stanzas.push('\n');
        }
    }

    fn add_lines(&mut self, text: &str, origin: Origin) {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let Some(rest) = line.strip_prefix("deb ") else {
                continue;
            };
            let (options, rest) = match rest.trim_start().strip_prefix('[') {
                Some(rest) => rest.split_once(']').unwrap_or(("", rest)),
                None => ("", rest),
            };
            let mut words = rest.split_whitespace();
            let uri = words.next().unwrap_or_default();
            let is_debian = is_debian_archive(uri) || options.contains("debian-archive") || origin == Origin::Debian;
            if uri.starts_with("cdrom:") || !is_debian || !words.any(|word| word == "main") {
                continue;
            }
            let options: Vec<&str> = options.split_whitespace().filter(|option| !option.starts_with("arch")).collect();
            let options = match options.as_slice() {
                [] => String::new(),
                some => format!("[{}] ", some.join(" ")),
            };
            self.lines.push_str(&format!("deb {options}{}\n", rest.trim()));
        }
    }
}

/// The fields of a stanza; a value keeps its continuation lines.
fn fields(stanza: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in stanza.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_owned(), value.to_owned()));
        }
    }
    fields
}

/// Whether an address is laid out as mirrors of Debian's archive are: the last folder is
/// `debian` or `debian-security`, or a dated snapshot below it.
fn is_debian_archive(uri: &str) -> bool {
    let is_name = |folder: &str| {
        let folder = folder.strip_suffix(".list").unwrap_or(folder);
        matches!(folder, "debian" | "debian-security")
    };
    let is_date = |folder: &str| folder.starts_with(|first: char| first.is_ascii_digit()) && folder.ends_with('Z');
    let mut folders = uri.trim_end_matches('/').rsplit('/');
    match folders.next() {
        Some(last) if is_name(last) => true,
        Some(last) if is_date(last) => folders.next().is_some_and(is_name),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
