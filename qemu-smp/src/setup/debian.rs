//! The files that guests get out of Debian's arm64 packages, kept under `target/guest` with the
//! version each came from.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use super::apt::{Apt, OWN_FILES};
use super::libraries::{self, Packages};
use super::modules;
use crate::cli::{Flavour, SetupArgs};
use crate::failure::{Code, Failure};
use crate::image::{self, Format};
use crate::ui::{Ui, Work};

/// The load generator.
const STRESS: &str = "stress-ng";

/// The fetched files, and apt to fetch missing ones with.
pub struct Store<'a> {
    folder: PathBuf,
    args: &'a SetupArgs,
    ui: Ui,
    apt: OnceCell<Apt>,
}

impl<'a> Store<'a> {
    /// The files in `folder`; nothing is fetched yet.
    pub fn new(folder: PathBuf, args: &'a SetupArgs, ui: Ui) -> Self {
        Self { folder, args, ui, apt: OnceCell::new() }
    }

    /// Debian's kernel, and a folder with the modules of it that a guest may load.
    pub fn kernel(&self) -> Result<(PathBuf, PathBuf), Failure> {
        let (name, meta) = match self.args.kernel_flavour {
            Flavour::Cloud => ("linux-cloud", "linux-image-cloud-arm64"),
            Flavour::Generic => ("linux-generic", "linux-image-arm64"),
        };
        let modules = self.folder.join(format!("{name}-modules"));
        if !modules.is_dir() {
            // Both come from one package, or they would not fit.
            let _ = fs::remove_file(self.folder.join(name));
        }
        let find = |unpacked: &Path| first_with_prefix(&unpacked.join("boot"), "vmlinuz-");
        let take_modules = |unpacked: &Path| {
            let part = self.folder.join(format!("{name}-modules.part"));
            let _ = fs::remove_dir_all(&part);
            let _ = fs::remove_dir_all(&modules);
            modules::collect(unpacked, &part)?;
            fs::rename(&part, &modules).map_err(|error| Failure::file("cannot write", &modules, &error))
        };
        let kernel = self.keep(name, |apt| apt.dependency(meta, "linux-image-"), find, take_modules)?;
        let bytes = fs::read(&kernel).map_err(|error| Failure::file("cannot read", &kernel, &error))?;
        match image::format_of(&bytes) {
            Ok(Format::Image) => Ok((kernel, modules)),
            _ => Err(Failure::new(Code::Setup, format!("{} is not a raw arm64 Image", kernel.display()))
                .why("this Debian release packs its kernel in another way")
                .remedy(OWN_FILES)),
        }
    }

    /// Debian's statically linked busybox.
    pub fn busybox(&self) -> Result<PathBuf, Failure> {
        let find = |unpacked: &Path| {
            ["bin/busybox", "usr/bin/busybox"].map(|path| unpacked.join(path)).into_iter().find(|path| path.is_file())
        };
        self.keep("busybox", |_| Ok("busybox-static".to_owned()), find, |_| Ok(()))
    }

    /// A folder with stress-ng in `bin` and the libraries that it needs in `lib`.
    pub fn stress(&self) -> Result<PathBuf, Failure> {
        let kept = self.folder.join(STRESS);
        let stamp = self.folder.join(format!("{STRESS}.version"));
        if let (Ok(version), true) = (fs::read_to_string(&stamp), kept.is_dir()) {
            self.ui.have(STRESS, version.trim());
            return Ok(kept);
        }
        let apt = self.apt()?;
        let work = self.ui.work("fetching stress-ng and its libraries");
        let unpacker = Unpacker { apt, work: &work };
        let folder = apt.side_by_side().join(STRESS);
        let version = apt.unpack_into(STRESS, &folder, &work)?;
        let program = folder.join("usr/bin").join(STRESS);
        let libraries = libraries::resolve(&unpacker, &program, STRESS)?;

        let part = self.folder.join(format!("{STRESS}.part"));
        let cannot = |error| Failure::file("cannot write", &part, &error);
        let _ = fs::remove_dir_all(&part);
        let _ = fs::remove_dir_all(&kept);
        ["bin", "lib"].into_iter().try_for_each(|name| fs::create_dir_all(part.join(name))).map_err(cannot)?;
        fs::copy(&program, part.join("bin").join(STRESS)).map_err(cannot)?;
        for (name, library) in &libraries {
            fs::copy(library, part.join("lib").join(name)).map_err(cannot)?;
        }
        fs::rename(&part, &kept).map_err(cannot)?;
        fs::write(&stamp, format!("{STRESS} {version}\n")).map_err(cannot)?;
        apt.clean();
        work.done(&format!("{version}, {} libraries", libraries.len()));
        Ok(kept)
    }

    /// The kept file called `name`; fetched first if it is missing, together with what `take` wants of its package.
    fn keep(
        &self,
        name: &str,
        package: impl Fn(&Apt) -> Result<String, Failure>,
        find: impl Fn(&Path) -> Option<PathBuf>,
        take: impl FnOnce(&Path) -> Result<(), Failure>,
    ) -> Result<PathBuf, Failure> {
        let kept = self.folder.join(name);
        let stamp = self.folder.join(format!("{name}.version"));
        // The stamp is written last: with it, the file is complete.
        if let (Ok(version), true) = (fs::read_to_string(&stamp), kept.is_file()) {
            self.ui.have(name, version.trim());
            return Ok(kept);
        }
        let apt = self.apt()?;
        let package = package(apt)?;
        let (unpacked, version) = apt.unpack(&package)?;
        let found = find(&unpacked).ok_or_else(|| {
            Failure::new(Code::Setup, format!("{package} {version} has no {name} where it was")).remedy(OWN_FILES)
        })?;
        take(&unpacked)?;
        // Both lie under target/guest, on one file system, so that this is atomic.
        fs::rename(&found, &kept).map_err(|error| Failure::file("cannot write", &kept, &error))?;
        fs::write(&stamp, format!("{package} {version}\n"))
            .map_err(|error| Failure::file("cannot write", &stamp, &error))?;
        apt.clean();
        Ok(kept)
    }

    fn apt(&self) -> Result<&Apt, Failure> {
        if let Some(apt) = self.apt.get() {
            return Ok(apt);
        }
        let mirror = self.args.debian_mirror.as_deref();
        let apt = Apt::update(self.folder.join("apt"), mirror, self.ui)?;
        Ok(self.apt.get_or_init(|| apt))
    }
}

/// Debian's packages, unpacked side by side.
struct Unpacker<'a> {
    apt: &'a Apt,
    work: &'a Work,
}

impl Packages for Unpacker<'_> {
    fn dependencies(&self, package: &str) -> Result<Vec<String>, Failure> {
        self.apt.dependencies(package)
    }

    fn unpack(&self, package: &str) -> Result<PathBuf, Failure> {
        let folder = self.apt.side_by_side().join(package);
        self.apt.unpack_into(package, &folder, self.work)?;
        Ok(folder)
    }

    fn needed(&self, file: &Path) -> Result<Vec<String>, Failure> {
        let bytes = fs::read(file).map_err(|error| Failure::file("cannot read", file, &error))?;
        libraries::needed(&bytes)
            .ok_or_else(|| Failure::new(Code::Setup, format!("{} is not a program or library", file.display())))
    }
}

fn first_with_prefix(folder: &Path, prefix: &str) -> Option<PathBuf> {
    fs::read_dir(folder)
        .ok()?
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
}
