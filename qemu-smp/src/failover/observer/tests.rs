use super::*;

const ALPHA: usize = 0;
const BETA: usize = 1;

/// What is seen of these lines.
fn observed(lines: &[(usize, &str)]) -> Observer {
    let mut observer = Observer::new(2);
    lines.iter().for_each(|(member, line)| observer.line(*member, line));
    observer
}

fn findings(lines: &[(usize, &str)]) -> Vec<Finding> {
    observed(lines).findings().to_vec()
}

/// Alpha is the primary of epoch 1 and acknowledges records 1 and 2.
const BEGUN: [(usize, &str); 4] = [
    (ALPHA, "count: resumes epoch=1 after=0"),
    (BETA, "count: standby epoch=1"),
    (ALPHA, "count: epoch=1 seq=1"),
    (ALPHA, "count: epoch=1 seq=2"),
];

fn after_begin(lines: &[(usize, &str)]) -> Vec<Finding> {
    findings(&[&BEGUN, lines].concat())
}

#[test]
fn lines_are_read_to_their_end() {
    assert_eq!(Line::parse("count: resumes epoch=3 after=17\r"), Some(Line::Resumes { epoch: 3, after: 17 }));
    assert_eq!(Line::parse("count: epoch=3 seq=18"), Some(Line::Acknowledged { epoch: 3, seq: 18, at_us: None }));
    assert_eq!(
        Line::parse("count: epoch=3 seq=18 at-us=99"),
        Some(Line::Acknowledged { epoch: 3, seq: 18, at_us: Some(99) })
    );
    assert_eq!(Line::parse("count: standby epoch=3"), Some(Line::Standby { epoch: 3 }));
    for other in
        ["", "count:", "count: ", "count: epoch=3", "count: epoch=3 seq=", "count: epoch=3 seq=1x", "epoch=3 seq=1"]
    {
        assert_eq!(Line::parse(other), None, "{other}");
    }
    assert_eq!(Line::parse("count: epoch=3 seq=1 more"), None);
    assert_eq!(Line::parse("count: resumes epoch=4294967296 after=0"), None);
}

#[test]
fn a_line_that_was_cut_short_does_not_hide_the_next_one() {
    assert_eq!(Line::parse("count: epoch=1 secount: standby epoch=2"), Some(Line::Standby { epoch: 2 }));
}

#[test]
fn a_kernel_that_speaks_in_the_middle_of_a_line_does_not_hide_it() {
    let printk = "[   12.345678] Kernel panic - not syncing";
    assert_eq!(
        Line::parse(&format!("count: epoch=1 seq=3{printk}")),
        Some(Line::Acknowledged { epoch: 1, seq: 3, at_us: None })
    );
    assert_eq!(Line::parse("count: epoch=1 se[   12.345678] x"), None);
    assert_eq!(Line::parse("[   12.345678] count: standby epoch=1"), Some(Line::Standby { epoch: 1 }));
    // Each record is acknowledged once: the next one is not a gap, and nobody may find fewer.
    let cut = (ALPHA, &*format!("count: epoch=1 seq=3{printk}"));
    assert_eq!(after_begin(&[cut, (ALPHA, "count: epoch=1 seq=4")]), []);
    let lost = after_begin(&[cut, (BETA, "count: resumes epoch=2 after=2")]);
    assert_eq!(lost, [Finding::Lost { from: 3, to: 3 }]);
}

#[test]
fn of_a_number_that_was_cut_the_rest_is_known() {
    let begin = |last: u64| {
        let mut observer = observed(&[(ALPHA, "count: resumes epoch=1 after=0")]);
        (1..=last).for_each(|seq| observer.line(ALPHA, &format!("count: epoch=1 seq={seq}")));
        observer
    };
    let mut observer = begin(122);
    // Record 123 is committed before the first byte of its line.
    observer.line(ALPHA, "count: epoch=1 seq=12[    9.000000] a word");
    observer.line(ALPHA, "3");
    observer.line(ALPHA, "count: epoch=1 seq=124");
    assert_eq!((observer.findings(), observer.acknowledged()), (&[][..], 124));
    observer.line(BETA, "count: resumes epoch=2 after=1[    9.100000] a word");
    observer.line(BETA, "count: epoch=2 seq=125");
    assert_eq!((observer.findings(), observer.acknowledged()), (&[][..], 125));
    observer.line(BETA, "count: epoch=2 seq=7[    9.200000] a word");
    assert_eq!(observer.findings(), [Finding::Twice { seq: 7 }]);
}

#[test]
fn a_service_that_goes_on_is_right() {
    let observer = observed(
        &[
            &BEGUN[..],
            &[
                (BETA, "count: resumes epoch=2 after=2"),
                (ALPHA, "count: standby epoch=2"),
                (BETA, "count: epoch=2 seq=3"),
                (BETA, "something else"),
                (BETA, "count: epoch=2 seq=4"),
            ],
        ]
        .concat(),
    );
    assert_eq!(observer.findings(), []);
    assert_eq!(observer.acknowledged(), 4);
    let terms: Vec<_> = observer.terms().iter().map(|it| (it.member, it.epoch, it.after, it.last)).collect();
    assert_eq!(terms, [(ALPHA, 1, 0, Some(2)), (BETA, 2, 2, Some(4))]);
    assert_eq!((observer.standbys(ALPHA), observer.standbys(BETA)), (1, 1));
}

