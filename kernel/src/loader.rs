//! Puts a domain's images into its memory, pristine each time: all of its RAM is cleared first.
//!
//! Layout: the image at its place (Image: RAM base + text_offset; ELF: its physical addresses;
//! raw: its load offset), the device tree in the last 2 MiB of RAM, the initramfs below it.

use crate::arch::core_local::CoreLocal;
use crate::arch::{cache, mmu};
use crate::boot::kernel;
use crate::domain::Domain;
use domains::archive::Archive;
use domains::guest_fdt::{self, DomainView};
use domains::manifest::ImageFormat;
use elf::ElfBytes;
use elf::abi::PT_LOAD;
use elf::endian::LittleEndian;

domains::displayed! {
    /// Why a domain cannot be loaded, and what to do.
    pub enum LoadError {
        Missing = "a file of its manifest is not in the boot archive",
        Format = "its image is not what its format in the manifest says",
        TooLarge = "image, initramfs and 2 MiB for the device tree do not fit: give it more memory",
    }
}

/// Where the first context begins, and the device tree's address for its x0.
pub struct Start {
    /// First instruction.
    pub entry: u64,
    /// Device tree.
    pub device_tree: u64,
}

/// Loads `domain`, by the core that holds its first context; nothing of the domain runs.
///
/// # Errors
/// See [`LoadError`].
pub fn load(core: &CoreLocal, domain: &Domain) -> Result<Start, LoadError> {
    let memory = domain.spec.memory;
    let archive = Archive::new(kernel().machine.archive_bytes()).map_err(|_| LoadError::Missing)?;
    let image = archive.find(domain.spec.image).ok_or(LoadError::Missing)?;
    domain.with_memory(core, memory.base, memory.size, |bytes| {
        cache::clear(bytes);
        cache::clean(bytes);
    });
    let device_tree = memory.base.wrapping_add(memory.size).wrapping_sub(mmu::BLOCK);
    let mut top = device_tree;
    let mut initramfs = None;
    if let Some(name) = domain.spec.initramfs {
        let bytes = archive.find(name).ok_or(LoadError::Missing)?;
        let start = top.wrapping_sub(bytes.len() as u64) & !mmu::PAGE.wrapping_sub(1);
        put(core, domain, start, bytes)?;
        initramfs = Some(start..start.wrapping_add(bytes.len() as u64));
        top = start;
    }
    let (entry, end) = match domain.spec.format {
        ImageFormat::Image => load_image(core, domain, image)?,
        ImageFormat::Elf => load_elf(core, domain, image)?,
        ImageFormat::Raw => {
            let load_offset = domain.spec.load_offset.unwrap_or(0);
            let start = memory.base.checked_add(load_offset).ok_or(LoadError::TooLarge)?;
            (start, put(core, domain, start, image)?)
        }
    };
    if end > top {
        return Err(LoadError::TooLarge);
    }
    let view = DomainView {
        board: domain.spec.board,
        contexts: domain.contexts().len() as u32,
        memory,
        cmdline: domain.spec.cmdline,
        initramfs,
    };
    let mut built = Err(LoadError::TooLarge);
    domain.with_memory(core, device_tree, guest_fdt::MAX_BYTES as u64, |bytes| {
        built = guest_fdt::build(&view, bytes).map_err(|_| LoadError::TooLarge);
        cache::clean(bytes);
    });
    built?;
    cache::invalidate_instructions();
    Ok(Start { entry, device_tree })
}

/// Copies `bytes` to the guest's address `start`; returns the address behind them.
fn put(core: &CoreLocal, domain: &Domain, start: u64, bytes: &[u8]) -> Result<u64, LoadError> {
    let mut rest = bytes;
    let copied = domain.with_memory(core, start, bytes.len() as u64, |piece| {
        if let Some((head, tail)) = rest.split_at_checked(piece.len()) {
            piece.copy_from_slice(head);
            cache::clean(piece);
            rest = tail;
        }
    });
    if copied { Ok(start.wrapping_add(bytes.len() as u64)) } else { Err(LoadError::TooLarge) }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// An arm64 Image (Linux, Documentation/arm64/booting.rst): returns entry and end, with its BSS.
fn load_image(core: &CoreLocal, domain: &Domain, image: &[u8]) -> Result<(u64, u64), LoadError> {
    if image.get(56..60) != Some(b"ARM\x64".as_slice()) {
        return Err(LoadError::Format);
    }
    let offset = number(image, 8).ok_or(LoadError::Format)?;
    let size = number(image, 16).ok_or(LoadError::Format)?.max(image.len() as u64);
    let start = domain.spec.memory.base.checked_add(offset).ok_or(LoadError::TooLarge)?;
    put(core, domain, start, image)?;
    if !domain.spec.memory.contains(start, size) {
        return Err(LoadError::TooLarge);
    }
    Ok((start, start.wrapping_add(size)))
}

/// An AArch64 ELF file: returns entry and the end of its highest segment.
fn load_elf(core: &CoreLocal, domain: &Domain, image: &[u8]) -> Result<(u64, u64), LoadError> {
    let file = ElfBytes::<LittleEndian>::minimal_parse(image).map_err(|_| LoadError::Format)?;
    let mut end = 0;
    for segment in file.segments().ok_or(LoadError::Format)? {
        if segment.p_type != PT_LOAD {
            continue;
        }
        let bytes = file.segment_data(&segment).map_err(|_| LoadError::Format)?;
        put(core, domain, segment.p_paddr, bytes)?;
        if !domain.spec.memory.contains(segment.p_paddr, segment.p_memsz) {
            return Err(LoadError::TooLarge);
        }
        end = end.max(segment.p_paddr.wrapping_add(segment.p_memsz));
    }
    Ok((file.ehdr.e_entry, end))
}
