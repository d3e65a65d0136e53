use super::*;

/// An AArch64 ELF with these segments: physical address, contents, size in memory.
pub fn elf(segments: &[(u64, &[u8], u64)]) -> Vec<u8> {
    let headers = 64 + 56 * segments.len();
    let mut file = Vec::new();
    file.extend(b"\x7fELF\x02\x01\x01");
    file.resize(16, 0);
    for half in [2u16, EM_AARCH64] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1u32.to_le_bytes());
    for word in [0u64, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for half in [64u16, 56, segments.len() as u16, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let mut offset = headers as u64;
    for (address, contents, memory) in segments {
        file.extend(PT_LOAD.to_le_bytes());
        file.extend(5u32.to_le_bytes());
        // The virtual address is another one: it must not matter.
        let virtual_address = address + 0xffff_0000_0000_0000;
        let size = contents.len() as u64;
        for word in [offset, virtual_address, *address, size, *memory, 4096] {
            file.extend(word.to_le_bytes());
        }
        offset += size;
    }
    for (_, contents, _) in segments {
        file.extend(*contents);
    }
    file
}

#[test]
fn segments_are_laid_out_by_physical_address() {
    let file = elf(&[(0x4020_0010, b"data", 4096), (0x4020_0000, b"text", 4), (0x4030_0000, b"", 99)]);
    let image = raw_from_elf(&file).unwrap();
    assert_eq!(&image[..4], b"text");
    assert_eq!(&image[4..16], [0; 12]);
    assert_eq!(&image[16..], b"data");
}

#[test]
fn other_files_are_refused_with_a_reason() {
    assert!(raw_from_elf(b"not an ELF").is_err());
    assert_eq!(raw_from_elf(&elf(&[])).unwrap_err(), "it has nothing to load");
    let far = elf(&[(0, b"x", 1), (1 << 40, b"x", 1)]);
    assert_eq!(raw_from_elf(&far).unwrap_err(), "its segments span more than 64 MiB");
    let mut x86 = elf(&[(0, b"x", 1)]);
    x86[18] = 62;
    assert_eq!(raw_from_elf(&x86).unwrap_err(), "it is not for AArch64");
    let mut cut = elf(&[(0, b"contents", 8)]);
    cut.truncate(cut.len() - 1);
    assert!(raw_from_elf(&cut).is_err());
}

#[test]
fn formats_are_told_by_their_magic() {
    let mut image = vec![0; 64];
    image[56..60].copy_from_slice(b"ARM\x64");
    assert_eq!(format_of(&image), Ok(Format::Image));
    assert_eq!(format_of(&elf(&[])), Ok(Format::Elf));
    assert_eq!(format_of(b""), Ok(Format::Raw));
    assert_eq!(format_of(b"\x1f\x8b\x08"), Err(Packed::Gzip));
    assert_eq!(format_of(b"MZ\0\0zimg"), Err(Packed::EfiZboot));
}
