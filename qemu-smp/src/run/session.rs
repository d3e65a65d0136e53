//! One run of a machine, from QEMU's start to its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use domains::protocol::Mux;

use super::timeline::Timeline;
use super::verdict::{Assertions, KernelReport};
use crate::console::attach::{Attachment, Typed};
use crate::console::live::{Live, Place};
use crate::console::{self, ConsoleId, Demultiplexer, Log};
use crate::ctl::server::Control;
use crate::failure::{Code, Failure};
use crate::interrupt;
use crate::machine::{About, Configuration, Ending, LiveRun, Process, RunFolder};
use crate::scenario::Scenario;
use crate::setup::Qemu;
use crate::trace::{Collector, Recorder, Trace};

/// How often things other than output are looked at.
const POLL: Duration = Duration::from_millis(20);

/// How long the machine may take to switch off after its verdict.
const GRACE: Duration = Duration::from_secs(5);

/// Everything that a run needs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// The machine.
    pub configuration: Configuration,
    /// The emulator.
    pub qemu: Qemu,
    /// The kernel's raw image.
    pub kernel: Vec<u8>,
    /// The manifest and the images.
    pub archive: Vec<u8>,
    /// The folder that the run's folder is made in.
    pub runs: PathBuf,
    /// The run's folder begins with this.
    pub name: String,
    /// How long the run may take; none for a person at the terminal.
    pub limit: Option<Duration>,
    /// The domain that the terminal is connected to.
    pub attach: Option<String>,
    /// Where output is shown.
    pub view: Place,
    /// Whether the command line is shown.
    pub verbose: bool,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The machine switched itself off.
    Off,
    /// QEMU gave up; this is what it said.
    Failed(String),
    /// It took too long.
    TimedOut(Duration),
    /// Ctrl-C or a signal.
    Interrupted,
    /// The user left the terminal, or the guide or the watcher the run.
    Left,
}

/// Who gives orders to a run from within this process, by its control socket.
#[derive(Debug)]
pub struct Guide {
    /// Is told where the run is.
    pub begun: Sender<LiveRun>,
    /// Ends the run.
    pub over: Arc<AtomicBool>,
}

/// Who looks on from within this process, a line at a time, and gives orders.
pub trait Watcher {
    /// QEMU was started as this process.
    fn started(&mut self, _process: u32) -> Result<(), Failure> {
        Ok(())
    }

    /// Takes a line of a console; the lines come in the order in which the machine's one serial line had their ends.
    fn line(&mut self, console: ConsoleId, line: &str);

    /// The orders for the kernel's monitor that are due. Asked after each piece of output, and now and then.
    fn orders(&mut self) -> Vec<String>;

    /// Whether nothing more is to be seen.
    fn is_over(&self) -> bool;
}

/// What a run left.
#[derive(Debug)]
pub struct Outcome {
    /// Why it ended.
    pub stop: Stop,
    /// How long it took.
    pub elapsed: Duration,
    /// What the kernel said.
    pub kernel: KernelReport,
    /// The assertions, with what they saw.
    pub assertions: Assertions,
    /// What the kernel recorded.
    pub trace: Option<Trace>,
    /// The consoles' names and logs.
    pub logs: Vec<(String, Log)>,
    /// The run's folder.
    pub folder: PathBuf,
}

/// Runs a machine to its end. Whatever happens, QEMU ends with it and the logs stay.
pub fn run(plan: &Plan) -> Result<Outcome, Failure> {
    run_with(plan, None, None)
}

/// Runs a machine that a guide gives orders to.
pub fn run_guided(plan: &Plan, guide: Guide) -> Result<Outcome, Failure> {
    run_with(plan, Some(guide), None)
}

/// Runs a machine until a watcher has seen enough, if it does not end before.
pub fn run_watched(plan: &Plan, watcher: &mut dyn Watcher) -> Result<Outcome, Failure> {
    run_with(plan, None, Some(watcher))
}

