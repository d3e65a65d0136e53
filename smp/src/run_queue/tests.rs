//! Tests of the run queue on one thread.

use super::*;

/// Attaches and wakes a context.
fn add(queue: &RunQueue, context: u16, priority: u8) -> Slot {
    let slot = queue.attach(ContextId(context), Priority(priority));
    queue.wake(slot.unwrap());
    slot.unwrap()
}

fn first_after(last: Option<Slot>) -> Slot {
    last.map_or(Slot::FIRST, Slot::after)
}

fn pick(queue: &RunQueue, last: Option<Slot>) -> Option<u16> {
    queue.pick(first_after(last)).map(|(_, context)| context.0)
}

#[test]
fn an_attached_context_sleeps_until_it_is_woken() {
    let queue = RunQueue::new();
    assert_eq!(pick(&queue, None), None);
    let slot = queue.attach(ContextId(0), Priority(0)).unwrap();
    assert_eq!(pick(&queue, None), None);
    queue.wake(slot);
    assert_eq!(queue.pick(Slot::FIRST), Some((slot, ContextId(0))));
    assert!(queue.is_ready(slot));
    queue.sleep(slot);
    assert!(!queue.is_ready(slot));
    assert_eq!(pick(&queue, None), None);
    assert_eq!(queue.attached(), 1);
}

#[test]
fn the_most_urgent_runs_wherever_it_sits() {
    for urgent in 0..SLOTS {
        let queue = RunQueue::new();
        let slots: Vec<_> =
            (0..SLOTS).map(|index| add(&queue, index as u16, if index == urgent { 200 } else { 100 })).collect();
        for last in slots.iter().copied().map(Some).chain([None]) {
            assert_eq!(pick(&queue, last), Some(urgent as u16));
        }
        queue.sleep(slots[urgent]);
        assert_eq!(pick(&queue, Some(slots[urgent])), Some((urgent as u16 + 1) % SLOTS as u16));
    }
}

#[test]
fn equals_run_in_turn() {
    let queue = RunQueue::new();
    add(&queue, 10, 5);
    add(&queue, 11, 4);
    add(&queue, 12, 5);
    let asleep = add(&queue, 13, 5);
    add(&queue, 14, 5);
    queue.sleep(asleep);
    let mut last = None;
    let mut order = Vec::new();
    for _ in 0..7 {
        let (slot, context) = queue.pick(first_after(last)).unwrap();
        order.push(context.0);
        last = Some(slot);
    }
    assert_eq!(order, [10, 12, 14, 10, 12, 14, 10]);
}

#[test]
fn equals_in_every_slot_get_a_turn() {
    let queue = RunQueue::new();
    for context in 0..SLOTS as u16 {
        add(&queue, context, 7);
    }
    let mut last = None;
    for round in 0..3 * SLOTS as u16 {
        let (slot, context) = queue.pick(first_after(last)).unwrap();
        assert_eq!(context.0, round % SLOTS as u16);
        last = Some(slot);
    }
}

#[test]
fn the_only_context_is_picked_again_and_again() {
    let queue = RunQueue::new();
    let slot = add(&queue, 3, 1);
    assert_eq!(pick(&queue, Some(slot)), Some(3));
}

#[test]
fn a_queue_holds_as_many_as_it_has_slots() {
    let queue = RunQueue::new();
    let slots: Vec<_> = (0..SLOTS as u16).map(|context| add(&queue, context, 1)).collect();
    assert_eq!(queue.attached(), SLOTS);
    assert_eq!(queue.attach(ContextId(500), Priority(1)), Err(QueueFull));
    assert_eq!(queue.attached(), SLOTS);

    queue.detach(slots[9]);
    assert_eq!(queue.attached(), SLOTS - 1);
    let slot = queue.attach(ContextId(500), Priority(9)).unwrap();
    assert_eq!(slot, slots[9]);
    assert_eq!(pick(&queue, None), Some(0), "a reused slot starts asleep");
    queue.wake(slot);
    assert_eq!(pick(&queue, None), Some(500));
}

#[test]
fn a_detached_context_is_not_picked() {
    let queue = RunQueue::new();
    let slot = add(&queue, 1, 1);
    queue.detach(slot);
    assert_eq!(pick(&queue, None), None);
    queue.wake(slot);
    assert_eq!(pick(&queue, None), None, "a late wake of a free slot");
    assert_eq!(queue.attached(), 0);
    queue.attach(ContextId(2), Priority(1)).unwrap();
    assert_eq!(pick(&queue, None), Some(2), "which wakes the next context");
}

#[test]
fn contenders_are_ready_equals() {
    let queue = RunQueue::new();
    let own = add(&queue, 0, 5);
    assert!(!queue.contenders(own));
    add(&queue, 1, 4);
    add(&queue, 2, 6);
    assert!(!queue.contenders(own));
    let equal = add(&queue, 3, 5);
    assert!(queue.contenders(own) && queue.contenders(equal));
    queue.sleep(equal);
    assert!(!queue.contenders(own));
    queue.detach(own);
    queue.wake(equal);
    assert!(!queue.contenders(own), "a free slot contends with nobody");
}

#[test]
fn entries_are_all_that_is_attached() {
    let queue = RunQueue::new();
    let slots = [4, 5, 6].map(|context| add(&queue, context, 1));
    queue.sleep(slots[0]);
    queue.detach(slots[1]);
    let entries: Vec<_> = queue.entries().collect();
    assert_eq!(entries, [(slots[0], ContextId(4)), (slots[2], ContextId(6))]);
}

#[test]
fn words_keep_every_context_and_priority() {
    let queue = RunQueue::new();
    for (context, priority) in [(0, 0), (0xffff, 0), (0, 0xff), (0xffff, 0xff)] {
        let slot = add(&queue, context, priority);
        assert_eq!(pick(&queue, None), Some(context));
        queue.detach(slot);
    }
}

#[test]
fn slots_end() {
    assert_eq!(Slot::new(SLOTS - 1).map(Slot::index), Some(SLOTS - 1));
    assert_eq!(Slot::new(SLOTS), None);
    assert_eq!(Slot::new(usize::MAX), None);
}

#[test]
fn what_runs_goes_on_before_its_equals() {
    let queue = RunQueue::new();
    let slots = [0, 1, 2].map(|context| add(&queue, context, 1));
    assert_eq!(queue.pick(slots[1]), Some((slots[1], ContextId(1))));
    add(&queue, 3, 2);
    assert_eq!(queue.pick(slots[1]).map(|(_, context)| context.0), Some(3));
}
