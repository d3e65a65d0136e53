use super::*;
use crate::fdt_writer::FdtWriter;
use dtoolkit::Node;
use dtoolkit::error::FdtErrorKind;
use dtoolkit::fdt::FdtNode;

const STRUCTURE_AT: usize = 56;

fn sample() -> Vec<u8> {
    let mut out = vec![0; 1024];
    let mut tree = FdtWriter::new(&mut out);
    tree.node(format_args!(""), |root| {
        root.texts("compatible", &["corral"]);
        root.node(format_args!("one"), |one| one.cells("reg", &[1, 2]));
        root.node(format_args!("two"), |_| ());
    });
    let length = tree.finish().unwrap();
    out.truncate(length);
    out
}

/// Looks at everything that the crate can show.
fn visit(tree: &Fdt<'_>) -> usize {
    fn below(node: FdtNode<'_>) -> usize {
        let _ = (
            node.name(),
            node.compatible().map(Iterator::count),
            node.reg().map(|regions| regions.map(Iterator::count)),
        );
        node.properties().count() + node.children().map(|child| 1 + below(child)).sum::<usize>()
    }
    let _ = tree.find_node("/none/there");
    let _ = tree.find_node("/two");
    below(tree.root())
}

fn nested(levels: usize) -> Vec<u8> {
    fn inside(tree: &mut FdtWriter<'_>, levels: usize) {
        if levels > 0 {
            tree.node(format_args!("n"), |node| inside(node, levels - 1));
        }
    }
    let mut out = vec![0; 8192];
    let mut tree = FdtWriter::new(&mut out);
    tree.node(format_args!(""), |root| inside(root, levels - 1));
    tree.finish().unwrap();
    out
}

#[test]
fn a_good_tree_is_opened_whatever_follows_it() {
    let mut blob = sample();
    assert_eq!(visit(&open(&blob).unwrap()), 4);
    blob.extend([0xff; 100]);
    assert_eq!(visit(&open(&blob).unwrap()), 4);
}

#[test]
fn a_tree_that_is_cut_anywhere_is_refused() {
    let blob = sample();
    for length in 0..blob.len() {
        assert!(open(&blob[..length]).is_err(), "{length}");
    }
    assert_eq!(open(&blob[..39]).unwrap_err().kind, FdtErrorKind::InvalidLength);
    assert_eq!(open(&blob[..blob.len() - 1]).unwrap_err().kind, FdtErrorKind::InvalidLength);
}

/// Every byte of a tree set to other values: refused, or read to its end without a panic.
#[test]
fn a_damaged_tree_never_panics() {
    let good = sample();
    for at in 0..good.len() {
        for value in 0..=255 {
            let mut blob = good.clone();
            blob[at] = value;
            if let Ok(tree) = open(&blob) {
                visit(&tree);
            }
        }
    }
}

/// Every token of the structure in every place: refused, or read to its end without a panic.
#[test]
fn misplaced_tokens_never_panic() {
    let good = sample();
    for at in (STRUCTURE_AT..good.len() - 3).step_by(4) {
        for token in 0..=9_u32 {
            let mut blob = good.clone();
            blob[at..at + 4].copy_from_slice(&token.to_be_bytes());
            if let Ok(tree) = open(&blob) {
                visit(&tree);
            }
        }
    }
}

#[test]
fn each_fault_has_its_name() {
    let set = |at: usize, value: u32| {
        let mut blob = sample();
        blob[at..at + 4].copy_from_slice(&value.to_be_bytes());
        open(&blob).unwrap_err().to_string()
    };
    assert_eq!(set(0, 0), "Invalid FDT magic number at offset 0");
    assert_eq!(set(20, 16), "FDT version 16 is not supported at offset 20");
    assert_eq!(set(24, 18), "FDT version 17 is not supported at offset 20");
    assert_eq!(set(4, u32::MAX), "Invalid FDT length at offset 4");
    assert_eq!(set(8, u32::MAX), "FDT header has failed validation: struct offset out of bounds at offset 8");
    assert_eq!(set(12, u32::MAX - 8), "FDT header has failed validation: strings offset out of bounds at offset 12");
    // A no-operation, a named root, a property whose name is outside the strings.
    assert_eq!(set(STRUCTURE_AT, 4), "Bad FDT token: 0x1 at offset 56");
    assert_eq!(set(STRUCTURE_AT + 4, 0x6162_6300), "Invalid node name at offset 60");
    assert_eq!(set(STRUCTURE_AT + 16, 1000), "Invalid FDT length at offset 1136");
}

/// The crate does not recurse: however deep a tree nests, its root's children are found without a deep stack.
#[test]
fn nesting_costs_no_stack() {
    let blob = nested(300);
    let tree = open(&blob).unwrap();
    assert_eq!(tree.root().children().count(), 1);
    assert_eq!(visit(&tree), 299);
}
