//! What became of each failure of a group's member, with how long its steps took.

use domains::manifest::{GroupAction, GroupError, InjectedFault, Role};
use serde::{Serialize, Serializer};
use trace_reader::Tagged;

use super::Trace;
use super::detail::{Detail, Detected, FailoverStep};

#[cfg(test)]
mod tests;

/// A failure. Members are domains' indices, times microseconds since the kernel was entered; a step that was not made,
/// or whose record was lost, has none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failover {
    /// The group's index.
    #[serde(skip)]
    pub group: usize,
    /// How it failed.
    #[serde(serialize_with = "as_word")]
    pub error: GroupError,
    /// What it was in its group.
    #[serde(serialize_with = "as_word")]
    pub role: Role,
    /// What followed.
    #[serde(serialize_with = "as_word")]
    pub action: GroupAction,
    /// Who failed.
    #[serde(skip)]
    pub from: usize,
    /// Who served then.
    #[serde(skip)]
    pub to: Option<usize>,
    /// The new epoch.
    pub epoch: Option<u32>,
    /// Cores that the new primary got.
    pub cores: Vec<u64>,
    /// The fault that was put into the member, if one was.
    #[serde(serialize_with = "as_word_if_any")]
    pub fault: Option<InjectedFault>,
    /// When.
    pub injected_us: Option<f64>,
    /// When it was detected.
    pub detected_us: f64,
    /// When it was found that a core of the member answers nobody.
    pub silent_us: Option<f64>,
    /// When all contexts of the member were stopped.
    pub stopped_us: Option<f64>,
    /// When it could change nothing any more that others see.
    pub revoked_us: Option<f64>,
    /// When the group had its new epoch.
    pub raised_us: Option<f64>,
    /// When the new primary had its last core.
    pub handed_us: Option<f64>,
    /// When the new primary was told.
    pub notified_us: Option<f64>,
    /// When the new primary beat.
    pub confirmed_us: Option<f64>,
    /// When the member started again as a standby.
    pub restarted_us: Option<f64>,
    /// There was nobody to take over.
    pub no_standby: bool,
    /// The member had been restarted too often.
    pub too_often: bool,
    /// Pages that were taken back to the last checkpoint.
    pub rolled_back: Option<u64>,
}

impl Failover {
    /// Whether another one took over.
    pub fn is_takeover(&self) -> bool {
        self.to.is_some_and(|to| to != self.from)
    }

    /// From the fault to its detection.
    pub fn detection_us(&self) -> Option<f64> {
        Some(self.detected_us - self.injected_us?)
    }

    /// When the member stopped to serve: a fault ends that at once, unless it only keeps the member from being heard.
    pub fn silent_since_us(&self) -> Option<f64> {
        match self.fault {
            None | Some(InjectedFault::Mute) => self.stopped_us,
            Some(_) => self.injected_us,
        }
    }

    /// From the detection until the new primary was told.
    pub fn takeover_us(&self) -> Option<f64> {
        Some(self.notified_us? - self.detected_us)
    }

    /// From the detection until the new primary beat.
    pub fn confirmation_us(&self) -> Option<f64> {
        Some(self.confirmed_us? - self.detected_us)
    }
}

fn as_word<S: Serializer>(word: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&word.to_string())
}

fn as_word_if_any<S: Serializer>(word: &Option<impl ToString>, serializer: S) -> Result<S::Ok, S::Error> {
    word.as_ref().map(ToString::to_string).serialize(serializer)
}

/// Everything that the records say about groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    /// The failures by the time of their detection.
    pub failovers: Vec<Failover>,
    /// The faults that were injected: when, into whom, which.
    pub injected: Vec<(f64, usize, Option<InjectedFault>)>,
    /// For how long a primary stood still for each checkpoint that was made, in microseconds.
    pub checkpoint_pauses_us: Vec<f64>,
    /// The pages that were copied for all of them.
    pub checkpoint_pages: u64,
    /// How often a member was given more time for a sign of life, as one of the cores had none to run.
    pub put_off: usize,
}

