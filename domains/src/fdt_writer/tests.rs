use super::*;
use dtoolkit::{Node, Property};

fn sample(out: &mut [u8]) -> Result<usize, TooSmall> {
    let mut tree = FdtWriter::new(out);
    tree.node(format_args!(""), |root| {
        root.texts("compatible", &["a,b", "c"]);
        root.cells("flag", &[]);
        root.node(format_args!("child@{:x}", 0x1f), |child| {
            child.cells("reg", &[1, 0xffff_ffff]);
            child.texts("compatible", &["d"]);
        });
    });
    tree.finish()
}

#[test]
fn a_tree_is_read_as_it_was_written() {
    let mut out = [0xff; 1024];
    let length = sample(&mut out).unwrap();
    let tree = crate::tree::open(&out[..length]).unwrap();
    assert_eq!(tree.data().len(), length);
    let root = tree.root();
    assert_eq!(root.compatible().unwrap().collect::<Vec<_>>(), ["a,b", "c"]);
    assert_eq!(root.property("flag").unwrap().value(), b"");
    let child = tree.find_node("/child@1f").unwrap();
    assert_eq!(child.property("reg").unwrap().value(), [0, 0, 0, 1, 255, 255, 255, 255]);
    let names = tree.data().strip_suffix(b"compatible\0flag\0reg\0");
    assert!(names.is_some(), "each name is there once, at the end");
    assert_eq!(tree.memory_reservations().count(), 0);
}

#[test]
fn a_tree_that_does_not_fit_is_refused_at_every_length() {
    let mut out = [0; 1024];
    let length = sample(&mut out).unwrap();
    for short in 0..length {
        assert_eq!(sample(&mut out[..short]), Err(TooSmall));
    }
    assert_eq!(sample(&mut out[..length]), Ok(length));
}

#[test]
fn too_many_names_are_refused() {
    const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut out = [0; 4096];
    let mut build = |names: usize| {
        let mut tree = FdtWriter::new(&mut out);
        tree.node(format_args!(""), |root| {
            (0..names).for_each(|name| root.cells(&ALPHABET[name..=name], &[]));
        });
        tree.finish()
    };
    assert!(build(NAMES).is_ok());
    assert_eq!(build(NAMES + 1), Err(TooSmall));
}
