//! The shared libraries that a program needs: what it names, what these name in turn, and in which
//! of the packages that its own package depends on they are. Only packages that turn out to be
//! asked for are looked into, which keeps out what Debian depends on for other reasons.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use elf::ElfBytes;
use elf::abi::DT_NEEDED;
use elf::endian::AnyEndian;

use crate::failure::{Code, Failure};

/// Where Debian's packages for arm64 have shared libraries, and the program that loads them.
const FOLDERS: [&str; 4] = ["lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu", "lib", "usr/lib"];

/// Packages, as far as libraries are concerned.
pub trait Packages {
    /// The names of those that this one depends on.
    fn dependencies(&self, package: &str) -> Result<Vec<String>, Failure>;

    /// The folder that this one is unpacked in.
    fn unpack(&self, package: &str) -> Result<PathBuf, Failure>;

    /// The libraries that a program or library names, by the names that they are looked up by.
    fn needed(&self, file: &Path) -> Result<Vec<String>, Failure>;
}

/// All libraries that `program`, a file of `package`, needs: their names and where they are.
pub fn resolve(packages: &impl Packages, program: &Path, package: &str) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut found = BTreeMap::new();
    let mut unpacked: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut queue = vec![(program.to_path_buf(), package.to_owned())];
    while let Some((file, owner)) = queue.pop() {
        for name in packages.needed(&file)? {
            if found.contains_key(&name) {
                continue;
            }
            let (library, package) = provider(packages, &mut unpacked, &owner, &name)?.ok_or_else(|| {
                Failure::new(Code::Setup, format!("{owner} needs {name}, and no package that it depends on has that"))
            })?;
            found.insert(name, library.clone());
            queue.push((library, package));
        }
    }
    Ok(found)
}

/// The library that `package` needs, and the package that has it.
fn provider(
    packages: &impl Packages,
    unpacked: &mut BTreeMap<String, PathBuf>,
    package: &str,
    library: &str,
) -> Result<Option<(PathBuf, String)>, Failure> {
    let known = unpacked.iter().find_map(|(name, folder)| Some((find(folder, library)?, name.clone())));
    if known.is_some() {
        return Ok(known);
    }
    for dependency in packages.dependencies(package)? {
        if unpacked.contains_key(&dependency) {
            continue;
        }
        let folder = packages.unpack(&dependency)?;
        let library = find(&folder, library);
        unpacked.insert(dependency.clone(), folder);
        if let Some(library) = library {
            return Ok(Some((library, dependency)));
        }
    }
    Ok(None)
}

fn find(folder: &Path, library: &str) -> Option<PathBuf> {
    FOLDERS.map(|place| folder.join(place).join(library)).into_iter().find(|path| path.is_file())
}

/// The libraries that an ELF file names in its dynamic section; a static one names none.
pub fn needed(bytes: &[u8]) -> Option<Vec<String>> {
    let file = ElfBytes::<AnyEndian>::minimal_parse(bytes).ok()?;
    let common = file.find_common_data().ok()?;
    let Some(dynamic) = common.dynamic else { return Some(Vec::new()) };
    let names = common.dynsyms_strs?;
    let entries = dynamic.iter().filter(|entry| entry.d_tag == DT_NEEDED);
    entries.map(|entry| names.get(entry.d_val() as usize).ok().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests;