#[test]
fn a_commit_in_flight_may_be_there() {
    assert_eq!(after_begin(&[(BETA, "count: resumes epoch=2 after=3"), (BETA, "count: epoch=2 seq=4")]), []);
}

#[test]
fn more_than_one_commit_in_flight_is_a_gap() {
    assert_eq!(after_begin(&[(BETA, "count: resumes epoch=2 after=4")]), [Finding::Gap { expected: 3, found: 4 }]);
}

#[test]
fn committed_and_lost() {
    let lost = [Finding::Lost { from: 2, to: 2 }];
    assert_eq!(after_begin(&[(BETA, "count: resumes epoch=2 after=1"), (BETA, "count: epoch=2 seq=2")]), lost);
    assert_eq!(after_begin(&[(BETA, "count: resumes epoch=2 after=0")]), [Finding::Lost { from: 1, to: 2 }]);
}

#[test]
fn what_a_primary_lost_by_starting_again_is_lost_too() {
    assert_eq!(after_begin(&[(ALPHA, "count: resumes epoch=1 after=2"), (ALPHA, "count: epoch=1 seq=3")]), []);
    assert_eq!(after_begin(&[(ALPHA, "count: resumes epoch=1 after=1")]), [Finding::Lost { from: 2, to: 2 }]);
}

#[test]
fn committed_twice() {
    assert_eq!(after_begin(&[(ALPHA, "count: epoch=1 seq=2")]), [Finding::Twice { seq: 2 }]);
    let again =
        [(BETA, "count: resumes epoch=2 after=2"), (BETA, "count: epoch=2 seq=2"), (BETA, "count: epoch=2 seq=3")];
    assert_eq!(after_begin(&again), [Finding::Twice { seq: 2 }]);
}

#[test]
fn records_must_not_be_skipped() {
    assert_eq!(after_begin(&[(ALPHA, "count: epoch=1 seq=5")]), [Finding::Gap { expected: 3, found: 5 }]);
}

#[test]
fn an_old_primary_must_not_speak_after_the_new_one() {
    let late = |line| after_begin(&[(BETA, "count: resumes epoch=2 after=2"), (ALPHA, line)]);
    let split = [Finding::SplitBrain { member: ALPHA, epoch: 1, primary: BETA, since: 2 }];
    assert_eq!(late("count: epoch=1 seq=3"), split);
    assert_eq!(late("count: resumes epoch=1 after=2"), split);
    assert_eq!(late("count: standby epoch=2"), []);
}

#[test]
fn an_epoch_has_one_primary() {
    let split = [Finding::SplitBrain { member: BETA, epoch: 1, primary: ALPHA, since: 1 }];
    assert_eq!(after_begin(&[(BETA, "count: resumes epoch=1 after=2")]), split);
    assert_eq!(after_begin(&[(BETA, "count: epoch=1 seq=3")]), split);
}

#[test]
fn a_primary_that_became_a_standby_is_none_any_more() {
    let split = [Finding::SplitBrain { member: ALPHA, epoch: 1, primary: ALPHA, since: 1 }];
    assert_eq!(after_begin(&[(ALPHA, "count: standby epoch=1"), (ALPHA, "count: epoch=1 seq=3")]), split);
}

#[test]
fn a_primary_says_that_it_is_one() {
    let found = after_begin(&[(BETA, "count: epoch=2 seq=3"), (BETA, "count: epoch=2 seq=4")]);
    assert_eq!(found, [Finding::Unannounced { member: BETA, epoch: 2 }]);
}

#[test]
fn the_time_without_service_is_between_two_records() {
    let observer = observed(&[
        (ALPHA, "count: resumes epoch=1 after=0"),
        (ALPHA, "count: epoch=1 seq=1 at-us=1000"),
        (ALPHA, "count: epoch=1 seq=2 at-us=2000"),
        (BETA, "count: resumes epoch=2 after=2"),
        // This one failed before it acknowledged anything.
        (ALPHA, "count: resumes epoch=3 after=2"),
        (ALPHA, "count: epoch=3 seq=3 at-us=9500"),
        (ALPHA, "count: epoch=3 seq=4 at-us=9600"),
    ]);
    assert_eq!(observer.findings(), []);
    assert_eq!(observer.silences_us(), [7500]);
}

#[test]
fn findings_do_not_fill_the_memory() {
    let mut observer = observed(&BEGUN);
    (0..1000).for_each(|_| observer.line(ALPHA, "count: epoch=1 seq=1"));
    assert_eq!(observer.findings().len(), MOST_FINDINGS);
}
