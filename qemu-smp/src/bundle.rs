//! The files that a scenario's domains start from: which they are, where they come from, and the
//! archive that the kernel gets them in.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use domains::manifest::{self, ManifestError, Place, Reason, Value};

use crate::archive::{Archive, Kind};
use crate::build::Built;
use crate::failure::{Code, Failure};
use crate::image::{self, Format};
use crate::scenario::{Domain, Scenario, Source, Step};
use crate::setup::{Needs, Ready};
use crate::workspace::Workspace;

/// Where a file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Debian's kernel.
    DebianKernel,
    /// The busybox initramfs.
    DebianInitramfs,
    /// The same with stress-ng.
    DebianStress,
    /// A native guest of this source tree.
    Guest(String),
    /// A user's file.
    File(PathBuf),
}

/// Files of the user that stand in for what the set-up would fetch.
#[derive(Clone, Debug, Default)]
pub struct Substitutes {
    /// For `debian:linux`.
    pub kernel: Option<PathBuf>,
    /// For `debian:initramfs` and `debian:initramfs-stress`.
    pub initramfs: Option<PathBuf>,
}

/// A file of the archive.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    origin: Origin,
}

/// What one domain takes out of the archive.
#[derive(Clone, Debug)]
pub struct DomainFiles {
    /// Name of the image.
    pub image: String,
    /// What the image is.
    pub format: Format,
    /// Name of the initial file system.
    pub initramfs: Option<String>,
}

/// All files of a scenario; domains that use the same one share it.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    members: Vec<Member>,
    /// By domain, in the scenario's order.
    pub domains: Vec<DomainFiles>,
}

impl Bundle {
    /// Finds out what every domain needs, and that the user's files are there and usable.
    pub fn plan(
        workspace: &Workspace,
        source: &Source,
        scenario: &Scenario,
        substitutes: &Substitutes,
    ) -> Result<Self, Failure> {
        let mut bundle = Self::default();
        for (index, domain) in scenario.domains.iter().enumerate() {
            let planner = Planner { workspace, source, substitutes, domain, index };
            let origin = planner.origin("image", &domain.image)?;
            let format = planner.format(&origin)?;
            let image = bundle.member(format!("{}/image", domain.name), origin);
            let initramfs = match &domain.initramfs {
                Some(given) => {
                    let origin = planner.origin("initramfs", given)?;
                    Some(bundle.member(format!("{}/initramfs", domain.name), origin))
                }
                None => None,
            };
            bundle.domains.push(DomainFiles { image, format, initramfs });
        }
        Ok(bundle)
    }

    /// For tests of manifests: these files, wherever they may come from.
    #[cfg(test)]
    pub fn of_domains(domains: Vec<DomainFiles>) -> Self {
        let mut bundle = Self::default();
        for files in &domains {
            for name in std::iter::once(&files.image).chain(&files.initramfs) {
                bundle.member(name.clone(), Origin::File(name.into()));
            }
        }
        Self { domains, ..bundle }
    }

    /// Whether the archive has a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }

