//! What Linux itself spends on taking a CPU off and on, on QEMU alone and in a domain: instructions of all CPUs
//! together, Linux' and the kernel's at EL2, from the write to the CPU's file `online` until that has returned.
//!
//! The write is made by a program of a few instructions with a marker on either side, which is added to Debian's
//! initramfs together with an init that calls it.

use crate::counted::Counted;
use crate::hotplug::KERNEL_OFFSET;
use crate::linux;
use qemu_smp::{
    archive::{Archive, Kind},
    cli::{Clock, SetupArgs, Thread},
    failure::{Code, Failure},
    machine::{INSTRUCTION_CLOCK, RunFolder},
    setup::{self, Needs},
    ui::{Detail, Ui},
    workspace::Workspace,
};
use serde::Serialize;
use std::{ffi::OsString, fmt::Write, fs, time::Duration};

const LIMIT: Duration = Duration::from_secs(600);
const SCENARIO: &str = "linux-4";
const CPUS: u32 = 4;
const ROUNDS: usize = 24;
/// Looks at AFFINITY_INFO that Linux may need until a CPU is off.
const LOOKS: u64 = 2;

/// Smallest, middle, largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    min: u64,
    median: u64,
    max: u64,
}

/// One direction on one machine.
#[derive(Debug, Serialize)]
pub struct Change {
    machine: &'static str,
    change: &'static str,
    cpus: u32,
    times: usize,
    instructions: Spread,
    /// Those of them that are the kernel's at EL2.
    at_el2: Spread,
    /// How often AFFINITY_INFO was looked at.
    looks: Option<Spread>,
    /// What Linux says: the longest that it polled, in milliseconds.
    polled_ms: Option<u64>,
    /// Whether it keeps the limit, if it has one.
    pub pass: bool,
}

/// Takes CPUs off and on, on QEMU alone and in a domain.
pub fn measure(workspace: &Workspace) -> Result<Vec<Change>, Failure> {
    let mut counted = Counted::new(workspace, SCENARIO)?;
    let ready = setup::ensure(workspace, Needs::ALL, &SetupArgs::default(), Ui::new(Detail::Work))?;
    let missing =
        || Failure::new(Code::Setup, "Debian's kernel or initramfs is missing").remedy("run `cargo corral setup`");
    let linux = ready.debian_kernel.ok_or_else(missing)?;
    let debian = ready.debian_initramfs.ok_or_else(missing)?;
    let mut initramfs = fs::read(&debian).map_err(|error| Failure::file("cannot read", &debian, &error))?;
    initramfs.resize(initramfs.len().next_multiple_of(4), 0);
    initramfs.extend(more_files()?);
    let folder = RunFolder::create(&workspace.runs(), "bench-cpu", counted.scenario().machine.memory.0)?;
    let initramfs = folder.write("initramfs", &initramfs)?;
    counted.alter(Some(initramfs.clone()), |scenario| {
        let machine = &mut scenario.machine;
        machine.cpu.push_str(",cntfrq=1000000000"); // one tick is one instruction
        (machine.clock, machine.thread) = (Clock::Instructions, Thread::Single);
        if let Some(domain) = scenario.domains.first_mut() {
            // Without cpuidle every call that Linux makes is about switching CPUs off and on.
            domain.cmdline = Some("console=ttyAMA0 quiet nokaslr cpuidle.off=1 rdinit=/bench/init".to_owned());
        }
    })?;
    eprintln!("  taking a CPU of Linux off and on {ROUNDS} times on QEMU alone");
    let scenario = counted.scenario();
    let mut arguments = linux::plain(scenario, CPUS, &linux, &initramfs)?;
    arguments.extend(INSTRUCTION_CLOCK.map(OsString::from));
    let plain = counted.run_machine(&folder, arguments, ",sum=1,from=0,size=0", &[], LIMIT)?;
    let mut measured = changes("QEMU alone", &plain.counts, &plain.console)?;
    eprintln!("  taking a CPU of Linux off and on {ROUNDS} times in a domain");
    let plugin = format!(",sum=1,from={KERNEL_OFFSET},size={}", counted.kernel_bytes());
    let corral = counted.run(scenario.machine.cores, &plugin, &[], LIMIT)?;
    measured.extend(changes("Corral domain", &corral.counts, &corral.console)?);
    folder.remove_inputs(&[initramfs]);
    Ok(measured)
}

