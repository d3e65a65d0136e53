//! A small machine to test with: virtual CPU interfaces that treat list registers as hardware does
//! (IHI 0069, 4.6 and 9.4; pseudocode of `ICV_IAR1_EL1` and `ICV_EOIR1_EL1`), physical interrupt
//! lines, and a kernel that obeys the contract.

use super::*;
use crate::mmio::{Access, AccessKind, AccessSize};
use list_registers::ListRegister;

mod delivery;
mod forwarded;
mod many;
mod registers;
mod routing;
mod shared_state;
mod threads;
mod walk;

const GICD_CTLR: u64 = 0;
const GICD_IGROUPR: u64 = 0x80;
const GICD_ISENABLER: u64 = 0x100;
const GICD_ICENABLER: u64 = 0x180;
const GICD_ISPENDR: u64 = 0x200;
const GICD_ICPENDR: u64 = 0x280;
const GICD_ISACTIVER: u64 = 0x300;
const GICD_ICACTIVER: u64 = 0x380;
const GICD_IPRIORITYR: u64 = 0x400;
const GICD_ICFGR: u64 = 0xc00;
const GICD_IROUTER: u64 = 0x6000;

const GICR_WAKER: u64 = 0x14;
const SGI_FRAME: u64 = 0x1_0000;
const GICR_ISENABLER0: u64 = SGI_FRAME + GICD_ISENABLER;
const GICR_ICENABLER0: u64 = SGI_FRAME + GICD_ICENABLER;
const GICR_ISPENDR0: u64 = SGI_FRAME + GICD_ISPENDR;
const GICR_ICPENDR0: u64 = SGI_FRAME + GICD_ICPENDR;
const GICR_ISACTIVER0: u64 = SGI_FRAME + GICD_ISACTIVER;
const GICR_ICACTIVER0: u64 = SGI_FRAME + GICD_ICACTIVER;
const GICR_IPRIORITYR: u64 = SGI_FRAME + GICD_IPRIORITYR;

const TIMER: u32 = 27;
const CONSOLE: u32 = 33;
/// The physical timer interrupt of the machine, another number than the board's.
const PHYSICAL_TIMER: u32 = 28;
/// Priority that the tests' guests give to everything unless they say otherwise.
const PRIORITY: u8 = 0xa0;

/// A core's physical PPIs.
#[derive(Default, Debug, Clone)]
struct Lines {
    high: u32,
    active: u32,
    /// Every deactivation asked for by the model.
    deactivated: Vec<u32>,
}

impl HwInterrupts for Lines {
    fn line(&mut self, intid: u32) -> Level {
        if self.high & bit(intid) != 0 { Level::High } else { Level::Low }
    }

    fn deactivate(&mut self, intid: u32) {
        self.active &= !bit(intid);
        self.deactivated.push(intid);
    }
}

#[derive(Default)]
struct Kicks(Vec<usize>);

impl Kick for Kicks {
    fn kick(&mut self, context: usize) {
        self.0.push(context);
    }
}

/// A core with the context of the same number.
#[derive(Debug)]
struct Core {
    image: ListRegisters,
    hardware: [u64; 16],
    maintenance: Maintenance,
    eoi_count: u32,
    /// The active priorities, the most urgent last.
    running: Vec<u8>,
    mask: u8,
    lines: Lines,
    loaded: bool,
    kicked: bool,
    serviced: usize,
}

impl Core {
    fn new(list_registers: usize) -> Self {
        Self {
            image: ListRegisters::new(list_registers),
            hardware: [0; 16],
            maintenance: Maintenance::empty(),
            eoi_count: 0,
            running: Vec::new(),
            mask: 0xf8,
            lines: Lines::default(),
            loaded: false,
            kicked: false,
            serviced: 0,
        }
    }

    fn entries(&self) -> impl Iterator<Item = ListRegister> {
        let all = self.hardware.iter().copied().map(ListRegister);
        all.filter(|entry| entry.has(ListRegister::PENDING | ListRegister::ACTIVE))
    }

    fn entry(&self, intid: u32) -> Option<ListRegister> {
        self.entries().find(|entry| entry.intid() == intid)
    }

    /// The list register that would be signalled.
    fn signalled(&self) -> Option<usize> {
        let limit = self.running.last().copied().unwrap_or(0xff).min(self.mask);
        (0..16)
            .filter(|n| self.hardware[*n] >> 62 == 1)
            .map(|n| (ListRegister(self.hardware[n]).priority(), n))
            .filter(|(priority, _)| *priority < limit)
            .min()
            .map(|(_, n)| n)
    }

