//! Suite `host`: this command itself, as a user starts it: exit codes, output, time-outs, signals.

mod stand;

use std::path::Path;
use std::process::{Child, Command};

use self::stand::{Stand, expect};
use super::tiny::Step;
use super::{Case, CaseResult, Context};
use crate::failure::{Code, Failure};

const PASS: &str = "\x010[    0.000001  0] run: domain: name=one end=off boots=1 expected=off ok\n\
                    [    0.000002  0] run: verdict: pass\n";
const FAIL: &str = "\x010[    0.000001  0] run: domain: name=one end=fault boots=1 expected=off FAILED\n\
                    [    0.000002  0] run: verdict: fail\n";

type Check = fn(&Stand) -> Result<(), String>;

const CASES: [(&str, Check); 19] = [
    ("pass-exits-0", pass_exits_0),
    ("fail-exits-1", fail_exits_1),
    ("no-verdict-exits-1", no_verdict_exits_1),
    ("failed-assertion-exits-1", failed_assertion_exits_1),
    ("unknown-scenario-exits-2", unknown_scenario_exits_2),
    ("bad-scenario-exits-2-with-its-place", bad_scenario_exits_2_with_its_place),
    ("bad-kernel-exits-2", bad_kernel_exits_2),
    ("missing-set-up-exits-3", missing_set_up_exits_3),
    ("time-out-exits-4", time_out_exits_4),
    ("interrupt-exits-130", interrupt_exits_130),
    ("terminate-exits-130", terminate_exits_130),
    ("kill-ends-qemu", kill_ends_qemu),
    ("input-arrives-in-time", input_arrives_in_time),
    ("consoles-have-their-logs", consoles_have_their_logs),
    ("json-is-alone-on-the-output", json_is_alone_on_the_output),
    ("report-has-its-files", report_has_its_files),
    ("orders-reach-the-kernel", orders_reach_the_kernel),
    ("orders-without-a-run-exit-3", orders_without_a_run_exit_3),
    ("top-needs-a-terminal", top_needs_a_terminal),
];

/// A case for each check.
pub fn cases(context: &Context) -> Result<Vec<Case>, Failure> {
    let case = |(name, check): (&'static str, Check)| {
        let context = context.clone();
        Case::shared(name, move || {
            let stand = Stand::new(&context, name).map_err(|error| error.to_string());
            let result = stand.and_then(|stand| check(&stand));
            CaseResult::from_result(result.map(|()| String::new()))
        })
    };
    Ok(CASES.into_iter().map(case).collect())
}

fn pass_exits_0(stand: &Stand) -> Result<(), String> {
    let mut command = stand.run(&[Step::Print(PASS), Step::Off])?;
    expect(&mut command, 0, &["verdict    pass", "passed in"]).map(drop)
}

fn fail_exits_1(stand: &Stand) -> Result<(), String> {
    let mut command = stand.run(&[Step::Print(FAIL), Step::Off])?;
    let texts = ["verdict    fail", "domain one ended with fault, expected off"];
    expect(&mut command, Code::Failed as i32, &texts).map(drop)
}

fn no_verdict_exits_1(stand: &Stand) -> Result<(), String> {
    let mut command = stand.run(&[Step::Print("\x010last words\n"), Step::Off])?;
    let texts = ["gave no verdict", "--- the end of kernel's log", "last words"];
    expect(&mut command, Code::Failed as i32, &texts).map(drop)
}

fn failed_assertion_exits_1(stand: &Stand) -> Result<(), String> {
    let more = "[[assert]]\ndomain = \"one\"\nconsole = \"hello\"\n\
                [[assert]]\ndomain = \"kernel\"\nabsent = \"verdict\"\n\
                [[assert]]\ndomain = \"one\"\nmetric = \"boots\"\nequals = 1\n";
    stand.write_scenario(more).map_err(|error| error.to_string())?;
    let mut command = stand.run(&[Step::Print(PASS), Step::Off])?;
    let texts = [
        "FAILED one: console says \"hello\"  (never seen)",
        "FAILED kernel: console never says \"verdict\"  (seen)",
        "ok     one: boots = 1  (1)",
    ];
    expect(&mut command, Code::Failed as i32, &texts).map(drop)
}

