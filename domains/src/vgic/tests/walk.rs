//! Random walks: several guests, a kernel that is sometimes late, and a simple account of what each
//! guest is owed.

use super::*;
use std::collections::BTreeSet;

const CONTEXTS: usize = 3;
const EDGE: std::ops::Range<u32> = 64..72;
const LEVEL: std::ops::Range<u32> = 96..100;

struct Random(u64);

impl Random {
    /// Below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }

    fn one_of(&mut self, range: std::ops::Range<u32>) -> u32 {
        range.start + self.below(range.len()) as u32
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What was sent and has not been taken. An SGI is named by its target too.
#[derive(Default)]
struct Owed {
    once: BTreeSet<(Option<usize>, u32)>,
    /// Sent again before it was taken. It may come once or twice: whether the guest took the first
    /// before the second was sent, is not known to the one who looks only later.
    perhaps: BTreeSet<(Option<usize>, u32)>,
    lines: BTreeSet<u32>,
}

impl Owed {
    fn sent(&mut self, what: (Option<usize>, u32)) {
        if !self.once.insert(what) {
            self.perhaps.insert(what);
        }
    }

    fn taken(&mut self, what: (Option<usize>, u32)) {
        assert!(self.once.remove(&what) || self.perhaps.remove(&what), "{what:?} from nowhere");
    }
}

struct Walk<'a> {
    machine: Machine<'a>,
    random: Random,
    owed: Owed,
    /// What each guest has taken and not ended.
    handlers: Vec<Vec<u32>>,
}

impl<'a> Walk<'a> {
    fn new(vgic: &'a Vgic<'a>, list_registers: usize, seed: u64) -> Self {
        let mut walk = Self {
            machine: Machine::booted(vgic, list_registers),
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            owed: Owed::default(),
            handlers: vec![Vec::new(); CONTEXTS],
        };
        for intid in EDGE {
            walk.machine.set_bit(0, GICD_ISENABLER, intid);
        }
        for intid in LEVEL {
            walk.machine.set_bit(0, GICD_ISENABLER, intid);
        }
        walk.machine.write(0, GICD_ICFGR + 4 * 4, 0xaaaa_aaaa);
        for context in 0..CONTEXTS {
            for intid in 0..32 {
                let priority = 16 * (1 + walk.random.below(12)) as u8;
                walk.machine.set_priority(context, intid, priority);
            }
        }
        for intid in EDGE.chain(LEVEL) {
            let priority = 16 * (1 + walk.random.below(12)) as u8;
            walk.machine.set_priority(0, intid, priority);
        }
        walk
    }

    fn loaded(&mut self) -> Option<usize> {
        let context = self.random.below(CONTEXTS);
        self.machine.cores[context].loaded.then_some(context)
    }

    fn step(&mut self) {
        match self.random.below(16) {
            0..4 => self.send_sgi(),
            4 | 5 => self.pulse(),
            6 => self.toggle(),
            7 => self.reroute(),
            8 => self.switch(),
            9 => self.timer(),
            10 => self.reconfigure(),
            11 => self.late_kernel(),
            _ => self.guest(),
        }
    }

    fn send_sgi(&mut self) {
        let (from, to) = (self.random.below(CONTEXTS), self.random.below(CONTEXTS));
        let sgi = self.random.below(16) as u32;
        self.machine.send(from, to, sgi);
        self.owed.sent((Some(to), sgi));
    }

    fn pulse(&mut self) {
        let intid = self.random.one_of(EDGE);
        self.machine.set_line(intid, Level::High);
        self.machine.set_line(intid, Level::Low);
        self.owed.sent((None, intid));
    }

    fn toggle(&mut self) {
        let intid = self.random.one_of(LEVEL);
        if self.owed.lines.insert(intid) {
            self.machine.set_line(intid, Level::High);
        } else {
            self.owed.lines.remove(&intid);
            self.machine.set_line(intid, Level::Low);
        }
    }

    fn reroute(&mut self) {
        let Some(by) = self.loaded() else { return };
        let intid = if self.random.chance(50) { self.random.one_of(EDGE) } else { self.random.one_of(LEVEL) };
        let to = self.random.below(CONTEXTS + 1);
        let route = if to == CONTEXTS { 1 << 31 } else { to as u64 };
        self.machine.route(by, intid, route);
    }

    fn switch(&mut self) {
        let context = self.random.below(CONTEXTS);
        if self.machine.cores[context].loaded {
            self.machine.unload(context);
        } else {
            // The timer's registers come along; its line is as it was.
            self.machine.load(context);
        }
    }

    fn timer(&mut self) {
        let Some(context) = self.loaded() else { return };
        self.machine.cores[context].lines.high ^= bit(PHYSICAL_TIMER);
    }

