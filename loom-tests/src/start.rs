//! Models of `hotplug::start`.

use crate::harness::{Crossing, Depth, explore};
use domains::psci::{CpuPower, Entry};
use hotplug::start::{Begin, begin};
use loom::{
    sync::{Arc, Notify},
    thread,
};
use smp::run_queue::{ContextId, Priority, RunQueue, Slot};

const ENTRY: Entry = Entry { address: 0x4000_0000, context_id: 7 };

/// A core to which a context is attached, and its doorbell.
struct Core {
    queue: RunQueue,
    power: CpuPower,
    doorbell: Notify,
    crossing: Crossing,
}

impl Core {
    fn wake(&self, slot: Slot) {
        self.queue.wake(slot);
        self.doorbell.notify();
    }

    /// The core's loop until the context runs.
    fn run(&self) -> Entry {
        loop {
            match self.queue.pick(Slot::FIRST) {
                None => self.doorbell.wait(),
                Some((slot, _)) => {
                    self.crossing.pass();
                    match begin(&self.queue, slot, &self.power) {
                        Begin::At(entry) => return entry,
                        Begin::GoOn => panic!("it runs without an entry"),
                        Begin::NotYet => {}
                    }
                }
            }
        }
    }
}

/// An interrupt wakes a context between its attachment and what CPU_ON publishes: it begins once,
/// where CPU_ON said. A lost wake-up shows as a deadlock.
#[test]
fn an_early_interrupt_neither_starts_a_context_nor_loses_its_start() {
    explore("start-early-interrupt", Depth::Preemptions(3), 250, || {
        let core = Arc::new(Core {
            queue: RunQueue::new(),
            power: CpuPower::default(),
            doorbell: Notify::new(),
            crossing: Crossing::default(),
        });
        let slot = core.queue.attach(ContextId(1), Priority(1)).unwrap();
        // The interrupt has come already.
        core.queue.wake(slot);
        let starter = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                let ticket = core.power.request_on().unwrap();
                core.crossing.pass();
                ticket.publish(ENTRY);
                core.wake(slot);
            })
        };
        assert_eq!(core.run(), ENTRY);
        starter.join().unwrap();
    });
}
