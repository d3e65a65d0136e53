use std::time::Duration;

use super::model::{Report, Subject, Violation};
use super::orders::{Given, draw};
use super::qemu::{Wanted, scenario};
use super::report::Tally;
use super::spec::{Answers, Spec, View};
use crate::ctl::reply::Reply;
use crate::power::random::Random;
use crate::scenario::{Scenario, Source};

#[test]
fn a_violation_says_how_to_see_it_again() {
    let violation = Violation { world: 31, what: "two cores".to_owned(), history: vec!["first".to_owned()] };
    let report = Report { seed: 7, cores: 8, violation: Some(violation), ..Report::default() };
    let text = report.text();
    let expected = [
        "first\n",
        "violated   two cores\n",
        "again      cargo corral stress hotplug --cores 8 --seed 7 --world 31\n",
        "result     VIOLATED",
    ];
    assert!(expected.iter().all(|part| text.contains(part)), "{text}");
    assert!(Report::default().text().ends_with("result     all held"));
    let of_groups = Report { subject: Subject::Failover, ..report };
    assert!(of_groups.text().contains("again      cargo corral stress failover --cores 8 --seed 7 --world 31\n"));
}

#[test]
fn scenarios_of_all_sizes_are_well_formed() {
    for cores in [4, 5, 8, 16, 64] {
        let text = scenario(&Wanted { cores, moves: 60, seed: 1, load: 80 });
        let scenario = Scenario::parse(&Source::of_text(&text)).unwrap();
        let start: u32 = scenario.domains.iter().filter_map(|domain| domain.cores?.start).sum();
        assert!(start <= cores, "{start} of {cores} cores");
    }
}

fn replies(lines: &[&str]) -> Vec<Reply> {
    lines.iter().map(|line| Reply::parse(&format!("id=7 {line}")).unwrap()).collect()
}

const CORES: [&str; 4] = [
    "core=0 state=owned domain=linux heir=- contexts=1",
    "core=1 state=owned domain=marks heir=- contexts=2",
    "core=2 state=idle domain=- heir=- contexts=0",
    "core=3 state=off domain=- heir=held contexts=0",
];
const DOMAINS: [&str; 2] = [
    "domain=linux phase=running cores=1 granted=2 min=1 max=4 contexts-on=1 boots=1",
    "domain=marks phase=running cores=1 granted=1 min=1 max=3 contexts-on=2 boots=1",
];

/// What the kernel says, with other lines for some.
fn view(changes: &[(&str, &str)]) -> View {
    let lines = CORES.iter().chain(&DOMAINS).map(|line| {
        let changed = changes.iter().find(|(start, _)| line.starts_with(start));
        changed.map_or((*line).to_owned(), |(start, rest)| format!("{start} {rest}"))
    });
    let lines: Vec<String> = lines.collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    View::parse(replies(&lines).iter()).unwrap()
}

fn spec() -> Spec {
    let mut spec = Spec::new(4, vec!["linux".to_owned(), "marks".to_owned()], vec!["marks".to_owned()]);
    spec.allows(&view(&[])).unwrap();
    spec.adds_up(&view(&[])).unwrap();
    spec.accept(view(&[]));
    spec
}

fn given(kind: &'static str, core: u32, to: &str) -> Given {
    let to = vec![to.to_owned()];
    Given { kind, text: kind.to_owned(), to, ..Given::cancel(&[core]) }
}

const MARKS_OF_CORE_2: (&str, &str) = ("core=2", "state=owned domain=marks heir=- contexts=0");

#[test]
fn a_view_is_complete() {
    assert!(View::parse(replies(&CORES[1..]).iter()).is_err(), "core 0 is not there");
    assert!(View::parse(replies(&["domain=linux phase=running cores=1"]).iter()).is_err(), "no grant is there");
}

