use super::*;
use crate::units::Bytes;

const MACHINE: &str = "[machine]\ncores = 4\nmemory = \"1GiB\"\n";
const DOMAIN: &str = "[[domain]]\nname = \"linux\"\nimage = \"debian:linux\"\nmemory = \"256MiB\"\ncores = 2\n";

/// The error of a scenario made of these parts, which is a usage error.
fn error(parts: &[&str]) -> String {
    let failure = Scenario::parse(&Source::of_text(&parts.concat())).unwrap_err();
    assert_eq!(failure.code, Code::Usage);
    failure.to_string()
}

fn parse(parts: &[&str]) -> Scenario {
    Scenario::parse(&Source::of_text(&parts.concat())).unwrap()
}

#[test]
fn everything_has_a_place() {
    let scenario = parse(&[
        "[machine]\ncores = 8\nmemory = \"2GiB\"\ncpu = \"max\"\nthread = \"multi\"\n\
         time-limit = \"90s\"\n",
        DOMAIN,
        "[[domain]]\nname = \"rt\"\nimage = \"guest:metronome\"\nboard = \"none\"\n\
         memory = \"2MiB\"\ncores = { min = 1, start = 1, max = 2, deadline = \"500ms\" }\npriority = 200\n\
         takes-idle = true\n\
         on-fault = \"restart\"\non-reset = \"stop\"\nrestarts-max = 3\nend = \"exit\"\n\
         [[event]]\nat = \"2s\"\ninput = { domain = \"linux\", text = \"ls\\n\" }\n\
         [[event]]\nwhen = { domain = \"rt\", console = \"ready\" }\n\
         input = { domain = \"kernel\", text = \"help\" }\n\
         [[event]]\nat = \"3s\"\norder = \"move 1 linux rt\"\n\
         [governor]\nhigh = 0.7551\n[power]\nbreak-even = \"250us\"\n\
         [[assert]]\ndomain = \"linux\"\nconsole = \"ok\"\n\
         [[assert]]\ndomain = \"rt\"\nmetric = \"missed\"\nmax = 0\n\
         [test]\nmatrix = [{ cpu = \"cortex-a72\" }, { thread = \"multi\" }]\n",
    ]);
    assert_eq!(scenario.machine.memory, Bytes(2 << 30));
    assert_eq!(scenario.machine.thread, Thread::Multi);
    let cores = |min, start, max, deadline| Some(Cores { min, start, max, deadline });
    assert_eq!(scenario.domains[0].cores, cores(None, Some(2), None, None));
    assert_eq!(scenario.domains[1].cores, cores(Some(1), Some(1), Some(2), Some("500ms".parse().unwrap())));
    assert_eq!(scenario.domains[1].takes_idle, Some(true));
    assert_eq!(scenario.events[2].order.as_deref(), Some("move 1 linux rt"));
    assert_eq!(scenario.governor.as_ref().unwrap().high.map(Load::permille), Some(755));
    assert_eq!(scenario.power.as_ref().unwrap().break_even, "250us".parse().unwrap());
    assert_eq!(scenario.test.as_ref().unwrap().matrix.len(), 2);
    let shown: Vec<String> = scenario.assertions().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["linux: console says \"ok\"", "rt: missed = 0"]);
}

#[test]
fn unknown_keys_have_line_and_column() {
    let found = error(&[MACHINE, "colour = 1\n", DOMAIN]);
    assert!(found.starts_with("test.toml:4:1: unknown field `colour`"), "{found}");
    let found = error(&[MACHINE, DOMAIN, "  prio = 3\n"]);
    assert!(found.starts_with("test.toml:9:3: unknown field `prio`"), "{found}");
    let found = error(&[MACHINE, "[[domain]]\ncores = { start = 1, top = 2 }\n"]);
    assert!(found.starts_with("test.toml:5:22: unknown field `top`"), "{found}");
    let found = error(&[MACHINE, DOMAIN, "[[event]]\ninput = { domain = \"linux\", txt = \"\" }\n"]);
    assert!(found.starts_with("test.toml:10:29: unknown field `txt`"), "{found}");
}

#[test]
fn wrong_values_have_line_and_column() {
    let found = error(&["[machine]\ncores = 4\nmemory = \"1GB\"\n"]);
    assert!(found.starts_with("test.toml:3:10: `1GB` is not a size"), "{found}");
    let found = error(&[MACHINE, "thread = \"some\"\n"]);
    assert!(found.starts_with("test.toml:4:10: unknown variant `some`"), "{found}");
    let found = error(&[MACHINE, "[[domain]]\ncores = \"two\"\n"]);
    assert!(found.starts_with("test.toml:5:9: invalid type: string \"two\", expected a number of"), "{found}");
    let found = error(&[MACHINE, "[[domain]]\ncores = -1\n"]);
    assert!(found.starts_with("test.toml:5:9: invalid value: integer `-1`"), "{found}");
    let found = error(&["[machine]\ncores = 4\nmemory = \n"]);
    assert!(found.starts_with("test.toml:3:"), "{found}");
}