fn unknown_scenario_exits_2(stand: &Stand) -> Result<(), String> {
    let mut command = stand.corral("run");
    let texts = ["there is no scenario nowhere"];
    expect(command.arg("nowhere"), Code::Usage as i32, &texts).map(drop)
}

fn bad_scenario_exits_2_with_its_place(stand: &Stand) -> Result<(), String> {
    stand.write_scenario("end = \"never\"\n").map_err(|error| error.to_string())?;
    let place = format!("{}.toml:10:7: domain one: end = \"never\": ", stand.name);
    for subcommand in ["check", "run"] {
        let mut command = stand.corral(subcommand);
        expect(command.arg(stand.scenario()), Code::Usage as i32, &[&place])?;
    }
    Ok(())
}

fn bad_kernel_exits_2(stand: &Stand) -> Result<(), String> {
    let kernel = stand.folder.join("one.bin");
    let mut command = stand.corral("run");
    command.arg(stand.scenario()).arg("--hypervisor").arg(kernel);
    expect(&mut command, Code::Usage as i32, &["cannot be booted", "do:"]).map(drop)
}

fn missing_set_up_exits_3(stand: &Stand) -> Result<(), String> {
    let mut command = stand.run(&[Step::Off])?;
    command.env("PATH", &stand.folder);
    expect(&mut command, Code::Setup as i32, &["QEMU", "is missing", "do:"]).map(drop)
}

fn time_out_exits_4(stand: &Stand) -> Result<(), String> {
    let mut command = stand.run(&[Step::Print("\x010asleep\n"), Step::Sleep])?;
    command.args(["--timeout", "1s"]);
    let texts = ["still running after 1 s", "asleep", "TIMED OUT"];
    expect(&mut command, Code::TimedOut as i32, &texts)?;
    stand.wait_for_qemu(false)
}

fn interrupt_exits_130(stand: &Stand) -> Result<(), String> {
    signal_exits_130(stand, "INT")
}

fn terminate_exits_130(stand: &Stand) -> Result<(), String> {
    signal_exits_130(stand, "TERM")
}

fn signal_exits_130(stand: &Stand, signal: &str) -> Result<(), String> {
    let mut child = stand.start_sleeper()?;
    send(signal, &child)?;
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.code() != Some(Code::Interrupted as i32) {
        return Err(format!("{status}, expected 130"));
    }
    stand.wait_for_qemu(false)?;
    stand.log("kernel").map(drop)
}

fn kill_ends_qemu(stand: &Stand) -> Result<(), String> {
    let mut child = stand.start_sleeper()?;
    send("KILL", &child)?;
    child.wait().map_err(|error| error.to_string())?;
    stand.wait_for_qemu(false)?;
    // The memory file that was left behind goes with the next run.
    let ram = stand.runs.join(format!("{}-1/ram", stand.name));
    expect(&mut stand.run(&[Step::Print(PASS), Step::Off])?, 0, &[])?;
    if ram.exists() {
        return Err(format!("{} is still there", ram.display()));
    }
    Ok(())
}

fn send(signal: &str, child: &Child) -> Result<(), String> {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{signal}")).arg(child.id().to_string());
    expect(&mut kill, 0, &[]).map(drop)
}

fn input_arrives_in_time(stand: &Stand) -> Result<(), String> {
    let more = "[[event]]\nat = \"300ms\"\ninput = { domain = \"one\", text = \"go!\" }\n\
                [[event]]\nwhen = { domain = \"one\", console = \"more?\" }\n\
                input = { domain = \"kernel\", text = \"yes#\" }\n";
    stand.write_scenario(more).map_err(|error| error.to_string())?;
    let steps = [Step::WaitFor(b'!'), Step::Print("\x011more?"), Step::WaitFor(b'#'), Step::Print(PASS), Step::Off];
    expect(&mut stand.run(&steps)?, 0, &["passed in"]).map(drop)
}

