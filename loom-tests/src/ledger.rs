//! Models of `domains::ledger`.

use domains::DomainId;
use domains::ledger::{CoreEvent, CoreState, Heir, Ledger, LedgerError, LedgerWord, Quota};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};
use smp::core_id::CoreId;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::harness::{Depth, explore};

/// Cores that are all in the pool, and for each what its owner does with it.
struct Machine {
    words: Vec<LedgerWord>,
    used: Vec<UnsafeCell<usize>>,
}

// SAFETY: loom checks every access to `used`.
unsafe impl Sync for Machine {}
// SAFETY: it holds plain data.
unsafe impl Send for Machine {}

impl Machine {
    fn start(cores: usize) -> Arc<Self> {
        let machine = Self {
            words: (0..cores).map(|_| LedgerWord::default()).collect(),
            used: (0..cores).map(|_| UnsafeCell::new(0)).collect(),
        };
        for core in (0..cores).map(core) {
            machine.ledger().change(core, CoreEvent::Wake(Heir::Pool)).unwrap();
            machine.ledger().change(core, CoreEvent::CameUp).unwrap();
        }
        Arc::new(machine)
    }

    fn ledger(&self) -> Ledger<'_> {
        Ledger(&self.words)
    }

    /// What an owner does: leaves a mark on the core.
    fn mark(&self, core: CoreId, owner: DomainId) {
        // SAFETY: loom checks that no other owner does so at the same time.
        self.used[core.index()].with_mut(|used| unsafe { *used = owner.index() });
    }

    /// The last owner's mark.
    fn marked(&self, core: CoreId) -> usize {
        // SAFETY: as above.
        self.used[core.index()].with(|used| unsafe { *used })
    }

    /// Gives up a core that the domain owns, which is clean then.
    fn release(&self, core: CoreId, owner: DomainId) -> [u64; 2] {
        let begun = self.ledger().change(core, CoreEvent::BeginRelease(owner)).unwrap();
        assert_eq!(self.marked(core), owner.index());
        self.mark(core, owner);
        [begun.generation, self.ledger().change(core, CoreEvent::FinishRelease(owner)).unwrap().generation]
    }
}

fn core(index: usize) -> CoreId {
    CoreId::new(index).unwrap()
}

fn domain(index: usize) -> DomainId {
    DomainId::new(index).unwrap()
}

fn spawn<T: 'static>(machine: &Arc<Machine>, run: impl FnOnce(&Machine) -> T + 'static) -> JoinHandle<T> {
    let machine = Arc::clone(machine);
    thread::spawn(move || run(&machine))
}

#[test]
fn of_two_claimers_one_wins() {
    explore("ledger-claim", Depth::Exhaustive, 40, || {
        let machine = Machine::start(1);
        let claim = |index| {
            spawn(&machine, move |machine| {
                let won = machine.ledger().change(core(0), CoreEvent::Claim(domain(index)));
                if won.is_ok() {
                    machine.mark(core(0), domain(index));
                }
                won.map_err(|_| index)
            })
        };
        let results = [claim(1), claim(2)].map(|claimer| claimer.join().unwrap());
        let CoreState::Owned(owner) = machine.ledger().read(core(0)).unwrap().state else { panic!("nobody won") };
        for result in results {
            match result {
                Ok(record) => assert_eq!(record.state, CoreState::Owned(owner)),
                Err(loser) => assert_ne!(loser, owner.index()),
            }
        }
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(machine.marked(core(0)), owner.index());
    });
}

/// A core goes from hand to hand: each owner finds it as the one before left it, and no count of
/// its changes comes twice.
#[test]
fn owners_follow_each_other_and_generations_never_repeat() {
    explore("ledger-hand-over", Depth::Exhaustive, 200_000, || {
        let machine = Machine::start(1);
        let use_it = |index| {
            move |machine: &Machine| {
                let mut generations = Vec::new();
                if let Ok(record) = machine.ledger().change(core(0), CoreEvent::Claim(domain(index))) {
                    machine.mark(core(0), domain(index));
                    generations.push(record.generation);
                    generations.extend(machine.release(core(0), domain(index)));
                }
                generations
            }
        };
        let others = [1, 2].map(|index| spawn(&machine, use_it(index)));
        let mut generations = use_it(3)(&machine);
        generations.extend(others.into_iter().flat_map(|other| other.join().unwrap()));
        generations.sort_unstable();
        // Waking and coming up were the changes 1 and 2.
        let expected: Vec<_> = (3..).take(generations.len()).collect();
        assert_eq!(generations, expected);
        let record = machine.ledger().read(core(0)).unwrap();
        assert_eq!(record.state, CoreState::Idle);
        assert_eq!(record.generation, 2 + generations.len() as u64);
        assert!(!generations.is_empty());
    });
}

