//! Tests of the run queue on one thread.

use super::*;

/// Attaches and wakes a context.
fn add(queue: &RunQueue, context: u16, priority: u8) -> Slot {
    let slot = queue.attach(ContextId(context), Priority(priority));
    queue.wake(slot.unwrap());
    slot.unwrap()
}

fn pick(queue: &RunQueue, last: Option<Slot>) -> Option<u16> {
    queue.pick(last).map(|(_, context)| context.0)
}

#[test]
fn an_attached_context_sleeps_until_it_is_woken() {
    let queue = RunQueue::new();
    assert_eq!(pick(&queue, None), None);
    let slot = queue.attach(ContextId(0), Priority(0)).unwrap();
    assert_eq!(pick(&queue, None), None);
    queue.wake(slot);
    assert_eq!(queue.pick(None), Some((slot, ContextId(0))));
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
        assert_eq!(pick(&queue, Some(slots[urgent])), Some((urgent as u16 + 1) % 16));
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
        let (slot, context) = queue.pick(last).unwrap();
        order.push(context.0);
        last = Some(slot);
    }
    assert_eq!(order, [10, 12, 14, 10, 12, 14, 10]);
}

#[test]
fn all_sixteen_equals_get_a_turn() {
    let queue = RunQueue::new();
    for context in 0..SLOTS as u16 {
        add(&queue, context, 7);
    }
    let mut last = None;
    for round in 0..3 * SLOTS as u16 {
        let (slot, context) = queue.pick(last).unwrap();
        assert_eq!(context.0, round % 16);
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
fn sixteen_contexts_fill_a_queue() {
    let queue = RunQueue::new();
    let slots: Vec<_> = (0..16).map(|context| add(&queue, context, 1)).collect();
    assert_eq!(queue.attached(), 16);
    assert_eq!(queue.attach(ContextId(16), Priority(1)), Err(QueueFull));
    assert_eq!(queue.attached(), 16);

    queue.detach(slots[9]);
    assert_eq!(queue.attached(), 15);
    let slot = queue.attach(ContextId(16), Priority(9)).unwrap();
    assert_eq!(slot, slots[9]);
    assert_eq!(pick(&queue, None), Some(0), "a reused slot starts asleep");
    queue.wake(slot);
    assert_eq!(pick(&queue, None), Some(16));
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
fn slots_end_at_sixteen() {
    assert_eq!(Slot::new(15).map(Slot::index), Some(15));
    assert_eq!(Slot::new(16), None);
    assert_eq!(Slot::new(usize::MAX), None);
}
