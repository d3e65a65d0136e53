//! Models of `failover::warden`, over the real ledger and mailboxes.

use crate::harness::{Depth, explore};
use crate::steps::{core_id, domain_id};
use domains::ledger::{CoreEvent, CoreState, Heir, Ledger, LedgerWord};
use failover::warden::Wardens;
use loom::thread::{self, JoinHandle};
use smp::core_id::CoreId;
use smp::mailbox::{Mailbox, Requests};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The first core, and two that may be the warden: the one is idle or a domain's, the other stays on.
const FIRST: usize = 0;
const ONE: usize = 1;
const OTHER: usize = 2;
const CORES: usize = 3;

/// The bits of two groups.
const A: u32 = 1;
const B: u32 = 2;

#[derive(Default)]
struct World {
    words: [LedgerWord; CORES],
    mail: [Mailbox; CORES],
    wardens: Wardens,
    /// The groups that each core found to look after when it last took a message (own). Not loom's: it orders nothing.
    looks_after: [AtomicU32; CORES],
}

impl World {
    /// Its cores are on.
    fn new() -> Arc<Self> {
        let world = Self::default();
        for core in 0..CORES {
            world.change(core, CoreEvent::Wake(Heir::Pool));
            world.change(core, CoreEvent::CameUp);
        }
        Arc::new(world)
    }

    fn spawn(self: &Arc<Self>, run: impl FnOnce(&Self) + 'static) -> JoinHandle<()> {
        let world = Arc::clone(self);
        thread::spawn(move || run(&world))
    }

    fn change(&self, core: usize, event: CoreEvent) {
        Ledger(&self.words).change(core_id(core), event).unwrap();
    }

    fn state(&self, core: CoreId) -> CoreState {
        Ledger(&self.words).read(core).unwrap().state
    }

    fn tell(&self, warden: CoreId) {
        let _ = self.mail[warden.index()].post(Requests::ERRAND);
    }

    /// A core of these groups has failed.
    fn diminish(&self, groups: u32, warden: usize) {
        let warden = core_id(warden);
        let is_idle = || self.state(warden) == CoreState::Idle;
        self.wardens.diminish(groups, warden, is_idle, |warden| self.tell(warden));
    }

    /// A core goes off, and learns nothing of what it is told from then on.
    fn go_off(&self, core: usize) {
        self.change(core, CoreEvent::SwitchOff { held: false });
        self.wardens.leave(core_id(core), |warden| self.tell(warden));
    }

    /// A core is found not to answer.
    fn fail(&self, core: usize) {
        self.change(core, CoreEvent::Fail);
        self.wardens.leave(core_id(core), |warden| self.tell(warden));
    }

    /// It wakes: what it was told before is forgotten.
    fn come_up(&self, core: usize) {
        self.change(core, CoreEvent::Wake(Heir::Pool));
        self.mail[core].take();
        self.looks_after[core].store(0, Relaxed);
        self.change(core, CoreEvent::CameUp);
    }

    /// A core takes what it was told.
    fn attend(&self, core: usize) {
        if self.mail[core].take() == Requests::ERRAND {
            let (warden, groups) = self.wardens.now();
            self.looks_after[core].store(if warden == core_id(core) { groups } else { 0 }, Relaxed);
        }
    }

    /// In the end the warden is on, and has learned of all groups.
    fn check(&self, groups: u32) {
        let (warden, diminished) = self.wardens.now();
        let is_on = !matches!(self.state(warden), CoreState::Off { .. } | CoreState::Failed);
        assert!(is_on && diminished == groups, "core {warden} is the warden of {diminished}");
        self.attend(warden.index());
        assert_eq!(self.looks_after[warden.index()].load(Relaxed), groups, "core {warden} was not told of all");
    }
}

/// A core is appointed while it goes off; it may come back, too.
#[test]
fn the_warden_may_go_off() {
    for (name, comes_back) in [("warden-goes-off", false), ("warden-comes-back", true)] {
        explore(name, Depth::Exhaustive, 100, move || {
            let world = World::new();
            let one = world.spawn(move |world| {
                world.go_off(ONE);
                if comes_back {
                    world.come_up(ONE);
                }
            });
            let first = world.spawn(|world| world.attend(FIRST));
            world.diminish(A, ONE);
            one.join().unwrap();
            first.join().unwrap();
            world.check(A);
        });
    }
}

/// Two appoint at once: who is the warden in the end learns of both groups.
#[test]
fn of_two_wardens_one_learns_of_all() {
    explore("warden-two", Depth::Exhaustive, 50, || {
        let world = World::new();
        let appoints = world.spawn(|world| world.diminish(B, OTHER));
        let other = world.spawn(|world| world.attend(OTHER));
        world.diminish(A, ONE);
        appoints.join().unwrap();
        other.join().unwrap();
        world.check(A | B);
    });
}

/// Two appoint at once, the same core or two, and that goes off.
#[test]
fn of_two_wardens_one_may_go_off() {
    for (name, second, looks) in [("warden-two-off", OTHER, OTHER), ("warden-same-off", ONE, FIRST)] {
        explore(name, Depth::Preemptions(3), 1_000, move || {
            let world = World::new();
            let one = world.spawn(|world| world.go_off(ONE));
            let appoints = world.spawn(move |world| world.diminish(B, second));
            let looks = world.spawn(move |world| world.attend(looks));
            world.diminish(A, ONE);
            [one, appoints, looks].into_iter().for_each(|thread| thread.join().unwrap());
            world.check(A | B);
        });
    }
}

/// A core is appointed late: it becomes a domain's meanwhile, and fails.
#[test]
fn the_warden_may_fail() {
    explore("warden-fails", Depth::Exhaustive, 100, || {
        let world = World::new();
        let gives_up = world.spawn(|world| {
            world.change(ONE, CoreEvent::Claim(domain_id(0)));
            world.diminish(B, OTHER);
            world.fail(ONE);
        });
        let other = world.spawn(|world| world.attend(OTHER));
        world.diminish(A, ONE);
        gives_up.join().unwrap();
        other.join().unwrap();
        world.check(A | B);
    });
}
