//! Where things are: the source tree, and what the command keeps under its `target/`.

use std::env;
use std::path::{Path, PathBuf};

use crate::failure::{Code, Failure};

/// The Corral source tree that this command works on.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Finds the source tree: where cargo started this command, else at or above the current
    /// directory.
    pub fn find() -> Result<Self, Failure> {
        let here = env::current_dir()
            .map_err(|error| Failure::new(Code::Failed, "cannot tell the current directory").why(error.to_string()))?;
        let by_cargo = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        by_cargo
            .iter()
            .map(PathBuf::as_path)
            .chain([here.as_path()])
            .flat_map(Path::ancestors)
            .find(|folder| folder.join("kernel/Cargo.toml").is_file() && folder.join("qemu-smp").is_dir())
            .map(|root| Self { root: root.to_path_buf() })
            .ok_or_else(|| {
                Failure::new(Code::Usage, "this is not a Corral source tree")
                    .remedy("change to the folder that you cloned Corral into and run `cargo corral` there")
            })
    }

    /// The top of the source tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the scenarios that come with Corral.
    pub fn scenarios(&self) -> PathBuf {
        self.root.join("scenarios")
    }

    /// The source folder of a native guest.
    pub fn guest(&self, name: &str) -> PathBuf {
        self.root.join("guests").join(name)
    }

    /// What the set-up fetched and made for the guests.
    pub fn guest_cache(&self) -> PathBuf {
        self.root.join("target/guest")
    }

    /// One folder for each run.
    pub fn runs(&self) -> PathBuf {
        self.root.join("target/run")
    }

    /// One folder for each run of a campaign; they are many, and must not push out the others.
    pub fn campaign(&self) -> PathBuf {
        self.root.join("target/failover")
    }

    /// The loom models' own target folder: another `--cfg` would rebuild everything else.
    pub fn loom_target(&self) -> PathBuf {
        self.root.join("target/loom")
    }

    /// The same for shuttle's.
    pub fn shuttle_target(&self) -> PathBuf {
        self.root.join("target/shuttle")
    }
}

/// The path as seen from the current directory, if it lies below.
pub fn shown(path: &Path) -> String {
    env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf))
        .unwrap_or_else(|| path.to_path_buf())
        .display()
        .to_string()
}
