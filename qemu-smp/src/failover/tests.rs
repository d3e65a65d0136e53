use std::time::Duration;

use clap::ValueEnum;

use super::draw::Draw;
use super::report::Report;
use super::trial::{Stage, Trial};
use super::verdict::Class;
use super::*;
use crate::console::ConsoleId;
use crate::run::Watcher;

const ALPHA: ConsoleId = ConsoleId(1);
const BETA: ConsoleId = ConsoleId(2);

fn trial(case: Case) -> Trial {
    let draw = Draw { after: 3, then: 2, ..Draw::new(1, 0, &[case]) };
    let members = vec![(ALPHA, "alpha".to_owned()), (BETA, "beta".to_owned())];
    Trial::new(draw, None, "counter".to_owned(), members)
}

/// A primary's records.
fn counts(trial: &mut Trial, console: ConsoleId, epoch: u32, records: std::ops::RangeInclusive<u64>) {
    records.for_each(|seq| trial.line(console, &format!("count: epoch={epoch} seq={seq}")));
}

fn begin(trial: &mut Trial) {
    trial.line(ALPHA, "count: resumes epoch=1 after=0");
    trial.line(BETA, "count: standby epoch=1");
    counts(trial, ALPHA, 1, 1..=3);
}

#[test]
fn the_same_seed_draws_the_same_and_each_kind_as_often() {
    let kinds = Case::value_variants();
    let draws = |seed: u64| -> Vec<Draw> { (0..60).map(|number| Draw::new(seed, number, kinds)).collect() };
    assert_eq!(draws(7), draws(7));
    assert_ne!(draws(7), draws(8));
    for kind in kinds {
        assert_eq!(draws(7).iter().filter(|draw| draw.case == *kind).count(), 5, "{kind:?}");
    }
    assert!(draws(7).iter().all(|draw| (5..=100).contains(&draw.after) && !draw.about().is_empty()));
    let hang = Draw::new(1, 0, &[Case::Hang]);
    assert_eq!((hang.fault.map(|fault| fault.name()), hang.second), (Some("hang"), None));
}

#[test]
fn a_trial_strikes_once_the_service_has_come_far_enough() {
    let mut trial = trial(Case::Hang);
    trial.line(ALPHA, "count: resumes epoch=1 after=0");
    counts(&mut trial, ALPHA, 1, 1..=3);
    // There is nobody yet to take over.
    assert_eq!(trial.orders(), [""; 0]);
    trial.line(BETA, "count: standby epoch=1");
    assert_eq!(trial.orders(), ["#1 fail alpha hang"]);
    assert_eq!(trial.orders(), [""; 0]);
    counts(&mut trial, ALPHA, 1, 4..=9);
    assert_eq!(trial.stage(), Stage::Struck);
    trial.line(BETA, "count: resumes epoch=2 after=9");
    counts(&mut trial, BETA, 2, 10..=18);
    assert_eq!(trial.stage(), Stage::Struck);
    counts(&mut trial, BETA, 2, 19..=19);
    assert_eq!(trial.stage(), Stage::Heals);
    trial.line(ALPHA, "count: standby epoch=2");
    counts(&mut trial, BETA, 2, 20..=40);
    assert!(trial.is_over() && trial.is_redundant() && trial.is_replaced());
}

#[test]
fn a_trial_whose_standby_does_not_come_back_ends_nevertheless() {
    let mut trial = trial(Case::Hang);
    begin(&mut trial);
    trial.line(BETA, "count: resumes epoch=2 after=3");
    counts(&mut trial, BETA, 2, 4..=600);
    assert!(trial.is_over() && !trial.is_redundant());
}

#[test]
fn a_fault_during_the_takeover_is_ordered_before_the_first_one() {
    let mut trial = trial(Case::DuringTakeover);
    begin(&mut trial);
    let [first, second] = trial.orders().try_into().unwrap();
    assert!(first.starts_with("#1 fail beta ") && first.ends_with(" on promotion"), "{first}");
    assert!(second.starts_with("#2 fail alpha "), "{second}");
    // Beta may still be heard; that it serves is not enough.
    trial.line(BETA, "count: resumes epoch=2 after=3");
    counts(&mut trial, BETA, 2, 4..=30);
    assert_eq!(trial.stage(), Stage::Struck);
    trial.line(ALPHA, "count: resumes epoch=3 after=30");
    counts(&mut trial, ALPHA, 3, 31..=40);
    assert_eq!(trial.stage(), Stage::Heals);
}

