use super::*;
use domains::ledger::LedgerWord;

fn core(index: usize) -> CoreId {
    CoreId::new(index).unwrap()
}

fn domain(index: usize) -> DomainId {
    DomainId::new(index).unwrap()
}

/// Four cores: 0 and 1 are idle, 2 is off, 3 is held off.
fn machine(words: &[LedgerWord; 4]) -> Ledger<'_> {
    let ledger = Ledger(words);
    for index in [0, 1, 3] {
        ledger.change(core(index), CoreEvent::Wake(Heir::Pool)).unwrap();
        ledger.change(core(index), CoreEvent::CameUp).unwrap();
    }
    ledger.change(core(3), CoreEvent::Claim(domain(9))).unwrap();
    ledger.change(core(3), CoreEvent::Ask(domain(9), Heir::Off)).unwrap();
    ledger.change(core(3), CoreEvent::BeginRelease(domain(9))).unwrap();
    ledger.change(core(3), CoreEvent::FinishRelease(domain(9))).unwrap();
    ledger
}

#[test]
fn the_nearest_idle_core_is_claimed_then_any_then_one_that_is_off() {
    let words = Default::default();
    let (ledger, quota) = (machine(&words), Quota::new(1, 4, 4));
    let claim = || claim(&ledger, &quota, domain(0), core(1), false);
    let claimed = [claim(), claim(), claim(), claim()];
    let [idle, off] = [Claimed::Idle, Claimed::Off].map(|claimed| move |index| Ok(claimed(core(index))));
    assert_eq!(claimed, [idle(1), idle(0), off(2), Err(NoCore::Pool)]);
    assert_eq!(quota.counts().owned, 3);
    assert_eq!(ledger.read(core(2)).unwrap().state, CoreState::Waking(Heir::Domain(domain(0))));
    assert_eq!(ledger.read(core(3)).unwrap().state, CoreState::Off { held: true });
}

#[test]
fn a_domain_gets_no_more_than_it_may_have() {
    let words = Default::default();
    let (ledger, quota) = (machine(&words), Quota::new(1, 1, 2));
    let claim = |beyond| claim(&ledger, &quota, domain(0), core(0), beyond);
    assert_eq!(claim(false), Ok(Claimed::Idle(core(0))));
    assert_eq!(claim(false), Err(NoCore::Quota));
    assert_eq!(claim(true), Ok(Claimed::Idle(core(1))));
    assert_eq!(claim(true), Err(NoCore::Quota));
    assert_eq!(ledger.read(core(2)).unwrap().state, CoreState::Off { held: false });
}