#[test]
fn the_machine_has_limits() {
    let found = error(&["[machine]\ncores = 513\nmemory = \"1GiB\"\n"]);
    assert_eq!(found, "test.toml:2:9: machine: cores = 513: not between 1 and 512");
    let found = error(&["[machine]\ncores = 1\nmemory = \"1MiB\"\n"]);
    assert_eq!(found, "test.toml:3:10: machine: memory = 1MiB: less than 64MiB");
}

#[test]
fn names_have_to_mean_something() {
    let found = error(&[MACHINE, DOMAIN, "[[assert]]\ndomain = \"linus\"\nconsole = \"x\"\n"]);
    assert_eq!(found, "test.toml:10:10: assert 1: there is no domain linus");
    let input = "[[event]]\nat = \"1s\"\ninput = { domain = \"rt\", text = \"\" }\n";
    let found = error(&[MACHINE, DOMAIN, input]);
    assert_eq!(found, "test.toml:11:9: event 1: there is no domain rt");
    let kernel = DOMAIN.replace("linux", "kernel");
    let found = error(&[MACHINE, &kernel]);
    assert!(found.starts_with("test.toml:5:8: domain kernel: "), "{found}");
}

#[test]
fn events_have_one_time() {
    let input = "input = { domain = \"linux\", text = \"\" }\n";
    let found = error(&[MACHINE, DOMAIN, "[[event]]\n", input]);
    assert_eq!(found, "test.toml:9:1: event 1: neither `at` nor `when`");
    let both = "[[event]]\nat = \"1s\"\nwhen = { domain = \"linux\", console = \"x\" }\n";
    let found = error(&[MACHINE, DOMAIN, both, input]);
    assert_eq!(found, "test.toml:11:8: event 1: has `at` already");
}

#[test]
fn events_do_one_thing() {
    let input = "input = { domain = \"linux\", text = \"\" }\n";
    for (rest, expected) in [
        ("", "9:1: event 1: neither `input` nor `order`"),
        (&*format!("{input}order = \"cores\"\n"), "12:9: event 1: has `input` already"),
        ("order = \"\"\n", "11:9: event 1: order = \"\": not one line of ASCII text"),
        ("order = \"cores\\nfold 1\"\n", "11:9: event 1: order = \"cores\\nfold 1\": not one line"),
        ("order = [\"cores\"]\n", "11:9: invalid type: sequence, expected a string"),
    ] {
        let found = error(&[MACHINE, DOMAIN, "[[event]]\nat = \"1s\"\n", rest]);
        assert!(found.starts_with(&format!("test.toml:{expected}")), "{found}");
    }
}

#[test]
fn policies_have_values_that_mean_something() {
    for (rest, expected) in [
        ("[governor]\nhigh = 1.5\n", "10:8: `1.5` is not a load between 0.0 and 1.0"),
        ("[governor]\nlow = -0.1\n", "10:7: `-0.1` is not a load"),
        ("[governor]\nhigh = nan\n", "10:8: `NaN` is not a load"),
        ("[governor]\nspeed = 1\n", "10:1: unknown field `speed`"),
        ("[power]\nbreak-even = \"5\"\n", "10:14: `5` is not a time such as \"250us\""),
        ("[power]\n", "9:1: missing field `break-even`"),
    ] {
        let found = error(&[MACHINE, DOMAIN, rest]);
        assert!(found.starts_with(&format!("test.toml:{expected}")), "{found}");
    }
}

#[test]
fn assertions_say_one_thing() {
    let assert = |rest: &str| error(&[MACHINE, DOMAIN, "[[assert]]\ndomain = \"linux\"\n", rest]);
    for (rest, expected) in [
        ("", "10:10: assert 1: exactly one of `console`, `absent` and `metric`"),
        ("console = \"a\"\nabsent = \"b\"\n", "10:10: assert 1: exactly one of"),
        ("console = \"a\"\nmin = 1\n", "12:7: assert 1: `min` means nothing without `metric`"),
        ("console = \"\"\n", "10:10: assert 1: an empty text"),
        ("metric = \"speed\"\nmin = 1\n", "11:10: assert 1: metric = \"speed\": not one of"),
        ("metric = \"missed\"\n", "11:10: assert 1: `min`, `max` or `equals`"),
        ("metric = \"missed\"\nmin = 3\nmax = 2\n", "12:7: assert 1: min = 3: more than max = 2"),
        ("metric = \"missed\"\nmin = 3\nequals = 2\n", "13:10: assert 1: leaves no room"),
    ] {
        let found = assert(rest);
        assert!(found.starts_with(&format!("test.toml:{expected}")), "{found}");
    }
}

#[test]
fn metrics_show_as_they_are_written() {
    for name in ["missed", "user-3", "boots", "exits", "exits-timer", "exits-gic-mmio"] {
        assert_eq!(Metric::from_name(name).unwrap().to_string(), name);
    }
    assert_eq!(Metric::from_name("exits-nothing"), None);
}
