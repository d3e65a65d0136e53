use super::*;
use domains::ledger::{LedgerWord, QuotaCounts};

struct Domains([Quota; 2]);

impl Quotas for Domains {
    fn quota(&self, domain: DomainId) -> Option<&Quota> {
        self.0.get(domain.index())
    }
}

fn core(index: usize) -> CoreId {
    CoreId::new(index).unwrap()
}

fn domain(index: usize) -> DomainId {
    DomainId::new(index).unwrap()
}

const LINUX: usize = 0;
const RT: usize = 1;

/// Three cores are linux' (1 to 3 of them), the fourth is rt's (1 to 2).
fn machine(words: &[LedgerWord; 6]) -> (Ledger<'_>, Domains) {
    let (ledger, domains) = (Ledger(words), Domains([Quota::new(1, 3, 3), Quota::new(1, 1, 2)]));
    for index in 0..5 {
        ledger.change(core(index), CoreEvent::Wake(Heir::Pool)).unwrap();
        ledger.change(core(index), CoreEvent::CameUp).unwrap();
    }
    for (index, owner) in [(0, LINUX), (1, LINUX), (2, LINUX), (3, RT)] {
        domains.0[owner].take(false).unwrap();
        ledger.change(core(index), CoreEvent::Claim(domain(owner))).unwrap();
    }
    (ledger, domains)
}

fn counts(domains: &Domains) -> [(u16, u16, u16); 2] {
    let counts = |quota: &Quota| {
        let QuotaCounts { owned, granted, leaving, coming } = quota.counts();
        (owned + coming, granted, leaving)
    };
    [counts(&domains.0[0]), counts(&domains.0[1])]
}

const START: [(u16, u16, u16); 2] = [(3, 3, 0), (1, 1, 0)];

#[test]
fn a_core_goes_from_one_domain_to_the_other() {
    let words = Default::default();
    let (ledger, domains) = machine(&words);
    let heir = Heir::Domain(domain(RT));
    ask(&ledger, &domains, core(2), domain(LINUX), heir).unwrap();
    assert_eq!(counts(&domains), [(3, 2, 1), (2, 2, 0)]);
    let leaving = begin(&ledger, core(2), domain(LINUX)).unwrap();
    assert_eq!(leaving, Leaving { domain: domain(LINUX), heir, asked: true });
    assert!(finish(&ledger, &domains, core(2), leaving, true));
    assert_eq!(ledger.read(core(2)).unwrap().state, CoreState::Owned(domain(RT)));
    assert_eq!(counts(&domains), [(2, 2, 0), (2, 2, 0)]);
}

#[test]
fn what_a_domain_gives_up_by_itself_stays_granted() {
    let words = Default::default();
    let (ledger, domains) = machine(&words);
    let leaving = begin(&ledger, core(2), domain(LINUX)).unwrap();
    assert_eq!(leaving, Leaving { domain: domain(LINUX), heir: Heir::Pool, asked: false });
    assert!(finish(&ledger, &domains, core(2), leaving, true));
    assert_eq!(ledger.read(core(2)).unwrap().state, CoreState::Idle);
    assert_eq!(counts(&domains), [(2, 3, 0), (1, 1, 0)]);
}

#[test]
fn every_step_can_be_undone() {
    let words = Default::default();
    let (ledger, domains) = machine(&words);
    for heir in [Heir::Pool, Heir::Off, Heir::Domain(domain(RT))] {
        ask(&ledger, &domains, core(1), domain(LINUX), heir).unwrap();
        assert_eq!(cancel(&ledger, &domains, core(1)), Ok(domain(LINUX)));
        assert_eq!(counts(&domains), START);
        ask(&ledger, &domains, core(1), domain(LINUX), heir).unwrap();
        let leaving = begin(&ledger, core(1), domain(LINUX)).unwrap();
        assert_eq!(cancel(&ledger, &domains, core(1)), Err(Reason::NotAsked), "too late");
        keep(&ledger, &domains, core(1), leaving);
        assert_eq!(ledger.read(core(1)).unwrap().state, CoreState::Owned(domain(LINUX)));
        assert_eq!(counts(&domains), START);
    }
    let leaving = begin(&ledger, core(1), domain(LINUX)).unwrap();
    keep(&ledger, &domains, core(1), leaving);
    assert_eq!(counts(&domains), START, "given up by itself, and kept");
}

#[test]
fn an_heir_that_ended_does_not_inherit() {
    let words = Default::default();
    let (ledger, domains) = machine(&words);
    ask(&ledger, &domains, core(2), domain(LINUX), Heir::Domain(domain(RT))).unwrap();
    let leaving = begin(&ledger, core(2), domain(LINUX)).unwrap();
    assert!(!finish(&ledger, &domains, core(2), leaving, false));
    assert_eq!(ledger.read(core(2)).unwrap().state, CoreState::Idle);
    assert_eq!(counts(&domains)[LINUX], (2, 2, 0));
    assert_eq!(domains.0[RT].counts().owned, 1);
}

#[test]
fn a_core_that_is_ordered_off_is_held() {
    let words = Default::default();
    let (ledger, domains) = machine(&words);
    ask(&ledger, &domains, core(2), domain(LINUX), Heir::Off).unwrap();
    let leaving = begin(&ledger, core(2), domain(LINUX)).unwrap();
    assert!(finish(&ledger, &domains, core(2), leaving, false));
    assert_eq!(ledger.read(core(2)).unwrap().state, CoreState::Off { held: true });
}

#[test]
fn an_order_that_cannot_succeed_says_why_and_changes_nothing() {
    let words = Default::default();
    let (ledger, domains) = machine(&words);
    let to_rt = Heir::Domain(domain(RT));
    let refused = |index, owner, heir, why| {
        let before = (counts(&domains), ledger.read(core(index)));
        assert_eq!(check(&ledger, &domains, core(index), domain(owner), heir), Err(why));
        assert_eq!(ask(&ledger, &domains, core(index), domain(owner), heir), Err(why));
        assert_eq!((counts(&domains), ledger.read(core(index))), before, "{why}");
    };
    refused(3, RT, Heir::Pool, Reason::BelowMin);
    refused(3, LINUX, Heir::Pool, Reason::NotOwner);
    refused(4, LINUX, Heir::Pool, Reason::NotOwner);
    refused(5, LINUX, Heir::Pool, Reason::NotOwner);
    refused(6, LINUX, Heir::Pool, Reason::UnknownCore);
    refused(0, LINUX, Heir::Domain(domain(9)), Reason::UnknownDomain);
    ask(&ledger, &domains, core(0), domain(LINUX), to_rt).unwrap();
    refused(0, LINUX, Heir::Pool, Reason::Busy);
    refused(1, LINUX, to_rt, Reason::AboveMax);
    let leaving = begin(&ledger, core(0), domain(LINUX)).unwrap();
    refused(0, LINUX, Heir::Pool, Reason::Busy);
    finish(&ledger, &domains, core(0), leaving, true);
    ask(&ledger, &domains, core(1), domain(LINUX), Heir::Pool).unwrap();
    refused(2, LINUX, Heir::Pool, Reason::BelowMin);
    ledger.change(core(4), CoreEvent::Fail).unwrap();
    refused(4, LINUX, Heir::Pool, Reason::FailedCore);
}

#[test]
fn reasons_have_texts() {
    assert!(Reason::ALL.into_iter().all(|reason| !reason.text().is_empty()));
}
