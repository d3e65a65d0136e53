use super::*;
use std::collections::BTreeMap;

/// Brings up `cores` cores, of which some are refused; how often each was asked for, and the
/// longest chain of wake-ups.
fn run(cores: usize, refused: &[usize]) -> (BTreeMap<usize, u32>, usize) {
    let mut asked = BTreeMap::new();
    let mut coming = vec![(0, 0)];
    let mut deepest = 0;
    while let Some((core, depth)) = coming.pop() {
        deepest = deepest.max(depth);
        wake_children(core, &mut |child| {
            if child >= cores {
                return false;
            }
            *asked.entry(child).or_insert(0) += 1;
            if refused.contains(&child) {
                return true;
            }
            coming.push((child, depth + 1));
            false
        });
    }
    (asked, deepest)
}

#[test]
fn every_core_is_asked_for_once() {
    for cores in [1, 2, 3, 8, 100, 512] {
        let (asked, _) = run(cores, &[]);
        assert_eq!(asked.keys().copied().collect::<Vec<_>>(), (1..cores).collect::<Vec<_>>());
        assert!(asked.values().all(|times| *times == 1));
    }
}

#[test]
fn the_longest_path_grows_with_the_logarithm() {
    assert_eq!(run(8, &[]).1, 3);
    assert_eq!(run(64, &[]).1, 6);
    assert_eq!(run(512, &[]).1, 9);
}

#[test]
fn what_hangs_on_a_refused_core_comes_up_all_the_same() {
    for refused in [vec![1], vec![1, 2], vec![1, 3, 7, 15], (1..20).collect()] {
        let (asked, _) = run(40, &refused);
        assert_eq!(asked.len(), 39);
        assert!(asked.values().all(|times| *times == 1));
    }
}
