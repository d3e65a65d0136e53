use super::*;
use domains::ledger::{CoreState, LedgerWord};

fn core(index: usize) -> CoreId {
    CoreId::new(index).unwrap()
}

fn domain(index: usize) -> DomainId {
    DomainId::new(index).unwrap()
}

fn pool(words: &[LedgerWord]) -> Ledger<'_> {
    let ledger = Ledger(words);
    for index in 0..words.len() {
        ledger.wake(core(index)).unwrap();
        ledger.came_up(core(index)).unwrap();
    }
    ledger
}

#[test]
fn a_domain_gets_no_more_than_it_may() {
    let words: Vec<_> = (0..4).map(|_| LedgerWord::new()).collect();
    let (ledger, quota) = (pool(&words), Quota::new(2));
    let first = claim(&ledger, &quota, domain(1), core(3)).unwrap();
    assert_eq!(first, core(3));
    claim(&ledger, &quota, domain(1), core(3)).unwrap();
    assert_eq!(claim(&ledger, &quota, domain(1), core(3)), Err(NoCore::Quota));
    assert_eq!(ledger.cores().filter(|(_, record)| record.state == CoreState::Idle).count(), 2);
}

#[test]
fn an_empty_pool_takes_nothing_from_the_quota() {
    let words = [LedgerWord::new()];
    let (ledger, quota) = (pool(&words), Quota::new(2));
    claim(&ledger, &quota, domain(0), core(0)).unwrap();
    let other = Quota::new(2);
    assert_eq!(claim(&ledger, &other, domain(1), core(0)), Err(NoCore::Pool));
    assert_eq!(other.owned(), 0);
}

#[test]
fn what_is_given_back_can_be_claimed_again() {
    let words = [LedgerWord::new()];
    let (ledger, quota) = (pool(&words), Quota::new(1));
    for round in 0..3 {
        assert_eq!(claim(&ledger, &quota, domain(round), core(0)), Ok(core(0)));
        release(&ledger, &quota, domain(round), core(0));
        assert_eq!(quota.owned(), 0);
    }
}

#[test]
fn nobody_gives_back_what_another_owns() {
    let words = [LedgerWord::new()];
    let (ledger, quota, other) = (pool(&words), Quota::new(1), Quota::new(1));
    claim(&ledger, &quota, domain(0), core(0)).unwrap();
    release(&ledger, &other, domain(1), core(0));
    assert_eq!(ledger.read(core(0)).unwrap().state, CoreState::Owned(domain(0)));
    assert_eq!((quota.owned(), other.owned()), (1, 0));
}