#[test]
fn guests_may_take_cpus_on_and_off_and_nobody_else() {
    let spec = spec();
    let of_linux = view(&[("core=2", "state=owned domain=linux heir=- contexts=1")]);
    assert_eq!(spec.allows(&of_linux), Ok(()));
    let refused = |change, why: &str| {
        let error = spec.allows(&view(&[change])).unwrap_err();
        assert!(error.contains(why), "{error}");
    };
    refused(MARKS_OF_CORE_2, "changed hands without an order");
    refused(("core=1", "state=idle domain=- heir=- contexts=0"), "changed hands without an order");
    refused(("core=3", "state=off domain=- heir=- contexts=0"), "was ordered on or off by nobody");
    refused(("core=2", "state=failed domain=- heir=- contexts=0"), "has failed");
    refused(("core=0", "state=off domain=- heir=- contexts=0"), "has to stay on");
    refused(("core=0", "state=asked domain=linux heir=marks contexts=1"), "no order is under way");
    refused(("core=0", "state=owned domain=stranger heir=- contexts=1"), "belongs to nobody that there is");
    let linux = |rest| ("domain=linux", rest);
    refused(linux("phase=running cores=1 granted=0 min=1 max=4 contexts-on=1 boots=1"), "has what it may not have");
    refused(linux("phase=running cores=5 granted=2 min=1 max=4 contexts-on=1 boots=1"), "has what it may not have");
    refused(linux("phase=running cores=1 granted=2 min=1 max=4 contexts-on=0 boots=1"), "no context that is on");
    refused(linux("phase=ended cores=0 granted=2 min=1 max=4 contexts-on=0 boots=1"), "does not run");
    let lost = ("domain=marks", "phase=running cores=1 granted=1 min=1 max=3 contexts-on=1 boots=1");
    refused(lost, "lost a context");
}

#[test]
fn numbers_fit_in_the_end() {
    let spec = spec();
    let misfits = [
        ("core=2", "state=waking domain=- heir=linux contexts=0"),
        ("core=2", "state=owned domain=linux heir=- contexts=0"),
        ("core=1", "state=owned domain=marks heir=- contexts=1"),
        ("core=2", "state=idle domain=- heir=- contexts=1"),
    ];
    misfits.iter().for_each(|change| assert!(spec.adds_up(&view(&[*change])).is_err(), "{change:?}"));
}

#[test]
fn orders_decide_whose_a_core_is() {
    let done = |to| vec![format!("core=2 done to={to} folded=0")];
    let after = |order: &Given, lines: Vec<String>, change| {
        let mut spec = spec();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        spec.ended(order, &replies(&lines), false)?;
        spec.allows(&view(&[change]))
    };
    let give = given("move", 2, "marks");
    assert_eq!(after(&give, done("marks"), MARKS_OF_CORE_2), Ok(()));
    assert!(after(&give, done("marks"), ("core=2", "state=idle domain=- heir=- contexts=0")).is_err(), "it was given");
    assert!(after(&give, done("linux"), MARKS_OF_CORE_2).is_err(), "it was not to be linux'");
    assert!(after(&give, vec!["core=2 failed reason=above-max".to_owned()], MARKS_OF_CORE_2).is_err(), "it failed");
    let off = given("off", 2, "off");
    assert_eq!(after(&off, done("off"), ("core=2", "state=off domain=- heir=held contexts=0")), Ok(()));
    assert!(after(&off, done("off"), ("core=2", "state=idle domain=- heir=- contexts=0")).is_err(), "it is on");
}

