use domains::manifest::{
    Action, Board, CoreCounts, GovernorSpec, GroupAction, GroupError, ImageFormat, Memory, PowerSpec, Role,
};
use domains::protocol::ExpectedEnd;

use super::*;
use crate::image::Format;

const MACHINE: &str = "[machine]\ncores = 8\nmemory = \"2GiB\"\n";
const LINUX: &str = "\
[[domain]]
name = \"linux\"
image = \"debian:linux\"
initramfs = \"debian:initramfs\"
cmdline = \"console=ttyAMA0\"
memory = \"256MiB\"
cores = { min = 1, start = 2, max = 4 }
";
const POLICY: &str = "\
[governor]
period = \"50ms\"
high = 0.9
low = 0.25
hold = 5
[power]
break-even = \"1500us\"
";

/// A bundle in which every domain has its own image and no files are looked for.
fn bundle(scenario: &Scenario, format: Format) -> Bundle {
    let files = scenario.domains.iter().map(|domain| DomainFiles {
        image: format!("{}/image", domain.name),
        format,
        initramfs: domain.initramfs.as_ref().map(|_| format!("{}/initramfs", domain.name)),
    });
    Bundle::of_domains(files.collect())
}

fn check(text: &str) -> Result<Vec<u8>, String> {
    let source = Source::of_text(text);
    let scenario = Scenario::parse(&source).unwrap();
    let bundle = bundle(&scenario, Format::Image);
    checked(&source, &scenario, &bundle).map_err(|failure| failure.to_string())
}

fn error(parts: &[&str]) -> String {
    check(&parts.concat()).unwrap_err()
}

