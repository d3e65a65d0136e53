//! Reads the archive that holds the manifest and the images: a cpio archive in the "newc" format
//! (Linux, `Documentation/driver-api/early-userspace/buffer-format.rst`).
//!
//! The crate `cpio_reader` was not taken: it sums up every byte of every file it passes, for a
//! checksum that this format does not have (tens of megabytes at each look-up), and it ends a
//! damaged archive like a whole one, so that damage would be reported as a missing file.

use core::str;

#[cfg(test)]
mod tests;

/// The name of the entry that ends every archive.
const TRAILER: &str = "TRAILER!!!";
const HEADER_BYTES: usize = 110;
const MAGIC: &[u8] = b"070701";
/// Offsets of the two header fields that matter here, each 8 hexadecimal digits.
const FILE_SIZE_AT: usize = 54;
const NAME_SIZE_AT: usize = 94;

/// An archive that was read through once without an error.
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    bytes: &'a [u8],
}

/// Where an archive is damaged: the offset, in bytes, of the first entry that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DamagedArchive {
    /// Offset of that entry from the start of the archive.
    pub offset: usize,
}

impl<'a> Archive<'a> {
    /// The archive at the start of `bytes`; what follows its trailer is ignored.
    pub fn new(bytes: &'a [u8]) -> Result<Self, DamagedArchive> {
        let mut rest = bytes;
        loop {
            let offset = bytes.len().saturating_sub(rest.len());
            let entry = Entry::read(rest).ok_or(DamagedArchive { offset })?;
            if entry.name == TRAILER {
                return Ok(Self { bytes });
            }
            rest = entry.rest;
        }
    }

    /// Every file's name and content, in the order of the archive.
    pub fn files(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let entry = Entry::read(rest).filter(|entry| entry.name != TRAILER)?;
            rest = entry.rest;
            Some((entry.name, entry.content))
        })
    }

    /// The content of the first file of that name. It starts at a multiple of 4 bytes from the
    /// start of the archive.
    pub fn find(&self, name: &str) -> Option<&'a [u8]> {
        self.files().find(|(found, _)| *found == name).map(|(_, content)| content)
    }
}

struct Entry<'a> {
    name: &'a str,
    content: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Entry<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..HEADER_BYTES).filter(|header| header.starts_with(MAGIC))?;
        let name_end = HEADER_BYTES.checked_add(number(header, NAME_SIZE_AT)?)?;
        let name = str::from_utf8(bytes.get(HEADER_BYTES..name_end)?).ok()?.strip_suffix('\0')?;
        let start = name_end.checked_next_multiple_of(4)?;
        let end = start.checked_add(number(header, FILE_SIZE_AT)?)?;
        let content = bytes.get(start..end)?;
        let rest = bytes.get(end.checked_next_multiple_of(4)?..)?;
        Some(Self { name, content, rest })
    }
}

fn number(header: &[u8], at: usize) -> Option<usize> {
    // `from_str_radix` would also take a sign.
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    header.get(at..)?.get(..8)?.iter().try_fold(0, |number, byte| Some(number << 4 | digit(byte)? as usize))
}