    /// The guest reads `ICC_IAR1_EL1`.
    fn acknowledge(&mut self) -> Option<u32> {
        let n = self.signalled()?;
        let entry = ListRegister(self.hardware[n]);
        self.hardware[n] = entry.0 & !ListRegister::PENDING | ListRegister::ACTIVE;
        self.running.push(entry.priority());
        Some(entry.intid())
    }

    /// The guest writes `ICC_EOIR1_EL1` with `EOImode` 0.
    fn end(&mut self, intid: u32) {
        let dropped = self.drop_priority();
        self.deactivate(intid, Some(dropped));
    }

    fn drop_priority(&mut self) -> u8 {
        self.running.pop().expect("end without acknowledge")
    }

    /// What `ICC_EOIR1_EL1` (with the priority dropped) or `ICC_DIR_EL1` does to the interrupt.
    fn deactivate(&mut self, intid: u32, dropped: Option<u8>) {
        let found = self.hardware.iter_mut().find(|value| {
            let entry = ListRegister(**value);
            entry.has(ListRegister::ACTIVE) && entry.intid() == intid
        });
        let Some(value) = found else {
            self.eoi_count += 1;
            return;
        };
        let entry = ListRegister(*value);
        if dropped.is_some_and(|dropped| dropped != entry.priority()) {
            return;
        }
        *value &= !ListRegister::ACTIVE;
        if entry.has(ListRegister::HARDWARE) {
            self.lines.active &= !bit((entry.0 >> 32 & 0x1fff) as u32);
        }
    }

    /// `ICH_MISR_EL2` is not zero.
    fn wants_maintenance(&self) -> bool {
        let ended = self.hardware.iter().any(|value| value >> 62 == 0 && value & 1 << 61 == 0 && value & 1 << 41 != 0);
        let no_pending =
            self.maintenance.contains(Maintenance::NO_PENDING) && !self.hardware.iter().any(|value| value >> 62 == 1);
        let not_present = self.maintenance.contains(Maintenance::ENTRY_NOT_PRESENT) && self.eoi_count != 0;
        ended || no_pending || not_present
    }

    fn read_registers(&mut self) {
        for n in 0..16 {
            if self.image.used() & 1 << n != 0 {
                self.image.set(n, self.hardware[n]);
            }
        }
    }

    fn write_registers(&mut self) {
        let changed = self.image.take_changed();
        for n in 0..16 {
            if changed & 1 << n != 0 {
                self.hardware[n] = self.image.get(n);
            }
            assert_eq!(self.hardware[n], self.image.get(n), "a change was not told");
        }
        self.maintenance = self.image.maintenance;
    }
}

/// A domain whose contexts each have a core.
struct Machine<'a> {
    vgic: &'a Vgic<'a>,
    cores: Vec<Core>,
}

fn redistributors(contexts: usize) -> Vec<Redistributor> {
    (0..contexts).map(|_| Redistributor::default()).collect()
}

impl<'a> Machine<'a> {
    /// All contexts run, with both groups forwarded, everything private enabled in group 1 and of
    /// equal priority, as a guest's set-up leaves it.
    fn booted(vgic: &'a Vgic<'a>, list_registers: usize) -> Self {
        let mut machine = Self::cold(vgic, list_registers);
        for context in 0..machine.cores.len() {
            machine.load(context);
        }
        machine.write(0, GICD_CTLR, 3);
        for n in 0..BANKS_IN_USE {
            machine.write(0, GICD_IGROUPR + 4 * n, 0xffff_ffff);
        }
        for intid in 32..288 {
            machine.write_byte(0, GICD_IPRIORITYR + intid, PRIORITY);
        }
        for context in 0..machine.cores.len() {
            machine.write_own(context, GICR_WAKER, 0);
            machine.write_own(context, SGI_FRAME + GICD_IGROUPR, 0xffff_ffff);
            machine.write_own(context, GICR_ISENABLER0, 0xffff_ffff);
            for n in 0..8 {
                let word = u32::from_le_bytes([PRIORITY; 4]);
                machine.write_own(context, GICR_IPRIORITYR + 4 * n, word);
            }
        }
        for context in 0..machine.cores.len() {
            machine.service(context);
        }
        machine
    }

    /// Nothing runs yet.
    fn cold(vgic: &'a Vgic<'a>, list_registers: usize) -> Self {
        let contexts = vgic.redistributors.len();
        Self { vgic, cores: (0..contexts).map(|_| Core::new(list_registers)).collect() }
    }

    fn take(&mut self, kicks: Kicks) {
        for context in kicks.0 {
            self.cores[context].kicked = true;
        }
    }

