//! The scenario's events and faults: what is typed, and when.

use std::time::Duration;

use crate::console::{ConsoleId, Watch};
use crate::scenario::{Scenario, When};
use crate::units::Time;

#[derive(Debug)]
enum Trigger {
    At(Duration),
    When(ConsoleId, Watch),
}

#[derive(Debug)]
struct Pending {
    trigger: Trigger,
    target: ConsoleId,
    bytes: Vec<u8>,
}

/// The events that have not happened yet.
#[derive(Debug, Default)]
pub struct Timeline {
    pending: Vec<Pending>,
}

impl Timeline {
    /// All events of a scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let trigger = |at: Option<Time>, when: Option<&When>| match (at, when) {
            (Some(at), _) => Some(Trigger::At(at.0)),
            (None, Some(when)) => {
                Some(Trigger::When(ConsoleId::named(scenario, &when.domain)?, Watch::new(&when.console)))
            }
            (None, None) => None,
        };
        let events = scenario.events.iter().filter_map(|event| {
            let trigger = trigger(event.at, event.when.as_ref())?;
            let (target, text) = match (&event.input, &event.order) {
                (Some(input), _) => (ConsoleId::named(scenario, &input.domain)?, input.text.clone()),
                (None, Some(order)) => (ConsoleId::KERNEL, format!("{order}\n")),
                (None, None) => return None,
            };
            Some(Pending { trigger, target, bytes: text.into_bytes() })
        });
        let faults = scenario.faults.iter().filter_map(|fault| {
            let trigger = trigger(fault.at, fault.when.as_ref())?;
            Some(Pending { trigger, target: ConsoleId::KERNEL, bytes: format!("{}\n", fault.order()).into_bytes() })
        });
        Self { pending: events.chain(faults).collect() }
    }

    /// Takes output that events may wait for.
    pub fn saw(&mut self, console: ConsoleId, bytes: &[u8]) {
        for pending in &mut self.pending {
            if let Trigger::When(waits_for, watch) = &mut pending.trigger
                && *waits_for == console
            {
                watch.push(bytes);
            }
        }
    }

    /// The input that is due so long after the machine was started; each event happens once.
    pub fn due(&mut self, elapsed: Duration) -> Vec<(ConsoleId, Vec<u8>)> {
        let is_due = |pending: &mut Pending| match &pending.trigger {
            Trigger::At(time) => *time <= elapsed,
            Trigger::When(_, watch) => watch.is_seen(),
        };
        self.pending.extract_if(.., is_due).map(|pending| (pending.target, pending.bytes)).collect()
    }
}
