use std::collections::BTreeSet;
use std::io::Write;

use clap::Parser;

use super::replay::{Machine, optimum, replay};
use super::rule::Rule;
use super::trace::Step;
use super::*;
use crate::cli::{Cli, Command};

const T: u64 = 5000;
const CORES: u32 = 4;
const MACHINE: Machine = Machine { cores: CORES, break_even: T, wake_latency: 1000 };

fn parsed(words: &[&str]) -> Result<PowerArgs, String> {
    let words = ["corral", "power"].iter().chain(words);
    match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
        Command::Power(args) => Ok(args),
        other => Err(format!("not power: {other:?}")),
    }
}

fn csv(text: &str) -> Result<Trace, (usize, String)> {
    csv::parse(text, "test", None).map_err(|wrong| (wrong.line, wrong.what))
}

/// One core that is idle for these times, and wanted for 1 ms in between and at the end.
fn gaps(lengths: &[u64]) -> Trace {
    let mut trace = Trace::new("gaps", "", 1, u64::MAX);
    let mut at = 0;
    for length in lengths {
        at += length;
        trace.want(at, 1);
        at += 1000;
        trace.want(at, 0);
    }
    trace.finish(at)
}

const ONE: Machine = Machine { cores: 1, ..MACHINE };

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

#[test]
fn the_command_line_has_defaults_and_limits() {
    let args = parsed(&[]).unwrap();
    assert_eq!((args.times(), args.seed, args.cores()), (Ok((5000, 1000)), 1, 8));
    assert_eq!((args.cores, args.idle_power), (None, energy::PUBLISHED));
    let args = parsed(&["--break-even", "250us", "--wake-latency", "250us", "--idle-power", "20..300"]).unwrap();
    assert_eq!(args.times(), Ok((250, 250)));
    assert_eq!(energy::Model::new(args.idle_power).joules(2.0), [0.04, 0.6]);
    for wrong in [
        ["--cores", "0"],
        ["--cores", "513"],
        ["--idle-power", "15..6"],
        ["--idle-power", "6"],
        ["--idle-power", "-1..6"],
        ["--break-even", "soon"],
    ] {
        assert!(parsed(&wrong).is_err(), "{wrong:?}");
    }
    assert!(parsed(&["--trace", "load.csv", "--seed", "3"]).is_err());
}

#[test]
fn a_break_even_that_cannot_be_is_refused() {
    for words in [["--break-even", "0ms"], ["--break-even", "999us"], ["--break-even", "3601s"]] {
        let failure = parsed(&words).unwrap().times().unwrap_err();
        assert_eq!(failure.code, Code::Usage);
    }
}

#[test]
fn a_file_is_a_load() {
    let trace = csv("seconds,cores\n# up and down\n10, 0\n10.5,3 # now\n\n11,3\n12,1\n13.000001,0\n").unwrap();
    assert_eq!((trace.cores, trace.end), (3, 3_000_001));
    let steps = [(0, 0), (500_000, 3), (2_000_000, 1), (3_000_001, 0)].map(|(at, cores)| Step { at, cores });
    assert_eq!(trace.steps, steps);
}

#[test]
fn errors_in_a_file_name_the_line() {
    for (text, line, word) in [
        ("", 1, "two lines"),
        ("0,1\n", 1, "two lines"),
        ("0,1\n1;2\n", 2, "no comma"),
        ("0,1\n\nx,2\n", 3, "`x`"),
        ("0,1\n-1,2\n", 2, "`-1`"),
        ("0,1\nNaN,2\n", 2, "`NaN`"),
        ("0,1\n1,2.5\n", 2, "`2.5`"),
        ("0,1\n1,-2\n", 2, "`-2`"),
        ("0,1\n1,2,3\n", 2, "`2,3`"),
        ("0,1\n1,1\n1,2\n", 3, "not after"),
        ("0,1\n1,100000\n", 2, "at most 512"),
        ("0,1\nseconds,cores\n", 2, "`seconds`"),
    ] {
        let (found, what) = csv(text).unwrap_err();
        assert_eq!(found, line, "{text:?}: {what}");
        assert!(what.contains(word), "{text:?}: {what}");
    }
    let wrong = csv::parse("0,1\n1,5\n", "test", Some(4)).unwrap_err();
    assert!(wrong.line == 2 && wrong.what.contains("--cores 4"), "{wrong:?}");
}

#[test]
fn the_place_of_an_error_is_file_and_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "0,1\nnonsense\n").unwrap();
    let failure = csv::read(file.path(), None).unwrap_err();
    assert_eq!(failure.code, Code::Usage);
    let text = failure.to_string();
    assert!(text.starts_with(&format!("{}:2: `nonsense` has no comma", file.path().display())), "{text}");
    assert!(csv::read(Path::new("no/such/file.csv"), None).unwrap_err().to_string().contains("no/such/file.csv"));
}

