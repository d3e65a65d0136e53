//! What the view shows: the cores' states over time, the domains, and what happened.

use std::collections::VecDeque;

use domains::DomainId;
use domains::ledger::{CoreState, Heir};
use domains::protocol::EndKind;
use smp::trace::{Event, Record};
use trace_reader::{HeaderFields, Tagged};

use crate::ctl::reply::Reply;
use crate::trace::detail::{Detail, Named, Step, heir, kind};
use crate::trace::{change, owner};

/// Samples that are kept of each core: more than a terminal is wide.
const SAMPLES: usize = 512;

/// Events that are kept.
const EVENTS: usize = 200;

/// A core.
#[derive(Clone, Debug, Default)]
pub struct Core {
    /// Its state now; `None` if nothing has told it yet.
    pub state: Option<CoreState>,
    /// Its states at the samples, the last one last.
    pub history: VecDeque<Option<CoreState>>,
    /// The most passing state since the last sample.
    passing: Option<CoreState>,
    /// Whether the trace has told of it since the kernel was asked.
    told: bool,
}

/// A domain.
#[derive(Clone, Debug, Default)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// How it is: the kernel's word, or how it ended.
    pub phase: Option<String>,
    /// How many cores it may own: now, at least and at most.
    pub granted: Option<(u32, u32, u32)>,
    /// How many of its contexts are on.
    pub contexts_on: Option<u32>,
    /// How busy its cores were in the governor's last period, in permille.
    pub load: Option<u64>,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The cores.
    pub cores: Vec<Core>,
    /// The domains.
    pub domains: Vec<Domain>,
    /// When, in seconds since the kernel was entered, and what; the last one last.
    pub events: VecDeque<(f64, String)>,
    /// The last time seen, in seconds.
    pub now: f64,
    /// Whether something happened that may have changed what only the kernel can tell.
    pub is_stale: bool,
}

impl Model {
    /// Nothing is known but the domains' names.
    pub fn new(names: &[String]) -> Self {
        let domain = |name: &String| Domain { name: name.clone(), ..Domain::default() };
        Self { domains: names.iter().map(domain).collect(), ..Self::default() }
    }

    /// How many cores a domain owns.
    pub fn owned(&self, domain: usize) -> usize {
        self.cores.iter().filter(|core| core.state.and_then(owner) == Some(domain)).count()
    }

    /// Takes records, which are in order.
    pub fn take(&mut self, header: &HeaderFields, records: &[Record]) {
        self.cores.resize_with(header.cores as usize, Core::default);
        for record in records {
            let ticks = record.time.saturating_sub(header.boot_ticks);
            let at = ticks as f64 / header.counter_hz.max(1) as f64;
            self.now = self.now.max(at);
            self.take_core(record);
            self.take_domain(record);
            if let Some(event) = self.describe(record) {
                self.events.push_back((at, event));
            }
        }
        let surplus = self.events.len().saturating_sub(EVENTS);
        self.events.drain(..surplus);
    }

    /// Forgets the cores' states. Newer records about a core than those that the rings still have may have been
    /// overwritten.
    pub fn forget(&mut self) {
        self.cores.iter_mut().for_each(|core| (core.state, core.passing) = (None, None));
    }

    /// From here on the trace knows better than what the kernel is being asked.
    pub fn asking(&mut self) {
        self.cores.iter_mut().for_each(|core| (core.told, core.passing) = (false, None));
    }

    /// Takes a row of the kernel's answer to `cores` or `domains`.
    pub fn row(&mut self, row: &Reply) -> Option<()> {
        let named = |name: &str| self.domains.iter().position(|domain| domain.name == name);
        if row.value("state").is_some() {
            let state = core_state(row, &named)?;
            let core = self.cores.get_mut(usize::try_from(row.number("core")?).ok()?)?;
            if !core.told {
                core.state = Some(state);
            }
        } else {
            let index = named(row.value("domain")?)?;
            let domain = self.domains.get_mut(index)?;
            domain.phase = row.value("phase").map(str::to_owned);
            domain.granted = Some((row.number("granted")?, row.number("min")?, row.number("max")?));
            domain.contexts_on = row.number("contexts-on");
        }
        Some(())
    }

    /// Adds a sample: of each core the most passing state since the last one, so that short ones are seen.
    pub fn sample(&mut self) {
        for core in &mut self.cores {
            if core.history.len() == SAMPLES {
                core.history.pop_front();
            }
            core.history.push_back(core.passing.take().or(core.state));
        }
    }

