//! The host side of Corral: set-up, scenarios, machines under QEMU, what came out of them, and the
//! tests of it all. The command `corral` is [`main`].

#![forbid(unsafe_code)]

pub mod archive;
mod bench;
mod build;
pub mod bundle;
mod check;
pub mod cli;
mod console;
mod ctl;
mod failover;
pub mod failure;
mod image;
pub mod interrupt;
pub mod machine;
mod manifest;
mod power;
mod process;
mod report;
pub mod run;
pub mod scenario;
pub mod setup;
mod stress;
mod summary;
mod test;
mod top;
mod trace;
pub mod ui;
mod units;
pub mod workspace;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use failure::{Code, Failure};
use setup::Needs;
use ui::{Detail, Ui, say};
use workspace::Workspace;

/// The command `corral`: does what the command line says; the exit code is the truth.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    interrupt::install();
    let code = match execute(&cli.command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            Some(failure.code)
        }
    };
    code.map_or(ExitCode::SUCCESS, |code| ExitCode::from(code as u8))
}

fn execute(command: &Command) -> Result<Option<Code>, Failure> {
    let workspace = Workspace::find()?;
    match command {
        Command::Setup(args) => {
            let ready = setup::ensure(&workspace, Needs::ALL, args, Ui::new(Detail::All))?;
            say(format_args!("ready: QEMU {}; try `cargo corral run`", ready.qemu.version));
            Ok(None)
        }
        Command::Run(args) => run::command(&workspace, args),
        Command::Ctl(args) => ctl::command(&workspace, args),
        Command::Top(args) => top::command(&workspace, args).map(|()| None),
        Command::Check(args) => check::command(&workspace, args).map(|()| None),
        Command::Test(args) => test::command(&workspace, args),
        Command::Power(args) => power::command(args).map(|()| None),
        Command::Stress(args) => stress::command(&workspace, args),
        Command::Failover(args) => failover::command(&workspace, args),
        Command::Bench(args) => bench::command(&workspace, args),
    }
}
