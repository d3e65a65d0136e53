use super::*;

#[test]
fn counts_come_from_what_cargo_says() {
    let output = "\
running 2 tests
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
   Doc-tests x
test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out
";
    assert_eq!(cargo::counts(output), (15, 2));
    assert_eq!(cargo::counts("nothing"), (0, 0));
}

#[test]
fn models_have_to_run() {
    let result = "test result: ok. 2 passed; 0 failed; 0 ignored\n";
    let both = format!("loom: lock: 300 executions\ntest a ... loom: ring: 44 executions\n{result}");
    let judged = loom::judge(&both, "", true);
    assert_eq!((judged.passed, judged.failed), (2, 0));
    assert_eq!(judged.note, "2 models, 344 executions");
    let one = format!("loom: lock: 300 executions\n{result}");
    assert_eq!(loom::judge(&one, "", true).failed, 1);
    let nothing = "test result: ok. 0 passed; 0 failed;\n";
    assert_eq!(loom::judge(nothing, "", true).failed, 1);
    assert_eq!(loom::judge("", "error: no", false).failed, 1);
}

#[test]
fn suites_can_be_selected() {
    let selection = Selection::parse("qemu/hot").unwrap();
    assert!(selection.includes("qemu", "tests/hotplug"));
    assert!(!selection.includes("qemu", "demo"));
    assert!(!selection.includes("unit", "hot"));
    assert!(Selection::parse("unit").unwrap().includes("unit", "smp"));
    assert_eq!(Selection::parse("everything").unwrap_err().code, Code::Usage);
}

#[test]
fn a_suite_counts_every_case() {
    let seven = CaseResult { passed: 7, ..CaseResult::default() };
    let cases = vec![
        Case::shared("one", || CaseResult::pass("")),
        Case::shared("two", || CaseResult::fail("because")),
        Case::alone("three", move || seven.clone()),
    ];
    let tally = runner::run("test", cases, Ui::new(Detail::Work));
    assert_eq!((tally.passed, tally.failed), (8, 1));
}
