//! The emulator.

use std::path::PathBuf;
use std::process::Command;

use super::install;
use crate::failure::{Code, Failure};
use crate::process::{self, Limit};
use crate::ui::Ui;

const PROGRAM: &str = "qemu-system-aarch64";

/// The first version with `-cpu neoverse-n1` and `dtb-randomness`.
const OLDEST: (u32, u32) = (7, 1);

/// A QEMU that can run the machines of scenarios.
#[derive(Clone, Debug)]
pub struct Qemu {
    /// Where it is.
    pub program: PathBuf,
    /// What it calls its version.
    pub version: String,
}

/// Finds QEMU, or installs it.
pub fn ensure(ui: Ui) -> Result<Qemu, Failure> {
    let program = match process::find_program(PROGRAM) {
        Some(program) => program,
        None => {
            install(&["qemu-system-arm"], "QEMU for AArch64", ui)?;
            process::find_program(PROGRAM).ok_or_else(|| {
                Failure::new(Code::Setup, format!("{PROGRAM} is not in PATH after its installation"))
                    .remedy("add the folder it was installed to to PATH")
            })?
        }
    };
    let finished = process::capture(Command::new(&program).arg("--version"), Limit::None)?;
    let version = version(&finished.output);
    match version {
        Some((number, text)) if number >= OLDEST => {
            ui.have("QEMU", text);
            Ok(Qemu { program, version: text.to_owned() })
        }
        _ => Err(Failure::new(Code::Setup, format!("{} is too old", program.display()))
            .why(format!(
                "it says `{}`; {}.{} is the oldest that has this machine",
                process::tail(&finished.output, 1),
                OLDEST.0,
                OLDEST.1
            ))
            .remedy("install a newer one (Debian 12 or Ubuntu 24.04 have it), or put one first in PATH")),
    }
}

/// The version in the first line, such as `QEMU emulator version 7.2.22 (Debian ...)`.
fn version(output: &str) -> Option<((u32, u32), &str)> {
    let (_, rest) = output.lines().next()?.split_once("version ")?;
    let text = rest.split_whitespace().next()?;
    let mut numbers = text.split('.').map(|number| number.parse().ok());
    Some(((numbers.next()??, numbers.next()??), text))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_found_in_the_first_line() {
        let debian = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright";
        assert_eq!(version(debian), Some(((7, 2), "7.2.22")));
        assert_eq!(version("QEMU emulator version 10.0.2"), Some(((10, 0), "10.0.2")));
        assert_eq!(version("something else"), None);
    }
}
