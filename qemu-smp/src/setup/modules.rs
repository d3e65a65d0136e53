//! Modules of Debian's kernel for the initramfs: those that the guest loads, what they depend on by their own word, and
//! the list that `modprobe` reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use elf::ElfBytes;
use elf::endian::AnyEndian;

use crate::failure::{Code, Failure};
use crate::process::{self, Limit};

/// What the members of a group need: the watchdog that they feed, and the region that they share.
const WANTED: [&str; 3] = ["sbsa_gwdt", "of_pmem", "nd_pmem"];

/// Where modules are in a package, and in an initramfs.
const FOLDER: &str = "lib/modules";

/// Copies the modules out of an unpacked package into the folder `to`, laid out as the guest's root; answers how many.
pub fn collect(unpacked: &Path, to: &Path) -> Result<usize, Failure> {
    let lack = |what: String| Failure::new(Code::Setup, what).why("this Debian release has its modules in another way");
    let from = [unpacked.join(FOLDER), unpacked.join("usr").join(FOLDER)];
    let (version, tree) = from
        .iter()
        .find_map(|folder| only_folder(folder))
        .ok_or_else(|| lack("Debian's kernel has no modules".to_owned()))?;
    let mut files = BTreeMap::new();
    list(&tree, &mut files).map_err(|error| Failure::file("cannot read", &tree, &error))?;

    let to = to.join(FOLDER).join(version);
    let cannot = |error| Failure::file("cannot write", &to, &error);
    fs::create_dir_all(&to).map_err(cannot)?;
    let mut modules: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut queue: Vec<String> = WANTED.map(str::to_owned).to_vec();
    while let Some(name) = queue.pop() {
        if modules.contains_key(&name) {
            continue;
        }
        let file = files.get(&name).ok_or_else(|| lack(format!("Debian's kernel has no module {name}")))?;
        let bytes = read(file)?;
        let needed = depends(&bytes).ok_or_else(|| lack(format!("{} is not a module", file.display())))?;
        fs::write(to.join(format!("{name}.ko")), bytes).map_err(cannot)?;
        queue.extend(needed.iter().cloned());
        modules.insert(name, needed);
    }
    fs::write(to.join("modules.dep"), dependencies(&modules)).map_err(cannot)?;
    Ok(modules.len())
}

fn only_folder(folder: &Path) -> Option<(String, PathBuf)> {
    let path = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).find(|path| path.is_dir())?;
    Some((path.file_name()?.to_str()?.to_owned(), path))
}

/// All modules below `folder`, by their names, in which `-` and `_` are the same.
fn list(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if let Some((name, "ko" | "ko.xz")) =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('.'))
        {
            files.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

/// A module's bytes, unpacked: later Debian releases pack them.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |error| Failure::file("cannot read", path, &error);
    if path.extension().is_some_and(|kind| kind == "xz") {
        let finished = process::capture(Command::new("xz").args(["--decompress", "--keep"]).arg(path), Limit::None)?;
        if !finished.status.success() {
            return Err(Failure::new(Code::Setup, format!("{} cannot be unpacked", path.display()))
                .why(process::tail(&finished.errors, 5)));
        }
        return fs::read(path.with_extension("")).map_err(cannot);
    }
    fs::read(path).map_err(cannot)
}

/// The modules that this one needs, as its section `.modinfo` has them: words that end with a 0, one of them
/// `depends=dax,libnvdimm`.
fn depends(module: &[u8]) -> Option<Vec<String>> {
    let file = ElfBytes::<AnyEndian>::minimal_parse(module).ok()?;
    let header = file.section_header_by_name(".modinfo").ok()??;
    let (bytes, _) = file.section_data(&header).ok()?;
    let words = bytes.split(|&byte| byte == 0).filter_map(|word| str::from_utf8(word).ok());
    let list = words.filter_map(|word| word.strip_prefix("depends=")).next()?;
    Some(list.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect())
}

/// `modules.dep`: a line a module, with all that has to be loaded before, the first one last.
fn dependencies(modules: &BTreeMap<String, Vec<String>>) -> String {
    let mut lines = String::new();
    for name in modules.keys() {
        let mut order = Vec::new();
        visit(name, modules, &mut order);
        let needed = order.iter().rev().filter(|needed| *needed != name).map(|needed| format!(" {needed}.ko"));
        lines += &format!("{name}.ko:{}\n", needed.collect::<String>());
    }
    lines
}

/// Appends what the module needs, and it, unless they are there.
fn visit<'a>(name: &'a str, modules: &'a BTreeMap<String, Vec<String>>, order: &mut Vec<&'a str>) {
    if order.contains(&name) {
        return;
    }
    for needed in modules.get(name).into_iter().flatten() {
        visit(needed, modules, order);
    }
    order.push(name);
}

#[cfg(test)]
mod tests;
