//! The folder of a run: its logs, the file that is the machine's memory, and how other commands find it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ctl::socket;
use crate::failure::{Code, Failure};

/// Runs that are kept; older ones are removed.
const KEPT: usize = 40;

const RAM: &str = "ram";

const ABOUT: &str = "session.json";

/// What other commands have to know of a run that they look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The machine in a few words.
    pub machine: String,
    /// The domains' names, in the order of their indices.
    pub domains: Vec<String>,
}

/// A run whose machine is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRun {
    /// The name of its folder.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
}

impl LiveRun {
    /// The one that is meant: by the name of its folder or of its scenario, or the only one there is.
    pub fn find(runs: &Path, name: Option<&str>) -> Result<Self, Failure> {
        let all = Self::all(runs);
        let scenario = |run: &Self| run.name.rsplit_once('-').map(|(scenario, _)| scenario.to_owned());
        let exact = all.iter().find(|run| Some(run.name.as_str()) == name);
        let meant: Vec<&Self> = match (name, exact) {
            (Some(_), Some(run)) => vec![run],
            (Some(name), None) => all.iter().filter(|run| scenario(run).as_deref() == Some(name)).collect(),
            (None, _) => all.iter().collect(),
        };
        let names =
            |runs: &mut dyn Iterator<Item = &Self>| runs.map(|run| run.name.as_str()).collect::<Vec<_>>().join(", ");
        match (meant.as_slice(), name) {
            ([run], _) => Ok((*run).clone()),
            ([], None) => {
                Err(Failure::new(Code::Setup, "no machine is running").remedy("start one with `cargo corral run`"))
            }
            ([], Some(name)) => {
                let failure = Failure::new(Code::Setup, format!("no run {name} is there"));
                Err(match all.len() {
                    0 => failure.why("no machine is running").remedy("start one with `cargo corral run`"),
                    _ => failure.remedy(format!("give one of: {}", names(&mut all.iter()))),
                })
            }
            (several, _) => Err(Failure::new(Code::Usage, "several machines are running")
                .remedy(format!("choose by --run: {}", names(&mut several.iter().copied())))),
        }
    }

    /// All of them, by name.
    fn all(runs: &Path) -> Vec<Self> {
        let entries = fs::read_dir(runs).into_iter().flatten().flatten();
        let live = entries
            .filter(|entry| is_live(&entry.path()))
            .filter_map(|entry| Some(Self { name: entry.file_name().to_str()?.to_owned(), path: entry.path() }));
        let mut live: Vec<Self> = live.collect();
        live.sort_by(|left, right| left.name.cmp(&right.name));
        live
    }

    /// Whether it still is there.
    pub fn is_live(&self) -> bool {
        is_live(&self.path)
    }

    /// Its memory file, to be read.
    pub fn ram(&self) -> Result<File, Failure> {
        let path = self.path.join(RAM);
        File::open(&path).map_err(|error| Failure::file("cannot open", &path, &error))
    }

    /// What is to be known of it.
    pub fn about(&self) -> Result<About, Failure> {
        let path = self.path.join(ABOUT);
        let cannot = |why: String| Failure::new(Code::Failed, format!("cannot read {}", path.display())).why(why);
        let text = fs::read_to_string(&path).map_err(|error| cannot(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| cannot(error.to_string()))
    }
}

/// Whether a run's command is alive: it has its memory file's lock.
fn is_live(folder: &Path) -> bool {
    // A shared lock: two who look at the same time must not see each other's.
    File::open(folder.join(RAM)).is_ok_and(|file| file.try_lock_shared().is_err())
}

/// A new folder for one run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    ram: File,
}