    /// The native guests to build, each once.
    pub fn guests(&self) -> Vec<&str> {
        self.members
            .iter()
            .filter_map(|member| match &member.origin {
                Origin::Guest(name) => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// What the set-up has to provide for it.
    pub fn needs(&self) -> Needs {
        let uses = |origin: &Origin| self.members.iter().any(|member| member.origin == *origin);
        Needs {
            toolchain: !self.guests().is_empty(),
            debian_kernel: uses(&Origin::DebianKernel),
            debian_initramfs: uses(&Origin::DebianInitramfs),
            debian_stress: uses(&Origin::DebianStress),
        }
    }

    /// The archive with the manifest and every file.
    pub fn archive(&self, manifest: &[u8], ready: &Ready, built: &Built) -> Result<Vec<u8>, Failure> {
        let mut archive = Archive::new();
        archive.add(manifest::FILE_NAME, Kind::Data, manifest)?;
        for member in &self.members {
            let path = match &member.origin {
                Origin::DebianKernel => ready.debian_kernel.clone(),
                Origin::DebianInitramfs => ready.debian_initramfs.clone(),
                Origin::DebianStress => ready.debian_stress.clone(),
                Origin::Guest(name) => built.guest(name),
                Origin::File(path) => Some(path.clone()),
            };
            let path = path.ok_or_else(|| Failure::new(Code::Failed, format!("{} was not made", member.name)))?;
            let bytes = fs::read(&path).map_err(|error| Failure::file("cannot read", &path, &error))?;
            archive.add(&member.name, Kind::Data, &bytes)?;
        }
        archive.finish()
    }

    /// The name of the file with this origin; a new one gets the proposed name.
    fn member(&mut self, name: String, origin: Origin) -> String {
        if let Some(known) = self.members.iter().find(|member| member.origin == origin) {
            return known.name.clone();
        }
        self.members.push(Member { name: name.clone(), origin });
        name
    }
}

/// Looks at the files of one domain.
struct Planner<'a> {
    workspace: &'a Workspace,
    source: &'a Source,
    substitutes: &'a Substitutes,
    domain: &'a Domain,
    index: usize,
}

impl Planner<'_> {
    fn origin(&self, key: &'static str, given: &str) -> Result<Origin, Failure> {
        let substitute = |own: &Option<PathBuf>, otherwise| match own {
            Some(path) if !path.is_file() => {
                Err(Failure::new(Code::Usage, format!("there is no file {}", path.display())))
            }
            Some(path) => Ok(Origin::File(path.clone())),
            None => Ok(otherwise),
        };
        if let Some(name) = given.strip_prefix("debian:") {
            return match name {
                "linux" => substitute(&self.substitutes.kernel, Origin::DebianKernel),
                "initramfs" => substitute(&self.substitutes.initramfs, Origin::DebianInitramfs),
                "initramfs-stress" => substitute(&self.substitutes.initramfs, Origin::DebianStress),
                _ => Err(self.missing(key, given)),
            };
        }
        if let Some(name) = given.strip_prefix("guest:") {
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let folder = self.workspace.guest(name);
            return if plain && folder.join("Cargo.toml").is_file() {
                Ok(Origin::Guest(name.to_owned()))
            } else {
                Err(self.missing(key, given))
            };
        }
        let path = self.source.relative(given);
        if path.is_file() { Ok(Origin::File(path)) } else { Err(self.missing(key, given)) }
    }

    fn format(&self, origin: &Origin) -> Result<Format, Failure> {
        let path = match origin {
            Origin::Guest(_) => return Ok(Format::Elf),
            Origin::DebianKernel | Origin::DebianInitramfs | Origin::DebianStress => return Ok(Format::Image),
            Origin::File(path) => path,
        };
        let header = header(path).map_err(|error| Failure::file("cannot read", path, &error))?;
        image::format_of(&header).map_err(|packed| {
            let (name, image) = (&self.domain.name, &self.domain.image);
            let message = format!("domain {name}: image = \"{image}\": {}", packed.advice());
            self.error("image", &message)
        })
    }

    /// In the kernel's words.
    fn missing(&self, key: &'static str, given: &str) -> Failure {
        let error = ManifestError {
            place: Place::Property(manifest::Kind::Domain, &self.domain.name, key, Value::Text(given)),
            reason: Reason::NoSuchFile,
        };
        self.error(key, &error.to_string())
    }

    fn error(&self, key: &str, message: &str) -> Failure {
        let path = [Step::Key("domain"), Step::Index(self.index), Step::Key(key)];
        self.source.error(&path, message)
    }
}

fn header(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut header = Vec::new();
    File::open(path)?.take(image::HEADER_BYTES as u64).read_to_end(&mut header)?;
    Ok(header)
}
