//! The machine: QEMU's command line for a scenario, and the process.

mod absent;
mod folder;
mod process;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::Path;

pub use folder::{About, LiveRun, RunFolder};
pub use process::{Ending, Process};

use crate::cli::{Clock, MachineArgs, Thread};
use crate::failure::Failure;
use crate::scenario::{Machine, Variant};

/// QEMU's arguments for a clock that counts instructions.
pub const INSTRUCTION_CLOCK: [&str; 6] =
    ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1"];

/// A machine with everything decided.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The scenario's machine with the changes that were asked for.
    pub machine: Machine,
    /// Its clock.
    pub clock: Clock,
}

impl Configuration {
    /// The scenario's machine as it is.
    pub fn of(machine: &Machine) -> Self {
        Self { machine: machine.clone(), clock: machine.clock }
    }

    /// The scenario's machine, changed by the command line.
    pub fn from_args(machine: &Machine, args: &MachineArgs) -> Self {
        let mut machine = machine.clone();
        machine.cpu = args.cpu.clone().unwrap_or(machine.cpu);
        machine.thread = args.thread.unwrap_or(machine.thread);
        machine.cores = args.cores.unwrap_or(machine.cores);
        machine.memory = args.memory.unwrap_or(machine.memory);
        // Threads for the cores and a clock that counts their instructions exclude each other.
        let clock = match (args.icount, args.thread) {
            (true, _) => Clock::Instructions,
            (false, Some(Thread::Multi)) => Clock::Host,
            (false, _) => machine.clock,
        };
        Self { machine, clock }
    }

    /// The scenario's machine, changed by a line of a test matrix.
    pub fn from_variant(machine: &Machine, variant: &Variant) -> Self {
        let args = MachineArgs {
            cpu: variant.cpu.clone(),
            thread: variant.thread,
            cores: variant.cores,
            ..MachineArgs::default()
        };
        Self::from_args(machine, &args)
    }

    /// In a few words.
    pub fn describe(&self) -> String {
        let machine = &self.machine;
        let clock = match self.clock {
            Clock::Host => "",
            Clock::Instructions => ", instruction clock",
        };
        let cores = if machine.cores == 1 { "core" } else { "cores" };
        format!("{} {cores} {}, {}, thread={}{clock}", machine.cores, machine.cpu, machine.memory, self.thread().name())
    }

    /// An instruction clock needs all cores on one host thread.
    fn thread(&self) -> Thread {
        match self.clock {
            Clock::Host => self.machine.thread,
            Clock::Instructions => Thread::Single,
        }
    }

    /// QEMU's arguments for a run in this folder, with a device tree of our own if cores are absent.
    pub fn prepare(
        &self,
        qemu: &Path,
        kernel: &Path,
        archive: &Path,
        folder: &RunFolder,
    ) -> Result<Vec<OsString>, Failure> {
        let mut arguments = self.arguments(kernel, archive, &folder.ram_path());
        if !self.machine.absent_cores.is_empty() {
            let tree = folder.path().join("machine.dtb");
            absent::write_tree(qemu, &arguments, &self.machine.absent_cores, &tree)?;
            arguments.extend(["-dtb".into(), tree.into()]);
        }
        Ok(arguments)
    }

    /// QEMU's arguments.
    pub fn arguments(&self, kernel: &Path, archive: &Path, ram: &Path) -> Vec<OsString> {
        let machine = &self.machine;
        // Authentication of pointers with the architected algorithm makes QEMU crawl.
        let cpu = match machine.cpu.as_str() {
            "max" => "max,pauth-impdef=on",
            other => other,
        };
        let bytes = machine.memory.0;
        // A comma in a path would end the option.
        let ram = ram.display().to_string().replace(',', ",,");
        let options = [
            ("-machine", "virt,gic-version=3,virtualization=on,memory-backend=ram,dtb-randomness=off".to_owned()),
            ("-object", format!("memory-backend-file,id=ram,size={bytes},mem-path={ram},share=on")),
            ("-m", format!("{bytes}B")),
            ("-cpu", cpu.to_owned()),
            ("-smp", machine.cores.to_string()),
            ("-accel", format!("tcg,thread={}", self.thread().name())),
            ("-display", "none".to_owned()),
            ("-monitor", "none".to_owned()),
            ("-nic", "none".to_owned()),
            ("-serial", "stdio".to_owned()),
        ];
        let mut arguments: Vec<OsString> = vec!["-nodefaults".into(), "-no-user-config".into()];
        for (option, value) in options {
            arguments.extend([option.into(), value.into()]);
        }
        if self.clock == Clock::Instructions {
            arguments.extend(INSTRUCTION_CLOCK.map(OsString::from));
        }
        arguments.extend(["-kernel".into(), kernel.into(), "-initrd".into(), archive.into()]);
        arguments
    }
}
