//! Models of `domains::psci`: the power state that CPU_ON, CPU_OFF and AFFINITY_INFO share.

use domains::ledger::Quota;
use domains::psci::{AffinityState, CpuPower, Entry, PsciError};
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Notify};
use loom::thread::{self, JoinHandle};
use smp::mailbox::{Doorbell, Mailbox, Requests};

use crate::harness::{Depth, explore};

/// A context, what it and its callers share besides (its stack, say), and the core it runs on.
struct Context {
    power: CpuPower,
    stack: UnsafeCell<u64>,
    mailbox: Mailbox,
    doorbell: Notify,
}

// SAFETY: loom checks every access to `stack`.
unsafe impl Sync for Context {}
// SAFETY: it holds plain data.
unsafe impl Send for Context {}

impl Context {
    fn off() -> Arc<Self> {
        Arc::new(Self {
            power: CpuPower::default(),
            stack: UnsafeCell::new(0),
            mailbox: Mailbox::default(),
            doorbell: Notify::new(),
        })
    }

    fn on() -> Arc<Self> {
        let context = Self::off();
        context.cpu_on(0).unwrap();
        context.power.begin().unwrap();
        context
    }

    /// CPU_ON by that caller: it prepares the stack, once it alone may.
    fn cpu_on(&self, caller: u64) -> Result<(), PsciError> {
        let ticket = self.power.request_on()?;
        self.set_stack(caller);
        ticket.publish(Entry { address: caller, context_id: !caller });
        if self.mailbox.post(Requests::KICK) == Doorbell::Ring {
            self.doorbell.notify();
        }
        Ok(())
    }

    /// What the target does: begins if it was told to, and finds all from the same caller.
    fn begin(&self) -> Option<u64> {
        let entry = self.power.begin()?;
        assert_eq!(entry.context_id, !entry.address);
        assert_eq!(self.stack(), entry.address);
        Some(entry.address)
    }

    /// CPU_OFF: the last use of the stack, then off.
    fn cpu_off(&self) {
        self.set_stack(100);
        self.power.off();
    }

    fn set_stack(&self, value: u64) {
        // SAFETY: loom checks that nobody else uses it at the same time.
        self.stack.with_mut(|stack| unsafe { *stack = value });
    }

    fn stack(&self) -> u64 {
        // SAFETY: as above.
        self.stack.with(|stack| unsafe { *stack })
    }
}

fn spawn<T: 'static>(context: &Arc<Context>, run: impl FnOnce(&Context) -> T + 'static) -> JoinHandle<T> {
    let context = Arc::clone(context);
    thread::spawn(move || run(&context))
}

/// Two CPU_ONs of one target: one wins, and the target starts with that one's entry, context id and
/// stack. The target waits for an interrupt in between: the start is not lost.
#[test]
fn of_two_cpu_ons_one_wins_and_the_target_starts() {
    explore("psci-on-on", Depth::Exhaustive, 40_000, || {
        let target = Context::off();
        let callers = [1, 2].map(|caller| spawn(&target, move |target| target.cpu_on(caller)));
        let begun = loop {
            target.mailbox.take();
            if let Some(caller) = target.begin() {
                break caller;
            }
            target.doorbell.wait();
        };
        let results = callers.map(|caller| caller.join().unwrap());
        assert_eq!(results[begun as usize - 1], Ok(()));
        let lost = results[2 - begun as usize];
        assert!(matches!(lost, Err(PsciError::OnPending | PsciError::AlreadyOn)));
        assert_eq!(target.power.affinity_info(), AffinityState::On);
    });
}

/// CPU_ON races with the target's CPU_OFF: either it was still on, or it starts again. A pending
/// start is never lost, and whoever starts it finds its stack unused.
#[test]
fn a_cpu_on_that_races_with_cpu_off_is_refused_or_kept() {
    explore("psci-on-off", Depth::Exhaustive, 1500, || {
        let target = Context::on();
        let caller = spawn(&target, |target| target.cpu_on(1));
        let second = spawn(&target, |target| target.cpu_on(2));
        target.cpu_off();
        let restarted = target.begin();
        let results = [caller, second].map(|caller| caller.join().unwrap());
        let winner = results.iter().position(|result| result.is_ok());
        let begun = restarted.or_else(|| target.begin());
        assert_eq!(begun, winner.map(|index| index as u64 + 1));
        let expected = if begun.is_some() { AffinityState::On } else { AffinityState::Off };
        assert_eq!(target.power.affinity_info(), expected);
    });
}