#[test]
fn what_the_scenario_says_is_what_the_kernel_reads() {
    let more = "\
takes-idle = true
[[domain]]
name = \"rt\"
manages-cores = true
cores = { deadline = \"3s\" }
board = \"none\"
image = \"x\"
load-offset = 4096
memory = \"2MiB\"
memory-base = 0x80000000
priority = 200
on-fault = \"restart\"
on-reset = \"stop\"
restarts-max = 7
end = \"exit\"
";
    let source = Source::of_text(&[MACHINE, LINUX, more, POLICY].concat());
    let scenario = Scenario::parse(&source).unwrap();
    let mut bundle = bundle(&scenario, Format::Image);
    bundle.domains[1].format = Format::Raw;
    let blob = checked(&source, &scenario, &bundle).unwrap();
    assert_eq!(blob, unchecked(&scenario, &bundle).unwrap());
    let manifest = Manifest::parse(&blob).unwrap();

    let linux = &manifest.domains[0];
    assert_eq!((linux.name, linux.board), ("linux", Board::Virt));
    assert_eq!(linux.image, "linux/image");
    assert_eq!(linux.initramfs, Some("linux/initramfs"));
    assert_eq!(linux.cmdline, "console=ttyAMA0");
    assert_eq!(linux.memory.size, 256 << 20);
    assert_eq!(linux.cores, CoreCounts { min: 1, start: 2, max: 4 });
    let rt = &manifest.domains[1];
    assert_eq!((rt.name, rt.board), ("rt", Board::None));
    assert_eq!((rt.format, rt.load_offset), (ImageFormat::Raw, Some(4096)));
    assert_eq!(rt.memory, Memory { base: 0x8000_0000, size: 2 << 20 });
    assert_eq!((rt.priority, rt.restarts_max), (200, 7));
    assert_eq!((rt.on_fault, rt.on_reset), (Action::Restart, Action::Stop));
    assert_eq!(rt.end, ExpectedEnd::Exit);
    assert_eq!([linux.takes_idle, linux.manages_cores, rt.takes_idle, rt.manages_cores], [true, false, false, true]);
    assert_eq!((linux.deadline_ms, rt.deadline_ms), (2000, 3000));
    let governor = GovernorSpec { period_ms: 50, high_permille: 900, low_permille: 250, hold: 5 };
    assert_eq!(manifest.governor, Some(governor));
    assert_eq!(manifest.power, Some(PowerSpec { break_even_us: 1500 }));
}

#[test]
fn policies_are_optional_and_have_defaults() {
    let read = |more: &str| {
        let blob = check(&[MACHINE, LINUX, more].concat()).unwrap();
        let manifest = Manifest::parse(&blob).unwrap();
        (manifest.governor, manifest.power)
    };
    assert_eq!(read(""), (None, None));
    let defaults = GovernorSpec { period_ms: 100, high_permille: 800, low_permille: 300, hold: 3 };
    assert_eq!(read("[governor]\n"), (Some(defaults), None));
    assert_eq!(
        read("[governor]\nhigh = 1\nlow = 0\n").0.map(|it| (it.high_permille, it.low_permille)),
        Some((1000, 0))
    );
}

#[test]
fn bad_policies_are_refused_at_their_keys() {
    for (more, expected) in [
        ("[governor]\nperiod = \"2min\"\n", "12:10: governor: period-ms = 120000: not between 1 and 60000"),
        ("[governor]\nhigh = 0.3\n", "11:1: governor: low-permille = 300: not between 0 and 299"),
        ("[governor]\nhigh = 0.3\nlow = 0.5\n", "13:7: governor: low-permille = 500: not between 0 and 299"),
        ("[governor]\nhold = 0\n", "12:8: governor: hold = 0: not between 1 and 1000"),
        ("[power]\nbreak-even = \"0us\"\n", "12:14: power: break-even-us = 0: must not be 0"),
    ] {
        assert_eq!(error(&[MACHINE, LINUX, more]), format!("test.toml:{expected}"));
    }
    let late = LINUX.replace("max = 4", "max = 4, deadline = \"2h\"");
    let found = error(&[MACHINE, &late]);
    let expected = "domain linux: cores-deadline-ms = 7200000: not between 0 and 3600000";
    assert_eq!(found, format!("test.toml:10:51: {expected}"));
}

#[test]
fn the_kernel_s_words_have_a_place() {
    let cores = LINUX.replace("start = 2", "start = 9");
    let found = error(&[MACHINE, &cores]);
    let expected = "test.toml:10:28: domain linux: cores-start = 9: more than cores-max = 4";
    assert_eq!(found, expected);
    let found = error(&[MACHINE, LINUX, "board = \"vrit\"\n"]);
    let expected = "test.toml:11:9: domain linux: board = \"vrit\": not one of \"virt\" \"none\"";
    assert_eq!(found, expected);
    let found = error(&[MACHINE, &LINUX.replace("256MiB", "255MiB")]);
    assert!(found.starts_with("test.toml:9:10: domain linux: memory-size = "), "{found}");
    let found = error(&[MACHINE, &LINUX.replace("console=ttyAMA0", "a\\u0000b")]);
    assert_eq!(found, "test.toml:8:11: domain linux: cmdline: not a string");
    let single = LINUX.replace("{ min = 1, start = 2, max = 4 }", "200");
    let found = error(&[MACHINE, &single]);
    assert!(found.starts_with("test.toml:10:9: domain linux: cores-max = 200: "), "{found}");
}

#[test]
fn names_are_refused_at_the_name() {
    for name in ["Linux", "", "a b", "x@1", "nul\\u0000"] {
        let found = error(&[MACHINE, &LINUX.replace("\"linux\"", &format!("\"{name}\""))]);
        assert!(found.starts_with("test.toml:5:8: domain "), "{found}");
        assert!(found.contains("a name is"), "{found}");
    }
    let found = error(&[MACHINE, LINUX, LINUX]);
    assert!(found.starts_with("test.toml:12:8: domain linux: "), "{found}");
}

#[test]
fn too_much_for_the_machine_is_refused_at_the_machine() {
    let found = error(&[&MACHINE.replace("cores = 8", "cores = 1"), LINUX]);
    assert!(found.starts_with("test.toml:2:9: manifest: the domains start with 2 cores"), "{found}");
    let found = error(&[&MACHINE.replace("2GiB", "256MiB"), LINUX]);
    assert!(found.starts_with("test.toml:3:10: manifest: the domains have"), "{found}");
    let found = error(&[MACHINE]);
    assert_eq!(found, "test.toml:1:1: manifest: no domain");
}

#[test]
fn more_domains_than_a_machine_holds_are_refused_at_the_first_too_many() {
    let one = |index: usize| LINUX.replace("\"linux\"", &format!("\"d{index}\""));
    let all: String = (0..=domains::protocol::MAX_DOMAINS).map(one).collect();
    let found = error(&[MACHINE, &all]);
    let line = 4 + 7 * domains::protocol::MAX_DOMAINS;
    assert_eq!(found, format!("test.toml:{line}:1: manifest: more than 32 domains"));
}

#[test]
fn groups_are_what_the_kernel_reads() {
    let second = LINUX.replace("\"linux\"", "\"other\"");
    let group = "\
[[group]]
name = \"pair\"
members = [\"other\", \"linux\"]
heartbeat = \"250ms\"
start = \"0ms\"
progress = \"1s\"
standby-cores = 1
region = \"4MiB\"
checkpoint = \"50ms\"
restarts = { max = 7, within = \"1min\" }
[group.on]
fault = [\"roll-back\", \"restart\", \"take-over\"]
order = { primary = \"stop\", standby = \"stop\", promoted = \"take-over\" }
";
    let blob = check(&[MACHINE, LINUX, &second, group].concat()).unwrap();
    let manifest = Manifest::parse(&blob).unwrap();
    let pair = &manifest.groups[0];
    assert_eq!((pair.name, pair.members.as_slice()), ("pair", &["other", "linux"][..]));
    assert_eq!((pair.heartbeat_ms, pair.start_ms, pair.progress_ms, pair.checkpoint_ms), (250, 0, 1000, 50));
    assert_eq!((pair.standby_cores, pair.region_size), (1, 4 << 20));
    assert_eq!((pair.restarts_max, pair.restarts_within_ms), (7, 60_000));
    assert_eq!(pair.action(GroupError::Fault, Role::Primary), GroupAction::RollBack);
    assert_eq!(pair.action(GroupError::Order, Role::Standby), GroupAction::Stop);
    assert_eq!(pair.action(GroupError::Reset, Role::Standby), GroupAction::Restart);
    let wrong = |more: &str| error(&[MACHINE, LINUX, &second, "[[group]]\nname = \"pair\"\n", more]);
    let members = "members = [\"other\", \"linux\"]\n";
    assert!(wrong("members = [\"other\"]\n").starts_with("test.toml:20:11: group pair: a group has"));
    let on = wrong(&format!("{members}on = {{ reset = [\"take-over\", \"ignore\", \"stop\"] }}\n"));
    assert!(on.starts_with("test.toml:21:16: group pair: on-reset = \"ignore\": "), "{on}");
    let restarts = wrong(&format!("{members}restarts = {{ max = 1, within = \"0ms\" }}\n"));
    assert!(restarts.starts_with("test.toml:21:32: group pair: restarts-within-ms = 0: "), "{restarts}");
    // A checkpoint is as large as its domain.
    let large = wrong(&format!("{members}checkpoint = \"1s\"\nregion = \"1GiB\"\n"));
    assert!(large.contains("bytes of memory"), "{large}");
}
