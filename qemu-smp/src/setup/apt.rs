//! A private apt: its own lists, state and architecture, next to the host's and without root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::sources::Sources;
use crate::failure::{Code, Failure};
use crate::process::{self, Limit, Stream};
use crate::ui::{Ui, Work};

const HOST_APT: &str = "/etc/apt";
const OS_RELEASE: &str = "/etc/os-release";

/// The suite that a mirror given by the user is read for.
const SUITE: &str = "bookworm";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// How to go on without any of this.
pub const OWN_FILES: &str = "pass your own files: --kernel Image --initramfs initramfs.cpio";

/// Debian's arm64 packages, as this host's mirrors have them.
#[derive(Debug)]
pub struct Apt {
    folder: PathBuf,
    ui: Ui,
}

impl Apt {
    /// Writes the configuration below `folder` and fetches the lists of packages.
    pub fn update(folder: PathBuf, mirror: Option<&str>, ui: Ui) -> Result<Self, Failure> {
        for program in ["apt-get", "apt-cache", "dpkg-deb"] {
            if process::find_program(program).is_none() {
                return Err(Failure::new(Code::Setup, "Debian's arm64 kernel cannot be fetched")
                    .why(format!("there is no {program} on this host"))
                    .remedy(OWN_FILES));
            }
        }
        let sources = sources(mirror)?;
        let apt = Self { folder, ui };
        apt.configure(&sources).map_err(|error| Failure::file("cannot write", &apt.folder, &error))?;
        let work = ui.work("reading Debian's lists of arm64 packages");
        let mut command = apt.command("apt-get");
        command.args(["-o", "APT::Update::Error-Mode=any", "update"]);
        run_with_progress(&mut command, &work, "Debian's lists of packages cannot be fetched")?;
        work.done("up to date");
        Ok(apt)
    }

    /// The first package that `package` depends on and whose name starts with `prefix`.
    pub fn dependency(&self, package: &str, prefix: &str) -> Result<String, Failure> {
        self.dependencies(package)?.into_iter().find(|name| name.starts_with(prefix)).ok_or_else(|| {
            Failure::new(Code::Setup, format!("{package} depends on no {prefix}*"))
                .why("this Debian release names its packages in another way")
                .remedy(OWN_FILES)
        })
    }

    /// The packages that `package` depends on, without those that are only names for others.
    pub fn dependencies(&self, package: &str) -> Result<Vec<String>, Failure> {
        let mut command = self.command("apt-cache");
        let finished = process::capture(command.args(["depends", package]), Limit::None)?;
        if !finished.status.success() {
            return Err(Failure::new(Code::Setup, format!("Debian's mirrors have no {package}"))
                .why(process::tail(&finished.errors, 5))
                .remedy(format!("use a mirror with arm64 packages, or {OWN_FILES}")));
        }
        Ok(dependencies(&finished.output))
    }

    /// Downloads a package and unpacks it into a new folder; answers that and the version.
    pub fn unpack(&self, package: &str) -> Result<(PathBuf, String), Failure> {
        let work = self.ui.work(format!("fetching {package}"));
        let unpacked = self.folder.join("unpacked");
        let version = self.unpack_into(package, &unpacked, &work)?;
        work.done(&version);
        Ok((unpacked, version))
    }

    /// Downloads a package and unpacks it into the folder, which is made anew; answers the version.
    pub fn unpack_into(&self, package: &str, unpacked: &Path, work: &Work) -> Result<String, Failure> {
        let download = self.folder.join("download");
        for folder in [&download, unpacked] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir_all(folder).map_err(|error| Failure::file("cannot create", folder, &error))?;
        }
        let mut command = self.command("apt-get");
        command.args(["download", package]).current_dir(&download);
        run_with_progress(&mut command, work, &format!("{package} cannot be fetched"))?;
        let file =
            only_file(&download).ok_or_else(|| Failure::new(Code::Setup, format!("apt left no file of {package}")))?;

        work.at(&format!("unpacking {package}"));
        let mut command = Command::new("dpkg-deb");
        let finished = process::capture(command.arg("-x").arg(&file).arg(unpacked), Limit::None)?;
        if !finished.status.success() {
            return Err(Failure::new(Code::Setup, format!("{package} cannot be unpacked"))
                .why(process::tail(&finished.errors, 5))
                .remedy("is there room on the disk? Then run this again"));
        }
        let mut command = Command::new("dpkg-deb");
        let finished = process::capture(command.args(["-f"]).arg(&file).arg("Version"), Limit::None)?;
        Ok(finished.output.trim().to_owned())
    }

    /// A folder for packages that are unpacked side by side, until [`clean`](Self::clean).
    pub fn side_by_side(&self) -> PathBuf {
        self.folder.join("unpacked")
    }

    /// Removes what only the fetching needed.
    pub fn clean(&self) {
        for folder in ["download", "unpacked"] {
            let _ = fs::remove_dir_all(self.folder.join(folder));
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.folder.join("apt.conf")).env("LC_ALL", "C");
        command
    }

    fn configure(&self, sources: &Sources) -> std::io::Result<()> {
        for folder in ["state/lists/partial", "cache/archives/partial", "sources", "empty"] {
            fs::create_dir_all(self.folder.join(folder))?;
        }
        fs::write(self.folder.join("status"), "")?;
        fs::write(self.folder.join("sources/debian.sources"), &sources.stanzas)?;
        fs::write(self.folder.join("sources/debian.list"), &sources.lines)?;
        fs::write(self.folder.join("apt.conf"), configuration(&self.folder, &connection_settings()))
    }
}

