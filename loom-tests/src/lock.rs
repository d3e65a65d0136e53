//! Models of `smp::lock`.

use loom::{sync::Arc, thread};
use smp::lock::SpinLock;

use crate::harness::{Depth, explore};

/// Three cores add to a plain number. loom's cell inside the lock reports any two accesses that no edge orders.
/// The third core comes when the first has gone: two cores that spin at once can keep loom from running the holder, in
/// executions without end.
#[test]
fn one_core_at_a_time() {
    explore("lock-exclusion", Depth::Exhaustive, 300, || {
        let lock = Arc::new(SpinLock::new(0));
        let [first, second] = [(); 2].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *lock.lock() += 1)
        });
        first.join().unwrap();
        *lock.lock() += 1;
        second.join().unwrap();
        assert_eq!(*lock.lock(), 3);
    });
}

/// Two cores take the lock twice each, so that tickets are handed over in both directions.
#[test]
fn turns_pass_back_and_forth() {
    explore("lock-hand-over", Depth::Exhaustive, 300, || {
        let lock = Arc::new(SpinLock::new(Vec::new()));
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                lock.lock().push(1);
                lock.lock().push(1);
            })
        };
        lock.lock().push(0);
        lock.lock().push(0);
        other.join().unwrap();
        let order = lock.lock();
        assert_eq!((order.len(), order.iter().sum::<i32>()), (4, 2));
    });
}
