//! Suite `check`: every scenario in `scenarios/` is accepted, and every one in `scenarios/bad`
//! is refused for the reason that its first line gives.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Case, CaseResult, Context};
use crate::check;
use crate::failure::{Code, Failure};

/// What the first line of a bad scenario begins with; the rest is a part of the message.
const EXPECTED_ERROR: &str = "# error: ";

/// A scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioFile {
    /// Its path.
    pub path: PathBuf,
    /// Its path below `scenarios/`, without the ending.
    pub name: String,
}

impl ScenarioFile {
    /// Whether it has to be refused.
    pub fn is_bad(&self) -> bool {
        self.name.starts_with("bad/")
    }

    /// Why it has to be refused.
    pub fn expected_error(&self) -> Result<String, Failure> {
        let text = fs::read_to_string(&self.path).map_err(|error| Failure::file("cannot read", &self.path, &error))?;
        let first = text.lines().next().unwrap_or_default();
        first
            .strip_prefix(EXPECTED_ERROR)
            .map(|expected| expected.trim().to_owned())
            .filter(|expected| !expected.is_empty())
            .ok_or_else(|| {
                Failure::new(Code::Failed, format!("{} does not say why it is bad", self.name))
                    .remedy(format!("begin it with `{EXPECTED_ERROR}...`"))
            })
    }
}

/// All scenarios, by name.
pub fn files(context: &Context) -> Result<Vec<ScenarioFile>, Failure> {
    let top = context.workspace.scenarios();
    let mut files = Vec::new();
    collect(&top, "", &mut files).map_err(|error| Failure::file("cannot read", &top, &error))?;
    files.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(files)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<ScenarioFile>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(ScenarioFile { path, name });
        }
    }
    Ok(())
}

/// A case for each scenario.
pub fn cases(context: &Context) -> Result<Vec<Case>, Failure> {
    let case = |file: ScenarioFile| {
        let context = context.clone();
        Case::shared(&file.name.clone(), move || check_file(&context, &file))
    };
    Ok(files(context)?.into_iter().map(case).collect())
}

fn check_file(context: &Context, file: &ScenarioFile) -> CaseResult {
    let result = check::file(&context.workspace, &file.path);
    if !file.is_bad() {
        return CaseResult::from_result(result.map(|_| String::new()));
    }
    let expected = match file.expected_error() {
        Ok(expected) => expected,
        Err(failure) => return CaseResult::fail(failure),
    };
    match result {
        Ok(_) => CaseResult::fail(format!("accepted, but should be refused: {expected}")),
        Err(failure) if failure.code == Code::Usage && failure.to_string().contains(&expected) => {
            CaseResult::pass("refused")
        }
        Err(failure) => {
            CaseResult::fail(format!("refused for another reason\nexpected: {expected}\nfound:    {failure}"))
        }
    }
}
