use super::*;
use std::cell::RefCell;

const GROUPS: [u32; 2] = [1, 1 << 31];

/// Wardens, and who was told.
#[derive(Default)]
struct World(Wardens, RefCell<Vec<usize>>);

impl World {
    fn tell(&self, core: CoreId) {
        self.1.borrow_mut().push(core.index());
    }

    fn diminish(&self, group: u32, core: Option<CoreId>, is_on: impl FnOnce() -> bool) {
        self.0.diminish(group, core.unwrap_or(CoreId::FIRST), is_on, |core| self.tell(core));
    }

    fn leave(&self, core: Option<CoreId>) {
        self.0.leave(core.unwrap_or(CoreId::FIRST), |core| self.tell(core));
    }

    fn check(&self, warden: usize, groups: u32, told: &[usize]) {
        let (core, looks_after) = self.0.now();
        assert_eq!((core.index(), looks_after), (warden, groups));
        assert_eq!(self.0.of(core), groups);
        assert_eq!(CoreId::new(warden ^ 1).map(|other| self.0.of(other)), Some(0));
        assert_eq!(*self.1.borrow(), told);
    }
}

#[test]
fn nobody_looks_after_groups_that_are_whole() {
    let world = World::default();
    world.leave(CoreId::new(1));
    world.check(0, 0, &[]);
}

#[test]
fn the_warden_of_the_last_group_looks_after_all() {
    let world = World::default();
    world.diminish(GROUPS[0], CoreId::new(511), || true);
    world.check(511, GROUPS[0], &[511]);
    world.diminish(GROUPS[1], CoreId::new(2), || true);
    world.check(2, GROUPS[0] | GROUPS[1], &[511, 2]);
}

#[test]
fn the_first_core_takes_over_from_a_warden_that_leaves() {
    let world = World::default();
    world.diminish(GROUPS[0], CoreId::new(3), || true);
    world.leave(CoreId::new(2));
    world.check(3, GROUPS[0], &[3]);
    world.leave(CoreId::new(3));
    world.leave(CoreId::new(3));
    world.check(0, GROUPS[0], &[3, 0]);
}

#[test]
fn who_is_off_is_no_warden() {
    let world = World::default();
    world.diminish(GROUPS[0], CoreId::new(3), || false);
    world.check(0, GROUPS[0], &[0]);
}

/// Whoever made another core the warden tells that one.
#[test]
fn who_is_off_may_be_the_warden_no_more() {
    let world = World::default();
    world.diminish(GROUPS[0], CoreId::new(3), || {
        world.leave(CoreId::new(3));
        false
    });
    world.check(0, GROUPS[0], &[0]);
    world.diminish(GROUPS[0], CoreId::new(3), || {
        world.diminish(GROUPS[1], CoreId::new(4), || true);
        false
    });
    world.check(4, GROUPS[0] | GROUPS[1], &[0, 4]);
}
