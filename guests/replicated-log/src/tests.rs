use super::*;
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

type Meanwhile = Vec<Box<dyn FnOnce()>>;

/// A region that several handles share, and that can lose its writer.
#[derive(Clone)]
struct Region {
    words: Rc<RefCell<Vec<u64>>>,
    /// How many more stores come through.
    stores: Rc<Cell<usize>>,
    /// Called before each load: what the writer does meanwhile.
    meanwhile: Rc<RefCell<Meanwhile>>,
}

impl Region {
    fn new(records: usize) -> Self {
        Self {
            words: Rc::new(RefCell::new(vec![0; 512 + records * 8])),
            stores: Rc::new(Cell::new(usize::MAX)),
            meanwhile: Rc::default(),
        }
    }

    /// With a log of which so many records are committed, each in its epoch.
    fn with(records: usize, epochs: &[u32]) -> Self {
        let region = Self::new(records);
        let mut log = Log::create(region.clone()).unwrap();
        for (index, &epoch) in epochs.iter().enumerate() {
            assert_eq!(log.append(epoch, &payload(index as u64 + 1)), Ok(index as u64 + 1));
            assert_eq!(log.commit(epoch), Ok(index as u64 + 1));
        }
        region
    }

    fn open(&self) -> Log<Self> {
        Log::open(self.clone()).unwrap()
    }

    fn copy(&self) -> Self {
        Self { words: Rc::new(RefCell::new(self.words.borrow().clone())), ..Self::new(0) }
    }
}

impl Memory for Region {
    fn words(&self) -> u64 {
        self.words.borrow().len() as u64
    }

    fn load(&self, at: u64, words: &mut [u64]) -> Result<(), MemoryError> {
        let next = self.meanwhile.borrow_mut().pop();
        if let Some(next) = next {
            next();
        }
        let at = at as usize;
        words.copy_from_slice(self.words.borrow().get(at..at + words.len()).ok_or(MemoryError)?);
        Ok(())
    }

    fn store(&mut self, at: u64, words: &[u64]) -> Result<(), MemoryError> {
        for (index, word) in words.iter().enumerate() {
            let Some(left) = self.stores.get().checked_sub(1) else { return Err(MemoryError) };
            self.stores.set(left);
            *self.words.borrow_mut().get_mut(at as usize + index).ok_or(MemoryError)? = *word;
        }
        Ok(())
    }

    fn barrier(&self) {}
}

fn payload(sequence: u64) -> Vec<u8> {
    sequence.to_le_bytes().repeat(5)[..(sequence % 41) as usize].to_vec()
}

/// All that a new reader finds: the last records, and what is committed.
fn contents(region: &Region) -> Result<(Vec<Record>, Committed), Error> {
    let log = Log::open(region.clone())?;
    let mut records = Vec::new();
    let from = log.first_kept()?;
    let committed = log.catch_up(from, |record| records.push(*record))?;
    Ok((records, committed))
}

#[test]
fn an_empty_log() {
    let region = Region::new(4);
    assert_eq!(Log::open(region.clone()).err(), Some(Error::Absent));
    let log = Log::create(region.clone()).unwrap();
    assert_eq!(log.capacity(), 4);
    assert_eq!(log.committed(), Ok(Committed::default()));
    assert_eq!(log.read(1), Err(Error::NotCommitted));
    assert_eq!(contents(&region), Ok((vec![], Committed::default())));
    assert_eq!(Log::create(region).err(), Some(Error::Exists));
    assert_eq!(Log::create(Region::new(1)).err(), Some(Error::TooSmall));
}

#[test]
fn the_layout_is_the_documented_one() {
    let region = Region::with(4, &[1, 2]);
    let words = region.words.borrow();
    assert_eq!(words[0].to_le_bytes(), *b"CORRLOG1");
    assert_eq!(words[1..4], [4, 2 << 40 | 2, 0]);
    assert_eq!(words[512..515], [1, 1 << 32 | 1, 1]);
    assert_eq!(words[520..523], [2, 2 << 32 | 2, 2]);
}