#[test]
fn each_idle_period_is_counted_once() {
    // Off for 2 ms, for 15 ms, and not at all; the wake latency is unmet each time.
    let trace = gaps(&[7000, 20_000, 4000]);
    let outcome = replay(&trace, &ONE, Rule::After(1));
    assert_eq!((outcome.sleeps, outcome.wake_ups, outcome.too_short), (2, 2, 1));
    assert!(near(outcome.idle_s, 0.031) && near(outcome.off_s, 0.017), "{outcome:?}");
    assert!(near(outcome.off_of_idle, 17.0 / 31.0) && near(outcome.unmet_s, 0.002), "{outcome:?}");
    assert!(near(outcome.cost_s, 0.010 + 0.010 + 0.004), "{outcome:?}");
    let best = optimum(&trace, &ONE);
    assert_eq!((best.sleeps, best.wake_ups, best.too_short), (2, 2, 0));
    // Up in time: the wake latency of both sleeps is not off.
    assert!(near(best.off_s, 0.025) && near(best.idle_s, 0.031) && near(best.unmet_s, 0.0), "{best:?}");
    assert!(near(best.cost_s, 0.005 + 0.005 + 0.004), "{best:?}");
    let never = replay(&trace, &ONE, Rule::Never);
    assert!(near(never.cost_s, 0.031) && never.sleeps == 0 && near(never.off_s, 0.0), "{never:?}");
    let at_once = replay(&trace, &ONE, Rule::After(0));
    assert!(near(at_once.cost_s, 0.015) && at_once.too_short == 1 && near(at_once.off_s, 0.031), "{at_once:?}");
}

#[test]
fn the_last_idle_period_ends_without_a_wake_up() {
    let mut trace = Trace::new("last", "", 1, u64::MAX);
    trace.want(0, 1);
    trace.want(1000, 0);
    let trace = trace.finish(21_000);
    for outcome in [replay(&trace, &ONE, Rule::After(1)), optimum(&trace, &ONE)] {
        assert_eq!((outcome.sleeps, outcome.wake_ups), (1, 0));
    }
    assert!(near(optimum(&trace, &ONE).off_s, 0.020));
}

#[test]
fn a_core_released_while_it_wakes_was_unmet_for_that_long_only() {
    let mut trace = Trace::new("blip", "", 1, u64::MAX);
    for (at, cores) in [(20_000, 1), (20_400, 0), (20_700, 1), (22_000, 0)] {
        trace.want(at, cores);
    }
    let outcome = replay(&trace.finish(22_000), &ONE, Rule::After(1));
    assert_eq!(outcome.wake_ups, 1);
    assert!(near(outcome.unmet_s, 400e-6 + 300e-6), "{outcome:?}");
}

#[test]
fn a_core_that_is_on_is_handed_out_before_one_that_is_off() {
    let mut trace = Trace::new("two", "", 2, u64::MAX);
    // Core 0 goes off at 5 ms; core 1 was given back at 4 ms.
    for (at, cores) in [(0, 2), (1, 1), (10_000, 0), (16_000, 2), (17_000, 1), (18_000, 2)] {
        trace.want(at, cores);
    }
    let outcome = replay(&trace.finish(20_000), &Machine { cores: 2, ..MACHINE }, Rule::After(1));
    assert_eq!((outcome.wake_ups, outcome.too_short), (2, 1), "{outcome:?}");
    let mut trace = Trace::new("on first", "", 2, u64::MAX);
    for (at, cores) in [(0, 2), (1000, 1), (2000, 0), (6500, 1)] {
        trace.want(at, cores);
    }
    // Core 1 went off at 6 ms, core 0 waits until 7 ms.
    let outcome = replay(&trace.finish(7000), &Machine { cores: 2, ..MACHINE }, Rule::After(1));
    assert_eq!(outcome.wake_ups, 0, "{outcome:?}");
}

#[test]
fn generated_loads_repeat_by_their_seed_and_fit_the_machine() {
    for cores in [1, 3, 64] {
        let traces = generate::all(7, cores, T);
        assert!(traces.len() >= 5);
        let names: BTreeSet<_> = traces.iter().map(|trace| &trace.name).collect();
        assert_eq!(names.len(), traces.len());
        assert_eq!(traces, generate::all(7, cores, T));
        let other = generate::all(8, cores, T);
        assert!(traces.iter().zip(&other).filter(|(one, other)| one != other).count() >= 4);
        for trace in &traces {
            assert!(trace.steps.len() > 5 && trace.typical > 0, "{}", trace.name);
            assert!(trace.steps.windows(2).all(|pair| pair[0].at < pair[1].at), "{}", trace.name);
            assert!(trace.steps.iter().all(|step| step.cores <= cores && step.at <= trace.end), "{}", trace.name);
            let most = trace.steps.iter().map(|step| step.cores).max().unwrap();
            assert!(2 * most >= cores, "{} wants {most} of {cores}", trace.name);
        }
    }
}

