//! Writes a flattened device tree, version 17, into a buffer (Devicetree Specification 0.4,
//! chapter 5). The crate `vm-fdt` does the same with an allocator, which there is none of here.

use arrayvec::ArrayVec;
use core::fmt::{self, Write};

#[cfg(test)]
mod tests;

const MAGIC: u32 = 0xd00d_feed;
/// Tokens of the structure block.
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const END: u32 = 9;

const HEADER_BYTES: usize = 40;
/// The header, then a reservation map that holds nothing but its end.
const STRUCTURE_AT: usize = HEADER_BYTES + 16;
/// The most different property names of one tree.
const NAMES: usize = 40;

/// The tree does not fit: into the buffer, or its names into the table of 40.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall;

/// A tree being written. What does not fit is dropped, and [`finish`](Self::finish) says so, so
/// that only one place has to look.
#[derive(Debug)]
pub struct FdtWriter<'a> {
    out: &'a mut [u8],
    at: usize,
    names: ArrayVec<&'static str, NAMES>,
    fits: bool,
}

impl<'a> FdtWriter<'a> {
    /// A tree at the start of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        let mut writer = Self { out, at: 0, names: ArrayVec::new(), fits: true };
        writer.bytes(&[0; STRUCTURE_AT]);
        writer
    }

    /// Writes a node, whose properties and then children `body` writes. The root has no name.
    pub fn node(&mut self, name: fmt::Arguments<'_>, body: impl FnOnce(&mut Self)) {
        self.word(BEGIN_NODE);
        // Cannot fail: `write_str` below never does.
        let _ = self.write_fmt(name);
        self.bytes(&[0]);
        self.align();
        body(self);
        self.word(END_NODE);
    }

    /// Writes a property of 32-bit cells; one without cells is a flag.
    pub fn cells(&mut self, name: &'static str, cells: &[u32]) {
        self.property(name, size_of_val(cells));
        cells.iter().for_each(|cell| self.word(*cell));
    }

    /// Writes a property of one string or a list of them.
    pub fn texts(&mut self, name: &'static str, texts: &[&str]) {
        let length = |text: &&str| text.len().saturating_add(1);
        self.property(name, texts.iter().map(length).sum());
        texts.iter().for_each(|text| self.text(text));
        self.align();
    }

    /// Ends the tree; the number of bytes it takes.
    pub fn finish(mut self) -> Result<usize, TooSmall> {
        self.word(END);
        let strings_at = self.at;
        core::mem::take(&mut self.names).iter().for_each(|name| self.text(name));
        let total = self.at;
        let (structure, strings) = (strings_at.wrapping_sub(STRUCTURE_AT), total.wrapping_sub(strings_at));
        self.at = 0;
        self.word(MAGIC);
        for field in [total, STRUCTURE_AT, strings_at, HEADER_BYTES, 17, 16, 0, strings, structure] {
            self.word(field as u32);
        }
        if self.fits && u32::try_from(total).is_ok() { Ok(total) } else { Err(TooSmall) }
    }

    fn property(&mut self, name: &'static str, length: usize) {
        let name = self.name_offset(name);
        self.word(PROPERTY);
        self.word(length as u32);
        self.word(name);
    }

    /// Where in the strings block the name will be; each name is there once.
    fn name_offset(&mut self, name: &'static str) -> u32 {
        let place = self.names.iter().position(|known| *known == name);
        let earlier = self.names.iter().take(place.unwrap_or(NAMES));
        let offset: usize = earlier.map(|known| known.len().wrapping_add(1)).sum();
        self.fits &= place.is_some() || self.names.try_push(name).is_ok();
        offset as u32
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(&[0]);
    }

    fn word(&mut self, word: u32) {
        self.bytes(&word.to_be_bytes());
    }

    fn align(&mut self) {
        while !self.at.is_multiple_of(size_of::<u32>()) && self.fits {
            self.bytes(&[0]);
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let end = self.at.saturating_add(bytes.len());
        match self.out.get_mut(self.at..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.at = end;
            }
            None => self.fits = false,
        }
    }
}

impl Write for FdtWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}
