//! The folder of a run: its logs, and the file that is the machine's memory.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Runs that are kept; older ones are removed.
const KEPT: usize = 40;

const RAM: &str = "ram";

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
    let in_memory = has_room(Path::new(IN_MEMORY), bytes).then(|| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        Path::new(IN_MEMORY).join(format!("corral-{}-{name}", std::process::id()))
    });
    let unlocked = in_memory.clone().unwrap_or_else(|| folder.join("ram.new"));
    let file = File::options().read(true).write(true).create_new(true).open(&unlocked)?;
    file.lock()?;
    file.set_len(bytes)?;
    match in_memory {
        Some(path) => symlink(path, folder.join(RAM))?,
        None => fs::rename(&unlocked, folder.join(RAM))?,
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
        match fs::create_dir(&path) {
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