#[test]
fn what_is_appended_counts_when_it_is_committed() {
    let region = Region::with(8, &[1]);
    let mut log = region.open();
    assert_eq!(log.append(1, b"a"), Ok(2));
    assert_eq!(log.append(1, b"b"), Ok(3));
    assert_eq!(region.open().read(2), Err(Error::NotCommitted));
    assert_eq!(log.commit(1), Ok(3));
    assert_eq!(region.open().read(2).unwrap().payload(), b"a");
    assert_eq!(region.open().read(3).unwrap().payload(), b"b");
    assert_eq!(log.commit(1), Ok(3));
}

#[test]
fn what_a_lost_writer_appended_is_written_over() {
    let region = Region::with(8, &[1]);
    region.open().append(1, b"old").unwrap();
    let mut new = region.open();
    assert_eq!(new.append(2, b"new"), Ok(2));
    assert_eq!(new.commit(2), Ok(2));
    assert_eq!(region.open().read(2).unwrap().payload(), b"new");
}

#[test]
fn a_handle_that_others_wrote_past_starts_behind_them() {
    let region = Region::with(8, &[1]);
    let mut old = region.open();
    old.append(1, b"old").unwrap();
    let mut new = region.open();
    new.append(2, b"new").unwrap();
    new.commit(2).unwrap();
    assert_eq!(old.commit(1), Err(Error::WrongEpoch));
    assert_eq!(old.append(1, b"old"), Err(Error::WrongEpoch));
    assert_eq!(old.append(2, b"next"), Ok(3));
    assert_eq!(old.commit(1), Err(Error::WrongEpoch));
    assert_eq!(old.commit(2), Ok(3));
}

#[test]
fn limits_are_kept() {
    let region = Region::with(5, &[3]);
    let mut log = region.open();
    assert_eq!(log.append(3, &[0; 41]), Err(Error::TooLong));
    assert_eq!(log.append(2, b""), Err(Error::WrongEpoch));
    assert_eq!(log.append(EPOCH_MAX + 1, b""), Err(Error::Exhausted));
    assert_eq!(log.append(3, &[7; 40]), Ok(2));
    assert_eq!(log.append(3, b""), Ok(3));
    assert_eq!(log.append(3, b""), Err(Error::Full));
    assert_eq!(log.commit(3), Ok(3));
    assert_eq!(log.append(3, b""), Ok(4));
}

#[test]
fn old_records_go_and_kept_ones_stay() {
    let region = Region::with(5, &[1; 17]);
    let mut log = region.open();
    log.append(1, b"").unwrap();
    log.append(1, b"").unwrap();
    assert_eq!(log.kept(), 3);
    for sequence in 1..=14 {
        assert_eq!(log.read(sequence), Err(Error::Gone));
        assert_eq!(log.catch_up(sequence, |_| ()), Err(Error::Gone));
    }
    for sequence in 15..=17 {
        assert_eq!(log.read(sequence).unwrap().payload(), payload(sequence));
    }
    assert_eq!(log.first_kept(), Ok(15));
    assert_eq!(log.catch_up(18, |_| ()), Ok(Committed { epoch: 1, sequence: 17 }));
    assert_eq!(log.catch_up(19, |_| ()), Err(Error::NotCommitted));
}

#[test]
fn a_reader_notices_that_the_writer_came_round() {
    let region = Region::with(2, &[1, 1]);
    let reader = region.open();
    let writes = |count: usize| -> Box<dyn FnOnce()> {
        let region = region.clone();
        Box::new(move || {
            let others = std::mem::take(&mut *region.meanwhile.borrow_mut());
            let mut writer = region.open();
            for _ in 0..count {
                writer.append(1, b"").unwrap();
                writer.commit(1).unwrap();
            }
            *region.meanwhile.borrow_mut() = others;
        })
    };
    // Between the commit word and the record.
    *region.meanwhile.borrow_mut() = vec![writes(2), Box::new(|| ())];
    assert_eq!(reader.read(2), Err(Error::Gone));
    *region.meanwhile.borrow_mut() = vec![writes(2), Box::new(|| ())];
    assert_eq!(reader.committed(), Ok(Committed { epoch: 1, sequence: 6 }));
}