fn consoles_have_their_logs(stand: &Stand) -> Result<(), String> {
    let steps = [Step::Print("\x010kernel \x011one\n\x010again\n"), Step::Print(PASS), Step::Off];
    let live = ["   one | one\n", "kernel | kernel again\n"];
    expect(&mut stand.run(&steps)?, 0, &live)?;
    match (stand.log("one")?.as_str(), stand.log("kernel")?) {
        ("one\n", kernel) if kernel.starts_with("kernel again\n[") => Ok(()),
        (one, kernel) => Err(format!("one: {one:?}, kernel: {kernel:?}")),
    }
}

fn json_is_alone_on_the_output(stand: &Stand) -> Result<(), String> {
    let mut command = stand.run(&[Step::Print(FAIL), Step::Off])?;
    let finished = expect(command.arg("--json"), Code::Failed as i32, &[])?;
    let json: serde_json::Value = serde_json::from_str(&finished.output).map_err(|error| error.to_string())?;
    let end = &json["domains"][0]["end"];
    if json["result"] != "failed" || json["verdict"] != "fail" || end != "fault" {
        return Err(finished.output);
    }
    Ok(())
}

fn report_has_its_files(stand: &Stand) -> Result<(), String> {
    let report = stand.folder.join("report");
    let mut command = stand.run(&[Step::Print(PASS), Step::Off])?;
    expect(command.arg("--report").arg(&report), 0, &["report: "])?;
    let is_missing = |name: &&str| !Path::is_file(&report.join(name));
    match ["report.json", "kernel.log", "one.log"].iter().find(|name| is_missing(name)) {
        Some(name) => Err(format!("{name} is missing")),
        None => Ok(()),
    }
}

fn orders_reach_the_kernel(stand: &Stand) -> Result<(), String> {
    const CORES: &str = "[    0.000001  0] order: id=1 core=0 state=idle domain=- contexts=0\n\
                         [    0.000002  0] order: id=1 end\n";
    const REFUSED: &str = "[    0.000003  0] order: id=2 refused core=3 reason=unknown-core (no such core)\n";
    let steps = [
        Step::Print("\x010"),
        Step::WaitFor(b'\n'),
        Step::Print(CORES),
        Step::WaitFor(b'\n'),
        Step::Print(REFUSED),
        Step::WaitFor(b'\n'),
        Step::Print(PASS),
        Step::Off,
    ];
    let mut run = stand.start(&steps)?;
    let order = |words: &[&str], code: i32, texts: &[&str]| {
        let mut command = stand.corral("ctl");
        command.args(["--run", &stand.name]).args(words);
        expect(&mut command, code, texts).map(drop)
    };
    order(&["cores"], 0, &["CORE  STATE  DOMAIN  CONTEXTS", "0     idle   -       0"])?;
    order(&["on", "3"], Code::Failed as i32, &["core 3: refused: unknown-core (no such core)"])?;
    // The machine switches itself off instead of answering.
    order(&["--json", "domains"], Code::Failed as i32, &["the run ended before the order was over"])?;
    let status = run.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("the run itself: {status}")) }
}

fn orders_without_a_run_exit_3(stand: &Stand) -> Result<(), String> {
    let mut command = stand.corral("ctl");
    command.args(["--run", &stand.name, "cores"]);
    expect(&mut command, Code::Setup as i32, &["error: no run host-"]).map(drop)
}

fn top_needs_a_terminal(stand: &Stand) -> Result<(), String> {
    expect(&mut stand.corral("top"), Code::Usage as i32, &["top needs a terminal", "do:"]).map(drop)
}
