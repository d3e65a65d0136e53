//! The initramfs of the Linux guests: Debian's busybox, `guests/linux` on top, modules of the kernel, and more programs
//! for those that ask for them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::{Archive, Kind};
use crate::failure::Failure;
use crate::ui::Ui;
use crate::workspace::Workspace;

const FOLDERS: [&str; 8] = ["bin", "dev", "lib", "proc", "root", "run", "sys", "tmp"];

/// The console's device number, without which init has no output.
const CONSOLE: (u32, u32) = (5, 1);

/// What every archive is made of.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The program that is nearly all of the system.
    pub busybox: PathBuf,
    /// A folder with modules of the kernel.
    pub modules: PathBuf,
    /// Programs of this source tree, which go to `bin`.
    pub programs: Vec<PathBuf>,
}

impl Contents {
    /// Builds the archive of this name, with the folder `more` if there is one; writes it where it changed. It is small
    /// enough to build every time, which is simpler than telling whether something changed.
    pub fn ensure(&self, workspace: &Workspace, name: &str, more: Option<&Path>, ui: Ui) -> Result<PathBuf, Failure> {
        let path = workspace.guest_cache().join(format!("{name}.cpio"));
        let bytes = self.build(&workspace.guest("linux"), more)?;
        let size = format!("{} KiB", bytes.len() / 1024);
        if fs::read(&path).is_ok_and(|existing| existing == bytes) {
            ui.have(name, &size);
            return Ok(path);
        }
        let work = ui.work(format!("building the {name}"));
        let part = path.with_extension("part");
        fs::write(&part, &bytes)
            .and_then(|()| fs::rename(&part, &path))
            .map_err(|error| Failure::file("cannot write", &path, &error))?;
        work.done(&size);
        Ok(path)
    }

    fn build(&self, overlay: &Path, more: Option<&Path>) -> Result<Vec<u8>, Failure> {
        let mut archive = Archive::new();
        for folder in FOLDERS {
            archive.add(folder, Kind::Folder, &[])?;
        }
        let (major, minor) = CONSOLE;
        archive.add("dev/console", Kind::CharacterDevice { major, minor }, &[])?;
        add_program(&mut archive, &self.busybox, "busybox")?;
        archive.add("bin/sh", Kind::Link, b"busybox")?;
        for program in &self.programs {
            add_program(&mut archive, program, &program.file_name().unwrap_or_default().to_string_lossy())?;
        }
        for folder in [overlay, &self.modules].into_iter().chain(more) {
            add_folder(&mut archive, folder, "")?;
        }
        archive.finish()
    }
}

fn add_program(archive: &mut Archive, path: &Path, name: &str) -> Result<(), Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::file("cannot read", path, &error))?;
    archive.add(&format!("bin/{name}"), Kind::Program, &bytes)
}

/// Adds what is below `folder`, in the order of names so that the archive is reproducible.
fn add_folder(archive: &mut Archive, folder: &Path, prefix: &str) -> Result<(), Failure> {
    let cannot = |error| Failure::file("cannot read", folder, &error);
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(cannot)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(cannot)?;
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{prefix}{name}");
        if entry.is_dir() {
            if !FOLDERS.contains(&name.as_str()) {
                archive.add(&name, Kind::Folder, &[])?;
            }
            add_folder(archive, &entry, &format!("{name}/"))?;
        } else {
            let bytes = fs::read(&entry).map_err(|error| Failure::file("cannot read", &entry, &error))?;
            archive.add(&name, Kind::Program, &bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
