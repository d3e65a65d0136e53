use super::*;

#[test]
fn a_page_is_new_once() {
    let mut words = [u64::MAX; 2];
    let mut set = DirtySet::new(&mut words);
    assert!(set.count() == 0);
    assert_eq!([5, 127, 5, 63, 64, 127].map(|page| set.insert(page)), [true, true, false, true, true, false]);
    assert_eq!((set.count(), set.iter().collect::<Vec<_>>()), (4, vec![5, 63, 64, 127]));
    set.clear();
    assert_eq!((set.count(), set.iter().count(), set.insert(5)), (0, 0, true));
}

#[test]
fn pages_beyond_the_end_are_none() {
    let mut words = [0; 1];
    let mut set = DirtySet::new(&mut words);
    assert_eq!((words_of(63), words_of(64), words_of(65)), (1, 1, 2));
    assert!(!set.insert(64) && set.count() == 0);
}

fn words_of(pages: usize) -> usize {
    super::words(pages)
}

/// Memory with an undo log, as the kernel keeps it, against whole copies.
#[test]
fn what_is_undone_is_what_was() {
    const PAGES: usize = 70;
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    let (mut memory, mut shadow) = ([0u64; PAGES], [0u64; PAGES]);
    let mut words = [0; words(PAGES)];
    let (mut set, mut copy) = (DirtySet::new(&mut words), memory);
    for step in 0..20_000 {
        match random(50) {
            0 => {
                set.clear();
                copy = memory;
            }
            1 => {
                set.iter().for_each(|page| memory[page] = shadow[page]);
                set.clear();
                assert_eq!(memory, copy);
            }
            _ => {
                let page = random(PAGES);
                if set.insert(page) {
                    shadow[page] = memory[page];
                }
                memory[page] = step;
            }
        }
    }
}
