use std::cell::RefCell;
use std::fs;

use super::*;

/// Packages whose "libraries" are texts that name the libraries they need.
struct Shelf {
    folder: tempfile::TempDir,
    dependencies: &'static [(&'static str, &'static [&'static str])],
    unpacked: RefCell<Vec<String>>,
}

impl Shelf {
    fn new(
        dependencies: &'static [(&'static str, &'static [&'static str])],
        files: &[(&str, &str, &str)],
    ) -> (Self, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        for (package, path, needs) in files {
            let file = folder.path().join(package).join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, needs).unwrap();
        }
        let program = folder.path().join("tool/usr/bin/tool");
        (Self { folder, dependencies, unpacked: RefCell::default() }, program)
    }
}

impl Packages for Shelf {
    fn dependencies(&self, package: &str) -> Result<Vec<String>, Failure> {
        let known = self.dependencies.iter().find(|(name, _)| *name == package);
        Ok(known.map_or(&[][..], |(_, names)| names).iter().map(|name| (*name).to_owned()).collect())
    }

    fn unpack(&self, package: &str) -> Result<PathBuf, Failure> {
        self.unpacked.borrow_mut().push(package.to_owned());
        Ok(self.folder.path().join(package))
    }

    fn needed(&self, file: &Path) -> Result<Vec<String>, Failure> {
        Ok(fs::read_to_string(file).unwrap().split_whitespace().map(str::to_owned).collect())
    }
}

const DEPENDENCIES: &[(&str, &[&str])] =
    &[("tool", &["libc6", "liba1"]), ("liba1", &["libb1", "huge", "libc6"]), ("libc6", &["libgcc"])];

#[test]
fn libraries_of_libraries_are_found_and_nothing_else_is_unpacked() {
    let (shelf, program) = Shelf::new(
        DEPENDENCIES,
        &[
            ("tool", "usr/bin/tool", "liba.so.1 libc.so.6"),
            ("liba1", "usr/lib/aarch64-linux-gnu/liba.so.1", "libb.so.1 libc.so.6"),
            ("liba1", "usr/lib/aarch64-linux-gnu/libplugin.so", "libhuge.so.1"),
            ("libb1", "lib/aarch64-linux-gnu/libb.so.1", "liba.so.1"),
            ("huge", "usr/lib/libhuge.so.1", ""),
            ("libc6", "lib/aarch64-linux-gnu/libc.so.6", "ld-linux-aarch64.so.1"),
            ("libc6", "lib/ld-linux-aarch64.so.1", ""),
        ],
    );
    let found = resolve(&shelf, &program, "tool").unwrap();
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["ld-linux-aarch64.so.1", "liba.so.1", "libb.so.1", "libc.so.6"]);
    assert!(found["libb.so.1"].ends_with("libb1/lib/aarch64-linux-gnu/libb.so.1"));
    assert_eq!(*shelf.unpacked.borrow(), ["libc6", "liba1", "libb1"]);
}

#[test]
fn a_library_that_no_package_has_is_named() {
    let (shelf, program) = Shelf::new(DEPENDENCIES, &[("tool", "usr/bin/tool", "libx.so.1")]);
    let failure = resolve(&shelf, &program, "tool").unwrap_err();
    assert_eq!(failure.to_string(), "error: tool needs libx.so.1, and no package that it depends on has that");
}

#[test]
fn a_program_s_libraries_are_read_off_it() {
    let own = fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(needed(&own).unwrap().iter().any(|name| name.starts_with("libc.so")));
    assert_eq!(needed(b"#!/bin/sh\n"), None);
}
