//! `corral test`: suites of cases. Every count comes from what really ran, and nothing is tried
//! twice.

mod cargo;
mod failover;
mod failover_model;
mod host;
mod lint;
mod loom;
mod qemu;
mod runner;
mod scenarios;
mod size;
mod stress;
#[cfg(test)]
mod tests;
mod tiny;

use crate::cli::{SetupArgs, TestArgs};
use crate::failure::{Code, Failure};
use crate::interrupt;
use crate::ui::{Detail, Ui, say};
use crate::workspace::Workspace;

/// Where tests find things.
#[derive(Clone, Debug)]
pub struct Context {
    /// The source tree.
    pub workspace: Workspace,
    /// Options of the set-up.
    pub setup: SetupArgs,
}

/// Which cases may run beside a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Others that share, too.
    Shared,
    /// None.
    Alone,
}

/// One case: something that passes or fails, or a whole `cargo test`.
pub struct Case {
    /// Its name within the suite.
    pub name: String,
    /// Which cases may run beside it.
    pub lane: Lane,
    /// Runs it.
    pub run: Box<dyn Fn() -> CaseResult + Send + Sync>,
}

impl Case {
    /// A case that runs alone.
    pub fn alone(name: &str, run: impl Fn() -> CaseResult + Send + Sync + 'static) -> Self {
        Self { name: name.to_owned(), lane: Lane::Alone, run: Box::new(run) }
    }

    /// A case that others may run beside.
    pub fn shared(name: &str, run: impl Fn() -> CaseResult + Send + Sync + 'static) -> Self {
        Self { lane: Lane::Shared, ..Self::alone(name, run) }
    }
}

/// How a case went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseResult {
    /// Tests that passed in it.
    pub passed: usize,
    /// Tests that failed in it.
    pub failed: usize,
    /// A few words for the line of the case.
    pub note: String,
    /// What is shown if it failed.
    pub output: String,
}

impl CaseResult {
    /// A single test that passed.
    pub fn pass(note: impl Into<String>) -> Self {
        Self { passed: 1, note: note.into(), ..Self::default() }
    }

    /// A single test that failed.
    pub fn fail(output: impl ToString) -> Self {
        Self { failed: 1, output: output.to_string(), ..Self::default() }
    }

    /// A single test: `Ok` with a note, or `Err` with what is shown.
    pub fn from_result<E: ToString>(result: Result<String, E>) -> Self {
        match result {
            Ok(note) => Self::pass(note),
            Err(output) => Self::fail(output),
        }
    }
}

type MakeCases = fn(&Context) -> Result<Vec<Case>, Failure>;

/// The suites, the quick ones first.
const SUITES: [(&str, &str, MakeCases); 8] = [
    ("lint", "format and clippy, for the host and for the target", lint::cases),
    ("unit", "cargo test of the crates that run on the host", cargo::cases),
    ("check", "good scenarios pass `corral check`, bad ones are refused", scenarios::cases),
    ("host", "this command: exit codes, time-outs, Ctrl-C", host::cases),
    ("loom", "models of everything that cores share", loom::cases),
    ("stress", "random moves of simulated cores, on the kernel's own sources, and of a machine's", stress::cases),
    ("failover", "faults in groups, on simulated cores and on machines, judged from outside", failover::cases),
    ("qemu", "scenarios on machines", qemu::cases),
];

/// Runs or lists suites; the code to exit with.
pub fn command(workspace: &Workspace, args: &TestArgs) -> Result<Option<Code>, Failure> {
    let context = Context { workspace: workspace.clone(), setup: args.setup.clone() };
    let selections = args.suites.iter().map(|given| Selection::parse(given)).collect::<Result<Vec<_>, _>>()?;
    let (mut passed, mut failed) = (0, 0);
    for (suite, purpose, make) in SUITES {
        let wanted = |case: &Case| selections.is_empty() || selections.iter().any(|it| it.includes(suite, &case.name));
        if !selections.is_empty() && !selections.iter().any(|it| it.suite == suite) {
            continue;
        }
        let made = make(&context);
        if args.list {
            say(format_args!("{suite}: {purpose}"));
            let cases = made?;
            cases.iter().for_each(|case| say(format_args!("  {suite}/{}", case.name)));
            continue;
        }
        let cases = match made {
            Ok(cases) => cases.into_iter().filter(&wanted).collect(),
            Err(failure) => {
                // Without its cases a suite has failed, and the others still count.
                eprintln!("FAILED {suite}\n{failure}");
                failed += 1;
                continue;
            }
        };
        let tally = runner::run(suite, cases, Ui::new(Detail::Work));
        passed += tally.passed;
        failed += tally.failed;
        if tally.passed + tally.failed == 0 {
            eprintln!("FAILED {suite}: nothing ran");
            failed += 1;
        }
        if interrupt::requested() {
            break;
        }
    }
    if args.list {
        return Ok(None);
    }
    say(format_args!("{passed} passed, {failed} failed"));
    interrupt::check()?;
    Ok((failed > 0).then_some(Code::Failed))
}

/// What a user asks for: `SUITE` or `SUITE/TEXT`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Selection {
    suite: String,
    text: String,
}

impl Selection {
    fn parse(given: &str) -> Result<Self, Failure> {
        let (suite, text) = given.split_once('/').unwrap_or((given, ""));
        if !SUITES.iter().any(|(name, ..)| *name == suite) {
            let names: Vec<&str> = SUITES.iter().map(|(name, ..)| *name).collect();
            return Err(Failure::new(Code::Usage, format!("there is no suite {suite}"))
                .remedy(format!("give one of: {}", names.join(", "))));
        }
        Ok(Self { suite: suite.to_owned(), text: text.to_owned() })
    }

    fn includes(&self, suite: &str, case: &str) -> bool {
        self.suite == suite && case.contains(&self.text)
    }
}
