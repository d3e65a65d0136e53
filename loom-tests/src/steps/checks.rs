//! What has to be true when all cores have done what they were posted.

use super::{Core, LATER, Machine};
use domains::ledger::{CoreState, Heir};
use domains::life::Phase;
use smp::core_set::CoreSet;

impl Machine {
    /// Every deadline passes, and every core does what it was posted, one after the other.
    pub fn settle(&self) {
        for _ in 0..8 {
            self.take_started().into_iter().for_each(|core| self.secondary_main(&self.cores[core], LATER));
            for core in &self.cores {
                if self.is_up(core) {
                    self.resume(core, LATER);
                    self.timer_fired(core, LATER);
                }
            }
        }
        let settled = |core: &Core| core.mailbox.is_empty() || !self.is_up(core);
        assert!(self.cores.iter().all(settled), "it does not settle");
        self.check();
    }

    fn is_up(&self, core: &Core) -> bool {
        !matches!(self.state_of(core.id), CoreState::Off { .. } | CoreState::Waking(_) | CoreState::Failed)
    }

    /// Words, queues, seats, placements and quotas fit together.
    fn check(&self) {
        for domain in &self.domains {
            let of = |state: CoreState| state.owner() == Some(domain.id);
            let states = || (0..self.cores.len()).map(|core| self.state(core));
            let owned = states().filter(|state| of(*state)).count();
            let coming = states().filter(|state| *state == CoreState::Waking(Heir::Domain(domain.id))).count();
            let leaving = states().filter(|state| matches!(state, CoreState::Asked(..)) && of(*state)).count();
            let counts = domain.quota.counts();
            assert_eq!(
                [owned, coming, leaving],
                [counts.owned, counts.coming, counts.leaving].map(usize::from),
                "{counts:?} of {states:?}",
                states = states().collect::<Vec<_>>()
            );
            assert!(owned + coming <= domain.quota.max as usize, "{counts:?}");
            assert!((domain.quota.min..=domain.quota.max).contains(&u32::from(counts.granted)), "{counts:?}");
            let ended = domain.life.now().phase == Phase::Ended;
            assert!(!ended || owned == 0, "an ended domain owns a core");
            let (mut spare, mut folded) = (CoreSet::default(), 0);
            for core in self.cores.iter().filter(|core| of(self.state_of(core.id))) {
                match core.queue.attached() {
                    0 => spare.insert(core.id),
                    crowd => folded += crowd - 1,
                }
            }
            let placement = domain.placement.lock();
            assert_eq!((placement.spare, placement.folded), (spare, folded));
            assert!(folded == 0 || spare.is_empty(), "a core is spare while a context is folded");
            for context in &domain.contexts {
                let seats = self.cores.iter().filter(|core| core.queue.entries().any(|(_, id)| id == context.id()));
                let seats: Vec<_> = seats.map(|core| core.id).collect();
                let on = context.is_on();
                assert_eq!(seats.len(), usize::from(on), "it is on {seats:?}");
                assert_eq!(context.seat.now(), seats.first().copied());
                assert!(seats.iter().all(|core| of(self.state_of(*core))), "it is on a core of others");
                let goes_on = |core: &Core| {
                    core.queue.entries().any(|(slot, id)| {
                        id == context.id() && core.queue.is_ready(slot) && core.current() != Some((slot, id))
                    })
                };
                let served = !context.is_pending() || self.cores.iter().any(goes_on);
                assert_eq!(context.take_wanted(), None, "it is wanted where it is not");
                assert!(!on || served, "an interrupt is lost");
            }
            let waits = self.waiting.load(std::sync::atomic::Ordering::Relaxed) & (1 << domain.id.index()) != 0;
            let idle = states().any(|state| state == CoreState::Idle);
            assert!(!(waits && idle), "a domain waits while a core is idle");
        }
    }
}