/// The init and the program.
fn more_files() -> Result<Vec<u8>, Failure> {
    let mut archive = Archive::new();
    archive.add("bench", Kind::Folder, &[])?;
    archive.add("bench/init", Kind::Program, init().as_bytes())?;
    archive.add("bench/write", Kind::Program, &program())?;
    archive.finish()
}

fn init() -> String {
    format!(
        "#!/bin/busybox sh
export PATH=/bin
/bin/busybox mkdir -p /proc /sys
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
round=0
while [ $round -lt {ROUNDS} ]; do
	cpu=$((round % {others} + 1))
	for state in 0 1; do
		usleep 20000
		/bench/write $state >/sys/devices/system/cpu/cpu$cpu/online || echo \"bench: FAILED cpu=$cpu state=$state\"
	done
	round=$((round + 1))
done
dmesg | grep 'psci: CPU'
echo \"bench: rounds=$round\"
poweroff -f
",
        others = CPUS - 1
    )
}

/// A static executable that writes the first byte of its argument to its output, between two markers.
fn program() -> Vec<u8> {
    const CODE: [u32; 11] = [
        0xd280_0020, // mov x0, #1
        0xf940_0be1, // ldr x1, [sp, #16]: argv[1]
        0xd280_0022, // mov x2, #1
        0xd280_0808, // mov x8, #64: write
        0xd503_2fff, // hint #0x7f
        0xd400_0001, // svc #0
        0xd503_2fff, // hint #0x7f
        0xf100_041f, // cmp x0, #1
        0x9a9f_07e0, // cset x0, ne
        0xd280_0ba8, // mov x8, #93: exit
        0xd400_0001, // svc #0
    ];
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    const SIZE: u64 = HEADERS + 4 * CODE.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let mut half = |values: &[u16]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    half(&[2, 183, 1, 0]); // executable, AArch64, version
    let mut double = |values: &[u64]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    double(&[BASE + HEADERS, 64, 0]); // entry, program headers, no sections
    let mut half = |values: &[u16]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    half(&[0, 0, 64, 56, 1, 64, 0, 0]); // flags, sizes and numbers of headers
    half(&[1, 0, 5, 0]); // to be loaded, may be read and executed
    let mut double = |values: &[u64]| file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    double(&[0, BASE, BASE, SIZE, SIZE, 0x1_0000]);
    file.extend(CODE.iter().flat_map(|word| word.to_le_bytes()));
    file
}

/// What was counted between two marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    all: u64,
    kernel: u64,
    calls: u64,
}

/// Lines `all=N kernel=K calls=C`; every second one ends a window.
fn parse(counts: &str) -> Vec<Sum> {
    let parse = |line: &str| {
        let value =
            |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key)?.parse().ok()).unwrap_or_default();
        Sum { all: value("all="), kernel: value("kernel="), calls: value("calls=") }
    };
    counts.lines().skip(1).step_by(2).map(parse).collect()
}

/// Milliseconds of Linux' lines `psci: CPU1 killed (polled 0 ms)`.
fn polled(console: &str) -> Vec<u64> {
    let after = |line: &str| line.split_once("killed (polled ")?.1.split_once(" ms")?.0.parse().ok();
    console.lines().filter_map(after).collect()
}

