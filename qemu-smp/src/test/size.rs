//! How small the kernel has to stay.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CaseResult, Context};
use crate::build::{self, Verbosity};
use crate::failure::Failure;
use crate::setup::toolchain;
use crate::ui::{Detail, Ui};
use crate::workspace::Workspace;

/// What runs at EL2.
const CRATES: [&str; 5] = ["kernel", "smp", "domains", "hotplug", "failover"];

/// Lines of code in them, without tests, comments and blanks: the limit of the design, for all that
/// Corral is to become, and more for now (docs/decisions/0011-more-than-ten-thousand-lines.md).
const MAX_LINES: usize = 10_450;

/// Text and data of the kernel, as QEMU loads it.
const MAX_IMAGE_BYTES: usize = 320 << 10;

/// Counts the lines of what runs at EL2.
pub fn lines(workspace: &Workspace) -> CaseResult {
    let count =
        |name: &&str| sources(&workspace.root().join(name).join("src")).iter().map(|path| code_lines(path)).sum();
    let counts: Vec<usize> = CRATES.iter().map(count).collect();
    let total: usize = counts.iter().sum();
    let parts: Vec<_> = CRATES.iter().zip(&counts).map(|(name, count)| format!("{name} {count}")).collect();
    let text = format!("{total} lines of code at EL2 ({}), {MAX_LINES} allowed", parts.join(", "));
    CaseResult::from_result(if total > 0 && total <= MAX_LINES { Ok(text) } else { Err(text) })
}

/// Builds the kernel and weighs it.
pub fn image(context: &Context) -> CaseResult {
    let bytes = || -> Result<usize, Failure> {
        let ui = Ui::new(Detail::Work);
        let toolchain = toolchain::ensure(&context.workspace, ui)?;
        let kernel = build::kernel(&context.workspace, &toolchain, ui, Verbosity::Progress)?;
        Ok(build::raw_kernel(&kernel)?.len())
    };
    match bytes() {
        Err(failure) => CaseResult::fail(failure),
        Ok(bytes) => {
            let text = format!("the kernel's image has {bytes} bytes, {MAX_IMAGE_BYTES} allowed");
            CaseResult::from_result(if bytes <= MAX_IMAGE_BYTES { Ok(text) } else { Err(text) })
        }
    }
}

/// All source files of a folder but the tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let (folders, files): (Vec<_>, Vec<_>) =
        entries.filter(|path| path.file_stem().is_some_and(|name| name != "tests")).partition(|path| path.is_dir());
    let is_code = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "rs" || kind == "s");
    files.into_iter().filter(is_code).chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

fn code_lines(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}
