use super::*;

#[test]
fn the_first_to_stop_says_why() {
    let life = Life::new();
    assert!(life.loaded());
    assert!(life.stop(EndKind::Fault));
    assert!(!life.stop(EndKind::Off));
    assert_eq!(life.now().kind, EndKind::Fault);
    assert_eq!(life.leave(), Left::Last(EndKind::Fault));
}

#[test]
fn nobody_joins_a_domain_that_does_not_run() {
    let life = Life::new();
    assert_eq!(life.join(), Err(NotRunning), "loading");
    assert!(life.loaded());
    assert_eq!(life.join(), Ok(()));
    assert!(life.stop(EndKind::Reset));
    assert_eq!(life.join(), Err(NotRunning), "stopping");
    assert_eq!(life.leave(), Left::Others);
    assert_eq!(life.leave(), Left::Last(EndKind::Reset));
    life.end(EndKind::Reset);
    assert_eq!(life.join(), Err(NotRunning), "ended");
    assert!(!life.stop(EndKind::Off));
}

#[test]
fn a_restart_counts_and_begins_anew() {
    let life = Life::new();
    assert!(life.loaded());
    assert!(life.stop(EndKind::Reset));
    assert_eq!(life.leave(), Left::Last(EndKind::Reset));
    life.restart();
    assert_eq!(life.now(), Moment { phase: Phase::Loading, kind: EndKind::Running, members: 1, boots: 2 });
    assert!(life.loaded());
}

#[test]
fn a_domain_that_goes_back_runs_with_whom_it_is_given() {
    let life = Life::new();
    assert!(life.loaded());
    assert!(life.stop(EndKind::Fault));
    assert_eq!(life.leave(), Left::Last(EndKind::Fault));
    life.resume();
    assert_eq!(life.now(), Moment { phase: Phase::Running, kind: EndKind::Running, members: 1, boots: 2 });
    assert_eq!((life.join(), life.leave()), (Ok(()), Left::Others));
    assert!(life.stop(EndKind::Off), "it can be stopped while its contexts are placed");
    assert_eq!((life.join(), life.leave()), (Err(NotRunning), Left::Last(EndKind::Off)));
}

#[test]
fn a_domain_whose_cpus_all_went_off_is_off() {
    let life = Life::new();
    assert!(life.loaded());
    assert_eq!(life.join(), Ok(()));
    assert_eq!(life.leave(), Left::Others);
    assert_eq!(life.leave(), Left::Last(EndKind::Off));
    assert_eq!(life.now().phase, Phase::Stopping);
}

#[test]
fn a_stop_while_loading_is_seen_by_the_loader() {
    let life = Life::new();
    assert!(life.stop(EndKind::Failed));
    assert!(!life.loaded());
    assert_eq!(life.enter(), Phase::Stopping);
}
