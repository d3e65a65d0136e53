//! A machine whose instructions the plugin `bench/plugin` counts.

use domains::protocol::{Mux, Tag};
use qemu_smp::{
    bundle::Substitutes,
    cli::SetupArgs,
    failure::{Code, Failure},
    machine::{Configuration, Ending, Process, RunFolder},
    run::{Draft, Images, Refusal},
    scenario::{self, Scenario, Source},
    workspace::Workspace,
};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// A scenario that is run with other numbers of cores.
pub struct Counted {
    workspace: Workspace,
    name: String,
    plugin: PathBuf,
    scenario: Scenario,
    draft: Draft,
    images: Images,
}

/// Something for the machine's serial line, typed as soon as the machine has written a text, and some time has passed.
#[derive(Clone, Debug)]
pub struct Typed {
    /// The text.
    pub when: String,
    /// The time, on the host.
    pub pause: Duration,
    /// What is typed.
    pub bytes: Vec<u8>,
}

/// What one machine left.
pub struct Left {
    /// What the plugin wrote.
    pub counts: String,
    /// What the machine wrote to its serial line.
    pub console: String,
}

impl Counted {
    /// Builds the plugin, and what the scenario needs.
    pub fn new(workspace: &Workspace, scenario_name: &str) -> Result<Self, Failure> {
        let plugin = build_plugin(workspace)?;
        let (scenario, draft, images) = Images::of_scenario(workspace, scenario_name, &SetupArgs::default())?;
        Ok(Self { workspace: workspace.clone(), name: scenario_name.to_owned(), plugin, scenario, draft, images })
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Bytes of the kernel's raw image.
    pub fn kernel_bytes(&self) -> usize {
        self.images.kernel().len()
    }

    /// The emulator.
    pub fn qemu(&self) -> &Path {
        &self.images.qemu().program
    }

    /// Changes the scenario's machine and domains; an initramfs of Debian's is then this file.
    pub fn alter(&mut self, initramfs: Option<PathBuf>, change: impl FnOnce(&mut Scenario)) -> Result<(), Failure> {
        change(&mut self.scenario);
        let source = Source::read(&scenario::find(&self.workspace, Path::new(&self.name))?)?;
        let substitutes = Substitutes { initramfs, ..Substitutes::default() };
        self.draft = Draft::new(&self.workspace, &source, &self.scenario, &substitutes, Refusal::ByHost)?;
        Ok(())
    }

    /// Runs it on so many cores, with these arguments for the plugin, until the machine switches itself off.
    pub fn run(&self, cores: u32, plugin_arguments: &str, typed: &[Typed], limit: Duration) -> Result<Left, Failure> {
        let mut machine = self.scenario.machine.clone();
        machine.cores = cores;
        let folder = RunFolder::create(&self.workspace.runs(), "bench-counted", machine.memory.0)?;
        let image = folder.write("kernel", self.images.kernel())?;
        let archive = folder.write("archive", &self.images.archive(&self.draft)?)?;
        let arguments = Configuration::of(&machine).arguments(&image, &archive, &folder.ram_path());
        let left = self.run_machine(&folder, arguments, plugin_arguments, typed, limit)?;
        folder.remove_inputs(&[image, archive]);
        Ok(left)
    }

    /// Runs the machine that QEMU makes of these arguments.
    pub fn run_machine(
        &self,
        folder: &RunFolder,
        mut arguments: Vec<OsString>,
        plugin_arguments: &str,
        typed: &[Typed],
        limit: Duration,
    ) -> Result<Left, Failure> {
        let counts = folder.path().join("counts");
        let plugin = format!("{},out={}{plugin_arguments}", self.plugin.display(), counts.display());
        arguments.extend(["-plugin".into(), plugin.into()]);
        let console = run(self.qemu(), &arguments, typed, limit)?;
        let counts = fs::read_to_string(&counts).map_err(|error| Failure::file("cannot read", &counts, &error))?;
        Ok(Left { counts, console })
    }
}

fn build_plugin(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "instruction-counter"])
        .current_dir(workspace.root())
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return Err(Failure::new(Code::Failed, "cargo could not build the instruction counter"));
    }
    // Beside this program, wherever cargo's target folder is.
    let own = std::env::current_exe().map_err(|error| Failure::file("cannot find", Path::new("bench"), &error))?;
    Ok(own.with_file_name("libinstruction_counter.so"))
}

/// A line as the kernel's monitor gets it.
pub fn framed(order: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    Mux::default().write(Tag::Kernel, format!("{order}\n").as_bytes(), |byte| bytes.push(byte));
    bytes
}

/// What it wrote to its serial line.
fn run(program: &Path, arguments: &[OsString], mut typed: &[Typed], limit: Duration) -> Result<String, Failure> {
    use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
    let began = Instant::now();
    let mut process = Process::start(program, arguments)?;
    let mut written = Vec::new();
    let tail = |written: &[u8]| {
        let text = String::from_utf8_lossy(written);
        let last: Vec<_> = text.lines().rev().take(8).collect();
        last.into_iter().rev().map(|line| line.replace('\u{1}', " ")).collect::<Vec<_>>().join("\n")
    };
    loop {
        match process.output().recv_timeout(Duration::from_millis(100)) {
            Ok(bytes) => {
                written.extend(bytes);
                let text = String::from_utf8_lossy(&written);
                while let Some((first, rest)) = typed.split_first().filter(|(first, _)| text.contains(&first.when)) {
                    thread::sleep(first.pause);
                    process.send(first.bytes.clone());
                    typed = rest;
                }
            }
            Err(Timeout) => {}
            Err(Disconnected) => break,
        }
        if qemu_smp::interrupt::requested() {
            return Err(Failure::interrupted());
        }
        if began.elapsed() > limit {
            let failure = Failure::new(Code::TimedOut, format!("the machine was still running after {limit:?}"));
            return Err(failure.why(tail(&written)));
        }
    }
    match process.wait() {
        (Ending::Off, _) => Ok(String::from_utf8_lossy(&written).into_owned()),
        (ending, complaint) => {
            let failure = Failure::new(Code::Failed, format!("QEMU ended as {ending:?}"));
            Err(failure.why(format!("{complaint}\n{}", tail(&written))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_framed_as_the_kernels() {
        assert_eq!(framed("move 1 pool big"), b"\x010move 1 pool big\n");
    }
}