impl RunFolder {
    /// Makes `runs/NAME-NUMBER` with a sparse memory file of `bytes`.
    pub fn create(runs: &Path, name: &str, bytes: u64) -> Result<Self, Failure> {
        let cannot = |error| Failure::file("cannot create a folder in", runs, &error);
        fs::create_dir_all(runs).map_err(cannot)?;
        tidy(runs);
        let path = numbered(runs, name).map_err(cannot)?;
        let ram = create_ram(&path, bytes).map_err(|error| Failure::file("cannot fill", &path, &error))?;
        Ok(Self { path, ram })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The memory file's path.
    pub fn ram_path(&self) -> PathBuf {
        self.path.join(RAM)
    }

    /// The memory file.
    pub fn ram(&self) -> &File {
        &self.ram
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        fs::write(&path, bytes).map_err(|error| Failure::file("cannot write", &path, &error))?;
        Ok(path)
    }

    /// Tells other commands of the run.
    pub fn tell(&self, about: &About) -> Result<(), Failure> {
        let text = serde_json::to_string(about)
            .map_err(|error| Failure::new(Code::Failed, "cannot describe the run").why(error.to_string()))?;
        self.write(ABOUT, text.as_bytes()).map(drop)
    }

    /// Removes what only the machine needed.
    pub fn remove_inputs(&self, files: &[PathBuf]) {
        for file in files {
            let _ = fs::remove_file(file);
        }
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        remove_ram(&self.ram_path());
    }
}

/// Where files live in memory, if the host has such a place: a machine whose RAM is a file on a
/// disk spends its boot waiting for that disk.
const IN_MEMORY: &str = "/dev/shm";

/// Makes the memory file: in memory if there is room for all of it, with a link in the folder; else
/// in the folder. Its lock tells other commands that this one is alive, so it has the lock before
/// it has its name.
fn create_ram(folder: &Path, bytes: u64) -> io::Result<File> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let in_memory = |number: u32| Path::new(IN_MEMORY).join(format!("corral-{}-{name}-{number}", std::process::id()));
    let create = |path: &Path| File::options().read(true).write(true).create_new(true).mode(0o600).open(path);
    // A process that was killed may have had this one's id.
    let mut created = (0..).map(in_memory).map(|path| (create(&path), path));
    let free = |(file, _): &(io::Result<File>, PathBuf)| !matches!(file, Err(error) if error.kind() == ErrorKind::AlreadyExists);
    let created = has_room(Path::new(IN_MEMORY), bytes).then(|| created.find(free)).flatten();
    let unnamed = folder.join("ram.new");
    let (file, in_memory) = match created {
        Some((file, path)) => (file?, Some(path)),
        None => (create(&unnamed)?, None),
    };
    file.lock()?;
    file.set_len(bytes)?;
    match in_memory {
        Some(path) => symlink(path, folder.join(RAM))?,
        None => fs::rename(&unnamed, folder.join(RAM))?,
    }
    Ok(file)
}

/// Whether a file system has room for `bytes`, and as much again as a quarter of them.
fn has_room(place: &Path, bytes: u64) -> bool {
    rustix::fs::statvfs(place).is_ok_and(|data| data.f_bavail.saturating_mul(data.f_frsize) > bytes + bytes / 4)
}

/// Removes a memory file, and what it links to.
fn remove_ram(path: &Path) {
    if let Ok(target) = fs::read_link(path) {
        let _ = fs::remove_file(target);
    }
    let _ = fs::remove_file(path);
}

/// Makes the first folder `NAME-1`, `NAME-2`, ... that is not there yet.
fn numbered(runs: &Path, name: &str) -> io::Result<PathBuf> {
    let prefix = format!("{name}-");
    let last = fs::read_dir(runs)?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok())
        .max()
        .unwrap_or(0u32);
    let mut number = last;
    loop {
        number += 1;
        let path = runs.join(format!("{prefix}{number}"));
        // Who may write into it may give orders to the machine.
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(path),
        }
    }
}

/// Removes the memory files of commands that were killed, and the oldest runs.
fn tidy(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else {
        return;
    };
    let mut finished = Vec::new();
    for entry in entries.flatten() {
        let ram = entry.path().join(RAM);
        match File::open(&ram).map(|file| file.try_lock().is_ok()) {
            Ok(false) => continue,
            Ok(true) => {
                remove_ram(&ram);
                let _ = fs::remove_file(socket::path(&entry.path()));
            }
            Err(_) => {}
        }
        let time = entry.metadata().and_then(|data| data.modified());
        finished.extend(time.map(|time| (time, entry.path())));
    }
    finished.sort();
    let surplus = finished.len().saturating_sub(KEPT);
    for (_, path) in finished.into_iter().take(surplus) {
        let _ = fs::remove_dir_all(path);
    }
}
