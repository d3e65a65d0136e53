//! What decides over a run: the kernel's verdict and the scenario's assertions.

use std::collections::BTreeMap;

use domains::protocol::{REPORT_MODULE, RUN_MODULE, VERDICT_FAIL, VERDICT_PASS};
use serde::Serialize;

use super::log_line::{LogLine, domain_result};
use crate::console::{ConsoleId, Watch};
use crate::scenario::{Assertion, Expectation, Metric, Scenario};
use crate::trace::DomainStory;

/// The kernel's judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every domain ended as the manifest expects.
    Pass,
    /// Some did not, or the kernel refused the manifest or panicked.
    Fail,
}

/// How a domain went, as the kernel says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DomainVerdict {
    /// How it ended.
    pub end: &'static str,
    /// How often it was started.
    pub boots: u32,
    /// How it should have ended.
    pub expected: &'static str,
    /// Whether it did.
    pub ok: bool,
}

/// What the kernel's log said about the run.
#[derive(Clone, Debug, Default)]
pub struct KernelReport {
    /// The verdict, if it came to one.
    pub verdict: Option<Verdict>,
    /// By domain.
    pub domains: BTreeMap<String, DomainVerdict>,
    /// The numbers that guests reported, by domain and name: the last of each.
    pub metrics: BTreeMap<String, BTreeMap<String, u64>>,
    /// Why it gave up: a panic, or a manifest that it refused.
    pub complaint: Option<String>,
}

impl KernelReport {
    /// Takes a line of the kernel's console.
    pub fn line(&mut self, line: &str) {
        let Some(line) = LogLine::parse(line) else { return };
        if line.module == "panic" || line.text.starts_with("refused: ") {
            self.complaint.get_or_insert_with(|| format!("{}: {}", line.module, line.text));
        }
        if line.module == REPORT_MODULE {
            self.metric(line.text);
        }
        if line.module != RUN_MODULE {
            return;
        }
        match line.text {
            VERDICT_PASS => self.verdict = Some(Verdict::Pass),
            VERDICT_FAIL => self.verdict = Some(Verdict::Fail),
            text => {
                let Some(result) = domain_result(text) else {
                    return;
                };
                let verdict = DomainVerdict {
                    end: result.end.name(),
                    boots: result.boots,
                    expected: result.expected.name(),
                    ok: result.is_ok(),
                };
                self.domains.insert(result.name.to_owned(), verdict);
            }
        }
    }
}

impl KernelReport {
    /// Takes `domain=metronome missed=0`.
    fn metric(&mut self, text: &str) -> Option<()> {
        let (domain, metric) = text.strip_prefix("domain=")?.split_once(' ')?;
        let (key, value) = metric.split_once('=')?;
        let value = value.parse().ok()?;
        self.metrics.entry(domain.to_owned()).or_default().insert(key.to_owned(), value);
        Some(())
    }
}

/// How an assertion came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AssertionResult {
    /// The assertion.
    pub assertion: String,
    /// Whether it holds.
    pub passed: bool,
    /// What was found instead, or the number that was asserted.
    pub found: String,
}

/// The scenario's assertions while the machine runs.
#[derive(Debug, Default)]
pub struct Assertions {
    list: Vec<(Assertion, Option<(ConsoleId, Watch)>)>,
}

impl Assertions {
    /// All assertions of a scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let watched = |assertion: Assertion| {
            let watch = match &assertion.expectation {
                Expectation::Console(text) | Expectation::Absent(text) => {
                    let console = ConsoleId::named(scenario, &assertion.domain);
                    console.map(|console| (console, Watch::new(text)))
                }
                Expectation::Metric { .. } => None,
            };
            (assertion, watch)
        };
        Self { list: scenario.assertions().into_iter().map(watched).collect() }
    }

    /// Takes output that assertions may be about.
    pub fn saw(&mut self, console: ConsoleId, bytes: &[u8]) {
        for (_, watch) in &mut self.list {
            if let Some((watched, watch)) = watch
                && *watched == console
            {
                watch.push(bytes);
            }
        }
    }

    /// How they came out, in the order of the file. `story` is what the trace says about a domain.
    pub fn results<'a>(
        &self,
        story: impl Fn(&str) -> Option<&'a DomainStory>,
        kernel: &KernelReport,
    ) -> Vec<AssertionResult> {
        let result = |(assertion, watch): &(Assertion, Option<(ConsoleId, Watch)>)| {
            let seen = watch.as_ref().is_some_and(|(_, watch)| watch.is_seen());
            let (passed, found) = match &assertion.expectation {
                Expectation::Console(_) => (seen, if seen { "seen" } else { "never seen" }.into()),
                Expectation::Absent(_) => (!seen, if seen { "seen" } else { "never seen" }.into()),
                Expectation::Metric { metric, min, max } => {
                    let name = &assertion.domain;
                    match value(*metric, story(name), kernel.domains.get(name)) {
                        Some(value) => ((*min..=*max).contains(&value), value.to_string()),
                        None => (false, "never reported".to_owned()),
                    }
                }
            };
            AssertionResult { assertion: assertion.to_string(), passed, found }
        };
        self.list.iter().map(result).collect()
    }
}

fn value(metric: Metric, story: Option<&DomainStory>, verdict: Option<&DomainVerdict>) -> Option<u64> {
    match metric {
        Metric::Boots => verdict.map(|verdict| u64::from(verdict.boots)).or(story.map(|story| story.boots)),
        Metric::Reported(key) => story?.metrics.get(&key.to_string()).copied(),
        Metric::Exits(None) => Some(story?.exits.values().sum()),
        Metric::Exits(Some(reason)) => Some(story?.exits.get(reason.name()).copied().unwrap_or(0)),
    }
}
