use super::*;
use smp::run_queue::{ContextId, Priority};

const ENTRY: Entry = Entry { address: 0x4000_0000, context_id: 7 };

fn attached() -> (RunQueue, Slot, CpuPower) {
    let queue = RunQueue::new();
    let slot = queue.attach(ContextId(1), Priority(1)).unwrap();
    (queue, slot, CpuPower::default())
}

#[test]
fn a_context_begins_where_cpu_on_said_and_goes_on_from_there() {
    let (queue, slot, power) = attached();
    power.request_on().unwrap().publish(ENTRY);
    queue.wake(slot);
    assert_eq!(begin(&queue, slot, &power), Begin::At(ENTRY));
    assert_eq!(begin(&queue, slot, &power), Begin::GoOn);
    assert!(queue.is_ready(slot));
}

#[test]
fn an_interrupt_does_not_start_a_context_that_has_no_entry_yet() {
    let (queue, slot, power) = attached();
    let ticket = power.request_on().unwrap();
    queue.wake(slot);
    assert_eq!(begin(&queue, slot, &power), Begin::NotYet);
    assert!(!queue.is_ready(slot));
    ticket.publish(ENTRY);
    assert_eq!(begin(&queue, slot, &power), Begin::At(ENTRY));
}
