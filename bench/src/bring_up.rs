//! What it takes to bring up many cores, in instructions of each core by itself, counted by a QEMU
//! plugin (`bench/plugin`).
//!
//! Core n is switched on by core (n - 1) / 2, whose SMCs come in the order of its children. So the
//! longest path from the first wake-up to the last core that waits in the pool can be added up
//! from each core's own counts: where it executed its SMCs, and where its first WFI.

use qemu_smp::{
    cli::SetupArgs,
    failure::{Code, Failure},
    machine::{Configuration, Ending, Process, RunFolder},
    run::Images,
    workspace::Workspace,
};
use serde::Serialize;
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(180);

/// One number of cores.
#[derive(Debug, Serialize)]
pub struct BringUp {
    cores: u32,
    up: usize,
    /// Instructions of the first core before it wakes another: device tree, maps, GIC.
    before: u64,
    /// Instructions on the longest path from there until the last core waits in the pool.
    longest_path: u64,
    /// Instructions of all cores on the way.
    total: u64,
}

/// What the plugin wrote of a core.
#[derive(Debug, Default)]
struct Core {
    first_wfi: u64,
    smc: Vec<u64>,
}

/// Brings up a machine for each number of cores.
pub fn measure(workspace: &Workspace, cores: &[u32]) -> Result<Vec<BringUp>, Failure> {
    let plugin = build_plugin(workspace)?;
    let (scenario, draft, images) = Images::of_scenario(workspace, "tests/system-off", &SetupArgs::default())?;
    let archive_bytes = images.archive(&draft)?;
    let mut measured = Vec::new();
    for &count in cores {
        eprintln!("  bringing up {count} cores");
        let mut machine = scenario.machine.clone();
        machine.cores = count.max(machine.cores);
        let folder = RunFolder::create(&workspace.runs(), "bench-bring-up", machine.memory.0)?;
        let image = folder.write("kernel", images.kernel())?;
        let archive = folder.write("archive", &archive_bytes)?;
        let counts = folder.path().join("counts");
        let mut arguments = Configuration::of(&machine).arguments(&image, &archive, &folder.ram_path());
        arguments.extend(["-plugin".into(), format!("{},out={}", plugin.display(), counts.display()).into()]);
        run(&images.qemu().program, &arguments)?;
        let text = fs::read_to_string(&counts).map_err(|error| Failure::file("cannot read", &counts, &error))?;
        measured.push(add_up(machine.cores, &parse(&text)));
        folder.remove_inputs(&[image, archive]);
    }
    Ok(measured)
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

fn run(program: &Path, arguments: &[std::ffi::OsString]) -> Result<(), Failure> {
    let began = Instant::now();
    let mut process = Process::start(program, arguments)?;
    while let Ok(_) | Err(std::sync::mpsc::RecvTimeoutError::Timeout) =
        process.output().recv_timeout(Duration::from_millis(100))
    {
        if qemu_smp::interrupt::requested() {
            return Err(Failure::interrupted());
        }
        if began.elapsed() > LIMIT {
            return Err(Failure::new(Code::TimedOut, "the cores did not come up in time"));
        }
    }
    match process.wait() {
        (Ending::Off, _) => Ok(()),
        (ending, complaint) => Err(Failure::new(Code::Failed, format!("QEMU ended as {ending:?}")).why(complaint)),
    }
}

/// Lines `vcpu=N total=T first_wfi=W smc=A,B,…`.
fn parse(text: &str) -> Vec<Core> {
    let mut cores = Vec::new();
    for line in text.lines() {
        let value = |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key));
        let number = |key| value(key).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        let index = number("vcpu=") as usize;
        let smc = value("smc=").unwrap_or_default().split(',').filter_map(|mark| mark.parse().ok()).collect();
        cores.resize_with(cores.len().max(index + 1), Core::default);
        if let Some(core) = cores.get_mut(index) {
            *core = Core { first_wfi: number("first_wfi="), smc };
        }
    }
    cores
}

fn add_up(count: u32, cores: &[Core]) -> BringUp {
    let before = cores.first().and_then(|core| core.smc.first()).copied().unwrap_or_default();
    // The first core's own clock starts at its first wake-up.
    let own = |index: usize, mark: u64| if index == 0 { mark.saturating_sub(before) } else { mark };
    let mut woken_at = vec![0; cores.len()];
    let (mut longest_path, mut total, mut up) = (0, 0, 0);
    for (index, core) in cores.iter().enumerate() {
        if index > 0 {
            let parent = (index - 1) / 2;
            let mark =
                cores.get(parent).and_then(|parent| parent.smc.get((index - 1) % 2)).copied().unwrap_or_default();
            let woken = woken_at.get(parent).copied().unwrap_or_default() + own(parent, mark);
            if let Some(slot) = woken_at.get_mut(index) {
                *slot = woken;
            }
        }
        let until_idle = own(index, core.first_wfi);
        longest_path = longest_path.max(woken_at.get(index).copied().unwrap_or_default() + until_idle);
        total += until_idle;
        up += usize::from(core.first_wfi > 0);
    }
    BringUp { cores: count, up, before, longest_path, total }
}

/// For people.
pub fn table(measured: &[BringUp]) -> String {
    let mut text = "\nBring-up in instructions (each core counted by itself)\n".to_owned();
    let _ = writeln!(text, "   cores      up  first core alone  longest path  all cores");
    for BringUp { cores, up, before, longest_path, total } in measured {
        let _ = writeln!(text, "  {cores:>6}  {up:>6}  {before:>16}  {longest_path:>12}  {total:>9}");
    }
    if let (Some(first), Some(last)) = (measured.first(), measured.last()) {
        let levels = f64::from(last.cores).log2() / f64::from(first.cores).log2();
        let growth = last.longest_path as f64 / first.longest_path as f64;
        let _ = writeln!(text, "  longest path {growth:.1} times as long for {levels:.1} times the tree levels");
    }
    text
}