/// The configuration file. apt reads it before anything else, so that nothing of the host's
/// own configuration (hooks, other architectures) comes in.
fn configuration(folder: &Path, connection: &str) -> String {
    let at = |path: &str| folder.join(path).display().to_string();
    let values = [
        ("Dir::Etc::main", "/dev/null".to_owned()),
        ("Dir::Etc::parts", at("empty")),
        ("Dir::Etc::sourcelist", "/dev/null".to_owned()),
        ("Dir::Etc::sourceparts", at("sources")),
        ("Dir::State", at("state")),
        ("Dir::State::lists", at("state/lists")),
        ("Dir::State::status", at("status")),
        ("Dir::Cache", at("cache")),
        ("APT::Architecture", "arm64".to_owned()),
        ("APT::Architectures::", "arm64".to_owned()),
        // As root, apt would change to a user that may not enter this folder.
        ("APT::Sandbox::User", "root".to_owned()),
        ("Acquire::Languages", "none".to_owned()),
        ("Acquire::Retries", "3".to_owned()),
    ];
    let mut text: String = values.iter().map(|(key, value)| format!("{key} \"{value}\";\n")).collect();
    text.push_str(connection);
    text
}

/// The host's settings that a connection may need (proxies, certificates).
fn connection_settings() -> String {
    let Ok(finished) = process::capture(Command::new("apt-config").arg("dump"), Limit::None) else {
        return String::new();
    };
    let lines = finished.output.lines();
    let wanted = |line: &&str| line.starts_with("Acquire::http::") || line.starts_with("Acquire::https::");
    lines.filter(wanted).flat_map(|line| [line, "\n"]).collect()
}

fn sources(mirror: Option<&str>) -> Result<Sources, Failure> {
    let keyring = Path::new(KEYRING);
    if let Some(url) = mirror {
        if !keyring.is_file() {
            return Err(Failure::new(Code::Setup, "Debian's archive keys are missing")
                .why(format!("{KEYRING} is not there to check the mirror's signature with"))
                .remedy("run `sudo apt-get install debian-archive-keyring`, then this again"));
        }
        return Ok(Sources::of_mirror(url, SUITE, keyring));
    }
    let sources = Sources::of_host(Path::new(HOST_APT), Path::new(OS_RELEASE));
    if sources.is_empty() {
        return Err(Failure::new(Code::Setup, "Debian's arm64 kernel cannot be fetched")
            .why("the host's apt sources name no Debian mirror")
            .remedy(format!(
                "install debian-archive-keyring (sudo apt-get install debian-archive-keyring)\n\
                 and pass --debian-mirror URL (or set CORRAL_DEBIAN_MIRROR), the address of a Debian mirror,\n\
                 or {OWN_FILES}"
            )));
    }
    Ok(sources)
}

/// Runs an apt command that downloads, with its own account of the progress.
fn run_with_progress(command: &mut Command, work: &Work, what: &str) -> Result<(), Failure> {
    command.args(["-q", "-o", "APT::Status-Fd=1"]);
    let finished = process::stream(command, Limit::None, |stream, line| {
        let status = line.strip_prefix("dlstatus:");
        if stream == Stream::Out
            && let Some(percent) = status.and_then(|rest| rest.split(':').nth(1)?.parse().ok())
        {
            work.percent(percent);
        }
    })?;
    if finished.status.success() {
        return Ok(());
    }
    Err(Failure::new(Code::Setup, what)
        .why(process::tail(&finished.errors, 5))
        .remedy(format!("look at the network and the host's apt sources, then run this again;\nor {OWN_FILES}")))
}

/// The packages that `apt-cache depends` lists; names in angle brackets stand for several.
fn dependencies(listed: &str) -> Vec<String> {
    let names = listed.lines().filter_map(|line| {
        let relation = line.trim_start_matches([' ', '|']);
        ["Depends: ", "PreDepends: "].into_iter().find_map(|word| relation.strip_prefix(word))
    });
    names.filter(|name| !name.starts_with('<')).map(str::to_owned).collect()
}

fn only_file(folder: &Path) -> Option<PathBuf> {
    Some(fs::read_dir(folder).ok()?.flatten().next()?.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_packages() {
        let listed = "tool\n  PreDepends: init\n |Depends: a\n  Depends: <virtual>\n    b\n  Depends: c\n  Breaks: d\n";
        assert_eq!(dependencies(listed), ["init", "a", "c"]);
    }

    #[test]
    fn the_configuration_stands_alone() {
        let text = configuration(Path::new("/x y"), "Acquire::http::Proxy \"http://p.test/\";\n");
        assert!(text.contains("Dir::Etc::parts \"/x y/empty\";\n"));
        assert!(text.contains("APT::Architectures:: \"arm64\";\n"));
        assert!(text.ends_with("Acquire::http::Proxy \"http://p.test/\";\n"));
    }
}