    fn take_core(&mut self, record: &Record) -> Option<()> {
        let (index, change) = change(record)?;
        let core = self.cores.get_mut(index)?;
        let state = change.after(core.state.unwrap_or(CoreState::Off { held: false }));
        (core.state, core.told) = (Some(state), true);
        let passing = core.passing.filter(|passing| rank(*passing) > rank(state));
        core.passing = Some(passing.unwrap_or(state));
        Some(())
    }

    fn take_domain(&mut self, record: &Record) -> Option<()> {
        let domain = self.domains.get_mut(usize::from(record.domain()?))?;
        match record.event()? {
            Event::DomainStart | Event::DomainRestart => domain.phase = Some("running".to_owned()),
            Event::DomainEnd => domain.phase = Some(EndKind::from_code(record.a)?.name().to_owned()),
            _ => {}
        }
        if let Detail::Load { busy, .. } = Detail::of(record)? {
            domain.load = Some(busy);
        }
        Some(())
    }

    /// An event as a line; `None` if it shows elsewhere, or comes too often.
    fn describe(&mut self, record: &Record) -> Option<String> {
        let event = record.event()?;
        let names: Vec<&str> = self.domains.iter().map(|domain| domain.name.as_str()).collect();
        let about = record.domain().and_then(|index| names.get(usize::from(index)));
        let about = about.map_or_else(String::new, |name| format!("{name}: "));
        match (event, Detail::of(record)) {
            (_, Some(Detail::Owner { .. } | Detail::Load { .. })) => None,
            (_, Some(detail)) => {
                let moved = matches!(detail, Detail::Move { step: Step::Taken | Step::Given, .. });
                self.is_stale |= moved || matches!(detail, Detail::Governor { .. });
                let what = if matches!(detail, Detail::Governor { .. }) { "governor: " } else { "" };
                Some(format!("{about}{what}{}{}", Named(detail, &names), self.parties(detail, &names)))
            }
            (Event::DomainStart | Event::DomainRestart, _) => {
                self.is_stale = true;
                Some(format!("{about}{event} (boot {})", record.a))
            }
            (Event::DomainEnd, _) => {
                self.is_stale = true;
                Some(format!("{about}ended: {}", EndKind::from_code(record.a).map_or("?", EndKind::name)))
            }
            (Event::Fault, _) => Some(format!("{about}fault, esr {:#x}, far {:#x}", record.a, record.b)),
            (Event::CoreFailed, _) => Some(format!("core {} did not come up", record.a)),
            (Event::Verdict, _) => Some(format!("verdict: {}", if record.a == 1 { "pass" } else { "fail" })),
            _ => None,
        }
    }
}

impl Model {
    /// Between whom a core moves, as far as its state says so after a step.
    fn parties(&self, detail: Detail, names: &[&str]) -> String {
        let Detail::Move { core, step, .. } = detail else { return String::new() };
        let core = usize::try_from(core).ok().and_then(|core| self.cores.get(core));
        match (step, core.and_then(|core| core.state)) {
            (Step::Asked, Some(CoreState::Asked(owner, to))) => {
                format!(", {} for {}", heir(Heir::Domain(owner), names), heir(to, names))
            }
            (Step::Given, Some(state)) => format!(", {}", kind(state, names)),
            _ => String::new(),
        }
    }
}

/// The more, the more passing a state is.
fn rank(state: CoreState) -> u8 {
    match state {
        CoreState::Failed => 3,
        CoreState::Asked(..) | CoreState::Releasing(..) => 2,
        CoreState::Waking(_) => 1,
        CoreState::Off { .. } | CoreState::Idle | CoreState::Owned(_) => 0,
    }
}

/// The state in a row of `cores`.
fn core_state(row: &Reply, named: &impl Fn(&str) -> Option<usize>) -> Option<CoreState> {
    let domain = |name: &str| named(name).and_then(DomainId::new);
    let owner = || domain(row.value("domain")?);
    let heir = match row.value("heir") {
        Some("off") => Heir::Off,
        Some(name) => domain(name).map_or(Heir::Pool, Heir::Domain),
        None => Heir::Pool,
    };
    Some(match row.value("state")? {
        "off" => CoreState::Off { held: row.value("heir") == Some("held") },
        "waking" => CoreState::Waking(heir),
        "idle" => CoreState::Idle,
        "owned" => CoreState::Owned(owner()?),
        "asked" => CoreState::Asked(owner()?, heir),
        "releasing" => CoreState::Releasing(owner()?, heir),
        "failed" => CoreState::Failed,
        _ => return None,
    })
}
