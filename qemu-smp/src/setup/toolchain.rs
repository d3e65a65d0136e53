//! A Rust toolchain that builds for the EL2 target: rustup's, or where rustup cannot fetch the
//! target, Debian's compiler building `core` from source.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::install;
use crate::failure::{Code, Failure};
use crate::process::{self, Limit};
use crate::ui::Ui;
use crate::workspace::Workspace;

/// What the kernel and the native guests are built for.
pub const TARGET: &str = "aarch64-unknown-none-softfloat";

/// Debian's up-to-date compiler. Its library sources are what `-Zbuild-std` builds.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "lld"];

/// A way to build for [`TARGET`].
#[derive(Clone, Debug)]
pub enum Toolchain {
    /// The target's libraries are installed.
    Installed,
    /// Debian's compiler builds them along, and links with this linker.
    BuildStd {
        /// A linker in the manner of LLVM's.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// A `cargo SUBCOMMAND --target ...` in the source tree.
    pub fn cargo(&self, workspace: &Workspace, subcommand: &str) -> Command {
        let mut command = cargo(workspace);
        command.args([subcommand, "--target", TARGET]);
        if let Self::BuildStd { linker } = self {
            command
                .arg("-Zbuild-std=core,alloc")
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_AARCH64_UNKNOWN_NONE_SOFTFLOAT_LINKER", linker);
        }
        command
    }
}

/// The cargo that started this command, in the source tree.
pub fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace.root());
    command
}

/// Finds or installs a toolchain.
pub fn ensure(workspace: &Workspace, ui: Ui) -> Result<Toolchain, Failure> {
    if is_installed(workspace) {
        ui.have("Rust target", TARGET);
        return Ok(Toolchain::Installed);
    }
    let by_rustup = add_with_rustup(workspace, ui);
    if by_rustup.is_ok() && is_installed(workspace) {
        return Ok(Toolchain::Installed);
    }
    if let Some(toolchain) = debian() {
        ui.have("Rust target", "built from source by Debian's rustc-web");
        return Ok(toolchain);
    }
    let why = by_rustup.err().unwrap_or_default();
    let channel = channel(workspace).unwrap_or_default();
    let installed = install(&DEBIAN_PACKAGES, &format!("the Rust target {TARGET}"), ui);
    debian().ok_or_else(|| {
        Failure::new(Code::Setup, format!("the Rust target {TARGET} is missing"))
            .why(match installed {
                Err(other) => format!("{why}\n{other}"),
                Ok(()) => why,
            })
            .remedy(format!(
                "run `rustup target add --toolchain {channel} {TARGET}`,\nor install Debian's packages {}",
                DEBIAN_PACKAGES.join(", ")
            ))
    })
}

/// Whether the compiler that cargo uses has the target's libraries.
fn is_installed(workspace: &Workspace) -> bool {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--print", "target-libdir", "--target", TARGET]).current_dir(workspace.root());
    let Ok(finished) = process::capture(&mut rustc, Limit::None) else {
        return false;
    };
    let Ok(files) = fs::read_dir(finished.output.trim()) else {
        return false;
    };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}

fn add_with_rustup(workspace: &Workspace, ui: Ui) -> Result<(), String> {
    let rustup = process::find_program("rustup").ok_or("there is no rustup in PATH")?;
    let channel = channel(workspace).ok_or("rust-toolchain.toml names no channel")?;
    let work = ui.work(format!("fetching the Rust target {TARGET}"));
    let mut command = Command::new(rustup);
    command.args(["target", "add", "--toolchain", &channel, TARGET]);
    let finished =
        process::stream(&mut command, Limit::None, |_, line| work.at(line)).map_err(|failure| failure.to_string())?;
    if !finished.status.success() {
        return Err(process::tail(&finished.errors, 5));
    }
    work.done("installed");
    Ok(())
}

/// The toolchain that `rust-toolchain.toml` names.
fn channel(workspace: &Workspace) -> Option<String> {
    #[derive(Deserialize)]
    struct File {
        toolchain: Table,
    }
    #[derive(Deserialize)]
    struct Table {
        channel: String,
    }
    let text = fs::read_to_string(workspace.root().join("rust-toolchain.toml")).ok()?;
    toml::from_str::<File>(&text).ok().map(|file| file.toolchain.channel)
}

fn debian() -> Option<Toolchain> {
    let query = |what: &str| {
        let mut rustc = Command::new(DEBIAN_RUSTC);
        let finished = process::capture(rustc.args(["--print", what]), Limit::None).ok()?;
        Some(PathBuf::from(finished.output.trim()))
    };
    let sysroot = query("sysroot")?;
    let sources = sysroot.join("lib/rustlib/src/rust/library/Cargo.lock");
    if !Path::new(DEBIAN_RUSTC).is_file() || !sources.is_file() {
        return None;
    }
    let rust_lld = query("target-libdir")?.parent()?.join("bin/rust-lld");
    let linker = if rust_lld.is_file() { rust_lld } else { process::find_program("ld.lld")? };
    Some(Toolchain::BuildStd { linker })
}
