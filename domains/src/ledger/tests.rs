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
    ledger.change(core, CoreEvent::Wake(Heir::Pool)).unwrap();
    ledger.change(core, CoreEvent::CameUp).unwrap();
}

/// Every state and every event, with the same and with another domain.
#[test]
fn every_pair_of_state_and_event() {
    use CoreEvent as Event;
    use CoreState as State;
    let (own, other) = (domain(0), domain(31));
    let heirs = [Heir::Pool, Heir::Off, Heir::Domain(own), Heir::Domain(other)];
    let (off, held) = (State::Off { held: false }, State::Off { held: true });
    let of_heirs = |state: fn(Heir) -> State| heirs.map(state);
    let mut states = vec![off, held, State::Idle, State::Owned(own), State::Failed];
    states.extend(of_heirs(State::Waking));
    states.extend(heirs.map(|heir| State::Asked(own, heir)));
    states.extend(heirs.map(|heir| State::Releasing(own, heir)));
    let mut events = vec![Event::CameUp, Event::Cancel, Event::Fail];
    events.extend([false, true].map(Event::Hold));
    events.extend([false, true].map(|held| Event::SwitchOff { held }));
    events.extend(heirs.map(Event::Wake));
    for domain in [own, other] {
        events.extend([Event::Claim(domain), Event::BeginRelease(domain), Event::FinishRelease(domain)]);
        events.extend([Event::Disinherit(domain), Event::Keep(domain)]);
        events.extend(heirs.map(|heir| Event::Ask(domain, heir)));
        events.extend(heirs.map(|heir| Event::Bequeath(domain, heir)));
    }
    let inherited = |heir| match heir {
        Heir::Pool => State::Idle,
        Heir::Off => held,
        Heir::Domain(domain) => State::Owned(domain),
    };
    let mut allowed = vec![
        (off, Event::Hold(true), held),
        (off, Event::Hold(false), off),
        (held, Event::Hold(true), held),
        (held, Event::Hold(false), off),
        (State::Idle, Event::SwitchOff { held: false }, off),
        (State::Idle, Event::SwitchOff { held: true }, held),
        (State::Idle, Event::Claim(own), State::Owned(own)),
        (State::Idle, Event::Claim(other), State::Owned(other)),
        (State::Owned(own), Event::BeginRelease(own), State::Releasing(own, Heir::Pool)),
        (State::Idle, Event::Fail, State::Failed),
        (State::Owned(own), Event::Fail, State::Failed),
    ];
    for heir in heirs {
        if heir != Heir::Off {
            allowed.push((off, Event::Wake(heir), State::Waking(heir)));
        }
        allowed.extend([
            (State::Waking(heir), Event::CameUp, inherited(heir)),
            (State::Waking(heir), Event::Fail, State::Failed),
            (State::Owned(own), Event::Ask(own, heir), State::Asked(own, heir)),
            (State::Owned(own), Event::Bequeath(own, heir), State::Releasing(own, heir)),
            (State::Asked(own, heir), Event::Cancel, State::Owned(own)),
            (State::Asked(own, heir), Event::BeginRelease(own), State::Releasing(own, heir)),
            (State::Asked(own, heir), Event::Fail, State::Failed),
            (State::Releasing(own, heir), Event::FinishRelease(own), inherited(heir)),
            (State::Releasing(own, heir), Event::Disinherit(own), State::Idle),
            (State::Releasing(own, heir), Event::Keep(own), State::Owned(own)),
            (State::Releasing(own, heir), Event::Fail, State::Failed),
        ]);
    }
    for &state in &states {
        for &event in &events {
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
    assert_eq!(ledger.change(core(1), CoreEvent::CameUp), refused(CoreState::Off { held: false }));
    start(&ledger, core(1));
    assert_eq!(ledger.change(core(1), CoreEvent::Claim(linux)).unwrap().state, CoreState::Owned(linux));
    assert_eq!(ledger.change(core(1), CoreEvent::Claim(other)), refused(CoreState::Owned(linux)));
    assert_eq!(ledger.change(core(1), CoreEvent::BeginRelease(other)), refused(CoreState::Owned(linux)));
    assert_eq!(ledger.change(core(1), CoreEvent::FinishRelease(linux)), refused(CoreState::Owned(linux)));
    ledger.change(core(1), CoreEvent::BeginRelease(linux)).unwrap();
    assert_eq!(ledger.change(core(1), CoreEvent::Claim(other)), refused(CoreState::Releasing(linux, Heir::Pool)));
    ledger.change(core(1), CoreEvent::FinishRelease(linux)).unwrap();
    let record = ledger.change(core(1), CoreEvent::Claim(other)).unwrap();
    assert_eq!(record, CoreRecord { state: CoreState::Owned(other), generation: 6 });
    assert_eq!(ledger.read(core(1)), Some(record));
    assert_eq!(ledger.read(core(0)).unwrap().state, CoreState::Off { held: false });
}

#[test]
fn a_core_that_comes_up_after_it_was_given_up_stays_out() {
    let words = words(1);
    let ledger = Ledger(&words);
    ledger.change(core(0), CoreEvent::Wake(Heir::Pool)).unwrap();
    ledger.change(core(0), CoreEvent::Fail).unwrap();
    assert_eq!(ledger.change(core(0), CoreEvent::CameUp), Err(LedgerError::Refused(CoreState::Failed)));
    assert_eq!(ledger.claim_any(domain(0), core(0)), None);
}

#[test]
fn unknown_cores_are_refused() {
    let words = words(1);
    let ledger = Ledger(&words);
    assert_eq!(ledger.change(core(1), CoreEvent::Wake(Heir::Pool)), Err(LedgerError::UnknownCore));
    assert_eq!(ledger.read(core(1)), None);
    assert_eq!(ledger.claim_any(domain(0), core(500)), None);
}

#[test]
fn any_idle_core_is_found_and_the_preferred_one_first() {
    let words = words(4);
    let ledger = Ledger(&words);
    for index in [0, 1, 3] {
        start(&ledger, core(index));
    }
    let claim = |preferred| ledger.claim_any(domain(0), core(preferred)).map(CoreId::index);
    assert_eq!([claim(1), claim(1), claim(1)], [Some(1), Some(3), Some(0)]);
    assert_eq!(claim(1), None);
    let owned = ledger.cores().filter(|(_, record)| record.state == CoreState::Owned(domain(0)));
    assert_eq!(owned.map(|(core, _)| core.index()).collect::<Vec<_>>(), [0, 1, 3]);
}

#[test]
fn a_word_holds_every_state_and_generation() {
    let top = u64::MAX >> 24;
    let domains = || (0..32).map(domain);
    let heirs = || domains().map(Heir::Domain).chain([Heir::Pool, Heir::Off]);
    let mut states = vec![CoreState::Idle, CoreState::Failed];
    states.extend([false, true].map(|held| CoreState::Off { held }));
    states.extend(heirs().map(CoreState::Waking));
    for owner in domains() {
        states.push(CoreState::Owned(owner));
        states.extend(heirs().flat_map(|heir| [CoreState::Asked(owner, heir), CoreState::Releasing(owner, heir)]));
    }
    for state in states {
        assert_eq!(CoreState::from_trace(state.to_trace()), Some(state));
        for generation in [0, 1, top] {
            let record = CoreRecord { state, generation };
            assert_eq!(CoreRecord::from_bits(record.to_bits()), record);
        }
    }
    let last = CoreRecord { state: CoreState::Off { held: false }, generation: top };
    let after = record::after(last.to_bits(), CoreEvent::Wake(Heir::Pool)).unwrap();
    assert_eq!(CoreRecord::from_bits(after).generation, 0);
    for word in [0x300, 0x321, 0x600, 0x700, 0x21_0301, u64::MAX] {
        assert_eq!(CoreState::from_trace(word), None, "{word:#x}");
    }
}

#[test]
fn a_core_fails_only_as_it_was_seen() {
    let words = words(1);
    let ledger = Ledger(&words);
    let seen = ledger.change(core(0), CoreEvent::Wake(Heir::Pool)).unwrap();
    ledger.change(core(0), CoreEvent::CameUp).unwrap();
    assert!(!ledger.change_if(core(0), seen, CoreEvent::Fail));
    assert!(ledger.change_if(core(0), ledger.read(core(0)).unwrap(), CoreEvent::Fail));
    assert_eq!(ledger.read(core(0)).unwrap().state, CoreState::Failed);
}

#[test]
fn a_grant_is_kept_and_exceeded_only_where_that_is_allowed() {
    let quota = Quota::new(1, 2, 3);
    for beyond in [false, false, true] {
        quota.take(beyond).unwrap();
    }
    assert_eq!((quota.take(true), quota.take(false)), (Err(QuotaReached), Err(QuotaReached)));
    assert_eq!(quota.counts(), QuotaCounts { owned: 3, granted: 3, ..QuotaCounts::default() });
    for _ in 0..5 {
        quota.give_back();
    }
    assert_eq!(quota.counts(), QuotaCounts { granted: 3, ..QuotaCounts::default() });
    quota.restart(2);
    quota.take(false).unwrap();
    quota.take(false).unwrap();
    assert_eq!(quota.take(false), Err(QuotaReached));
}

#[test]
fn a_domain_is_not_asked_for_more_than_it_can_spare() {
    let quota = Quota::new(2, 4, 4);
    for _ in 0..4 {
        quota.take(false).unwrap();
    }
    quota.ask().unwrap();
    quota.ask().unwrap();
    assert_eq!(quota.ask(), Err(QuotaReached));
    assert_eq!(quota.counts(), QuotaCounts { owned: 4, coming: 0, granted: 2, leaving: 2 });
    quota.keep();
    quota.left();
    assert_eq!(quota.counts(), QuotaCounts { owned: 3, granted: 3, ..QuotaCounts::default() });
    quota.give_back();
    assert_eq!(quota.ask(), Err(QuotaReached), "it gave up one by itself");
    let no_minimum = Quota::new(0, 1, 1);
    no_minimum.take(false).unwrap();
    assert_eq!(no_minimum.ask(), Err(QuotaReached), "nobody is left without a core");
}

#[test]
fn a_grant_stays_within_the_manifest() {
    let quota = Quota::new(1, 2, 3);
    assert_eq!([0, 4].map(|granted| quota.set_granted(granted)), [Err(QuotaReached); 2]);
    quota.set_granted(3).unwrap();
    assert_eq!((quota.counts().granted, quota.min, quota.max), (3, 1, 3));
}

#[test]
fn what_is_on_its_way_counts_but_is_not_owned() {
    let quota = Quota::new(1, 1, 3);
    quota.take(false).unwrap();
    quota.expect().unwrap();
    quota.expect().unwrap();
    assert_eq!((quota.expect(), quota.can_expect()), (Err(QuotaReached), false));
    assert_eq!(quota.take(true), Err(QuotaReached));
    assert_eq!(quota.counts(), QuotaCounts { owned: 1, coming: 2, granted: 3, leaving: 0 });
    quota.arrived();
    quota.unexpect(false);
    assert_eq!(quota.counts(), QuotaCounts { owned: 2, coming: 0, granted: 2, leaving: 0 });
    quota.expect().unwrap();
    quota.unexpect(true);
    assert_eq!(quota.counts(), QuotaCounts { owned: 2, coming: 0, granted: 3, leaving: 0 });
}

#[test]
fn what_is_granted_already_is_used_first() {
    let quota = Quota::new(1, 2, 3);
    for counts in [(1, 2), (2, 2), (3, 3)] {
        quota.expect_some().unwrap();
        assert_eq!((quota.counts().coming, quota.counts().granted), counts);
    }
    assert_eq!(quota.expect_some(), Err(QuotaReached));
}

#[test]
fn a_state_is_recognised_without_decoding_it() {
    let words = words(1);
    let ledger = Ledger(&words);
    start(&ledger, core(0));
    ledger.change(core(0), CoreEvent::Claim(domain(3))).unwrap();
    assert!(ledger.is(core(0), CoreState::Owned(domain(3))));
    assert!(!ledger.is(core(0), CoreState::Owned(domain(2))) && !ledger.is(core(0), CoreState::Idle));
    assert!(!ledger.is(core(1), CoreState::Owned(domain(3))));
    assert_eq!(ledger.trace(core(0)), Some(CoreState::Owned(domain(3)).to_trace()));
    assert_eq!((ledger.asked(core(0)), ledger.owned(core(0))), (None, Some(domain(3))));
    ledger.change(core(0), CoreEvent::Ask(domain(3), Heir::Off)).unwrap();
    assert_eq!((ledger.asked(core(0)), ledger.owned(core(0))), (Some(domain(3)), None));
}

#[test]
fn a_domain_that_began_anew_while_it_was_asked_has_no_more_than_it_may() {
    let quota = Quota::new(1, 2, 2);
    quota.take(false).unwrap();
    quota.take(false).unwrap();
    quota.ask().unwrap();
    quota.restart(2);
    quota.keep();
    assert_eq!(quota.counts().granted, 2);
    quota.ask().unwrap();
    assert_eq!(quota.expect(), Err(QuotaReached), "the core that it is asked for may stay");
}