/// Reads a trace; `group_of` says which group a domain is in.
pub fn from_trace(trace: &Trace, group_of: impl Fn(usize) -> Option<usize>) -> Groups {
    let mut groups = Groups::default();
    for record in &trace.records {
        let Some(Detail::Failover { step, word }) = Detail::of(record) else { continue };
        let Some(domain) = record.domain().map(usize::from) else { continue };
        groups.take(trace.microseconds(record.time), domain, group_of(domain), step, word);
    }
    groups
}

impl Groups {
    fn take(&mut self, at_us: f64, domain: usize, group: Option<usize>, step: FailoverStep, word: u64) {
        match step {
            FailoverStep::Injected => return self.injected.push((at_us, domain, InjectedFault::from_code(word))),
            FailoverStep::Checkpoint => {
                self.checkpoint_pages += word & 0xffff_ffff;
                self.checkpoint_pauses_us.push((word >> 32) as f64 / 1e3);
                return;
            }
            FailoverStep::Detected => {
                let Some(detected) = Detected::of(word) else { return };
                if detected.role == Role::None {
                    // Its cores were found silent while it was being fenced.
                    let fenced = self.failovers.iter_mut().rev().find(|failover| failover.from == domain);
                    return fenced.into_iter().for_each(|failover| failover.silent_us = Some(at_us));
                }
                let new = self.detected(at_us, domain, detected);
                return self.failovers.push(new);
            }
            FailoverStep::PutOff => {
                self.put_off += usize::from(word == 0);
                return;
            }
            FailoverStep::Ready => return,
            _ => {}
        }
        // What is told of the member itself, and what is told of its heir.
        let mut recent = self.failovers.iter_mut().rev();
        let failover = match step {
            FailoverStep::Raised | FailoverStep::HandedOver | FailoverStep::Notified | FailoverStep::Confirmed => {
                let its = |failover: &Failover| group.is_none_or(|group| failover.group == group);
                recent
                    .find(|failover| its(failover) && failover.role != Role::Standby && failover.confirmed_us.is_none())
            }
            _ => recent.find(|failover| failover.from == domain),
        };
        let Some(failover) = failover else { return };
        let at = Some(at_us);
        match step {
            FailoverStep::Stopped => failover.stopped_us = failover.stopped_us.or(at),
            FailoverStep::Revoked => failover.revoked_us = failover.revoked_us.or(at),
            FailoverStep::Raised => {
                let epoch = u32::try_from(word & 0xffff_ffff).ok();
                (failover.raised_us, failover.epoch, failover.to) = (at, epoch, Some(domain));
            }
            FailoverStep::HandedOver => {
                failover.handed_us = at;
                failover.cores.push(word);
            }
            FailoverStep::Notified => (failover.notified_us, failover.to) = (at, Some(domain)),
            FailoverStep::Confirmed => (failover.confirmed_us, failover.to) = (at, Some(domain)),
            FailoverStep::Restarts => failover.restarted_us = failover.restarted_us.or(at),
            FailoverStep::TooOften => failover.too_often = true,
            FailoverStep::NoStandby => failover.no_standby = true,
            FailoverStep::RolledBack => failover.rolled_back = Some(word),
            FailoverStep::Detected
            | FailoverStep::Ready
            | FailoverStep::Injected
            | FailoverStep::Checkpoint
            | FailoverStep::PutOff => {}
        }
    }

    fn detected(&self, at_us: f64, from: usize, detected: Detected) -> Failover {
        // A fault leads to one failure: the first one after it.
        let before = self.failovers.iter().rev().find(|earlier| earlier.from == from).map_or(0.0, |it| it.detected_us);
        let injected = self.injected.iter().rev().find(|(time, domain, _)| *domain == from && *time >= before);
        Failover {
            group: detected.group,
            error: detected.error,
            role: detected.role,
            action: detected.action,
            from,
            to: None,
            epoch: None,
            cores: Vec::new(),
            fault: injected.and_then(|(_, _, fault)| *fault),
            injected_us: injected.map(|(time, ..)| *time),
            detected_us: at_us,
            silent_us: None,
            stopped_us: None,
            revoked_us: None,
            raised_us: None,
            handed_us: None,
            notified_us: None,
            confirmed_us: None,
            restarted_us: None,
            no_standby: false,
            too_often: false,
            rolled_back: None,
        }
    }
}
