//! Models of `smp::run_queue`.

use loom::{
    cell::UnsafeCell,
    sync::{
        Arc, Notify,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use smp::run_queue::{ContextId, Priority, QueueFull, RunQueue, SLOTS, Slot};

use crate::harness::{Depth, explore};

const PRIORITY: Priority = Priority(1);

/// A core with its run queue and its doorbell (see the mailbox models).
struct Core {
    queue: RunQueue,
    doorbell: Notify,
}

impl Core {
    fn start() -> Arc<Self> {
        Arc::new(Self { queue: RunQueue::new(), doorbell: Notify::new() })
    }

    fn attach(&self, context: u16) -> Slot {
        self.queue.attach(ContextId(context), PRIORITY).unwrap()
    }
}

/// A plain value that one core hands to another. loom's cell reports a read that no edge orders behind the write.
struct Message(UnsafeCell<u32>);

// SAFETY: loom checks every access.
unsafe impl Sync for Message {}
// SAFETY: a number.
unsafe impl Send for Message {}

impl Message {
    fn new() -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(0)))
    }

    fn write(&self) {
        // SAFETY: each model writes a message once, before it hands it over.
        self.0.with_mut(|value| unsafe { *value = 7 });
    }

    fn check(&self) {
        // SAFETY: a model reads a message only after it was handed over.
        assert_eq!(self.0.with(|value| unsafe { *value }), 7);
    }
}

/// The owner finds nothing to run for, puts its context to sleep, checks again and waits, while two other cores each make
/// something to run for. The owner must get both.
#[test]
fn no_wake_up_is_lost_between_sleep_and_wait() {
    explore("run-queue-sleep-wake", Depth::Preemptions(3), 50_000, || {
        let core = Core::start();
        let slot = core.attach(0);
        core.queue.wake(slot);
        let conditions = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        for waker in 0..2 {
            let (core, conditions) = (Arc::clone(&core), Arc::clone(&conditions));
            thread::spawn(move || {
                conditions[waker].store(true, Ordering::Relaxed);
                core.queue.wake(slot);
                core.doorbell.notify();
            });
        }
        let holds = |condition: &AtomicBool| condition.load(Ordering::Relaxed);
        let mut served = [false; 2];
        while served != [true; 2] {
            if core.queue.pick(Slot::FIRST).is_none() {
                core.doorbell.wait();
                continue;
            }
            // The guest runs: it serves what there is, then waits.
            for (served, condition) in served.iter_mut().zip(&*conditions) {
                *served |= holds(condition);
            }
            core.queue.sleep(slot);
            let mut conditions = served.iter().zip(&*conditions);
            if conditions.any(|(served, condition)| !served && holds(condition)) {
                core.queue.wake(slot);
            }
        }
    });
}

/// Two cores wake two contexts, each with a message: what the owner picks, it can read.
#[test]
fn a_picked_context_brings_what_it_was_woken_for() {
    explore("run-queue-wake-message", Depth::Exhaustive, 200_000, || {
        let core = Core::start();
        let wakers = [0, 1].map(|context| {
            let (core, message) = (Arc::clone(&core), Message::new());
            let slot = core.attach(context);
            let theirs = Arc::clone(&message);
            thread::spawn(move || {
                theirs.write();
                core.queue.wake(slot);
            });
            message
        });
        for _ in 0..2 {
            if let Some((slot, context)) = core.queue.pick(Slot::FIRST) {
                wakers[usize::from(context.0)].check();
                core.queue.sleep(slot);
            }
        }
    });
}

/// Two cores attach at once where there is room for both: each gets a slot of its own, and both contexts run.
#[test]
fn attaching_cores_get_different_slots() {
    explore("run-queue-attach-two", Depth::Exhaustive, 1500, || {
        let core = Core::start();
        let attaching = [0, 1].map(|context| {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                let slot = core.attach(context);
                core.queue.wake(slot);
                slot
            })
        });
        let slots = attaching.map(|thread| thread.join().unwrap());
        assert_ne!(slots[0], slots[1]);
        assert_eq!(core.queue.attached(), 2);
        for (slot, context) in slots.into_iter().zip([0, 1].map(ContextId)) {
            assert_eq!(core.queue.pick(slot), Some((slot, context)));
        }
    });
}

/// Two cores attach at once where there is room for one: exactly one succeeds.
#[test]
fn the_last_slot_goes_to_one() {
    explore("run-queue-attach-last", Depth::Exhaustive, 300, || {
        let core = Core::start();
        for context in 1..SLOTS as u16 {
            core.attach(context);
        }
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.queue.attach(ContextId(100), PRIORITY))
        };
        let own = core.queue.attach(ContextId(101), PRIORITY);
        let winners = [own, other.join().unwrap()];
        assert_eq!(winners.iter().filter(|slot| slot.is_ok()).count(), 1);
        assert!(winners.contains(&Err(QueueFull)));
        assert_eq!(core.queue.attached(), SLOTS);
    });
}

/// The owner detaches a context while another core takes over the slot and wakes the next one, and a third wakes the
/// neighbour: the clearing of the old context's bit hits no other, and who gets the slot sees what the owner did before.
#[test]
fn detaching_does_not_eat_another_contexts_wake_up() {
    explore("run-queue-reuse", Depth::Exhaustive, 7000, || {
        let core = Core::start();
        let slots: Vec<_> = (0..SLOTS as u16).map(|context| core.attach(context)).collect();
        let message = Message::new();
        let next = {
            let (core, message) = (Arc::clone(&core), Arc::clone(&message));
            thread::spawn(move || {
                let slot = core.queue.attach(ContextId(100), PRIORITY);
                slot.inspect(|slot| {
                    message.check();
                    core.queue.wake(*slot);
                })
            })
        };
        let neighbour = {
            let (core, slot) = (Arc::clone(&core), slots[1]);
            thread::spawn(move || core.queue.wake(slot))
        };
        message.write();
        core.queue.detach(slots[0]);
        if let Ok(slot) = next.join().unwrap() {
            assert_eq!(core.queue.pick(Slot::FIRST), Some((slot, ContextId(100))));
        }
        neighbour.join().unwrap();
        assert_eq!(core.queue.pick(slots[0].after()), Some((slots[1], ContextId(1))));
    });
}

/// A late wake-up of a free slot meets the context that is just being attached there: a pick that finds it finds it whole.
#[test]
fn a_late_wake_up_never_shows_half_a_context() {
    explore("run-queue-late-wake", Depth::Exhaustive, 100, || {
        let core = Core::start();
        let slot = core.attach(0);
        core.queue.detach(slot);
        let message = Message::new();
        let wakers = [
            {
                let core = Arc::clone(&core);
                thread::spawn(move || core.queue.wake(slot))
            },
            {
                let (core, message) = (Arc::clone(&core), Arc::clone(&message));
                thread::spawn(move || {
                    message.write();
                    core.attach(1);
                })
            },
        ];
        if let Some((_, context)) = core.queue.pick(Slot::FIRST) {
            assert_eq!(context, ContextId(1));
            message.check();
        }
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}
