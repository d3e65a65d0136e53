//! Puts a domain's images into its memory, pristine each time: all of its RAM is cleared first.
//!
//! Layout: the image at its place (Image: RAM base + text_offset; ELF: its physical addresses;
//! raw: its load offset), the device tree in the last 2 MiB of RAM, the initramfs below it.

use crate::arch::core_local::CoreLocal;
use crate::arch::{cache, mmu};
use crate::boot::kernel;
use crate::domain::Domain;
use arrayvec::ArrayVec;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;
use domains::archive::Archive;
use domains::guest_fdt::{self, DomainView};
use domains::manifest::ImageFormat;
use domains::psci::Entry;
use elf::ElfBytes;
use elf::abi::PT_LOAD;
use elf::endian::LittleEndian;

domains::displayed! {
    /// Why a domain cannot be loaded, and what to do.
    pub enum LoadError {
        Missing = "a file of its manifest is not in the boot archive",
        Format = "its image is not what its format in the manifest says",
        Segments = "its image has too many segments",
        TooLarge = "image, initramfs and 2 MiB for the device tree do not fit: give it more memory",
    }
}

type Copies = ArrayVec<(u64, &'static [u8]), 16>;

/// Where a domain's files go.
struct Layout {
    /// What is copied, each with its place: files, or the segments of one.
    copies: Copies,
    initramfs: Option<Range<u64>>,
    entry: u64,
    device_tree: u64,
}

fn layout(domain: &Domain) -> Result<Layout, LoadError> {
    let memory = domain.spec.memory;
    let archive = Archive::new(kernel().machine.archive_bytes()).map_err(|_| LoadError::Missing)?;
    let image = archive.find(domain.spec.image).ok_or(LoadError::Missing)?;
    let device_tree = memory.base.wrapping_add(memory.size).wrapping_sub(mmu::BLOCK);
    let (mut copies, mut initramfs) = (Copies::new(), None);
    let mut top = device_tree;
    if let Some(name) = domain.spec.initramfs {
        let bytes = archive.find(name).ok_or(LoadError::Missing)?;
        top = top.wrapping_sub(bytes.len() as u64) & !mmu::PAGE.wrapping_sub(1);
        initramfs = Some(top..top.wrapping_add(bytes.len() as u64));
        copies.push((top, bytes));
    }
    let (entry, end) = match domain.spec.format {
        ImageFormat::Elf => add_segments(domain, image, &mut copies)?,
        format => {
            let (offset, size) = if format == ImageFormat::Image { image_header(image)? } else { (0, 0) };
            let offset = domain.spec.load_offset.unwrap_or(offset);
            let start = memory.base.checked_add(offset).ok_or(LoadError::TooLarge)?;
            copies.push((start, image));
            (start, start.checked_add(size.max(image.len() as u64)).ok_or(LoadError::TooLarge)?)
        }
    };
    let fits = end <= top && top >= memory.base;
    fits.then_some(Layout { copies, initramfs, entry, device_tree }).ok_or(LoadError::TooLarge)
}

/// Clears the next piece of a domain's memory, or copies the next piece of a file; whether that was the last. Its core
/// can do something else in between.
///
/// # Errors
/// See [`LoadError`].
#[inline(never)]
pub fn step(core: &CoreLocal, domain: &Domain) -> Result<bool, LoadError> {
    let memory = domain.spec.memory;
    let done = domain.loaded.load(Relaxed);
    domain.loaded.store(done.wrapping_add(mmu::BLOCK), Relaxed);
    let Some(copied) = done.checked_sub(memory.size) else {
        domain.with_memory(core, memory.base.wrapping_add(done), mmu::BLOCK, |bytes| {
            cache::clear(bytes);
            cache::clean(bytes);
        });
        return Ok(false);
    };
    let piece = mmu::BLOCK as usize;
    let pieces = |(start, bytes): (u64, &'static [u8])| (start..).step_by(piece).zip(bytes.chunks(piece));
    match layout(domain)?.copies.into_iter().flat_map(pieces).nth((copied / mmu::BLOCK) as usize) {
        Some((at, bytes)) => put(core, domain, at, bytes).map(|()| false),
        None => Ok(true),
    }
}

/// Loads the rest of `domain`, after its last [step], by the core that holds its first context; nothing of the domain
/// runs. Answers where that begins, with the device tree's address for its x0.
///
/// # Errors
/// See [`LoadError`].
#[inline(never)] // its frame is large
pub fn load(core: &CoreLocal, domain: &Domain) -> Result<Entry, LoadError> {
    let Layout { initramfs, entry, device_tree, .. } = layout(domain)?;
    let view = DomainView {
        board: domain.spec.board,
        contexts: domain.contexts().len() as u32,
        memory: domain.spec.memory,
        cmdline: domain.spec.cmdline,
        initramfs,
        region: domain.member().map(|member| member.team.region.map_or(0, |region| region.length)),
    };
    let mut built = Err(LoadError::TooLarge);
    domain.with_memory(core, device_tree, guest_fdt::MAX_BYTES as u64, |bytes| {
        built = guest_fdt::build(&view, bytes).map_err(|_| LoadError::TooLarge);
        cache::clean(bytes);
    });
    built?;
    cache::invalidate_instructions();
    Ok(Entry { address: entry, context_id: device_tree })
}

/// Copies `bytes` to the guest's address `start`.
fn put(core: &CoreLocal, domain: &Domain, start: u64, bytes: &[u8]) -> Result<(), LoadError> {
    let mut rest = bytes;
    let copied = domain.with_memory(core, start, bytes.len() as u64, |piece| {
        if let Some(head) = rest.split_off(..piece.len()) {
            piece.copy_from_slice(head);
            cache::clean(piece);
        }
    });
    if copied { Ok(()) } else { Err(LoadError::TooLarge) }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// An arm64 Image (Linux, Documentation/arm64/booting.rst): returns its offset in memory, and its size with its BSS.
fn image_header(image: &[u8]) -> Result<(u64, u64), LoadError> {
    if image.get(56..60) != Some(b"ARM\x64".as_slice()) {
        return Err(LoadError::Format);
    }
    number(image, 8).zip(number(image, 16)).ok_or(LoadError::Format)
}

/// Adds the segments of an ELF file that are loaded; its entry and the end of its highest segment.
fn add_segments(domain: &Domain, image: &'static [u8], copies: &mut Copies) -> Result<(u64, u64), LoadError> {
    let file = ElfBytes::<LittleEndian>::minimal_parse(image).map_err(|_| LoadError::Format)?;
    let mut end = 0;
    let segments = file.segments().ok_or(LoadError::Format)?.iter();
    for segment in segments.filter(|segment| segment.p_type == PT_LOAD) {
        if !domain.spec.memory.contains(segment.p_paddr, segment.p_memsz) {
            return Err(LoadError::TooLarge);
        }
        end = end.max(segment.p_paddr.wrapping_add(segment.p_memsz));
        let bytes = file.segment_data(&segment).map_err(|_| LoadError::Format)?;
        copies.try_push((segment.p_paddr, bytes)).map_err(|_| LoadError::Segments)?;
    }
    Ok((file.ehdr.e_entry, end))
}