fn run_with(plan: &Plan, guide: Option<Guide>, watcher: Option<&mut dyn Watcher>) -> Result<Outcome, Failure> {
    let machine = &plan.configuration.machine;
    let folder = RunFolder::create(&plan.runs, &plan.name, machine.memory.0)?;
    let inputs = [folder.write("kernel.img", &plan.kernel)?, folder.write("archive.cpio", &plan.archive)?];
    let [kernel, archive] = &inputs;
    let arguments = plan.configuration.prepare(&plan.qemu.program, kernel, archive, &folder)?;
    note_command(plan, &folder, &arguments)?;

    let names = console::names(&plan.scenario);
    let logs = console::logs(folder.path(), &names)?;
    let domains = plan.scenario.domains.iter().map(|domain| domain.name.clone());
    folder.tell(&About { machine: plan.configuration.describe(), domains: domains.collect() })?;
    let attachment = attach(plan)?;
    let view = if attachment.is_some() { Place::Nowhere } else { plan.view };
    let ram = folder.ram().try_clone();
    let ram = ram.map_err(|error| Failure::file("cannot open", &folder.ram_path(), &error))?;
    let recorder = Recorder::start(Collector::new(ram, machine.memory.0));
    let control = control(&folder);
    let over = guide.map(|Guide { begun, over }| {
        let name = folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Nobody may be there to hear it any more.
        let _ = begun.send(LiveRun { name, path: folder.path().to_path_buf() });
        over
    });
    let started = Instant::now();
    let mut session = Session {
        process: Process::start(&plan.qemu.program, &arguments)?,
        demultiplexer: Demultiplexer::new(names.len()),
        mux: Mux::default(),
        logs,
        kernel: KernelReport::default(),
        assertions: Assertions::new(&plan.scenario),
        timeline: Timeline::new(&plan.scenario),
        live: Live::new(view, &names, &plan.configuration.describe()),
        attachment,
        control,
        over,
        watcher,
        started,
        limit: plan.limit,
        decided: None,
    };
    let process = session.process.id();
    session.watcher.as_mut().map_or(Ok(()), |watcher| watcher.started(process))?;
    let stop = session.until_end();
    let Session { live, attachment, control, kernel, assertions, logs, .. } = session;
    live.finish();
    drop((attachment, control));
    let elapsed = started.elapsed();
    let trace = recorder.finish();
    folder.remove_inputs(&inputs);
    Ok(Outcome {
        stop: stop?,
        elapsed,
        kernel,
        assertions,
        trace,
        logs: names.into_iter().zip(logs).collect(),
        folder: folder.path().to_path_buf(),
    })
}

/// Takes orders from other commands. A place where that cannot be is no reason not to run.
fn control(folder: &RunFolder) -> Option<Control> {
    Control::listen(folder.path()).inspect_err(|failure| eprintln!("{failure}")).ok()
}

fn attach(plan: &Plan) -> Result<Option<Attachment>, Failure> {
    let Some(name) = &plan.attach else {
        return Ok(None);
    };
    let console = ConsoleId::named(&plan.scenario, name).ok_or_else(|| {
        let names = console::names(&plan.scenario).join(", ");
        Failure::new(Code::Usage, format!("there is no domain {name} to attach to"))
            .remedy(format!("give one of: {names}"))
    })?;
    Attachment::new(console, name).map(Some)
}

/// Leaves QEMU's command line with the logs.
fn note_command(plan: &Plan, folder: &RunFolder, arguments: &[std::ffi::OsString]) -> Result<(), Failure> {
    let program: &Path = &plan.qemu.program;
    let words = arguments.iter().map(|argument| argument.to_string_lossy());
    let line = words.fold(program.display().to_string(), |line, word| line + " " + &word);
    if plan.verbose {
        eprintln!("{line}");
    }
    folder.write("command.txt", format!("{line}\n").as_bytes())?;
    Ok(())
}

