use std::io::Read;

use super::*;

/// The entries of an archive: name, mode, contents.
pub fn list(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    let mut entries = Vec::new();
    loop {
        let mut reader = newc::Reader::new(bytes).unwrap();
        if reader.entry().is_trailer() {
            return entries;
        }
        let mut contents = Vec::new();
        reader.read_to_end(&mut contents).unwrap();
        let entry = reader.entry();
        entries.push((entry.name().to_owned(), entry.mode(), contents));
        bytes = reader.finish().unwrap();
    }
}

#[test]
fn entries_come_back() {
    let mut archive = Archive::new();
    archive.add("manifest.dtb", Kind::Data, b"12345").unwrap();
    let console = Kind::CharacterDevice { major: 5, minor: 1 };
    archive.add("dev/console", console, &[]).unwrap();
    let bytes = archive.finish().unwrap();
    assert_eq!(bytes.len() % 4, 0);
    let entries = list(&bytes);
    assert_eq!(entries[0], ("manifest.dtb".into(), 0o100644, b"12345".into()));
    assert_eq!(entries[1].1, 0o020600);
}
