//! What a machine starts from: the manifest and its files, the kernel, the native guests.

use std::path::{Path, PathBuf};

use crate::build::{self, Built, Verbosity};
use crate::bundle::{Bundle, Substitutes};
use crate::cli::SetupArgs;
use crate::failure::Failure;
use crate::manifest;
use crate::scenario::{self, Scenario, Source};
use crate::setup::{self, Needs, Qemu, Ready};
use crate::ui::{Detail, Ui};
use crate::workspace::Workspace;

/// Who refuses a bad manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The host, before anything starts.
    ByHost,
    /// The kernel: the host lets everything through, to see that it does.
    ByKernel,
}

/// A scenario made ready as far as that takes no time.
#[derive(Clone, Debug)]
pub struct Draft {
    bundle: Bundle,
    manifest: Vec<u8>,
}

impl Draft {
    /// Finds the scenario's files and writes its manifest.
    pub fn new(
        workspace: &Workspace,
        source: &Source,
        scenario: &Scenario,
        substitutes: &Substitutes,
        refusal: Refusal,
    ) -> Result<Self, Failure> {
        let bundle = Bundle::plan(workspace, source, scenario, substitutes)?;
        let manifest = match refusal {
            Refusal::ByHost => manifest::checked(source, scenario, &bundle)?,
            Refusal::ByKernel => manifest::unchecked(scenario, &bundle)?,
        };
        Ok(Self { bundle, manifest })
    }
}

/// Where the EL2 kernel comes from.
#[derive(Clone, Copy, Debug)]
pub enum Hypervisor<'a> {
    /// This source tree.
    Built,
    /// A file of the user.
    File(&'a Path),
}

/// How things are fetched and built.
#[derive(Clone, Copy, Debug)]
pub struct Workshop<'a> {
    /// The source tree.
    pub workspace: &'a Workspace,
    /// Options of the set-up.
    pub setup: &'a SetupArgs,
    /// Where progress is shown.
    pub ui: Ui,
    /// How much of cargo's work is shown.
    pub verbosity: Verbosity,
}

/// Everything that some scenarios need, fetched and built.
#[derive(Clone, Debug)]
pub struct Images {
    ready: Ready,
    built: Built,
    kernel: Vec<u8>,
}

impl Images {
    /// Fetches and builds what these scenarios need.
    pub fn make(workshop: &Workshop<'_>, drafts: &[&Draft], hypervisor: Hypervisor<'_>) -> Result<Self, Failure> {
        let Workshop { workspace, setup, ui, verbosity } = *workshop;
        let needs = drafts.iter().map(|draft| draft.bundle.needs()).fold(Needs::default(), Needs::and);
        let needs = match hypervisor {
            Hypervisor::Built => Needs { toolchain: true, ..needs },
            Hypervisor::File(_) => needs,
        };
        let ready = setup::ensure(workspace, needs, setup, ui)?;
        let mut guests: Vec<&str> = drafts.iter().flat_map(|draft| draft.bundle.guests()).collect();
        guests.sort_unstable();
        guests.dedup();
        let (built, kernel): (Built, Option<PathBuf>) = match (&ready.toolchain, hypervisor) {
            (None, _) => (Built::default(), None),
            (Some(toolchain), Hypervisor::File(_)) => {
                (build::guests(workspace, toolchain, &guests, ui, verbosity)?, None)
            }
            (Some(toolchain), Hypervisor::Built) => {
                let kernel = build::kernel(workspace, toolchain, ui, verbosity)?;
                (build::guests(workspace, toolchain, &guests, ui, verbosity)?, Some(kernel))
            }
        };
        let kernel = match (&kernel, hypervisor) {
            (Some(path), _) => build::raw_kernel(path)?,
            (None, Hypervisor::File(path)) => build::raw_kernel(path)?,
            (None, Hypervisor::Built) => return Err(build::no_kernel()),
        };
        Ok(Self { ready, built, kernel })
    }

    /// Reads a scenario and makes what it needs, for a caller that starts QEMU itself.
    pub fn of_scenario(
        workspace: &Workspace,
        name: &str,
        setup: &SetupArgs,
    ) -> Result<(Scenario, Draft, Self), Failure> {
        let source = Source::read(&scenario::find(workspace, Path::new(name))?)?;
        let scenario = Scenario::parse(&source)?;
        let draft = Draft::new(workspace, &source, &scenario, &Substitutes::default(), Refusal::ByHost)?;
        let workshop = Workshop { workspace, setup, ui: Ui::new(Detail::Work), verbosity: Verbosity::Progress };
        let images = Self::make(&workshop, &[&draft], Hypervisor::Built)?;
        Ok((scenario, draft, images))
    }

    /// The emulator.
    pub fn qemu(&self) -> &Qemu {
        &self.ready.qemu
    }

    /// The kernel's raw image.
    pub fn kernel(&self) -> &[u8] {
        &self.kernel
    }

    /// The archive that the kernel boots with.
    pub fn archive(&self, draft: &Draft) -> Result<Vec<u8>, Failure> {
        draft.bundle.archive(&draft.manifest, &self.ready, &self.built)
    }
}