    /// Disables or enables something, of one's own or of another's; owed things stay owed.
    fn reconfigure(&mut self) {
        let Some(by) = self.loaded() else { return };
        let of = self.random.below(CONTEXTS);
        let off = self.random.chance(40);
        let (shared, private) = if off { (GICD_ICENABLER, GICR_ICENABLER0) } else { (GICD_ISENABLER, GICR_ISENABLER0) };
        match self.random.below(5) {
            3 => {
                let control = if self.random.chance(30) { 1 } else { 3 };
                self.machine.write(by, GICD_CTLR, control);
            }
            4 => {
                let shared = self.random.chance(50);
                let intid = self.random.one_of(if shared { EDGE } else { 0..32 });
                let priority = 16 * (1 + self.random.below(12)) as u8;
                self.machine.set_priority(by, intid, priority);
            }
            0 => {
                let intid = self.random.one_of(0..32);
                self.machine.write_other(by, of, private, bit(intid));
            }
            1 => {
                let intid = self.random.one_of(EDGE);
                self.machine.set_bit(by, shared, intid);
            }
            _ => {
                let (bank, offset) = (self.random.below(3), word(GICD_ISACTIVER + 8, AccessKind::Read));
                let access = Access { offset: offset.offset + 4 * bank as u64, ..offset };
                let _ = self.machine.access(by, access, false);
            }
        }
    }

    /// A kernel that looks only now.
    fn late_kernel(&mut self) {
        if let Some(context) = self.loaded() {
            self.machine.settle(context);
        }
    }

    /// The guest takes or ends something; its kernel may be late.
    fn guest(&mut self) {
        let Some(context) = self.loaded() else { return };
        if self.random.chance(50) {
            self.machine.settle(context);
        }
        let core = &mut self.machine.cores[context];
        if self.random.chance(45)
            && let Some(intid) = self.handlers[context].pop()
        {
            core.end(intid);
            // A maintenance interrupt comes at once.
            if core.wants_maintenance() {
                self.machine.settle(context);
            }
        } else if let Some(intid) = core.acknowledge() {
            if core.wants_maintenance() {
                self.machine.settle(context);
            }
            self.took(context, intid);
        }
    }

    fn took(&mut self, context: usize, intid: u32) {
        assert!(!self.handlers[context].contains(&intid), "{intid} preempts itself");
        if intid >= 32 {
            let elsewhere = self.handlers.iter().any(|handlers| handlers.contains(&intid));
            assert!(!elsewhere, "{intid} is active in two contexts");
        }
        self.handlers[context].push(intid);
        if intid < 16 {
            self.owed.taken((Some(context), intid));
        } else if EDGE.contains(&intid) {
            self.owed.taken((None, intid));
        } else if LEVEL.contains(&intid) {
            // Served: the device is content.
            self.owed.lines.remove(&intid);
            self.machine.set_line(intid, Level::Low);
        } else {
            assert_eq!(intid, TIMER);
            let lines = &mut self.machine.cores[context].lines;
            assert_ne!(lines.active & bit(PHYSICAL_TIMER), 0);
            lines.high &= !bit(PHYSICAL_TIMER);
        }
    }

    /// Everything is enabled, every kernel does its work: what is owed arrives, and nothing stays.
    fn finish(&mut self) {
        for context in 0..CONTEXTS {
            if !self.machine.cores[context].loaded {
                self.machine.load(context);
            }
        }
        self.machine.write(0, GICD_CTLR, 3);
        self.machine.write(0, GICD_ISENABLER + 8, 0xff);
        for context in 0..CONTEXTS {
            self.machine.write_own(context, GICR_ISENABLER0, u32::MAX);
        }
        for round in 0.. {
            assert!(round < 10_000, "no end");
            let mut quiet = true;
            for context in 0..CONTEXTS {
                if let Some(intid) = self.machine.acknowledge(context) {
                    quiet = false;
                    self.took(context, intid);
                }
                if let Some(intid) = self.handlers[context].pop() {
                    quiet = false;
                    self.machine.end(context, intid);
                }
            }
            if quiet {
                break;
            }
        }
        self.machine.settle_all();
        assert_eq!((&self.owed.once, &self.owed.lines), (&BTreeSet::new(), &BTreeSet::new()));
        for core in &self.machine.cores {
            assert_eq!(core.lines.active, 0, "orphaned");
            assert!(core.running.is_empty());
            assert_eq!(core.entries().count(), 0);
        }
        for context in 0..CONTEXTS {
            assert_eq!(self.machine.read_own(context, GICR_ISACTIVER0), 0);
        }
    }
}

#[test]
fn nothing_owed_is_forgotten_and_nothing_comes_from_nowhere() {
    for seed in 1..=300 {
        let list_registers = [4, 1, 2, 16][seed as usize % 4];
        let parts = redistributors(CONTEXTS);
        let vgic = Vgic::new(&parts);
        let mut walk = Walk::new(&vgic, list_registers, seed);
        for _ in 0..400 {
            walk.step();
        }
        walk.finish();
    }
}
