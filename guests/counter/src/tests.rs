use super::*;
use replicated_log::MemoryError;
use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn said() -> Vec<String> {
    SAID.take()
}

#[derive(Clone)]
struct Region(Rc<RefCell<Vec<u64>>>);

impl Region {
    fn new(records: usize) -> Self {
        Self(Rc::new(RefCell::new(vec![0; 512 + records * 8])))
    }

    fn service(&self) -> Service<Self> {
        Service::new(self.clone(), |line| SAID.with_borrow_mut(|said| said.push(line.to_string())))
    }
}

impl Memory for Region {
    fn words(&self) -> u64 {
        self.0.borrow().len() as u64
    }

    fn load(&self, at: u64, words: &mut [u64]) -> Result<(), MemoryError> {
        words.copy_from_slice(&self.0.borrow()[at as usize..][..words.len()]);
        Ok(())
    }

    fn store(&mut self, at: u64, words: &[u64]) -> Result<(), MemoryError> {
        self.0.borrow_mut()[at as usize..][..words.len()].copy_from_slice(words);
        Ok(())
    }

    fn barrier(&self) {}
}

#[test]
fn a_standby_goes_on_where_the_primary_was() {
    let region = Region::new(64);
    let [mut primary, mut standby] = [region.service(), region.service()];
    standby.stand_by(1).unwrap();
    primary.resume(1).unwrap();
    primary.count(1).unwrap();
    standby.follow().unwrap();
    primary.count(1).unwrap();
    standby.resume(2).unwrap();
    standby.count(2).unwrap();
    let lines = [
        "count: standby epoch=1",
        "count: resumes epoch=1 after=0",
        "count: epoch=1 seq=1",
        "count: epoch=1 seq=2",
        "count: resumes epoch=2 after=2",
        "count: epoch=2 seq=3",
    ];
    assert_eq!(said(), lines);
    assert_eq!(primary.count(1), Err(Failure::Log(Error::WrongEpoch)));
    assert_eq!(said(), [""; 0]);
}

#[test]
fn a_standby_that_is_slow_leaves_out_what_is_gone() {
    let region = Region::new(8);
    let [mut primary, mut standby] = [region.service(), region.service()];
    primary.resume(1).unwrap();
    (0..50).for_each(|_| primary.count(1).unwrap());
    standby.follow().unwrap();
    assert_eq!(standby.last(), 50);
}

#[test]
fn records_of_another_service_are_not_counted_on() {
    let region = Region::new(8);
    let mut log = Log::create(region.clone()).unwrap();
    log.append(1, b"other").unwrap();
    log.commit(1).unwrap();
    assert_eq!(region.service().resume(2), Err(Failure::NotOurs(1)));
    assert_eq!(region.service().count(2), Err(Failure::Log(Error::Absent)));
    assert_eq!(said(), [""; 0]);
}