/// Every generated trace for some seeds and break-evens, on some machines.
fn replays(mut check: impl FnMut(&Trace, &Machine)) {
    for (seed, cores, break_even) in [(1, 8, T), (2, 1, T), (3, 3, 1000), (4, 6, 20_000), (5, 4, 250_000), (6, 2, 1)] {
        let machine = Machine { cores, break_even, wake_latency: break_even.min(1000) };
        for trace in generate::all(seed, cores, break_even) {
            check(&trace, &machine);
        }
    }
}

#[test]
fn no_policy_costs_less_than_the_optimum() {
    replays(|trace, machine| {
        let best = optimum(trace, machine);
        for rule in Rule::ALL {
            let outcome = replay(trace, machine, rule);
            let place = format!("{} {rule:?} {machine:?}", trace.name);
            assert!(best.cost_s <= outcome.cost_s + 1e-9, "{place}: {} < {}", outcome.cost_s, best.cost_s);
            assert!((best.idle_s - outcome.idle_s).abs() < 1e-6 * best.idle_s, "{place}");
            assert!(near(best.unmet_s, 0.0) && outcome.too_short <= outcome.wake_ups, "{place}");
            assert!(outcome.off_s <= outcome.idle_s && outcome.wake_ups <= outcome.sleeps, "{place}");
        }
    });
}

#[test]
fn the_kernels_rule_costs_at_most_twice_the_optimum() {
    replays(|trace, machine| {
        let (best, outcome) = (optimum(trace, machine), replay(trace, machine, Rule::Corral));
        // One break-even a core is for its first lesson; only loads made for that need it at the usual break-even.
        let spared = machine.break_even == T && trace.name != "adversarial";
        let lessons = if spared { 0 } else { u64::from(machine.cores) * machine.break_even };
        let bound = 2.0 * best.cost_s + lessons as f64 / 1e6 + 1e-9;
        assert!(outcome.cost_s <= bound, "{} {machine:?}: {} > {bound}", trace.name, outcome.cost_s);
    });
}

#[test]
fn the_adversary_is_as_bad_as_it_gets() {
    let trace = generate::all(1, CORES, T).pop().unwrap();
    let best = optimum(&trace, &MACHINE);
    let ratio = |rule| replay(&trace, &MACHINE, rule).cost_s / best.cost_s;
    assert!(ratio(Rule::Corral) > 1.99 && ratio(Rule::Corral) < 2.001, "{}", ratio(Rule::Corral));
    assert!(ratio(Rule::After(0)) < 1.001, "the optimum is to go off at once");
}

#[test]
fn the_kernels_rule_learns_a_period() {
    // 7 ms idle of each 10: a core that waits 5 ms goes off for 2 ms each time.
    let trace = gaps(&[7000; 1000]);
    let (learned, fixed) = (replay(&trace, &ONE, Rule::Corral), replay(&trace, &ONE, Rule::After(1)));
    assert_eq!((learned.wake_ups, fixed.wake_ups), (1, 1000));
    assert!(learned.cost_s < 0.75 * fixed.cost_s);
}

#[test]
fn everything_ends_up_in_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let args = PowerArgs { report: Some(folder.path().join("new")), ..parsed(&["--cores", "2"]).unwrap() };
    let report = replay_all(&args).unwrap();
    write(&folder.path().join("new"), &report).unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join("new").join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("power.json")).unwrap();
    assert_eq!(json["energy"]["low_mw"], 6.0);
    let (text, picture) = (read("power.txt"), read("power.svg"));
    assert!(text.contains("MODEL, not measured") && text.contains("energy_model.h"));
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    for replayed in &report.traces {
        assert!(text.contains(&replayed.trace.name) && picture.contains(&replayed.trace.name));
        let found = json["traces"].as_array().unwrap().iter().find(|trace| trace["name"] == replayed.trace.name);
        let policies = found.unwrap()["policies"].as_array().unwrap();
        assert_eq!(policies.len(), Rule::ALL.len() + 1);
        for (policy, row) in policies.iter().zip(&replayed.policies) {
            assert_eq!(policy["policy"], row.policy.as_str());
            assert_eq!(policy["wake_ups"], row.outcome.wake_ups);
            assert!(text.contains(&row.policy) && picture.contains(&row.policy));
        }
    }
}

#[test]
fn a_load_without_idle_time_has_no_ratio_to_divide_by() {
    let trace = csv("0,2\n1,2\n2,0").unwrap();
    let machine = Machine { cores: 2, ..MACHINE };
    let best = optimum(&trace, &machine);
    let row =
        row("corral".to_owned(), replay(&trace, &machine, Rule::Corral), &best, &energy::Model::new(energy::PUBLISHED));
    assert_eq!((row.cost_ratio, row.outcome.off_of_idle), (Some(1.0), 0.0));
}
