use super::{Board, Boot, BootError};
use crate::{Args, MAX_CONTEXTS};
use domains::guest_fdt::{self, DomainView};
use domains::manifest;

/// The tree that the kernel would give such a domain.
fn tree(board: manifest::Board, contexts: u32) -> Vec<u8> {
    let view = DomainView {
        board,
        contexts,
        memory: manifest::Memory { base: 0x4000_0000, size: 0x80_0000 },
        cmdline: "act=timer bytes=5",
        initramfs: None,
        region: None,
    };
    let mut bytes = vec![0; guest_fdt::MAX_BYTES];
    let length = guest_fdt::build(&view, &mut bytes).expect("it fits");
    bytes.truncate(length);
    bytes
}

#[test]
fn reads_a_component() {
    let tree = tree(manifest::Board::None, 1);
    let boot = Boot::read(&tree, 0).expect("a good tree");
    assert_eq!(boot.args, Args("act=timer bytes=5"));
    assert_eq!(boot.memory, 0x4000_0000..0x4080_0000);
    assert_eq!(boot.board, Board::None);
    assert_eq!(boot.mpidrs.as_slice(), [0]);
}

#[test]
fn reads_a_virt_board() {
    let tree = tree(manifest::Board::Virt, 18);
    let boot = Boot::read(&tree, 0x10).expect("a good tree");
    let virt = Board::Virt { uart: 0x0900_0000, distributor: 0x0800_0000, redistributors: 0x080A_0000 };
    assert_eq!(boot.board, virt);
    assert_eq!(boot.mpidrs.get(15..), Some(&[15, 0x100, 0x101][..]));
    assert_eq!(boot.entry_registers, 0x10);
}

#[test]
fn leaves_contexts_without_a_stack_alone() {
    let tree = tree(manifest::Board::Virt, 123);
    let boot = Boot::read(&tree, 0).expect("a good tree");
    assert_eq!(boot.mpidrs.len(), MAX_CONTEXTS);
}

#[test]
fn refuses_what_is_no_tree() {
    assert_eq!(Boot::read(&[0; 64], 0).err(), Some(BootError::NotATree));
}
