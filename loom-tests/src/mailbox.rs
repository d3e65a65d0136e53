//! Models of `smp::mailbox`.
//!
//! The doorbell is loom's `Notify`: like a pending interrupt it stays until it is waited for, one at most, and a wait
//! may end for no reason. A lost wake-up shows as a deadlock.

use loom::{
    cell::UnsafeCell,
    sync::{Arc, Notify},
    thread,
};
use smp::mailbox::{Doorbell, Mailbox, Requests};

use crate::harness::{Depth, explore};

/// A receiver and, for each of two posters, what it writes before it posts.
struct Machine {
    mailbox: Mailbox,
    doorbell: Notify,
    messages: [UnsafeCell<u32>; 2],
}

/// What each poster asks for.
const REQUESTS: [Requests; 2] = [Requests::KICK, Requests::STOP];

// SAFETY: loom checks every access to the messages.
unsafe impl Sync for Machine {}

impl Machine {
    fn start() -> Arc<Self> {
        Arc::new(Self { mailbox: Mailbox::default(), doorbell: Notify::new(), messages: [0, 0].map(UnsafeCell::new) })
    }

    fn post(&self, poster: usize) {
        // SAFETY: only this poster writes, once, before it posts.
        self.messages[poster].with_mut(|message| unsafe { *message = 7 });
        if self.mailbox.post(REQUESTS[poster]) == Doorbell::Ring {
            self.doorbell.notify();
        }
    }

    /// Takes what there is and reads the messages that it is about.
    fn take(&self) -> Requests {
        let requests = self.mailbox.take();
        for (message, request) in self.messages.iter().zip(REQUESTS) {
            if requests.contains(request) {
                // SAFETY: the poster wrote before it posted.
                assert_eq!(message.with(|message| unsafe { *message }), 7);
            }
        }
        requests
    }
}

/// Two posters; the receiver takes, then waits for an interrupt.
#[test]
fn every_request_arrives_with_what_it_is_about() {
    explore("mailbox-take-wfi", Depth::Exhaustive, 5000, || {
        let machine = Machine::start();
        for poster in 0..2 {
            let machine = Arc::clone(&machine);
            thread::spawn(move || machine.post(poster));
        }
        let mut taken = machine.take();
        while taken != REQUESTS[0] | REQUESTS[1] {
            machine.doorbell.wait();
            let more = machine.take();
            assert!((taken & more).is_empty(), "a request arrived twice");
            taken |= more;
        }
        assert!(machine.mailbox.is_empty());
    });
}

/// The same with the cheap check before the wait.
#[test]
fn a_wait_after_a_look_misses_nothing() {
    explore("mailbox-look-wfi", Depth::Exhaustive, 20_000, || {
        let machine = Machine::start();
        for poster in 0..2 {
            let machine = Arc::clone(&machine);
            thread::spawn(move || machine.post(poster));
        }
        let mut taken = Requests::empty();
        while taken != REQUESTS[0] | REQUESTS[1] {
            if machine.mailbox.is_empty() {
                machine.doorbell.wait();
            }
            taken |= machine.take();
        }
    });
}

/// One poster posts twice: the second post finds the box empty again or not, and is never lost.
#[test]
fn posts_in_a_row_all_count() {
    explore("mailbox-two-posts", Depth::Exhaustive, 100, || {
        let machine = Machine::start();
        {
            let machine = Arc::clone(&machine);
            thread::spawn(move || (0..2).for_each(|poster| machine.post(poster)));
        }
        let mut taken = machine.take();
        while taken != REQUESTS[0] | REQUESTS[1] {
            machine.doorbell.wait();
            taken |= machine.take();
        }
    });
}
