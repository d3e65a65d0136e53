use super::CoreSet;
use crate::core_id::CoreId;

fn indices(set: &CoreSet) -> Vec<usize> {
    set.iter().map(CoreId::index).collect()
}

#[test]
fn text_names_numbers_and_ranges() {
    let set = CoreSet::parse("2-5,7,511").unwrap();
    assert_eq!(indices(&set), [2, 3, 4, 5, 7, 511]);
    assert_eq!((set.count(), set.to_string().as_str()), (6, "2,3,4,5,7,511"));
    for wrong in ["", ",", "a", "5-2", "1,", "512", "-1", "1-", "1 2"] {
        assert_eq!(CoreSet::parse(wrong), None, "{wrong:?}");
    }
}

#[test]
fn splitting_halves_a_set() {
    for (text, lower, upper) in [("", "", ""), ("9", "9", ""), ("1,64", "1", "64"), ("1-5", "1,2,3", "4,5")] {
        let mut set = CoreSet::parse(text).unwrap_or_default();
        let taken = set.split();
        assert_eq!((set.to_string().as_str(), taken.to_string().as_str()), (lower, upper));
    }
}

#[test]
fn what_is_taken_out_is_gone() {
    let mut set: CoreSet = [3, 400].into_iter().filter_map(CoreId::new).collect();
    assert_eq!(set.pop(), CoreId::new(3));
    assert!(set.contains(CoreId::new(400).unwrap()) && !set.contains(CoreId::new(3).unwrap()));
    set.remove(CoreId::new(400).unwrap());
    assert!(set.is_empty() && set.pop().is_none());
}
