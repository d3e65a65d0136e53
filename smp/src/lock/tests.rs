//! Tests of the lock with real threads. The models in `loom-tests` show exclusion; these show the order.

use std::{sync::atomic::AtomicBool, thread};

use super::*;

fn asked(lock: &SpinLock<Vec<u32>>) -> u32 {
    lock.next.load(Ordering::Relaxed)
}

fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

#[test]
fn guards_give_the_value_in_turn() {
    let lock = SpinLock::new(1);
    *lock.lock() += 1;
    assert_eq!(*lock.lock(), 2);
}

#[test]
fn cores_enter_in_the_order_in_which_they_asked() {
    let lock = SpinLock::new(Vec::new());
    thread::scope(|threads| {
        let first = lock.lock();
        for number in 1..=4 {
            let lock = &lock;
            threads.spawn(move || lock.lock().push(number));
            wait_until(|| asked(lock) == number + 1);
        }
        drop(first);
    });
    assert_eq!(*lock.lock(), [1, 2, 3, 4]);
}

#[test]
fn a_flooding_core_waits_behind_one_that_asked() {
    let lock = SpinLock::new(Vec::new());
    let stop = AtomicBool::new(false);
    thread::scope(|threads| {
        let turn = lock.lock();
        threads.spawn(|| lock.lock().push(1));
        wait_until(|| asked(&lock) == 2);
        threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                lock.lock().push(2);
            }
        });
        wait_until(|| asked(&lock) == 3);
        drop(turn);
        wait_until(|| lock.lock().len() >= 2);
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(lock.lock().first(), Some(&1));
}

#[test]
fn tickets_wrap_around() {
    let lock = SpinLock::new(0);
    lock.next.store(u32::MAX, Ordering::Relaxed);
    lock.serving.store(u32::MAX, Ordering::Relaxed);
    for _ in 0..3 {
        *lock.lock() += 1;
    }
    assert_eq!(*lock.lock(), 3);
    assert_eq!(lock.next.load(Ordering::Relaxed), 3);
}

#[test]
fn a_guard_is_shared_only_where_its_value_may_be() {
    fn shared<T: Sync>(_: &T) {}
    fn sent<T: Send>(_: &T) {}
    // A `Cell` may be sent but not shared: its lock may be shared, its guard must not (that would not compile).
    let lock = SpinLock::new(core::cell::Cell::new(0));
    shared(&lock);
    sent(&lock.lock());
    shared(&SpinLock::new(0).lock());
}