/// In turn off and on.
fn changes(machine: &'static str, counts: &str, console: &str) -> Result<Vec<Change>, Failure> {
    let (sums, polled) = (parse(counts), polled(console));
    if sums.len() != 2 * ROUNDS || polled.len() != ROUNDS || console.contains("bench: FAILED") {
        let tail: Vec<_> = console.lines().rev().take(8).collect();
        let why = format!("{} writes, {} CPUs off\n{}", sums.len(), polled.len(), tail.join("\n"));
        return Err(Failure::new(Code::Failed, format!("{machine}: Linux did not do {ROUNDS} rounds")).why(why));
    }
    let change = |change, which: usize| {
        let sums: Vec<_> = sums.iter().skip(which).step_by(2).collect();
        let of = |value: fn(&Sum) -> u64| spread(sums.iter().map(|sum| value(sum)));
        let off = which == 0;
        // One call was CPU_OFF; whatever else Linux may have called for counts as a look, so this is never too few.
        let looks = off.then(|| of(|sum| sum.calls.saturating_sub(1)));
        let pass = machine == "QEMU alone" || looks.is_none_or(|looks| looks.min >= 1 && looks.max <= LOOKS);
        let (instructions, at_el2) = (of(|sum| sum.all), of(|sum| sum.kernel));
        let polled_ms = polled.iter().copied().max().filter(|_| off);
        Change { machine, change, cpus: CPUS, times: sums.len(), instructions, at_el2, looks, polled_ms, pass }
    };
    Ok(vec![change("off", 0), change("on", 1)])
}

fn spread(values: impl Iterator<Item = u64>) -> Spread {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    Spread { min: at(0), median: at(values.len() / 2), max: at(values.len().saturating_sub(1)) }
}

/// For people.
pub fn table(measured: &[Change]) -> String {
    let mut text =
        "\nLinux takes a CPU off and on by itself: instructions of all its CPUs, and of EL2 among them\n".to_owned();
    let _ = writeln!(
        text,
        "  {:<13} {:<6} {:>4} {:>5} {:>9} {:>9} {:>9} {:>10}  AFFINITY_INFO",
        "machine", "change", "CPUs", "times", "min", "median", "max", "at EL2"
    );
    for Change { machine, change, cpus, times, instructions, at_el2, looks, polled_ms, pass } in measured {
        let Spread { min, median, max } = instructions;
        let _ = write!(
            text,
            "  {machine:<13} {change:<6} {cpus:>4} {times:>5} {min:>9} {median:>9} {max:>9} {:>10}",
            at_el2.median
        );
        if let (Some(looks), Some(polled)) = (looks, polled_ms) {
            let verdict = if *pass { "ok" } else { "FAIL" };
            let _ = write!(text, "  looked at {} to {} times, at most {polled} ms: {verdict}", looks.min, looks.max);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_an_executable() {
        let file = program();
        assert_eq!(file.len(), 64 + 56 + 44);
        let at = |offset: usize| u64::from_le_bytes(file[offset..offset + 8].try_into().unwrap());
        assert_eq!(at(24), 0x40_0000 + 120); // entry
        assert_eq!((at(32), at(64 + 32)), (64, file.len() as u64));
        assert!(init().contains("-lt 24") && init().contains("% 3"));
    }

    #[test]
    fn sums_and_polls_are_parsed() {
        let sums = parse("all=9 kernel=8 calls=7\nall=100 kernel=20 calls=3\nall=1 kernel=1 calls=1\n");
        assert_eq!(sums, [Sum { all: 100, kernel: 20, calls: 3 }]);
        let console = "[ 1.0] psci: CPU1 killed (polled 0 ms)\r\n[ 2.0] psci: CPU2 killed (polled 12 ms)\r\nelse\n";
        assert_eq!(polled(console), [0, 12]);
    }

    #[test]
    fn a_cpu_is_off_at_the_second_look() {
        let run = |calls: u64| {
            let window = |calls| format!("all=1 kernel=0 calls=0\nall=500 kernel=50 calls={calls}\n");
            let counts = format!("{}{}", window(calls), window(1)).repeat(ROUNDS);
            changes("Corral domain", &counts, &"CPU1 killed (polled 0 ms)\n".repeat(ROUNDS)).unwrap()
        };
        let passes = |calls| run(calls).iter().all(|change| change.pass);
        assert!(passes(2) && passes(3) && !passes(4) && !passes(1));
        assert_eq!(run(2)[0].looks, Some(Spread { min: 1, median: 1, max: 1 }));
        assert!(changes("QEMU alone", "", "").is_err());
    }
}