/// Off means that the context is through with everything, and that a CPU_ON succeeds.
#[test]
fn affinity_info_says_off_only_when_it_is() {
    explore("psci-affinity-info", Depth::Exhaustive, 5, || {
        let target = Context::on();
        let poller = spawn(&target, |target| match target.power.affinity_info() {
            AffinityState::Off => {
                assert_eq!(target.stack(), 100);
                assert_eq!(target.cpu_on(1), Ok(()));
            }
            state => assert_eq!(state, AffinityState::On),
        });
        target.cpu_off();
        poller.join().unwrap();
    });
}

/// A CPU_ON that finds no core gives its ticket back; the next caller still finds the stack unused.
#[test]
fn a_denied_cpu_on_leaves_the_target_off_and_clean() {
    explore("psci-denied", Depth::Exhaustive, 300, || {
        let target = Context::on();
        let denied = spawn(&target, |target| target.power.request_on().map(drop));
        let caller = spawn(&target, |target| target.cpu_on(1));
        target.cpu_off();
        let _ = denied.join().unwrap();
        let started = caller.join().unwrap();
        let expected = match started {
            Ok(()) => AffinityState::OnPending,
            Err(_) => AffinityState::Off,
        };
        assert_eq!(target.power.affinity_info(), expected);
        assert_eq!(target.begin().is_some(), started.is_ok());
    });
}

/// Two cores look at the same context: it starts on one of them.
#[test]
fn a_start_is_taken_once() {
    explore("psci-begin", Depth::Exhaustive, 600, || {
        let target = Context::off();
        let others = [0, 1].map(|_| spawn(&target, |target| target.begin()));
        target.cpu_on(1).unwrap();
        let begun = others.map(|other| other.join().unwrap());
        let count = begun.iter().filter(|begun| begun.is_some()).count();
        assert_eq!(target.begin().is_some(), count == 0);
        assert!(count <= 1);
    });
}

/// A context goes off and on again while another caller tries, twice round.
#[test]
fn rounds_of_off_and_on_lose_nothing() {
    explore("psci-rounds", Depth::Exhaustive, 20, || {
        let target = Context::on();
        let caller = spawn(&target, |target| {
            [1, 2].map(|round| target.cpu_on(round)).iter().filter(|result| result.is_ok()).count()
        });
        let mut begun = 0;
        for _ in 0..2 {
            target.cpu_off();
            if target.begin().is_none() {
                break;
            }
            begun += 1;
        }
        let started = caller.join().unwrap();
        begun += usize::from(target.begin().is_some());
        assert_eq!(begun, started);
    });
}

/// Two contexts of one domain that may own one more core: one starts, the other is denied and off.
#[test]
fn cpu_ons_of_two_targets_keep_the_quota() {
    explore("psci-quota", Depth::Exhaustive, 5, || {
        let domain = Arc::new((Quota::new(0, 1, 1), [CpuPower::default(), CpuPower::default()]));
        let cpu_on = |target: usize| {
            let domain = Arc::clone(&domain);
            move || {
                let (quota, contexts) = &*domain;
                let ticket = contexts[target].request_on()?;
                quota.take(false).map_err(|_| PsciError::Denied)?;
                ticket.publish(Entry { address: 0, context_id: 0 });
                Ok(())
            }
        };
        let other = thread::spawn(cpu_on(1));
        let results: [Result<(), PsciError>; 2] = [cpu_on(0)(), other.join().unwrap()];
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for (result, power) in results.iter().zip(&domain.1) {
            let expected = match result {
                Ok(()) => AffinityState::OnPending,
                Err(error) => {
                    assert_eq!(*error, PsciError::Denied);
                    AffinityState::Off
                }
            };
            assert_eq!(power.affinity_info(), expected);
        }
    });
}
