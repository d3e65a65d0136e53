//! Images: what kind a file is, and an ELF kernel as the raw image that boot loaders take.

use elf::ElfBytes;
use elf::abi::{EM_AARCH64, PT_LOAD};
use elf::endian::AnyEndian;

/// The kinds of image that a domain can start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An arm64 Linux Image, with its header.
    Image,
    /// An ELF executable.
    Elf,
    /// Anything else.
    Raw,
}

impl Format {
    /// The word for it in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Elf => "elf",
            Self::Raw => "raw",
        }
    }
}

/// A kind of image that has to be unpacked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    /// gzip.
    Gzip,
    /// Linux's self-extracting EFI image.
    EfiZboot,
}

impl Packed {
    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Gzip => "it is packed with gzip; unpack it first (gunzip)",
            Self::EfiZboot => "it is a self-extracting EFI image; use arch/arm64/boot/Image of the same build",
        }
    }
}

/// As many bytes as [`format_of`] wants to see.
pub const HEADER_BYTES: usize = 64;

/// Tells what an image is by its first [`HEADER_BYTES`].
pub fn format_of(bytes: &[u8]) -> Result<Format, Packed> {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if at(0, &[0x1f, 0x8b]) {
        Err(Packed::Gzip)
    } else if at(0, b"MZ") && at(4, b"zimg") {
        Err(Packed::EfiZboot)
    } else if at(0, b"\x7fELF") {
        Ok(Format::Elf)
    } else if at(56, b"ARM\x64") {
        Ok(Format::Image)
    } else {
        Ok(Format::Raw)
    }
}

/// Larger images are mistakes: segments that lie far apart.
const LARGEST: u64 = 64 << 20;

/// What QEMU loads as a kernel: the loadable segments by their physical addresses, from the first
/// to the last, with zeroes between them. Memory after the last one is the image's own business
/// (an Image header says how much there is).
pub fn raw_from_elf(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let file = ElfBytes::<AnyEndian>::minimal_parse(bytes).map_err(|error| error.to_string())?;
    if file.ehdr.e_machine != EM_AARCH64 {
        return Err("it is not for AArch64".to_owned());
    }
    let segments = file.segments().ok_or("it has no program headers")?;
    let loads: Vec<_> = segments.iter().filter(|segment| segment.p_type == PT_LOAD && segment.p_filesz > 0).collect();
    let base = loads.iter().map(|load| load.p_paddr).min().ok_or("it has nothing to load")?;
    let mut image = Vec::new();
    for load in &loads {
        let data = file.segment_data(load).map_err(|error| error.to_string())?;
        let offset = load.p_paddr - base;
        let end = offset.saturating_add(load.p_filesz);
        if end > LARGEST {
            return Err(format!("its segments span more than {} MiB", LARGEST >> 20));
        }
        let (offset, end) = (offset as usize, end as usize);
        if image.len() < end {
            image.resize(end, 0);
        }
        if let Some(place) = image.get_mut(offset..end) {
            place.copy_from_slice(data);
        }
    }
    Ok(image)
}

#[cfg(test)]
pub mod tests;
