//! What a member's guest does: it beats, and as the primary it commits records to the log and says so.

use crate::specification::Said;
use crate::world::{Domain, FAULTS, Fault, Flaw, World};
use domains::ledger::CoreState;
use domains::life::Phase;
use domains::manifest::{GroupError, Role};
use domains::protocol::EndKind;
use replicated_log::{Error, Log, MemoryError};
use shuttle::sync::atomic::Ordering::SeqCst;
use shuttle::thread;
use smp::core_id::CoreId;
use std::cell::Cell;

/// The region, as a context sees it: at each access its core may be told to stop it for good.
struct View<'a> {
    world: &'a World,
    core: CoreId,
    domain: &'a Domain,
    boots: u32,
    /// A store was refused.
    refused: &'a Cell<bool>,
}

impl View<'_> {
    fn runs(&self) -> bool {
        while self.world.cores[self.core.index()].slow.load(SeqCst) && !self.world.over.load(SeqCst) {
            thread::yield_now();
        }
        let now = self.domain.life.now();
        // Nothing of a failed core's domain is mapped any more. Of a stop it learns sooner or later.
        let stops = now.phase != Phase::Running && self.world.draw(4) == 0;
        let mapped = self.world.state(self.core) != CoreState::Failed && now.boots == self.boots;
        (mapped || self.world.has(Flaw::NoRevocation)) && !stops
    }
}

impl replicated_log::Memory for View<'_> {
    fn words(&self) -> u64 {
        self.world.region.lock().unwrap().len() as u64
    }

    fn load(&self, at: u64, words: &mut [u64]) -> Result<(), MemoryError> {
        if !self.runs() {
            return Err(MemoryError);
        }
        let region = self.world.region.lock().unwrap();
        words.iter_mut().zip(region.iter().skip(at as usize)).for_each(|(word, of)| *word = *of);
        Ok(())
    }

    fn store(&mut self, at: u64, words: &[u64]) -> Result<(), MemoryError> {
        for (index, word) in words.iter().enumerate() {
            if !self.runs() {
                return Err(MemoryError);
            }
            if !self.domain.may_write.load(SeqCst) && !self.world.has(Flaw::NoRevocation) {
                self.refused.set(true);
                return Err(MemoryError);
            }
            self.world.region.lock().unwrap()[at as usize + index] = *word;
        }
        Ok(())
    }

    fn barrier(&self) {}
}

impl World {
    /// A context runs a little.
    pub fn step(&self, core: CoreId, domain: &Domain, context: usize) {
        let boots = domain.life.now().boots;
        let ailment = domain.ailment.load(SeqCst);
        match FAULTS.into_iter().find(|fault| *fault as u8 == ailment) {
            Some(Fault::Hang | Fault::Livelock) => return,
            Some(Fault::Panic) => return self.failed(domain, GroupError::Reset, EndKind::Reset),
            Some(Fault::WildStore) => return self.failed(domain, GroupError::Fault, EndKind::Fault),
            _ => {}
        }
        let memory = *domain.memory[context].lock().unwrap();
        if context == 0 && !memory.started {
            self.start_others(core, domain);
            domain.memory[0].lock().unwrap().started = true;
        }
        let now = self.beat(domain);
        let refused = Cell::new(false);
        let view = || View { world: self, core, domain, boots, refused: &refused };
        let result = match (now.role(domain.index), context) {
            (Role::Standby, 0) => follow(view()),
            (Role::Standby, _) => Ok(()),
            (_, 0) => self.commit(view, now.epoch),
            (_, _) => {
                self.say(core, domain, boots, now.epoch, Said::Acts);
                Ok(())
            }
        };
        match result {
            // It was stopped on its way.
            Ok(()) | Err(Error::Memory) => {}
            Err(why) => panic!("CommittedLost: member {} finds the log {why:?}", domain.index),
        }
        if refused.get() && self.group.now().primary == domain.index {
            // It is told of its epoch first, and tries again.
            self.count("stores that came before the right");
        } else if refused.get() {
            self.failed(domain, GroupError::Fault, EndKind::Fault);
        }
    }

    fn start_others(&self, core: CoreId, domain: &Domain) {
        let mut seats = domain.seats.lock().unwrap();
        for seat in seats.iter_mut().skip(1).filter(|seat| seat.core.is_none()) {
            if domain.life.join().is_ok() {
                seat.core = Some(core);
            }
        }
    }

    fn commit<'a>(&self, view: impl Fn() -> View<'a>, epoch: u32) -> Result<(), Error> {
        let View { core, domain, boots, .. } = view();
        let mut log = match Log::open(view()) {
            Err(Error::Absent) => Log::create(view())?,
            log => log?,
        };
        if domain.memory[0].lock().unwrap().resumed != epoch {
            let after = log.committed()?.sequence;
            self.say(core, domain, boots, epoch, Said::Resumes { after });
            domain.memory[0].lock().unwrap().resumed = epoch;
        }
        let payload = u64::from(epoch) << 32 | u64::from(domain.index) << 16 | self.draw(1 << 16) as u64;
        let sequence = log.append(epoch, &payload.to_le_bytes())?;
        log.commit(epoch)?;
        self.say(core, domain, boots, epoch, Said::Committed { sequence, payload });
        Ok(())
    }
}

/// A standby reads what is committed.
fn follow(view: View<'_>) -> Result<(), Error> {
    match Log::open(view).and_then(|log| log.committed()) {
        Ok(_) | Err(Error::Absent | Error::Gone) => Ok(()),
        Err(why) => Err(why),
    }
}
