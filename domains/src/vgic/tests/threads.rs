//! Contexts on real threads: kicks that cross, SGIs, lines, routes and questions all at once.

use super::*;
use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize},
    },
    thread,
};

/// No more than any host has cores: a lock's waiters do not give way to a holder that is not running.
const CONTEXTS: usize = 2;
const ROUNDS: usize = 1_000;
const EDGE: u32 = 64;

/// What all threads share.
struct Board<'a> {
    vgic: &'a Vgic<'a>,
    kicked: [AtomicBool; CONTEXTS],
    owed: [[AtomicBool; 16]; CONTEXTS],
    edge_owed: AtomicBool,
    finished: AtomicUsize,
    /// Whether anybody did anything since it was last cleared.
    stirred: AtomicBool,
    together: Barrier,
}

impl Kick for &Board<'_> {
    fn kick(&mut self, context: usize) {
        self.kicked[context].store(true, Ordering::SeqCst);
    }
}

/// One thread: a core and its context.
struct Runner<'a> {
    board: &'a Board<'a>,
    context: usize,
    core: Core,
}

impl Runner<'_> {
    fn service(&mut self) {
        let (core, mut kick) = (&mut self.core, self.board);
        core.read_registers();
        let ended = std::mem::take(&mut core.eoi_count);
        self.board.vgic.sync(self.context, &mut core.image, ended, &mut core.lines, &mut kick);
        self.board.vgic.flush(self.context, &mut core.image);
        core.write_registers();
        assert!(!core.wants_maintenance());
    }

    /// What the kernel does before it enters the guest.
    fn settle(&mut self) {
        while self.board.kicked[self.context].swap(false, Ordering::SeqCst)
            || self.core.wants_maintenance()
            || self.board.vgic.has_work(self.context)
        {
            self.service();
        }
    }

    fn guest(&mut self) {
        self.settle();
        let Some(intid) = self.core.acknowledge() else { return };
        self.board.stirred.store(true, Ordering::SeqCst);
        // Cleared before the end, as a guest looks for its work after it has taken the interrupt.
        if intid < 16 {
            self.board.owed[self.context][intid as usize].store(false, Ordering::SeqCst);
        } else {
            self.board.edge_owed.store(false, Ordering::SeqCst);
        }
        self.settle();
        self.core.end(intid);
        self.settle();
    }

    fn access(&mut self, access: Access) {
        let mut kick = self.board;
        for repeats in 0.. {
            assert!(repeats < 10_000_000, "does not end");
            self.settle();
            let (core, vgic) = (&mut self.core, self.board.vgic);
            core.read_registers();
            let ended = std::mem::take(&mut core.eoi_count);
            vgic.sync(self.context, &mut core.image, ended, &mut core.lines, &mut kick);
            let outcome = vgic.distributor_access(self.context, &access, &mut kick);
            vgic.flush(self.context, &mut core.image);
            core.write_registers();
            if outcome != Outcome::Retry {
                return;
            }
            thread::yield_now();
        }
    }

    fn disturb(&mut self, round: usize) {
        let (to, sgi) = ((self.context + round) % CONTEXTS, round % 16);
        let mut kick = self.board;
        self.board.owed[to][sgi].store(true, Ordering::SeqCst);
        self.board.vgic.send_sgi(self.context, (sgi as u64) << 24 | 1 << to, SgiKind::Group1, &mut kick);
        match round % 7 {
            0 => {
                self.board.edge_owed.store(true, Ordering::SeqCst);
                self.board.vgic.set_spi_level(EDGE, Level::High, &mut kick);
                self.board.vgic.set_spi_level(EDGE, Level::Low, &mut kick);
            }
            3 => {
                let route = if round.is_multiple_of(2) { 1 << 31 } else { to as u64 };
                let offset = GICD_IROUTER + 8 * u64::from(EDGE);
                self.access(Access { offset, size: AccessSize::Double, kind: AccessKind::Write(route) });
            }
            5 => self.access(word(GICD_ISACTIVER + 8, AccessKind::Read)),
            _ => {}
        }
    }

    fn run(mut self) -> Core {
        for round in 0..ROUNDS {
            self.disturb(round);
            self.guest();
        }
        self.board.finished.fetch_add(1, Ordering::SeqCst);
        while self.board.finished.load(Ordering::SeqCst) < CONTEXTS {
            self.guest();
            thread::yield_now();
        }
        // Until nobody had anything for two rounds on end.
        let mut quiet = 0;
        while quiet < 2 {
            self.board.together.wait();
            self.board.stirred.store(false, Ordering::SeqCst);
            self.board.together.wait();
            for _ in 0..100 {
                self.guest();
            }
            self.board.together.wait();
            quiet = if self.board.stirred.load(Ordering::SeqCst) { 0 } else { quiet + 1 };
        }
        self.core
    }
}

#[test]
fn contexts_on_threads_lose_nothing_and_do_not_block() {
    let parts = redistributors(CONTEXTS);
    let vgic = Vgic::new(&parts);
    let mut machine = Machine::booted(&vgic, 2);
    machine.set_bit(0, GICD_ISENABLER, EDGE);
    machine.write(0, GICD_ICFGR + 16, 0b10);
    machine.settle_all();
    let board = Board {
        vgic: &vgic,
        kicked: Default::default(),
        owed: Default::default(),
        edge_owed: AtomicBool::new(false),
        finished: AtomicUsize::new(0),
        stirred: AtomicBool::new(false),
        together: Barrier::new(CONTEXTS),
    };
    let cores = thread::scope(|scope| {
        let runners = machine.cores.drain(..).enumerate();
        let runners = runners.map(|(context, core)| Runner { board: &board, context, core });
        let threads: Vec<_> = runners.map(|runner| scope.spawn(|| runner.run())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for (context, core) in cores.iter().enumerate() {
        for sgi in 0..16 {
            assert!(!board.owed[context][sgi].load(Ordering::SeqCst), "SGI {sgi} to {context} was lost");
        }
        assert!(core.running.is_empty());
    }
    assert!(!board.edge_owed.load(Ordering::SeqCst));
}