    /// The kernel puts the context into its core.
    fn load(&mut self, context: usize) {
        let core = &mut self.cores[context];
        assert!(!core.loaded);
        core.loaded = true;
        core.kicked = false;
        core.lines.active |= self.vgic.resume(context);
        core.image.touch_all();
        self.flush(context);
    }

    /// The kernel takes the context out of its core.
    fn unload(&mut self, context: usize) {
        let core = &mut self.cores[context];
        assert!(core.loaded);
        core.loaded = false;
        core.read_registers();
        let (ended, mut kicks) = (std::mem::take(&mut core.eoi_count), Kicks::default());
        let held = self.vgic.suspend(context, &mut core.image, ended, &mut core.lines, &mut kicks);
        core.lines.active &= !held;
        core.write_registers();
        assert_eq!(core.hardware, [0; 16]);
        self.take(kicks);
    }

    fn sync(&mut self, context: usize) {
        let core = &mut self.cores[context];
        assert!(core.loaded);
        core.read_registers();
        let (ended, mut kicks) = (std::mem::take(&mut core.eoi_count), Kicks::default());
        self.vgic.sync(context, &mut core.image, ended, &mut core.lines, &mut kicks);
        self.take(kicks);
    }

    fn flush(&mut self, context: usize) {
        let core = &mut self.cores[context];
        self.vgic.flush(context, &mut core.image);
        core.write_registers();
        self.check(context);
    }

    /// What the kernel does after a kick, a maintenance interrupt or an access.
    fn service(&mut self, context: usize) {
        self.cores[context].kicked = false;
        self.cores[context].serviced += 1;
        self.sync(context);
        self.flush(context);
    }

    /// What has to hold whenever a guest is entered after a flush.
    fn check(&self, context: usize) {
        let core = &self.cores[context];
        assert!(!core.wants_maintenance(), "maintenance would fire at once: {core:x?}");
        let control = self.vgic.control();
        let private = self.vgic.redistributors[context].lock();
        let distributor = self.vgic.distributor.lock();
        let mut left: Vec<_> = private.bank.candidates(private.bank.waiting(control), 0).collect();
        // Not those that any context may have: they may be another's to look at.
        left.extend(distributor.candidates(context, false, control));
        left.retain(|candidate| !candidate.active);
        if let Some(best) = left.iter().min() {
            let full = core.entries().count() == core.image.implemented();
            assert!(full, "room, but {best:?} is not listed");
            assert!(core.maintenance.contains(Maintenance::NO_PENDING));
            let listed = core.entries().filter(|entry| !entry.has(ListRegister::ACTIVE));
            let least = listed.map(|entry| (entry.priority(), entry.intid())).max();
            assert!(
                least.is_some_and(|least| least < (best.priority, best.intid.into())),
                "{best:?} is more urgent than what is listed: {core:x?}"
            );
        }
        drop((private, distributor));
        let mut seen = std::collections::BTreeSet::new();
        for (owner, core) in self.cores.iter().enumerate() {
            for entry in core.entries() {
                let whose = if entry.intid() < 32 { owner } else { usize::MAX };
                assert!(seen.insert((whose, entry.intid())), "listed twice: {}", entry.intid());
            }
        }
    }

    /// Lets the kernel of a loaded context do what is due: physical timers, kicks, maintenance.
    fn settle(&mut self, context: usize) {
        for round in 0.. {
            assert!(round < 100, "the kernel does not get out: {:x?}", self.cores[context]);
            let core = &mut self.cores[context];
            let fire = bit(PHYSICAL_TIMER);
            if core.lines.high & !core.lines.active & fire != 0 {
                core.lines.active |= fire;
                self.vgic.forward(context, TIMER, PHYSICAL_TIMER);
                self.service(context);
            } else if core.kicked || core.wants_maintenance() || self.vgic.has_work(context) {
                self.service(context);
            } else {
                return;
            }
        }
    }

    fn settle_all(&mut self) {
        for _ in 0..3 {
            for context in 0..self.cores.len() {
                if self.cores[context].loaded {
                    self.settle(context);
                }
            }
        }
    }

    /// The guest takes an interrupt, if there is one.
    fn acknowledge(&mut self, context: usize) -> Option<u32> {
        self.settle(context);
        let taken = self.cores[context].acknowledge();
        self.settle(context);
        taken
    }

    fn end(&mut self, context: usize, intid: u32) {
        self.cores[context].end(intid);
        self.settle(context);
    }

