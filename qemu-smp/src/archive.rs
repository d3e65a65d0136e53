//! Archives in the "new ASCII" cpio format (newc): what Linux takes as an initramfs and the
//! kernel as its bundle of images.

use std::io::Write;

use cpio::newc::{self, ModeFileType};

use crate::failure::{Code, Failure};

/// What an entry is, with its permissions.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A file that everybody may read.
    Data,
    /// A file that everybody may run.
    Program,
    /// A symbolic link; the contents are its target.
    Link,
    /// A folder.
    Folder,
    /// A character device.
    CharacterDevice {
        /// Its driver.
        major: u32,
        /// Its number there.
        minor: u32,
    },
}

/// An archive being put together.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// An empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an entry. Owner is root and the time is zero: archives of the same contents are
    /// the same.
    pub fn add(&mut self, name: &str, kind: Kind, contents: &[u8]) -> Result<(), Failure> {
        let too_large = |_| Failure::new(Code::Usage, format!("{name} is larger than 4 GiB"));
        let size = u32::try_from(contents.len()).map_err(too_large)?;
        let (mode, file_type) = match kind {
            Kind::Data => (0o644, ModeFileType::Regular),
            Kind::Program => (0o755, ModeFileType::Regular),
            Kind::Link => (0o777, ModeFileType::Symlink),
            Kind::Folder => (0o755, ModeFileType::Directory),
            Kind::CharacterDevice { .. } => (0o600, ModeFileType::Char),
        };
        self.entries += 1;
        let mut entry = newc::Builder::new(name).ino(self.entries).mode(mode).set_mode_file_type(file_type);
        if let Kind::CharacterDevice { major, minor } = kind {
            entry = entry.rdev_major(major).rdev_minor(minor);
        }
        let mut writer = entry.write(&mut self.bytes, size);
        writer
            .write_all(contents)
            .and_then(|()| writer.finish())
            .map_err(|error| Failure::new(Code::Failed, "cannot archive").why(error.to_string()))?;
        Ok(())
    }

    /// The finished archive.
    pub fn finish(self) -> Result<Vec<u8>, Failure> {
        newc::trailer(self.bytes).map_err(|error| Failure::new(Code::Failed, "cannot archive").why(error.to_string()))
    }
}

#[cfg(test)]
pub(crate) mod tests;