#[test]
fn orders_end_as_they_may() {
    let ended = |order: &Given, line, cancelled| spec().ended(order, &replies(&[line]), cancelled);
    let order = given("move", 2, "marks");
    let patient = Given { gives_up: true, ..order.clone() };
    assert!(ended(&order, "core=2 failed reason=timeout", false).is_err(), "it does not give up");
    assert_eq!(ended(&patient, "core=2 failed reason=timeout", false), Ok(()));
    assert!(ended(&order, "core=2 failed reason=cancelled", false).is_err(), "nobody cancelled");
    assert_eq!(ended(&order, "core=2 failed reason=cancelled", true), Ok(()));
    assert!(ended(&order, "core=2 failed reason=lost", false).is_err(), "no core gets lost");
    assert!(ended(&order, "core=3 done to=marks folded=0", false).is_err(), "another core");
    assert_eq!(ended(&order, "refused core=2 reason=busy", false), Ok(()));
    assert!(ended(&order, "refused core=2 reason=unknown-core", false).is_err(), "the core is there");
    let wrong = Given { wrong: Some("unknown-core"), ..order };
    assert_eq!(ended(&wrong, "refused core=9 reason=unknown-core", false), Ok(()));
    assert!(ended(&wrong, "refused core=9 reason=busy", false).is_err(), "another reason");
    assert!(ended(&wrong, "accepted cores=1", false).is_err(), "it is wrong");
}

#[test]
fn a_grant_that_was_set_is_there_and_an_unfolded_domain_is_not_folded() {
    let mut spec = spec();
    let about = |domain: &str, grant| Given { domain: Some((domain.to_owned(), grant)), ..Given::cancel(&[]) };
    spec.done_alone(&about("linux", Some(2)));
    assert_eq!(spec.allows(&view(&[])), Ok(()));
    spec.done_alone(&about("linux", Some(3)));
    assert!(spec.allows(&view(&[])).is_err());
    spec.done_alone(&about("marks", None));
    assert!(spec.adds_up(&view(&[])).is_err(), "two contexts share core 1");
    spec.accept(view(&[]));
    assert_eq!(spec.adds_up(&view(&[])), Ok(()));
}

#[test]
fn each_core_of_an_order_ends_once() {
    let check = |lines: &[&str]| {
        let mut answers = Answers::default();
        replies(lines).iter().try_for_each(|reply| answers.take(reply)).and_then(|()| answers.left())
    };
    let (accepted, first, second) = ("accepted cores=2", "core=1 done to=pool folded=0", "core=2 failed reason=busy");
    assert_eq!(check(&[accepted, first, second, "refused reason=syntax", "accepted cores=0"]), Ok(()));
    assert_eq!(check(&[accepted, first, second, accepted, second, first]), Ok(()), "numbers come again");
    assert!(check(&[accepted, first]).is_err(), "one core is left");
    assert!(check(&[accepted, first, first]).is_err(), "twice");
    assert!(check(&[accepted, first, second, first]).is_err(), "afterwards");
    assert!(check(&[first]).is_err(), "never accepted");
}

#[test]
fn a_seed_draws_the_same_and_all_kinds() {
    let orders = |seed| {
        let mut random = Random::new(seed);
        (0..500).map(|_| draw(&mut random, &view(&[]))).collect::<Vec<_>>()
    };
    assert_eq!(orders(1), orders(1));
    assert_ne!(orders(1), orders(2));
    let orders = orders(3);
    for kind in ["move", "fold", "unfold", "off", "on", "set", "cancel", "wrong"] {
        assert!(orders.iter().any(|order| order.kind == kind), "{kind}");
    }
    for order in orders {
        let line = hotplug::order::Line::parse(&order.text).unwrap();
        assert_eq!(line.order.is_none(), order.wrong == Some("syntax"), "{}", order.text);
    }
}

#[test]
fn orders_are_counted() {
    let mut tally = Tally::default();
    let lines = ["accepted cores=2", "core=1 done to=pool folded=2", "core=2 failed reason=timeout"];
    tally.add(&given("move", 1, "pool"), &replies(&lines), Duration::from_millis(3));
    tally.add(&given("move", 1, "pool"), &replies(&["refused core=1 reason=busy"]), Duration::from_millis(1));
    tally.order_latency();
    assert_eq!((tally.orders, tally.moves(), tally.folded, tally.kinds["move"]), (2, 1, 2, 2));
    assert_eq!((tally.done["pool"], tally.failed["timeout"], tally.refused["busy"]), (1, 1, 1));
    assert_eq!(tally.took.map(|it| (it.count, it.max_us)), Some((1, 3000.0)));
}
