//! The host command `corral`; everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    qemu_smp::main()
}
