//! What has to be on the host before a machine can run. Every step looks first, does only what is
//! missing, and can be repeated or resumed.

mod apt;
mod debian;
mod initramfs;
mod libraries;
mod modules;
mod qemu;
mod sources;
pub mod toolchain;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build;
use crate::cli::SetupArgs;
use crate::failure::{Code, Failure};
use crate::process::{self, Limit};
use crate::ui::Ui;
use crate::workspace::Workspace;

pub use qemu::Qemu;
pub use toolchain::Toolchain;

/// What a set-up can provide; a scenario needs some of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// A toolchain that builds for the target.
    pub toolchain: bool,
    /// Debian's kernel.
    pub debian_kernel: bool,
    /// The busybox initramfs.
    pub debian_initramfs: bool,
    /// The same with stress-ng.
    pub debian_stress: bool,
}

impl Needs {
    /// All that is there before a scenario asks for more.
    pub const ALL: Self = Self { toolchain: true, debian_kernel: true, debian_initramfs: true, debian_stress: false };
}

impl Needs {
    /// What both need.
    pub fn and(self, other: Self) -> Self {
        Self {
            toolchain: self.toolchain || other.toolchain,
            debian_kernel: self.debian_kernel || other.debian_kernel,
            debian_initramfs: self.debian_initramfs || other.debian_initramfs,
            debian_stress: self.debian_stress || other.debian_stress,
        }
    }
}

/// What is there after the set-up.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The emulator.
    pub qemu: Qemu,
    /// How to build for the target, if it was asked for.
    pub toolchain: Option<Toolchain>,
    /// Debian's kernel, if it was asked for.
    pub debian_kernel: Option<PathBuf>,
    /// The busybox initramfs, if it was asked for.
    pub debian_initramfs: Option<PathBuf>,
    /// The same with stress-ng, if it was asked for.
    pub debian_stress: Option<PathBuf>,
}

/// Brings everything that is needed into place.
pub fn ensure(workspace: &Workspace, needs: Needs, args: &SetupArgs, ui: Ui) -> Result<Ready, Failure> {
    let cache = workspace.guest_cache();
    fs::create_dir_all(&cache).map_err(|error| Failure::file("cannot create", &cache, &error))?;
    let _lock = lock(&cache.join("lock"), ui)?;

    let qemu = qemu::ensure(ui)?;
    let needs_initramfs = needs.debian_initramfs || needs.debian_stress;
    // An initramfs has modules of the kernel, and programs of this source tree.
    let toolchain = (needs.toolchain || needs_initramfs).then(|| toolchain::ensure(workspace, ui)).transpose()?;
    let store = debian::Store::new(cache, args, ui);
    let linux = (needs.debian_kernel || needs_initramfs).then(|| store.kernel()).transpose()?;
    let (debian_kernel, modules) = linux.unzip();
    let initramfs = match (&toolchain, modules) {
        (Some(toolchain), Some(modules)) if needs_initramfs => Some(initramfs::Contents {
            busybox: store.busybox()?,
            modules,
            programs: build::linux_programs(workspace, toolchain, ui)?,
        }),
        _ => None,
    };
    let make = |name, more: Option<&Path>| {
        initramfs.as_ref().map(|contents| contents.ensure(workspace, name, more, ui)).transpose()
    };
    let debian_initramfs = if needs.debian_initramfs { make("initramfs", None)? } else { None };
    let debian_stress = if needs.debian_stress { make("initramfs-stress", Some(&store.stress()?))? } else { None };
    Ok(Ready { qemu, toolchain, debian_kernel, debian_initramfs, debian_stress })
}

/// Keeps two set-ups from working on the same files. The lock goes with the file handle, however
/// this process ends.
fn lock(path: &Path, ui: Ui) -> Result<File, Failure> {
    let cannot = |error| Failure::file("cannot lock", path, &error);
    let file = File::create(path).map_err(cannot)?;
    if file.try_lock().is_err() {
        let _waiting = ui.work("waiting for another corral command's set-up");
        file.lock().map_err(cannot)?;
    }
    Ok(file)
}

/// Who may install packages on this host.
enum Privilege {
    Root,
    Sudo,
    None,
}

fn privilege() -> Privilege {
    let succeeds = |program: &str, arguments: &[&str]| {
        process::capture(Command::new(program).args(arguments), Limit::None)
            .is_ok_and(|finished| finished.status.success() && finished.output.trim() != "1")
    };
    let is_root =
        process::capture(Command::new("id").arg("-u"), Limit::None).is_ok_and(|finished| finished.output.trim() == "0");
    if is_root {
        Privilege::Root
    } else if succeeds("sudo", &["-n", "true"]) {
        Privilege::Sudo
    } else {
        Privilege::None
    }
}

/// Installs packages of the host's own distribution, or says which command would.
fn install(packages: &[&str], purpose: &str, ui: Ui) -> Result<(), Failure> {
    let list = packages.join(" ");
    let missing = || Failure::new(Code::Setup, format!("{purpose} is missing"));
    let by_hand = format!("run `sudo apt-get install --no-install-recommends {list}`, then this again");
    if process::find_program("apt-get").is_none() {
        return Err(missing()
            .why("there is no apt-get on this host")
            .remedy(format!("install what your distribution calls {list}, then run this again")));
    }
    let prefix: &[&str] = match privilege() {
        Privilege::Root => &[],
        Privilege::Sudo => &["sudo", "-n"],
        Privilege::None => {
            return Err(missing().why("installing it needs root, and sudo would ask for a password").remedy(by_hand));
        }
    };
    let work = ui.work(format!("installing {list}"));
    let steps: [&[&str]; 2] = [&["update"], &["install", "--yes", "--no-install-recommends"]];
    for step in steps {
        let mut words = prefix.to_vec();
        words.push("apt-get");
        words.extend(step);
        if step.len() > 1 {
            words.extend(packages);
        }
        let Some((program, arguments)) = words.split_first() else {
            continue;
        };
        let mut command = Command::new(program);
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        let finished = process::stream(&mut command, Limit::None, |_, line| work.at(line))?;
        // Third-party sources that fail to update need not matter: the installation decides.
        if step.len() > 1 && !finished.status.success() {
            return Err(missing().why(process::tail(&finished.errors, 5)).remedy(by_hand));
        }
    }
    work.done("installed");
    Ok(())
}
