use std::time::Duration;

use super::timeline::Timeline;
use super::verdict::{Assertions, KernelReport, Verdict};
use super::*;
use crate::console::ConsoleId;
use crate::trace::DomainStory;

fn scenario(more: &str) -> Scenario {
    let text = format!(
        "[machine]\ncores = 2\nmemory = \"128MiB\"\n\
         [[domain]]\nname = \"a\"\nimage = \"x\"\nmemory = \"2MiB\"\n\
         [[domain]]\nname = \"b\"\nimage = \"x\"\nmemory = \"2MiB\"\n{more}"
    );
    Scenario::parse(&Source::of_text(&text)).unwrap()
}

const A: ConsoleId = ConsoleId(1);
const B: ConsoleId = ConsoleId(2);

#[test]
fn events_happen_once_when_they_are_due() {
    let mut timeline = Timeline::new(&scenario(
        "[[event]]\nat = \"2s\"\ninput = { domain = \"b\", text = \"late\" }\n\
         [[event]]\nwhen = { domain = \"a\", console = \"# \" }\ninput = { domain = \"a\", text = \"ls\" }\n",
    ));
    assert!(timeline.due(Duration::from_secs(1)).is_empty());
    timeline.saw(B, b"# ");
    assert!(timeline.due(Duration::from_secs(1)).is_empty());
    timeline.saw(A, b"#");
    timeline.saw(A, b" ");
    let second = Duration::from_secs(2);
    assert_eq!(timeline.due(second), [(B, b"late".to_vec()), (A, b"ls".to_vec())]);
    timeline.saw(A, b"# ");
    assert!(timeline.due(second).is_empty());
}

#[test]
fn orders_are_lines_for_the_kernel() {
    let mut timeline = Timeline::new(&scenario(
        "[[event]]\nwhen = { domain = \"a\", console = \"ready\" }\norder = \"move 1 a b within 0\"\n",
    ));
    timeline.saw(ConsoleId::KERNEL, b"ready");
    assert!(timeline.due(Duration::ZERO).is_empty());
    timeline.saw(A, b"ready");
    assert_eq!(timeline.due(Duration::ZERO), [(ConsoleId::KERNEL, b"move 1 a b within 0\n".to_vec())]);
}

#[test]
fn only_the_kernel_s_own_lines_decide() {
    let mut report = KernelReport::default();
    report.line("verdict: pass");
    report.line("[    0.000001  0] linux: verdict: pass");
    assert_eq!(report.verdict, None);
    report.line("[    0.000001  0] run: domain: name=a end=off boots=2 expected=off ok");
    report.line("[    0.000002  0] run: verdict: pass");
    assert_eq!(report.verdict, Some(Verdict::Pass));
    assert_eq!(report.domains["a"].boots, 2);
    report.line("[    0.000003  0] run: verdict: fail");
    assert_eq!(report.verdict, Some(Verdict::Fail));
}

#[test]
fn what_a_guest_reported_is_taken_from_the_log_too() {
    let mut report = KernelReport::default();
    report.line("[    0.000001  0] report: domain=a missed=3");
    report.line("[    0.000002  0] report: domain=a missed=0");
    report.line("[    0.000003  0] report: domain=b passed=many");
    report.line("[    0.000003  0] domain: domain=b passed=1");
    assert_eq!(report.metrics["a"]["missed"], 0);
    assert!(!report.metrics.contains_key("b"));
}

#[test]
fn the_kernel_s_complaint_is_kept() {
    let mut report = KernelReport::default();
    report.line("[    0.000001  0] boot: cores up=4 of=4");
    assert_eq!(report.complaint, None);
    report.line("[    0.000002  0] manifest: refused: manifest: no domain");
    report.line("[    0.000003  1] panic: because at a.rs:1:1 build=0.1.0");
    assert_eq!(report.complaint.as_deref(), Some("manifest: refused: manifest: no domain"));
}

#[test]
fn assertions_are_about_their_own_domain() {
    let mut assertions = Assertions::new(&scenario(
        "[[assert]]\ndomain = \"a\"\nconsole = \"done\"\n\
         [[assert]]\ndomain = \"b\"\nabsent = \"oops\"\n\
         [[assert]]\ndomain = \"a\"\nmetric = \"missed\"\nmax = 3\n\
         [[assert]]\ndomain = \"b\"\nmetric = \"missed\"\nmax = 3\n\
         [[assert]]\ndomain = \"a\"\nmetric = \"exits-timer\"\nmin = 1\nmax = 9\n",
    ));
    let mut story = DomainStory::default();
    story.metrics.insert("missed".to_owned(), 3);
    let story_of = |name: &str| (name == "a").then_some(&story);
    let passed = |assertions: &Assertions| -> Vec<bool> {
        let results = assertions.results(story_of, &KernelReport::default());
        results.iter().map(|result| result.passed).collect()
    };
    assertions.saw(B, b"done");
    assertions.saw(A, b"oops");
    assert_eq!(passed(&assertions), [false, true, true, false, false]);
    assertions.saw(A, b"do");
    assertions.saw(A, b"ne");
    assertions.saw(B, b"oops");
    assert_eq!(passed(&assertions), [true, false, true, false, false]);
}

#[test]
fn folders_have_tame_names() {
    assert_eq!(name_of(Path::new("a/my scenario.v2.toml")), "my-scenario-v2");
}

#[test]
fn faults_are_orders() {
    let mut timeline = Timeline::new(&scenario(
        "[[group]]\nname = \"g\"\nmembers = [\"a\", \"b\"]\n\
         [[fault]]\nat = \"1s\"\ndomain = \"a\"\nkind = \"hang\"\n\
         [[fault]]\nwhen = { domain = \"a\", console = \"ready\" }\ndomain = \"b\"\nkind = \"wild-store\"\non = \"promotion\"\n",
    ));
    assert!(timeline.due(Duration::ZERO).is_empty());
    timeline.saw(A, b"ready");
    assert_eq!(timeline.due(Duration::ZERO), [(ConsoleId::KERNEL, b"fail b wild-store on promotion\n".to_vec())]);
    assert_eq!(timeline.due(Duration::from_secs(1)), [(ConsoleId::KERNEL, b"fail a hang\n".to_vec())]);
}
