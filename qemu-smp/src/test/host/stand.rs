//! A place to start this command from, as a user does.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{self, Finished, Limit};
use crate::test::Context;
use crate::test::tiny::{self, Step};

/// No case takes nearly as long.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder with a scenario of one domain, gone afterwards.
pub struct Stand {
    /// The scenario's name.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// Where the runs are.
    pub runs: PathBuf,
}

impl Stand {
    /// A stand for the case of this name.
    pub fn new(context: &Context, name: &str) -> std::io::Result<Self> {
        let name = format!("host-{name}-{}", std::process::id());
        let folder = context.workspace.root().join("target/host-test").join(&name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("one.bin"), [0; 4])?;
        let stand = Self { name, folder, runs: context.workspace.runs() };
        stand.write_scenario("")?;
        Ok(stand)
    }

    /// The scenario, with more at its end.
    pub fn write_scenario(&self, more: &str) -> std::io::Result<()> {
        let text = format!(
            "[machine]\ncores = 1\nmemory = \"128MiB\"\n\n[[domain]]\nname = \"one\"\n\
             image = \"one.bin\"\nmemory = \"16MiB\"\ncores = 1\n{more}"
        );
        fs::write(self.scenario(), text)
    }

    /// The scenario's file.
    pub fn scenario(&self) -> PathBuf {
        self.folder.join(format!("{}.toml", self.name))
    }

    /// `corral run` with a tiny kernel.
    pub fn run(&self, steps: &[Step<'_>]) -> Result<Command, String> {
        let kernel = self.folder.join("kernel");
        fs::write(&kernel, tiny::image(steps)).map_err(|error| error.to_string())?;
        let mut command = self.corral("run");
        command.arg(self.scenario()).arg("--hypervisor").arg(kernel);
        Ok(command)
    }

    /// `corral SUBCOMMAND`, in the folder.
    pub fn corral(&self, subcommand: &str) -> Command {
        // Still this program if cargo has replaced its file since.
        let mut command = Command::new("/proc/self/exe");
        command.arg(subcommand).current_dir(&self.folder);
        command
    }

    /// Whether a QEMU of this stand is there.
    fn has_qemu(&self) -> bool {
        let run = self.runs.join(&self.name).display().to_string();
        let Ok(processes) = fs::read_dir("/proc") else {
            return false;
        };
        processes.flatten().any(|process| {
            fs::read(process.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&format!("mem-path={run}")))
        })
    }

    /// Waits until a QEMU is there, or is gone.
    pub fn wait_for_qemu(&self, there: bool) -> Result<(), String> {
        let started = Instant::now();
        while self.has_qemu() != there {
            if started.elapsed() > LIMIT / 4 {
                let word = if there { "did not start" } else { "was left behind" };
                return Err(format!("QEMU {word}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Starts a run of a kernel that sleeps, and waits for its QEMU.
    pub fn start_sleeper(&self) -> Result<Child, String> {
        self.start(&[Step::Print("asleep\n"), Step::Sleep])
    }

    /// Starts a run, and waits for its QEMU.
    pub fn start(&self, steps: &[Step<'_>]) -> Result<Child, String> {
        let mut command = self.run(steps)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        self.wait_for_qemu(true)?;
        Ok(child)
    }

    /// The text of a console's log in the run's folder.
    pub fn log(&self, console: &str) -> Result<String, String> {
        let path = self.runs.join(format!("{}-1/{console}.log", self.name));
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        for number in 1..=2 {
            let _ = fs::remove_dir_all(self.runs.join(format!("{}-{number}", self.name)));
        }
    }
}

fn finish(command: &mut Command) -> Result<Finished, String> {
    process::capture(command, Limit::After(LIMIT)).map_err(|failure| failure.to_string())
}

/// Runs a command that has to exit with `code` after saying `texts`.
pub fn expect(command: &mut Command, code: i32, texts: &[&str]) -> Result<Finished, String> {
    let finished = finish(command)?;
    let said = format!("{}{}", finished.output, finished.errors);
    if finished.status.code() != Some(code) {
        return Err(format!("{}, expected {code}\n{said}", finished.status));
    }
    match texts.iter().find(|text| !said.contains(**text)) {
        Some(missing) => Err(format!("did not say `{missing}`\n{said}")),
        None => Ok(finished),
    }
}
