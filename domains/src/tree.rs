//! Opens flattened device trees that may be malformed.
//!
//! The `fdt` crate trusts a tree's structure block and panics where it is wrong. [`open`] therefore
//! walks the whole tree once (Devicetree Specification 0.4, chapter 5) and hands over only one that
//! the crate reads without panicking and without leaving anything out.

use fdt::Fdt;

#[cfg(test)]
mod tests;

/// The deepest nesting taken; the crate recurses once a level.
const MAX_DEPTH: usize = 16;

/// Tokens of the structure block.
pub(crate) const BEGIN_NODE: u32 = 1;
pub(crate) const END_NODE: u32 = 2;
pub(crate) const PROPERTY: u32 = 3;
pub(crate) const END: u32 = 9;
pub(crate) const MAGIC: u32 = 0xd00d_feed;

crate::displayed! {
    /// Why a tree is not opened. It is malformed at an offset from its structure block's start; no-operation
    /// tokens count as wrong there: the crate stops at them.
    pub enum TreeError {
        NotATree = "not a flattened device tree of version 17",
        Truncated = "device tree is cut short",
        Malformed(offset: usize) = "device tree is malformed at {offset:#x} of its structure",
        TooDeep = "device tree nests deeper than {MAX_DEPTH} levels",
    }
}

/// The tree at the start of `blob`; what follows it is ignored.
pub fn open(blob: &[u8]) -> Result<Fdt<'_>, TreeError> {
    let mut header = Reader { rest: blob };
    let mut fields = [0; 10];
    for field in &mut fields {
        *field = header.word().ok_or(TreeError::NotATree)?;
    }
    let [magic, total, structure_at, strings_at, _, version, compatible, _, strings_size, structure_size] = fields;
    if magic != MAGIC || version < 17 || compatible > 17 {
        return Err(TreeError::NotATree);
    }
    let blob = blob.get(..total as usize).ok_or(TreeError::Truncated)?;
    let block = |at: u32, size: u32| {
        let end = at.checked_add(size).ok_or(TreeError::Truncated)?;
        blob.get(at as usize..end as usize).ok_or(TreeError::Truncated)
    };
    check(block(structure_at, structure_size)?, block(strings_at, strings_size)?)?;
    Fdt::new(blob).map_err(|_| TreeError::Truncated)
}

/// Checks that the structure block is one unnamed root node, that properties come before nodes,
/// and that every name is text.
fn check(structure: &[u8], strings: &[u8]) -> Result<(), TreeError> {
    let mut reader = Reader { rest: structure };
    let mut depth: usize = 0;
    let mut previous = None;
    loop {
        let malformed = TreeError::Malformed(structure.len().wrapping_sub(reader.rest.len()));
        let token = reader.word().ok_or(malformed)?;
        match (previous, token) {
            (None, BEGIN_NODE) => {
                reader.name().filter(|name| name.is_empty()).ok_or(malformed)?;
                depth = 1;
            }
            (Some(_), BEGIN_NODE) if depth > 0 => {
                reader.name().ok_or(malformed)?;
                depth = depth.wrapping_add(1);
            }
            (Some(BEGIN_NODE | PROPERTY), PROPERTY) => {
                reader.property(strings).ok_or(malformed)?;
            }
            (Some(_), END_NODE) => depth = depth.checked_sub(1).ok_or(malformed)?,
            (Some(END_NODE), END) if depth == 0 => return Ok(()),
            _ => return Err(malformed),
        }
        if depth > MAX_DEPTH {
            return Err(TreeError::TooDeep);
        }
        previous = Some(token);
    }
}

/// Reads a structure block from the front; everything in it is aligned to 4 bytes.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn word(&mut self) -> Option<u32> {
        let (word, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u32::from_be_bytes(*word))
    }

    fn name(&mut self) -> Option<&'a str> {
        let name = text(self.rest)?;
        self.skip(name.len().checked_add(1)?)?;
        Some(name)
    }

    fn property(&mut self, strings: &[u8]) -> Option<()> {
        let length = self.word()?;
        let name = self.word()?;
        text(strings.get(name as usize..)?)?;
        self.skip(length as usize)
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.rest = self.rest.get(length.checked_next_multiple_of(4)?..)?;
        Some(())
    }
}

/// The text up to the first zero byte.
fn text(bytes: &[u8]) -> Option<&str> {
    core::ffi::CStr::from_bytes_until_nul(bytes).ok()?.to_str().ok()
}
