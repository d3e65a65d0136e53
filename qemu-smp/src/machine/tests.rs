use std::path::PathBuf;

use super::*;
use crate::failure::Code;
use crate::scenario::{Scenario, Source};

fn machine() -> Machine {
    let text = "[machine]\ncores = 4\nmemory = \"128MiB\"\n";
    Scenario::parse(&Source::of_text(text)).unwrap().machine
}

fn line(configuration: &Configuration) -> String {
    let [kernel, archive, ram] = ["k", "a", "r,am"].map(PathBuf::from);
    let arguments = configuration.arguments(&kernel, &archive, &ram);
    let words: Vec<_> = arguments.iter().map(|word| word.to_str().unwrap()).collect();
    words.join(" ")
}

#[test]
fn the_command_line_has_the_machine() {
    let line = line(&Configuration::from_args(&machine(), &MachineArgs::default()));
    for part in [
        "-nodefaults",
        "-cpu neoverse-n1 -smp 4 -accel tcg,thread=single",
        "size=134217728,mem-path=r,,am,share=on -m 134217728B",
        "-kernel k -initrd a",
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains("icount"));
}

#[test]
fn the_user_can_change_it() {
    let args = MachineArgs {
        cpu: Some("max".to_owned()),
        thread: Some(Thread::Multi),
        cores: Some(2),
        icount: true,
        ..MachineArgs::default()
    };
    let configuration = Configuration::from_args(&machine(), &args);
    let line = line(&configuration);
    assert!(line.contains("-cpu max,pauth-impdef=on -smp 2"), "{line}");
    // The instruction clock rules the threads out.
    assert!(line.contains("thread=single") && line.contains("-icount shift=0,sleep=off"));
    let described = "2 cores max, 128MiB, thread=single, instruction clock";
    assert_eq!(configuration.describe(), described);
}

#[test]
fn runs_are_numbered_and_their_memory_goes() {
    let runs = tempfile::tempdir().unwrap();
    let first = RunFolder::create(runs.path(), "demo", 1 << 20).unwrap();
    let second = RunFolder::create(runs.path(), "demo", 1 << 20).unwrap();
    assert_eq!(second.path(), runs.path().join("demo-2"));
    assert_eq!(first.ram().metadata().unwrap().len(), 1 << 20);
    let ram = first.ram_path();
    assert!(ram.exists());
    drop(first);
    assert!(!ram.exists());
    assert!(second.ram_path().exists());
}

#[test]
fn memory_of_dead_commands_and_old_runs_are_removed() {
    let runs = tempfile::tempdir().unwrap();
    let dead = runs.path().join("dead-1");
    std::fs::create_dir(&dead).unwrap();
    std::fs::write(dead.join("ram"), "x").unwrap();
    let alive = RunFolder::create(runs.path(), "alive", 1).unwrap();
    assert!(!dead.join("ram").exists());
    for _ in 0..50 {
        drop(RunFolder::create(runs.path(), "many", 1).unwrap());
    }
    let count = std::fs::read_dir(runs.path()).unwrap().count();
    assert!(count <= 42, "{count}");
    assert!(alive.ram_path().exists());
}

#[test]
fn the_run_that_is_meant_is_found() {
    let runs = tempfile::tempdir().unwrap();
    let find = |name: Option<&str>| LiveRun::find(runs.path(), name).map(|run| run.name);
    assert_eq!(find(None).unwrap_err().code, Code::Setup);
    let first = RunFolder::create(runs.path(), "demo", 4096).unwrap();
    assert_eq!(find(None), Ok("demo-1".to_owned()));
    assert_eq!(find(Some("demo")), Ok("demo-1".to_owned()));
    let other = RunFolder::create(runs.path(), "two-linux", 4096).unwrap();
    let several = find(None).unwrap_err();
    assert_eq!(several.code, Code::Usage);
    assert!(several.to_string().contains("--run: demo-1, two-linux-1"), "{several}");
    assert_eq!(find(Some("two-linux")), Ok("two-linux-1".to_owned()));
    assert_eq!(find(Some("demo-1")), Ok("demo-1".to_owned()));
    let unknown = find(Some("demo-2")).unwrap_err();
    assert_eq!(unknown.code, Code::Setup);
    assert!(unknown.to_string().contains("give one of: demo-1, two-linux-1"), "{unknown}");
    // What a dead command left does not run.
    std::fs::create_dir(runs.path().join("dead-1")).unwrap();
    std::fs::write(runs.path().join("dead-1/ram"), "x").unwrap();
    drop(first);
    let run = LiveRun::find(runs.path(), None).unwrap();
    assert_eq!(run.name, "two-linux-1");
    let about = About { machine: "2 cores".to_owned(), domains: vec!["a".to_owned(), "b".to_owned()] };
    other.tell(&about).unwrap();
    assert_eq!(run.about(), Ok(about));
    assert_eq!(run.ram().unwrap().metadata().unwrap().len(), 4096);
    drop(other);
    assert!(!run.is_live());
}
