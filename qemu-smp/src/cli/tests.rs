use std::time::Duration;

use clap::CommandFactory;

use super::*;

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn run_defaults_to_the_demonstration() {
    let cli = Cli::try_parse_from(["corral", "run"]).unwrap();
    let Command::Run(args) = cli.command else {
        panic!("not a run: {:?}", cli.command);
    };
    assert_eq!(args.scenario(), Path::new("demo"));
    assert_eq!(args.machine.thread, None);
}

#[test]
fn a_terminal_gets_a_shell_unless_a_scenario_is_named() {
    for (words, scenario) in [(vec![], "interactive"), (vec!["two-linux"], "two-linux")] {
        let words = [vec!["corral", "run", "--attach", "linux"], words].concat();
        let Command::Run(args) = Cli::try_parse_from(words).unwrap().command else { panic!("not a run") };
        assert_eq!(args.scenario(), Path::new(scenario));
    }
}

#[test]
fn a_timeout_is_a_time_or_plain_seconds() {
    for (text, seconds) in [("90", 90), ("90s", 90), ("2min", 120)] {
        let time = seconds_or_time(text).unwrap();
        assert_eq!(time, Time(Duration::from_secs(seconds)));
    }
    assert!(seconds_or_time("soon").is_err());
}

#[test]
fn a_terminal_cannot_be_attached_to_machine_readable_output() {
    assert!(Cli::try_parse_from(["corral", "run", "--json", "--attach", "linux"]).is_err());
}