#[test]
fn a_fallen_epoch_is_noticed() {
    let region = Region::with(8, &[1, 3, 3]);
    let forged = Record::new(2, 4, b"").unwrap();
    region.words.borrow_mut()[520..528].copy_from_slice(&forged.to_words());
    assert_eq!(contents(&region), Err(Error::Corrupt(2)));
    let forged = Record::new(3, 2, b"").unwrap();
    region.words.borrow_mut()[520..528].copy_from_slice(&Record::new(2, 3, b"").unwrap().to_words());
    region.words.borrow_mut()[528..536].copy_from_slice(&forged.to_words());
    region.words.borrow_mut()[2] = 2 << 40 | 3;
    assert_eq!(contents(&region), Err(Error::Corrupt(2)));
    region.words.borrow_mut()[2] = 3 << 40 | 3;
    assert_eq!(contents(&region), Err(Error::Corrupt(3)));
}

#[test]
fn a_creation_that_is_stopped_leaves_nothing_or_a_log() {
    for stores in 0..=2 {
        let region = Region::new(4);
        region.stores.set(stores);
        let _ = Log::create(region.clone());
        region.stores.set(usize::MAX);
        match Log::open(region.clone()) {
            Err(Error::Absent) => assert_eq!(Log::create(region).unwrap().committed(), Ok(Committed::default())),
            log => assert_eq!(log.unwrap().committed(), Ok(Committed::default())),
        }
    }
}

fn epochs() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(prop::bool::weighted(0.2), 0..40).prop_map(|steps| {
        let mut epoch = 1;
        let next = |step: bool| {
            epoch += u32::from(step);
            epoch
        };
        steps.into_iter().map(next).collect()
    })
}