/// The giver prepares, then claims; the core reads that it was given, and finds it prepared.
#[test]
fn a_core_finds_what_was_prepared_for_its_owner() {
    explore("ledger-give", Depth::Exhaustive, 5, || {
        let machine = Machine::start(1);
        // The giver is the thread that loom runs first: loom 0.7.3 remembers one last access of a
        // word, so that a look would be hidden behind the load before the giver's exchange.
        let taker = spawn(&machine, |machine| {
            let given = machine.ledger().read(core(0)).unwrap().state != CoreState::Idle;
            assert!(!given || machine.marked(core(0)) == 7);
        });
        machine.mark(core(0), domain(7));
        machine.ledger().change(core(0), CoreEvent::Claim(domain(7))).unwrap();
        taker.join().unwrap();
    });
}

/// One core is released while two domains look for any core: nobody owns a core twice, and who was
/// told that there is none owns none.
#[test]
fn a_release_races_with_claims_of_any_core() {
    explore("ledger-claim-any", Depth::Exhaustive, 1500, || {
        let machine = Machine::start(2);
        machine.ledger().change(core(0), CoreEvent::Claim(domain(0))).unwrap();
        machine.mark(core(0), domain(0));
        let claim_any = |index: usize| {
            spawn(&machine, move |machine| {
                let claimed = machine.ledger().claim_any(domain(index), core(index % 2));
                if let Some(core) = claimed {
                    machine.mark(core, domain(index));
                }
                claimed
            })
        };
        let claimers = [claim_any(1), claim_any(2)];
        machine.release(core(0), domain(0));
        let claimed = claimers.map(|claimer| claimer.join().unwrap());
        for (index, claimed) in claimed.iter().enumerate() {
            let owner = domain(index + 1);
            let owned = |core: &CoreId| machine.ledger().read(*core).unwrap().state == CoreState::Owned(owner);
            assert_eq!(*claimed, (0..2).map(core).find(owned));
        }
        assert!(claimed.iter().any(Option::is_some), "core 1 was idle all the time");
    });
}

#[test]
fn a_core_that_failed_stays_so_whoever_claims_it() {
    explore("ledger-fail", Depth::Exhaustive, 5, || {
        let machine = Machine::start(1);
        let claimer = spawn(&machine, |machine| machine.ledger().change(core(0), CoreEvent::Claim(domain(1))));
        machine.ledger().change(core(0), CoreEvent::Fail).unwrap();
        let claimed = claimer.join().unwrap();
        assert!(claimed.is_ok() || claimed == Err(LedgerError::Refused(CoreState::Failed)));
        let record = machine.ledger().read(core(0)).unwrap();
        assert_eq!(record.state, CoreState::Failed);
        assert_eq!(record.generation, 3 + u64::from(claimed.is_ok()));
    });
}

/// Three takers of a quota of two, one of whom gives back.
#[test]
fn a_quota_is_never_exceeded() {
    explore("ledger-quota", Depth::Exhaustive, 200_000, || {
        // Not loom's atomic: it only counts, and shall not add executions.
        let shared = Arc::new((Quota::new(0, 2, 2), AtomicU32::new(0)));
        let take = |give_back: bool| {
            let shared = Arc::clone(&shared);
            move || {
                let (quota, holders) = &*shared;
                let taken = quota.take(false).is_ok();
                if taken {
                    assert!(holders.fetch_add(1, Relaxed) < 2);
                }
                if taken && give_back {
                    holders.fetch_sub(1, Relaxed);
                    quota.give_back();
                }
                taken && !give_back
            }
        };
        let others = [thread::spawn(take(true)), thread::spawn(take(false))];
        let own = take(false)();
        let held = others.map(|other| other.join().unwrap()).into_iter().chain([own]);
        let held = held.filter(|held| *held).count() as u32;
        assert_eq!(u32::from(shared.0.counts().owned), held);
        assert!(held >= 1);
    });
}
