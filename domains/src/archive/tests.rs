use super::*;

/// An archive as `cpio -o -H newc` writes it.
fn newc(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files.iter().chain([&(TRAILER, &b""[..])]) {
        let mut fields = [0; 13];
        (fields[6], fields[11]) = (content.len(), name.len() + 1);
        bytes.extend(b"070701");
        fields.iter().for_each(|field| bytes.extend(format!("{field:08X}").bytes()));
        bytes.extend(name.bytes().chain([0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(*content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

fn sample() -> Vec<u8> {
    newc(&[("manifest.dtb", b"12345"), ("empty", b""), ("Image", &[7; 1000])])
}

#[test]
fn files_are_found_at_aligned_places() {
    let bytes = sample();
    let archive = Archive::new(&bytes).unwrap();
    assert_eq!(archive.find("manifest.dtb"), Some(&b"12345"[..]));
    assert_eq!(archive.find("empty"), Some(&b""[..]));
    assert_eq!(archive.find("Image"), Some(&[7; 1000][..]));
    assert_eq!(archive.find("nothing"), None);
    assert_eq!(archive.find(TRAILER), None);
    for (_, content) in archive.files() {
        assert_eq!((content.as_ptr() as usize - bytes.as_ptr() as usize) % 4, 0);
    }
}

#[test]
fn bytes_after_the_trailer_are_ignored() {
    let mut bytes = sample();
    bytes.extend([0xff; 500]);
    assert_eq!(Archive::new(&bytes).unwrap().files().count(), 3);
    assert_eq!(Archive::new(&newc(&[])).unwrap().files().count(), 0);
}

#[test]
fn an_archive_that_is_cut_anywhere_is_refused() {
    let bytes = sample();
    let trailer = bytes.len() - (HEADER_BYTES + TRAILER.len() + 1).next_multiple_of(4);
    for length in 0..bytes.len() {
        let error = Archive::new(&bytes[..length]).unwrap_err();
        assert!(error.offset <= trailer);
    }
}

#[test]
fn damage_is_named_and_never_panics() {
    let good = sample();
    for at in 0..good.len() {
        for value in [0, b'-', b'F', 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            if let Ok(archive) = Archive::new(&bytes) {
                archive.files().for_each(drop);
            }
        }
    }
    let mut bytes = good;
    bytes[0] = b'9';
    let error = Archive::new(&bytes).unwrap_err();
    assert_eq!(error, DamagedArchive { offset: 0 });
    let mut huge = newc(&[("a", b"")]);
    huge[FILE_SIZE_AT..FILE_SIZE_AT + 8].copy_from_slice(b"FFFFFFFF");
    assert!(Archive::new(&huge).is_err());
}
