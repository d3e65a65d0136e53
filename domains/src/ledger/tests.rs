use super::*;
use crate::DomainId;

fn domain(index: usize) -> DomainId {
    DomainId::new(index).unwrap()
}

fn core(index: usize) -> CoreId {
    CoreId::new(index).unwrap()
}

fn words(count: usize) -> Vec<LedgerWord> {
    (0..count).map(|_| LedgerWord::default()).collect()
}

fn start(ledger: &Ledger<'_>, core: CoreId) {
    ledger.wake(core).unwrap();
    ledger.came_up(core).unwrap();
}

/// Every state and every event, with the same and with another domain.
#[test]
fn every_pair_of_state_and_event() {
    use CoreEvent as Event;
    use CoreState as State;
    let (own, other) = (domain(0), domain(31));
    let states = [State::Off, State::Waking, State::Idle, State::Owned(own), State::Releasing(own), State::Failed];
    let events = [
        Event::Wake,
        Event::CameUp,
        Event::Claim(own),
        Event::BeginRelease(own),
        Event::BeginRelease(other),
        Event::FinishRelease(own),
        Event::FinishRelease(other),
        Event::Fail,
    ];
    let allowed = [
        (State::Off, Event::Wake, State::Waking),
        (State::Waking, Event::CameUp, State::Idle),
        (State::Waking, Event::Fail, State::Failed),
        (State::Idle, Event::Claim(own), State::Owned(own)),
        (State::Idle, Event::Fail, State::Failed),
        (State::Owned(own), Event::BeginRelease(own), State::Releasing(own)),
        (State::Owned(own), Event::Fail, State::Failed),
        (State::Releasing(own), Event::FinishRelease(own), State::Idle),
        (State::Releasing(own), Event::Fail, State::Failed),
    ];
    for state in states {
        for event in events {
            let expected = allowed
                .iter()
                .find(|(from, by, _)| (*from, *by) == (state, event))
                .map_or(Err(state), |(_, _, to)| Ok(*to));
            assert_eq!(step(state, event), expected, "{state:?} {event:?}");
        }
    }
}

#[test]
fn a_core_s_life() {
    let words = words(2);
    let ledger = Ledger(&words);
    let (linux, other) = (domain(3), domain(4));
    let refused = |state| Err(LedgerError::Refused(state));
    assert_eq!(ledger.came_up(core(1)), refused(CoreState::Off));
    start(&ledger, core(1));
    assert_eq!(ledger.claim(core(1), linux).unwrap().state, CoreState::Owned(linux));
    assert_eq!(ledger.claim(core(1), other), refused(CoreState::Owned(linux)));
    assert_eq!(ledger.begin_release(core(1), other), refused(CoreState::Owned(linux)));
    assert_eq!(ledger.finish_release(core(1), linux), refused(CoreState::Owned(linux)));
    ledger.begin_release(core(1), linux).unwrap();
    assert_eq!(ledger.claim(core(1), other), refused(CoreState::Releasing(linux)));
    ledger.finish_release(core(1), linux).unwrap();
    let record = ledger.claim(core(1), other).unwrap();
    assert_eq!(record, CoreRecord { state: CoreState::Owned(other), generation: 6 });
    assert_eq!(ledger.read(core(1)), Some(record));
    assert_eq!(ledger.read(core(0)).unwrap().state, CoreState::Off);
}

#[test]
fn a_core_that_comes_up_after_it_was_given_up_stays_out() {
    let words = words(1);
    let ledger = Ledger(&words);
    ledger.wake(core(0)).unwrap();
    ledger.fail(core(0)).unwrap();
    assert_eq!(ledger.came_up(core(0)), Err(LedgerError::Refused(CoreState::Failed)));
    assert_eq!(ledger.claim_any(domain(0), core(0)), Err(NoIdleCore));
}

#[test]
fn unknown_cores_are_refused() {
    let words = words(1);
    let ledger = Ledger(&words);
    assert_eq!(ledger.wake(core(1)), Err(LedgerError::UnknownCore));
    assert_eq!(ledger.read(core(1)), None);
    assert_eq!(ledger.claim_any(domain(0), core(500)), Err(NoIdleCore));
}

#[test]
fn any_idle_core_is_found_and_the_preferred_one_first() {
    let words = words(4);
    let ledger = Ledger(&words);
    for index in [0, 1, 3] {
        start(&ledger, core(index));
    }
    let claim = |preferred| ledger.claim_any(domain(0), core(preferred)).map(CoreId::index);
    assert_eq!([claim(1), claim(1), claim(1)], [Ok(1), Ok(3), Ok(0)]);
    assert_eq!(claim(1), Err(NoIdleCore));
    let owned = ledger.cores().filter(|(_, record)| record.state == CoreState::Owned(domain(0)));
    assert_eq!(owned.map(|(core, _)| core.index()).collect::<Vec<_>>(), [0, 1, 3]);
}

#[test]
fn a_word_holds_every_state_and_generation() {
    let top = u64::MAX >> 16;
    let states = (0..32).map(domain).flat_map(|it| [CoreState::Owned(it), CoreState::Releasing(it)]);
    let rest = [CoreState::Off, CoreState::Waking, CoreState::Idle, CoreState::Failed];
    for state in states.chain(rest) {
        assert_eq!(CoreState::from_trace(state.to_trace()), Some(state));
        for generation in [0, 1, top] {
            let record = CoreRecord { state, generation };
            assert_eq!(CoreRecord::from_bits(record.to_bits()), record);
        }
    }
    let last = CoreRecord { state: CoreState::Off, generation: top };
    assert_eq!(last.after(CoreEvent::Wake).unwrap().generation, 0);
    for word in [0x300, 0x321, 0x600, u64::MAX] {
        assert_eq!(CoreState::from_trace(word), None);
    }
}

#[test]
fn a_quota_is_kept() {
    let quota = Quota::new(2);
    quota.take().unwrap();
    quota.take().unwrap();
    assert_eq!(quota.take(), Err(QuotaReached));
    assert_eq!(quota.owned(), 2);
    quota.give_back();
    quota.take().unwrap();
    for _ in 0..3 {
        quota.give_back();
    }
    assert_eq!(quota.owned(), 0);
    assert_eq!(Quota::new(0).take(), Err(QuotaReached));
}
