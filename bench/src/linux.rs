//! How long Debian's Linux takes to its init, in a domain and on the same QEMU without Corral.
//!
//! The two boot in turn, so that whatever else the host does falls on both. Compared are medians
//! of the time on the clock and of the processor time that QEMU used; the second is steadier on a
//! busy host.

use qemu_smp::{
    cli::SetupArgs,
    failure::{Code, Failure},
    machine::{Configuration, Process, RunFolder},
    run::Images,
    scenario::Scenario,
    setup::{self, Needs},
    ui::{Detail, Ui},
    workspace::Workspace,
};
use serde::Serialize;
use std::{
    ffi::OsString,
    fmt::Write,
    fs,
    path::Path,
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

/// What the guests' init prints first.
const INIT: &[u8] = b"corral-init: up";
const LIMIT: Duration = Duration::from_secs(120);

/// Seconds to init, medians.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Times {
    clock_s: f64,
    processor_s: f64,
}

/// The two, side by side.
#[derive(Debug, Serialize)]
pub struct Comparison {
    cpus: u32,
    runs: usize,
    plain: Times,
    corral: Times,
    clock_ratio: f64,
    processor_ratio: f64,
}

/// Boots `linux-CPUS.toml` and the same without Corral, `runs` times each.
pub fn measure(workspace: &Workspace, cpus: u32, runs: usize) -> Result<Comparison, Failure> {
    let setup = SetupArgs::default();
    let (scenario, draft, images) = Images::of_scenario(workspace, &format!("linux-{cpus}"), &setup)
        .map_err(|failure| failure.remedy("there are scenarios for 1, 4 and 16 CPUs"))?;
    let archive_bytes = images.archive(&draft)?;
    let ready = setup::ensure(workspace, Needs::ALL, &setup, Ui::new(Detail::Work))?;
    let missing =
        || Failure::new(Code::Setup, "Debian's kernel or initramfs is missing").remedy("run `cargo corral setup`");
    let kernel = ready.debian_kernel.ok_or_else(missing)?;
    let initramfs = ready.debian_initramfs.ok_or_else(missing)?;
    let program = &images.qemu().program;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for run in 1..=runs {
        eprintln!("  booting Linux on {cpus} CPUs with and without Corral, {run} of {runs}");
        let folder = RunFolder::create(&workspace.runs(), "bench-linux", scenario.machine.memory.0)?;
        let image = folder.write("kernel", images.kernel())?;
        let archive = folder.write("archive", &archive_bytes)?;
        let configuration = Configuration::of(&scenario.machine);
        let arguments = configuration.arguments(&image, &archive, &folder.ram_path());
        with.push(time_to_init(program, &arguments)?);
        without.push(time_to_init(program, &plain(&scenario, cpus, &kernel, &initramfs)?)?);
        folder.remove_inputs(&[image, archive]);
    }
    let (plain, corral) = (median(&without), median(&with));
    Ok(Comparison {
        cpus,
        runs,
        plain,
        corral,
        clock_ratio: corral.clock_s / plain.clock_s,
        processor_ratio: corral.processor_s / plain.processor_s,
    })
}

/// QEMU's arguments for the first domain's Linux as it would boot without Corral.
pub fn plain(scenario: &Scenario, cpus: u32, kernel: &Path, initramfs: &Path) -> Result<Vec<OsString>, Failure> {
    let domain = scenario.domains.first().ok_or_else(|| Failure::new(Code::Usage, "the scenario has no domain"))?;
    let memory = domain.memory.0;
    let machine = &scenario.machine;
    let options = [
        ("-machine", "virt,gic-version=3,dtb-randomness=off".to_owned()),
        ("-m", format!("{memory}B")),
        ("-cpu", machine.cpu.clone()),
        ("-smp", cpus.to_string()),
        ("-accel", format!("tcg,thread={}", machine.thread.name())),
        ("-display", "none".to_owned()),
        ("-monitor", "none".to_owned()),
        ("-nic", "none".to_owned()),
        ("-serial", "stdio".to_owned()),
        ("-kernel", kernel.display().to_string()),
        ("-initrd", initramfs.display().to_string()),
        ("-append", domain.cmdline.clone().unwrap_or_default()),
    ];
    let mut arguments: Vec<OsString> = vec!["-nodefaults".into(), "-no-user-config".into()];
    for (option, value) in options {
        arguments.extend([option.into(), value.into()]);
    }
    Ok(arguments)
}

/// Starts QEMU, waits for Linux' init, ends QEMU.
fn time_to_init(program: &Path, arguments: &[OsString]) -> Result<Times, Failure> {
    let began = Instant::now();
    let mut process = Process::start(program, arguments)?;
    let mut seen = Vec::new();
    loop {
        if qemu_smp::interrupt::requested() {
            return Err(Failure::interrupted());
        }
        let late = began.elapsed() > LIMIT;
        match process.output().recv_timeout(Duration::from_millis(100)) {
            Ok(bytes) => seen.extend(bytes),
            Err(RecvTimeoutError::Timeout) if !late => continue,
            Err(_) => {
                let (_, complaint) = process.end();
                let tail = String::from_utf8_lossy(&seen).lines().rev().take(5).collect::<Vec<_>>().join(" | ");
                return Err(
                    Failure::new(Code::Failed, "Linux did not reach its init").why(format!("{complaint}{tail}"))
                );
            }
        }
        if seen.windows(INIT.len()).any(|window| window == INIT) {
            let times = Times { clock_s: began.elapsed().as_secs_f64(), processor_s: processor_time(process.id()) };
            let _ = process.end();
            return Ok(times);
        }
    }
}

/// Seconds of user and system time of a process so far (proc(5), `/proc/PID/stat`, fields 14, 15).
fn processor_time(id: u32) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / TICKS_PER_SECOND
}

fn median(times: &[Times]) -> Times {
    let middle = |field: fn(&Times) -> f64| {
        let mut values: Vec<_> = times.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Times { clock_s: middle(|times| times.clock_s), processor_s: middle(|times| times.processor_s) }
}

/// For people.
pub fn table(comparison: &Comparison) -> String {
    let Comparison { cpus, runs, plain, corral, clock_ratio, processor_ratio } = comparison;
    let mut text = format!("Linux to its init, {cpus} CPUs, medians of {runs}\n");
    let _ = writeln!(text, "                        clock   processor");
    let _ = writeln!(text, "  QEMU alone       {:>8.2} s  {:>8.2} s", plain.clock_s, plain.processor_s);
    let _ = writeln!(text, "  under Corral     {:>8.2} s  {:>8.2} s", corral.clock_s, corral.processor_s);
    let _ = writeln!(text, "  ratio            {clock_ratio:>8.2}    {processor_ratio:>8.2}");
    text
}
