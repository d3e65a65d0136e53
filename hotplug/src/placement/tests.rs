use super::*;

fn core(index: usize) -> CoreId {
    CoreId::new(index).unwrap()
}

#[test]
fn a_seat_is_where_it_was_set() {
    let seat = Seat::default();
    assert_eq!((seat.now(), seat.find()), (None, None));
    seat.set(Some(core(511)));
    assert_eq!((seat.now(), seat.find()), (Some(core(511)), Some(core(511))));
    seat.set(None);
    assert_eq!(seat.now(), None);
}

#[test]
fn contexts_beyond_the_first_are_folded() {
    let mut placement = Placement::default();
    placement.spare.insert(core(1));
    placement.seated(core(1), 0);
    placement.seated(core(1), 1);
    placement.seated(core(1), 2);
    assert_eq!((placement.folded, placement.spare.count()), (2, 0));
    placement.left(2);
    placement.left(1);
    placement.left(0);
    assert_eq!(placement.folded, 0);
}

#[test]
fn a_refuge_is_the_least_crowded_of_the_next_cores() {
    let seats = [Some(0), None, Some(2), Some(3), Some(4), Some(5), Some(6)].map(|seat| seat.map(core));
    let refuge = |index, crowds: [usize; 7]| {
        let crowd = |core: CoreId| crowds.get(core.index()).copied().filter(|crowd| *crowd < 10);
        refuge(index, seats.len(), |context| seats[context], crowd).map(CoreId::index)
    };
    assert_eq!(refuge(0, [1, 0, 1, 1, 0, 0, 0]), Some(2), "the third is not looked at");
    assert_eq!(refuge(0, [1, 0, 2, 1, 0, 0, 0]), Some(3));
    assert_eq!(refuge(6, [1, 0, 1, 1, 1, 1, 2]), Some(0), "around the end");
    assert_eq!(refuge(0, [1, 0, 10, 10, 10, 3, 2]), Some(6), "what cannot be used does not count");
    assert_eq!(refuge(6, [10; 7]), None);
}
