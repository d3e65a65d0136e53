//! Building the kernel and the native guests, and the kernel's raw image.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::{Code, Failure};
use crate::image::{self, Format};
use crate::process::{self, Limit, Stream};
use crate::setup::Toolchain;
use crate::ui::{Ui, Work};
use crate::workspace::Workspace;

/// Packages that are programs for Linux, built for the same target: they need no library.
const LINUX_PROGRAMS: [&str; 1] = ["linux-counter"];

/// The executables by the folder of their package.
#[derive(Clone, Debug, Default)]
pub struct Built {
    programs: BTreeMap<PathBuf, PathBuf>,
    guests: PathBuf,
}

impl Built {
    /// A native guest's executable.
    pub fn guest(&self, name: &str) -> Option<PathBuf> {
        self.programs.get(&self.guests.join(name)).cloned()
    }
}

/// What is shown of cargo's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// A line while something is compiled.
    Progress,
    /// Everything that cargo says.
    Everything,
}

/// One line of cargo's `--message-format=json`, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    manifest_path: Option<PathBuf>,
    executable: Option<PathBuf>,
}

/// Builds the native guests with these names.
pub fn guests(
    workspace: &Workspace,
    toolchain: &Toolchain,
    names: &[&str],
    ui: Ui,
    verbosity: Verbosity,
) -> Result<Built, Failure> {
    if names.is_empty() {
        return Ok(Built::default());
    }
    let programs = build(workspace, toolchain, names, ui, verbosity)?;
    Ok(Built { programs, guests: workspace.root().join("guests") })
}

/// Builds the programs for Linux guests.
pub fn linux_programs(workspace: &Workspace, toolchain: &Toolchain, ui: Ui) -> Result<Vec<PathBuf>, Failure> {
    Ok(build(workspace, toolchain, &LINUX_PROGRAMS, ui, Verbosity::Progress)?.into_values().collect())
}

/// Builds the kernel; answers its ELF.
pub fn kernel(workspace: &Workspace, toolchain: &Toolchain, ui: Ui, verbosity: Verbosity) -> Result<PathBuf, Failure> {
    build(workspace, toolchain, &["kernel"], ui, verbosity)?
        .remove(&workspace.root().join("kernel"))
        .ok_or_else(no_kernel)
}

/// There is nothing to boot.
pub fn no_kernel() -> Failure {
    Failure::new(Code::Failed, "cargo built no kernel")
}

/// The kernel as QEMU loads it: an ELF is made raw, an Image is taken as it is.
pub fn raw_kernel(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = fs::read(path)
        .map_err(|error| Failure::new(Code::Usage, format!("cannot read {}", path.display())).why(error.to_string()))?;
    let refused = |why: String| {
        Failure::new(Code::Usage, format!("{} cannot be booted", path.display()))
            .why(why)
            .remedy("give an AArch64 ELF executable or a raw arm64 Image")
    };
    match image::format_of(&bytes) {
        Ok(Format::Elf) => image::raw_from_elf(&bytes).map_err(refused),
        Ok(Format::Image) => Ok(bytes),
        Ok(Format::Raw) => Err(refused("it has neither an ELF nor an Image header".to_owned())),
        Err(packed) => Err(refused(packed.advice().to_owned())),
    }
}

fn build(
    workspace: &Workspace,
    toolchain: &Toolchain,
    packages: &[&str],
    ui: Ui,
    verbosity: Verbosity,
) -> Result<BTreeMap<PathBuf, PathBuf>, Failure> {
    let what = packages.join(", ");
    let mut command = toolchain.cargo(workspace, "build");
    command.args(["--profile", "bare", "--message-format=json-render-diagnostics"]);
    for package in packages {
        command.args(["--package", package]);
    }
    let mut work: Option<Work> = None;
    let finished = process::stream(&mut command, Limit::None, |stream, line| {
        if stream == Stream::Out {
            return;
        }
        if verbosity == Verbosity::Everything {
            eprintln!("{line}");
        } else if line.trim_start().starts_with("Compiling") {
            work.get_or_insert_with(|| ui.work(format!("building {what}"))).at(line.trim());
        }
    })?;
    if !finished.status.success() {
        let failure = Failure::new(Code::Failed, format!("cargo could not build {what}"));
        return Err(match verbosity {
            Verbosity::Progress => failure.why(process::tail(&finished.errors, 60)),
            Verbosity::Everything => failure,
        });
    }
    if let Some(work) = work {
        work.done("built");
    }
    Ok(finished
        .output
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter_map(|message| {
            let folder = message.manifest_path?.parent()?.to_path_buf();
            Some((folder, message.executable?))
        })
        .collect())
}