#[test]
fn the_new_primary_fails_later() {
    let mut trial = trial(Case::NewPrimary);
    begin(&mut trial);
    assert!(trial.orders()[0].starts_with("#1 fail alpha "));
    trial.line(BETA, "count: resumes epoch=2 after=3");
    counts(&mut trial, BETA, 2, 4..=20);
    assert_eq!(trial.stage(), Stage::Between);
    trial.line(ALPHA, "count: standby epoch=2");
    counts(&mut trial, BETA, 2, 21..=23);
    assert!(trial.orders()[0].starts_with("#2 fail beta "));
    trial.line(ALPHA, "count: resumes epoch=3 after=23");
    counts(&mut trial, ALPHA, 3, 24..=33);
    assert_eq!(trial.stage(), Stage::Heals);
}

#[test]
fn the_primary_goes_on_when_a_standby_fails() {
    let mut trial = trial(Case::Standby);
    begin(&mut trial);
    assert!(trial.orders()[0].starts_with("#1 fail beta "));
    counts(&mut trial, ALPHA, 1, 4..=20);
    assert_eq!(trial.stage(), Stage::Heals);
    trial.line(BETA, "count: standby epoch=1");
    counts(&mut trial, ALPHA, 1, 21..=30);
    assert!(trial.is_over() && !trial.is_replaced());
}

#[test]
fn a_refusal_and_a_finding_end_a_trial() {
    let mut refused = trial(Case::Operator);
    begin(&mut refused);
    assert_eq!(refused.orders(), ["#1 failover counter"]);
    refused.line(ConsoleId::KERNEL, "[    0.000001  0] order: id=1 refused reason=no-standby (none is ready)");
    assert!(refused.is_over());
    assert_eq!(refused.refusal(), Some("refused reason=no-standby (none is ready)"));
    let mut split = trial(Case::Hang);
    begin(&mut split);
    split.line(BETA, "count: epoch=1 seq=4");
    assert!(split.is_over() && split.stage() != Stage::Over);
}

#[test]
fn a_trial_without_a_fault_hears_of_every_alarm() {
    let calm = |time| {
        let draw = Draw { after: 3, ..Draw::new(1, 0, &[Case::None]) };
        let members = vec![(ALPHA, "alpha".to_owned()), (BETA, "beta".to_owned())];
        Trial::new(draw, Some(Calm { time, host_load: None }), "counter".to_owned(), members)
    };
    let mut short = calm(Duration::ZERO);
    begin(&mut short);
    assert_eq!((short.orders(), short.stage()), (vec![], Stage::Watched));
    // A service that does not go on is not over, but has failed.
    counts(&mut short, ALPHA, 1, 4..=4);
    assert_eq!(short.orders(), [""; 0]);
    assert!(short.is_over() && short.is_redundant() && short.alarms().is_empty());
    let mut long = calm(Duration::from_secs(3600));
    begin(&mut long);
    counts(&mut long, ALPHA, 1, 4..=4);
    let line = "domain=beta error=heartbeat role=standby action=restart";
    long.line(ConsoleId::KERNEL, &format!("[    0.900000  2] failover: {line}"));
    long.line(BETA, "count: standby epoch=1");
    assert_eq!(long.orders(), [""; 0]);
    assert!(!long.is_over() && long.stage() == Stage::Watched);
    assert_eq!(long.alarms(), [line]);
    assert!(long.watched().is_some_and(|watched| watched.host.is_none()));
}

#[test]
fn a_report_names_every_outcome_even_if_it_did_not_occur() {
    let report = Report::new("failover".to_owned(), 1, 100e3, Vec::new());
    let text = report.text();
    assert!(Class::ALL.iter().all(|class| text.contains(class.name())), "{text}");
    assert!(picture::render(&report).unwrap().contains("</svg>"));
}