    /// The guest takes and ends everything that it gets, and answers it.
    fn drain(&mut self, context: usize) -> Vec<u32> {
        let mut taken = Vec::new();
        while let Some(intid) = self.acknowledge(context) {
            taken.push(intid);
            self.end(context, intid);
            assert!(taken.len() < 10_000, "no end");
        }
        taken
    }

    fn access(&mut self, context: usize, access: Access, redistributors: bool) -> Outcome {
        self.sync(context);
        let mut kicks = Kicks::default();
        let outcome = if redistributors {
            self.vgic.redistributor_access(context, &access, &mut kicks)
        } else {
            self.vgic.distributor_access(context, &access, &mut kicks)
        };
        assert!(!kicks.0.contains(&context), "kicked itself");
        self.take(kicks);
        self.flush(context);
        outcome
    }

    fn write(&mut self, context: usize, offset: u64, value: u32) {
        let access = word(offset, AccessKind::Write(value.into()));
        assert_eq!(self.access(context, access, false), Outcome::Done(0));
    }

    fn write_byte(&mut self, context: usize, offset: u64, value: u8) {
        let kind = AccessKind::Write(value.into());
        let access = Access { offset, size: AccessSize::Byte, kind };
        assert_eq!(self.access(context, access, false), Outcome::Done(0));
    }

    fn route(&mut self, context: usize, intid: u32, route: u64) {
        let (offset, kind) = (GICD_IROUTER + 8 * u64::from(intid), AccessKind::Write(route));
        let access = Access { offset, size: AccessSize::Double, kind };
        assert_eq!(self.access(context, access, false), Outcome::Done(0));
    }

    /// A write to the context's own redistributor.
    fn write_own(&mut self, context: usize, offset: u64, value: u32) {
        self.write_other(context, context, offset, value);
    }

    fn write_other(&mut self, context: usize, of: usize, offset: u64, value: u32) {
        let access = word(of as u64 * 0x2_0000 + offset, AccessKind::Write(value.into()));
        assert_eq!(self.access(context, access, true), Outcome::Done(0));
    }

    fn set_priority(&mut self, context: usize, intid: u32, priority: u8) {
        if intid < 32 {
            let offset = context as u64 * 0x2_0000 + GICR_IPRIORITYR + u64::from(intid);
            let kind = AccessKind::Write(priority.into());
            let access = Access { offset, size: AccessSize::Byte, kind };
            assert_eq!(self.access(context, access, true), Outcome::Done(0));
        } else {
            self.write_byte(context, GICD_IPRIORITYR + u64::from(intid), priority);
        }
    }

    /// A read that has to be answered at once.
    fn read(&mut self, context: usize, offset: u64) -> u32 {
        match self.access(context, word(offset, AccessKind::Read), false) {
            Outcome::Done(value) => value as u32,
            other => panic!("{offset:#x}: {other:?}"),
        }
    }

    fn read_own(&mut self, context: usize, offset: u64) -> u32 {
        let access = word(context as u64 * 0x2_0000 + offset, AccessKind::Read);
        match self.access(context, access, true) {
            Outcome::Done(value) => value as u32,
            other => panic!("{offset:#x}: {other:?}"),
        }
    }

    fn set_bit(&mut self, context: usize, register: u64, intid: u32) {
        let offset = register + u64::from(intid / 32) * 4;
        self.write(context, offset, bit(intid % 32));
    }

    fn get_bit(&mut self, context: usize, register: u64, intid: u32) -> bool {
        let offset = register + u64::from(intid / 32) * 4;
        self.read(context, offset) & bit(intid % 32) != 0
    }

    fn set_line(&mut self, intid: u32, level: Level) {
        let mut kicks = Kicks::default();
        self.vgic.set_spi_level(intid, level, &mut kicks);
        self.take(kicks);
    }

    /// An SGI to one context.
    fn send(&mut self, from: usize, to: usize, sgi: u32) {
        let affinity = crate::psci::affinity_of(to);
        let list = 1 << (affinity & 0xf);
        self.send_raw(from, u64::from(sgi) << 24 | (affinity & 0xff00) << 8 | list);
    }

    fn send_raw(&mut self, from: usize, value: u64) {
        let mut kicks = Kicks::default();
        self.vgic.send_sgi(from, value, SgiKind::Group1, &mut kicks);
        assert!(!kicks.0.contains(&from), "the sender looks by itself");
        self.take(kicks);
    }
}

const BANKS_IN_USE: u64 = 9;

fn word(offset: u64, kind: AccessKind) -> Access {
    Access { offset, size: AccessSize::Word, kind }
}

#[test]
fn a_redistributor_is_small() {
    assert!(size_of::<Redistributor>() <= 200, "{}", size_of::<Redistributor>());
}