proptest! {
    /// A writer that is stopped after any of its stores leaves what was, or what was to be; and the next one goes on
    /// from there.
    #[test]
    fn torn(epochs in epochs(), capacity in 2usize..9, batch in 1usize..5, cut in 0usize..60) {
        let region = Region::with(capacity, &epochs);
        let before = contents(&region).unwrap();
        let epoch = epochs.last().copied().unwrap_or(1);
        let write = |region: &Region| -> Result<u64, Error> {
            let mut log = region.open();
            for index in 0..batch {
                match log.append(epoch, &payload(index as u64)) {
                    Ok(_) | Err(Error::Full) => {}
                    Err(error) => return Err(error),
                }
            }
            log.commit(epoch)
        };
        let whole = region.copy();
        let last = write(&whole).unwrap();
        let after = contents(&whole).unwrap();
        prop_assert_eq!(after.1, Committed { epoch, sequence: last });

        region.stores.set(cut);
        let done = write(&region);
        region.stores.set(usize::MAX);
        let now = contents(&region).unwrap();
        prop_assert!(now == before || done.is_ok() && now == after, "{:?} of {:?}", now, cut);
        prop_assert_eq!(done.is_ok(), now != before);

        let mut successor = region.open();
        prop_assert_eq!(successor.append(epoch + 1, b"next"), Ok(now.1.sequence + 1));
        prop_assert_eq!(successor.commit(epoch + 1), Ok(now.1.sequence + 1));
        let next = successor.read(now.1.sequence + 1).unwrap();
        prop_assert_eq!(next.payload(), b"next");
    }

    /// Before the barrier stores may be seen in any order: whichever of an append's are, the log is as it was.
    #[test]
    fn unordered(epochs in epochs(), capacity in 2usize..9, seen in any::<u8>()) {
        let region = Region::with(capacity, &epochs);
        let before = contents(&region).unwrap();
        let whole = region.copy();
        whole.open().append(99, b"unordered").unwrap();
        let changed = whole.words.borrow().clone();
        let differing: Vec<usize> =
            (0..changed.len()).filter(|&word| changed[word] != region.words.borrow()[word]).collect();
        for (bit, &word) in differing.iter().enumerate().filter(|(bit, _)| seen >> bit & 1 != 0) {
            prop_assert!(bit < 8);
            region.words.borrow_mut()[word] = changed[word];
        }
        prop_assert_eq!(contents(&region).unwrap(), before);
    }

    /// A word that someone else stored into the head or into a record that is kept is noticed by who reads it.
    #[test]
    fn wild(epochs in epochs(), capacity in 2usize..9, word in 0usize..100, value in any::<u64>()) {
        prop_assume!(!epochs.is_empty());
        let region = Region::with(capacity, &epochs);
        let before = contents(&region).unwrap();
        let last = before.1.sequence;
        let used: Vec<usize> = [0, 1, 2]
            .into_iter()
            .chain(before.0.iter().flat_map(|record| {
                let slot = (record.sequence as usize - 1) % capacity;
                (0..8).map(move |word| 512 + slot * 8 + word)
            }))
            .collect();
        let at = used[word % used.len()];
        // A capacity is as good as another as long as there was no wrap, and a log that is there starts with zeros.
        prop_assume!(region.words.borrow()[at] != value && (at != 1 || value > capacity as u64));
        region.words.borrow_mut()[at] = value;
        match contents(&region) {
            Err(Error::Corrupt(_)) => {}
            Err(error) => prop_assert!(false, "{:?}", error),
            Ok(now) => prop_assert!(false, "{:?} after {:?}, {}", now, before, last),
        }
    }

    /// Nothing that is in the region brings a reader out of step, or lets it go on for ever.
    #[test]
    fn garbage(words in prop::collection::vec(any::<u64>(), 0..600), head in any::<[u8; 3]>(), from in any::<u64>()) {
        let region = Region::new(0);
        *region.words.borrow_mut() = words;
        for (at, word) in [MAGIC, 8, 2 << 40 | 5].into_iter().enumerate() {
            if head[at] % 4 != 0 && let Some(at) = region.words.borrow_mut().get_mut(at) {
                *at = word;
            }
        }
        if let Ok(mut log) = Log::open(region.clone()) {
            let _ = log.catch_up(from, |_| ());
            let _ = log.read(from);
            let _ = log.append(3, b"x");
            let _ = log.commit(3);
        }
        let _ = Log::create(region);
    }

    /// Many members that take turns, any of them stopped anywhere: all that was committed is there in the end.
    #[test]
    fn takeovers(cuts in prop::collection::vec(0usize..60, 1..12), capacity in 4usize..40) {
        let region = Region::new(capacity);
        let mut acknowledged = 0;
        let mut follower = Vec::new();
        for (index, &cut) in cuts.iter().enumerate() {
            let epoch = index as u32 + 1;
            region.stores.set(cut);
            let mut log = match Log::open(region.clone()) {
                Err(Error::Absent) => match Log::create(region.clone()) {
                    Err(Error::Memory) => continue,
                    log => log.unwrap(),
                },
                log => log.unwrap(),
            };
            loop {
                let sequence = match log.append(epoch, &epoch.to_le_bytes()) {
                    Err(Error::Memory) => break,
                    sequence => sequence.unwrap(),
                };
                match log.commit(epoch) {
                    Err(Error::Memory) => break,
                    committed => prop_assert_eq!(committed, Ok(sequence)),
                }
                prop_assert_eq!(sequence, acknowledged + 1);
                acknowledged = sequence;
                let from = follower.last().map_or(1, |record: &Record| record.sequence + 1);
                log.catch_up(from, |record| follower.push(*record)).unwrap();
            }
            // A store of the commit word that came through before the writer could tell counts, too.
            region.stores.set(usize::MAX);
            if let Ok(log) = Log::open(region.clone()) {
                let committed = log.committed().unwrap().sequence;
                prop_assert!(committed == acknowledged || committed == acknowledged + 1);
                acknowledged = committed;
            }
        }
        let numbers: Vec<u64> = follower.iter().map(|record| record.sequence).collect();
        prop_assert_eq!(&numbers, &(1..=numbers.len() as u64).collect::<Vec<_>>());
        prop_assert!(follower.is_sorted_by_key(|record| record.epoch));
    }
}