struct Session<'w> {
    process: Process,
    demultiplexer: Demultiplexer,
    mux: Mux,
    logs: Vec<Log>,
    kernel: KernelReport,
    assertions: Assertions,
    timeline: Timeline,
    live: Live,
    attachment: Option<Attachment>,
    control: Option<Control>,
    /// The guide's word that it is to end.
    over: Option<Arc<AtomicBool>>,
    watcher: Option<&'w mut dyn Watcher>,
    started: Instant,
    limit: Option<Duration>,
    /// When the kernel gave its verdict.
    decided: Option<Instant>,
}

impl Session<'_> {
    fn until_end(&mut self) -> Result<Stop, Failure> {
        loop {
            match self.process.output().recv_timeout(POLL) {
                Ok(chunk) => self.take(&chunk)?,
                Err(RecvTimeoutError::Timeout) => self.live.idle(),
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(match self.process.wait() {
                        (Ending::Off, _) => Stop::Off,
                        (Ending::Failed(status), said) => Stop::Failed(format!("{status}\n{said}")),
                        (Ending::Killed, said) => Stop::Failed(said),
                    });
                }
            }
            for (console, bytes) in self.timeline.due(self.started.elapsed()) {
                self.send(console, &bytes);
            }
            let orders = self.control.as_mut().map(Control::poll).unwrap_or_default();
            self.send(ConsoleId::KERNEL, &orders);
            let orders = self.watcher.as_mut().map(|watcher| watcher.orders()).unwrap_or_default();
            for order in orders {
                self.send(ConsoleId::KERNEL, format!("{order}\n").as_bytes());
            }
            if let Some(stop) = self.stop() {
                let _ = self.process.end();
                while let Ok(chunk) = self.process.output().recv() {
                    self.take(&chunk)?;
                }
                return Ok(stop);
            }
        }
    }

    /// Whether it is time to end, and why.
    fn stop(&mut self) -> Option<Stop> {
        if self.decided.is_some_and(|since| since.elapsed() > GRACE) {
            return Some(Stop::Off);
        }
        if interrupt::requested() {
            return Some(Stop::Interrupted);
        }
        if let Some(limit) = self.limit.filter(|limit| self.started.elapsed() > *limit) {
            return Some(Stop::TimedOut(limit));
        }
        if self.watcher.as_ref().is_some_and(|watcher| watcher.is_over()) {
            return Some(Stop::Left);
        }
        if self.over.as_ref().is_some_and(|over| over.load(Ordering::Relaxed)) {
            return Some(Stop::Left);
        }
        let attachment = self.attachment.as_ref()?;
        let console = attachment.console();
        let typed: Vec<Typed> = attachment.typed().collect();
        for typed in typed {
            match typed {
                Typed::Bytes(bytes) => self.send(console, &bytes),
                Typed::Leave => return Some(Stop::Left),
            }
        }
        None
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        for (id, bytes) in self.demultiplexer.push(chunk) {
            if let Some(log) = self.logs.get_mut(id.0) {
                let (kernel, control, watcher) = (&mut self.kernel, &mut self.control, &mut self.watcher);
                log.write(&bytes, |line| {
                    watcher.iter_mut().for_each(|watcher| watcher.line(id, line));
                    if id == ConsoleId::KERNEL {
                        kernel.line(line);
                        control.iter_mut().for_each(|control| control.kernel_line(line));
                    }
                })?;
            }
            self.timeline.saw(id, &bytes);
            self.assertions.saw(id, &bytes);
            self.live.push(id, &bytes);
            if let Some(attachment) = &self.attachment
                && attachment.console() == id
            {
                attachment.show(&bytes);
            }
        }
        if self.kernel.verdict.is_some() {
            self.decided.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    fn send(&mut self, console: ConsoleId, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut framed = Vec::new();
        self.mux.write(console.tag(), bytes, |byte| framed.push(byte));
        self.process.send(framed);
    }
}
