//! A model of `failover::pause`: cores stand still for a checkpoint, and each may lose patience.

use crate::harness::{Depth, explore};
use failover::pause::Pause;
use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::{Acquire, Release};
use loom::{sync::Arc, thread};

const ROUND: u64 = 7;
const CORES: usize = 1;

struct Domain {
    pause: Pause,
    /// The round in which a core stands still (`CoreLocal::stands`).
    stands: [AtomicU64; CORES],
    /// What the core of a context writes without a lock, and who gathered reads.
    states: [UnsafeCell<u32>; CORES],
}

// SAFETY: loom checks every access to `states`.
unsafe impl Sync for Domain {}
// SAFETY: plain data.
unsafe impl Send for Domain {}

impl Domain {
    fn touch(&self, core: usize) {
        // SAFETY: loom checks that nobody else does so at the same time.
        self.states[core].with_mut(|state| unsafe { *state += 1 });
    }

    /// `Checkpoints::stand_still`, with no patience at all.
    fn attend(&self, core: usize) {
        let Some(round) = self.pause.gathering() else { return };
        self.touch(core);
        self.stands[core].store(round, Release);
        self.pause.cancel(round);
        while self.pause.holds(round) {
            thread::yield_now();
        }
        self.touch(core);
    }
}

#[test]
fn who_stands_still_is_read_alone() {
    explore("checkpoint-pause", Depth::Exhaustive, 53, || {
        let domain = Arc::new(Domain {
            pause: Pause::default(),
            stands: std::array::from_fn(|_| AtomicU64::new(0)),
            states: std::array::from_fn(|_| UnsafeCell::new(0)),
        });
        assert!(domain.pause.begin(ROUND));
        let waiters: Vec<_> = (0..CORES)
            .map(|core| {
                let domain = Arc::clone(&domain);
                thread::spawn(move || domain.attend(core))
            })
            .collect();
        let all = domain.stands.iter().all(|stands| stands.load(Acquire) == ROUND);
        if all && domain.pause.commit(ROUND) {
            // SAFETY: loom checks that nobody writes meanwhile.
            let touched = domain.states.iter().map(|state| state.with(|state| unsafe { *state }));
            assert!(touched.eq([1; CORES]));
            domain.pause.end();
        }
        domain.pause.cancel(ROUND);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert!(domain.pause.gathering().is_none() && domain.pause.begin(ROUND + 1));
    });
}
