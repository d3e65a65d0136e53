use super::*;

const SPEC: GovernorSpec = GovernorSpec { period_ms: 100, high_permille: 800, low_permille: 300, hold: 3 };
const HOLD: usize = SPEC.hold as usize;

fn id(index: usize) -> DomainId {
    DomainId::new(index).unwrap()
}

/// Four cores, eight contexts of which four are on, at a load that asks for nothing.
fn demand(index: usize) -> Demand {
    Demand {
        domain: id(index),
        priority: 100,
        owned: 4,
        min: 1,
        max: 8,
        contexts_on: 4,
        contexts: 8,
        busy_permille: 500,
        denied: 0,
        running: true,
        changing: 0,
    }
}

fn give(to: usize, reason: Reason) -> Decision {
    Decision { from: None, to: Some(id(to)), reason }
}

fn take(from: usize, to: usize, reason: Reason) -> Decision {
    Decision { from: Some(id(from)), to: Some(id(to)), reason }
}

fn spare(from: usize) -> Decision {
    Decision { from: Some(id(from)), to: None, reason: Reason::LowLoad }
}

/// The first decisions, and after how many periods.
fn first(demands: &[Demand], idle: u32) -> Option<(usize, Vec<Decision>)> {
    let mut governor = Governor::new(SPEC);
    (1..50).map(|period| (period, governor.decide(demands, idle).to_vec())).find(|(_, decisions)| !decisions.is_empty())
}

#[test]
fn a_load_in_between_moves_nothing() {
    assert_eq!(first(&[demand(0), demand(1)], 4), None);
}

#[test]
fn a_change_under_way_is_waited_for_as_long_as_it_may_take() {
    for (busy_permille, reason) in [(1000, give(0, Reason::HighLoad)), (0, spare(0))] {
        let changing = Demand { busy_permille, changing: 9, ..demand(0) };
        assert_eq!(first(&[changing], 1), Some((9 + HOLD, vec![reason])));
        let mut governor = Governor::new(SPEC);
        let after = |demand: Demand, periods: usize, governor: &mut Governor| {
            (0..periods).map(|_| governor.decide(&[demand], 1).len()).sum::<usize>()
        };
        assert_eq!(after(changing, 5, &mut governor), 0);
        let done = Demand { changing: 0, ..changing };
        assert_eq!((after(done, HOLD - 1, &mut governor), after(done, 1, &mut governor)), (0, 1));
    }
}

#[test]
fn a_high_load_gets_an_idle_core_once_it_lasted() {
    let busy = Demand { busy_permille: 800, ..demand(0) };
    assert_eq!(first(&[busy, demand(1)], 1), Some((HOLD, vec![give(0, Reason::HighLoad)])));
    assert_eq!(first(&[Demand { busy_permille: 799, ..busy }], 1), None);
    assert_eq!(first(&[Demand { max: 4, ..busy }], 1), None, "up to its maximum");
    assert_eq!(first(&[Demand { contexts: 4, ..busy }], 1), None, "nothing could run there");
    assert_eq!(first(&[Demand { running: false, ..busy }], 1), None);
    assert_eq!(first(&[busy], 0), None);
}

#[test]
fn a_load_that_is_high_now_and_then_gets_none() {
    let mut governor = Governor::new(SPEC);
    for period in 0..30 {
        let busy_permille = if period % HOLD == 0 { 500 } else { 1000 };
        assert!(governor.decide(&[Demand { busy_permille, ..demand(0) }], 4).is_empty());
    }
}

#[test]
fn folded_contexts_get_a_core_at_once_if_they_use_it() {
    let folded = Demand { contexts_on: 5, ..demand(0) };
    assert_eq!(first(&[folded], 1), Some((1, vec![give(0, Reason::Folded)])));
    // 370 permille of 4 cores are 296 of 5: the core would go back as not needed.
    assert_eq!(first(&[Demand { busy_permille: 370, ..folded }], 1), None);
    // What is below its minimum gets one anyhow.
    assert_eq!(first(&[Demand { busy_permille: 0, min: 5, ..folded }], 1), Some((1, vec![give(0, Reason::Folded)])));
    assert_eq!(first(&[Demand { busy_permille: 0, owned: 0, ..folded }], 1), Some((1, vec![give(0, Reason::Folded)])));
}

#[test]
fn a_denied_cpu_on_gets_a_core_at_once() {
    let denied = Demand { busy_permille: 10, denied: 1, ..demand(0) };
    assert_eq!(first(&[denied], 1), Some((1, vec![give(0, Reason::Denied)])));
}

#[test]
fn without_an_idle_core_the_domain_with_the_lowest_load_gives_one() {
    let busy = Demand { busy_permille: 900, ..demand(0) };
    let low = Demand { busy_permille: 200, ..demand(1) };
    let lower = Demand { busy_permille: 100, ..demand(2) };
    let (period, decisions) = first(&[busy, low, lower], 0).unwrap();
    // The other one's goes to the pool.
    assert_eq!((period, decisions), (HOLD, vec![take(2, 0, Reason::HighLoad), spare(1)]));
}

#[test]
fn a_low_load_gives_nothing_directly_to_a_lower_priority() {
    let busy = Demand { busy_permille: 900, priority: 99, ..demand(0) };
    let low = Demand { busy_permille: 100, ..demand(1) };
    assert_eq!(first(&[busy, low], 0), Some((HOLD, vec![spare(1)])));
}

#[test]
fn a_higher_priority_takes_from_the_lowest_one_at_work() {
    let busy = Demand { busy_permille: 900, priority: 200, ..demand(0) };
    let low = Demand { priority: 50, ..demand(1) };
    let lower = Demand { priority: 40, ..demand(2) };
    assert_eq!(first(&[busy, low, lower], 0), Some((HOLD, vec![take(2, 0, Reason::Preempted)])));
    let at_minimum = Demand { min: 4, ..lower };
    assert_eq!(first(&[busy, low, at_minimum], 0), Some((HOLD, vec![take(1, 0, Reason::Preempted)])));
    let equal = [Demand { priority: 200, ..low }, Demand { owned: 1, ..lower }];
    assert_eq!(first(&[busy, equal[0], equal[1]], 0), None, "no equal, and nobody's last core");
}

#[test]
fn priority_decides_who_is_served_first_then_load() {
    let demands = [
        Demand { busy_permille: 1000, ..demand(0) },
        Demand { busy_permille: 850, priority: 150, ..demand(1) },
        Demand { busy_permille: 900, ..demand(2) },
        Demand { busy_permille: 900, ..demand(3) },
    ];
    for (idle, served) in [(1, vec![1]), (2, vec![1, 0]), (3, vec![1, 0, 2])] {
        let decisions: Vec<_> = served.into_iter().map(|index| give(index, Reason::HighLoad)).collect();
        let (period, found) = first(&demands, idle).unwrap();
        // With no idle core left, 1 is served; others cannot take from it.
        assert_eq!((period, found), (HOLD, decisions));
    }
}

#[test]
fn who_gave_a_core_takes_none_in_the_same_period() {
    let urgent = Demand { busy_permille: 900, priority: 200, ..demand(0) };
    let busy = Demand { busy_permille: 1000, priority: 100, ..demand(1) };
    let low = Demand { busy_permille: 450, priority: 50, min: 4, ..demand(2) };
    assert_eq!(first(&[busy, urgent, low], 0), Some((HOLD, vec![take(1, 0, Reason::Preempted)])));
}

#[test]
fn a_low_load_gives_one_to_the_pool_if_it_stays_well_below_high() {
    let low = Demand { busy_permille: 299, ..demand(0) };
    assert_eq!(first(&[low], 4), Some((HOLD, vec![spare(0)])));
    assert_eq!(first(&[Demand { min: 4, ..low }], 4), None);
    assert_eq!(first(&[Demand { owned: 1, min: 0, ..low }], 4), None, "not its last one");
    // 290 permille of 2 cores are 580 of one: more than halfway between low and high.
    assert_eq!(first(&[Demand { owned: 2, busy_permille: 290, ..low }], 4), None);
    assert_eq!(first(&[Demand { owned: 2, busy_permille: 275, ..low }], 4), Some((HOLD, vec![spare(0)])));
    let asking = Demand { denied: 1, max: 4, ..low };
    assert_eq!(first(&[asking], 4), None, "not while it asks for more");
}

#[test]
fn after_a_change_both_sides_rest() {
    let (mut governor, busy) = (Governor::new(SPEC), Demand { contexts_on: 5, ..demand(0) });
    let lower = Demand { priority: 50, ..demand(1) };
    assert_eq!(governor.decide(&[busy, lower], 0).to_vec(), [take(1, 0, Reason::Preempted)]);
    let asking = Demand { denied: 1, ..lower };
    for _ in 1..HOLD {
        assert!(governor.decide(&[busy, asking], 4).is_empty());
    }
    let decisions = governor.decide(&[busy, asking], 4);
    assert_eq!(decisions.to_vec(), [give(0, Reason::Folded), give(1, Reason::Denied)]);
}

#[test]
fn extreme_numbers_do_no_harm() {
    let most = Demand { owned: u32::MAX, min: 0, max: u32::MAX, contexts: u32::MAX, ..demand(0) };
    for busy_permille in [0, 1000, u32::MAX] {
        for spec in [SPEC, GovernorSpec { hold: u32::MAX, ..SPEC }, GovernorSpec { high_permille: u32::MAX, ..SPEC }] {
            let mut governor = Governor::new(spec);
            let demands = [Demand { busy_permille, ..most }, Demand { owned: 0, ..demand(1) }];
            for _ in 0..10 {
                governor.decide(&demands, u32::MAX);
            }
        }
    }
}

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32 % limit
    }
}

/// How a guest answers when it is to give up a core.
#[derive(Clone, Copy, Debug)]
enum Manner {
    TakesItOffline,
    IsFolded,
}

#[derive(Debug)]
struct Machine {
    demands: Vec<Demand>,
    /// Work of each domain, in permille of a core.
    work: Vec<u32>,
    manners: Vec<Manner>,
    idle: u32,
    cores: u32,
}

impl Machine {
    fn random(random: &mut Random) -> Self {
        let cores = 1 + random.below(16);
        let (mut left, mut machine) =
            (cores, Self { demands: Vec::new(), work: Vec::new(), manners: Vec::new(), idle: 0, cores });
        for index in 0..1 + random.below(5) as usize {
            let owned = (1 + random.below(4)).min(left);
            left -= owned;
            let contexts = owned + random.below(8);
            machine.demands.push(Demand {
                priority: 1 + random.below(3) as u8,
                owned,
                min: random.below(owned + 1),
                max: owned + random.below(6),
                contexts_on: owned + random.below(contexts - owned + 1),
                contexts,
                ..demand(index)
            });
            machine.work.push(random.below(9000));
            machine.manners.push(if random.below(2) == 0 { Manner::TakesItOffline } else { Manner::IsFolded });
        }
        machine.idle = left;
        machine
    }

    /// A period passes; guests use no more cores at once than they have contexts on.
    fn measure(&mut self) {
        for (demand, work) in self.demands.iter_mut().zip(&self.work) {
            let most = demand.owned.min(demand.contexts_on) * 1000;
            demand.busy_permille = (*work).min(most).checked_div(demand.owned).unwrap_or(0);
        }
    }

    fn apply(&mut self, decisions: &Decisions) {
        let mut touched: Vec<DomainId> = Vec::new();
        for Decision { from, to, .. } in decisions {
            touched.extend(from.iter().chain(to));
            match from {
                None => self.idle = self.idle.checked_sub(1).expect("no core is idle"),
                Some(domain) => {
                    let giver = &mut self.demands[domain.index()];
                    giver.owned -= 1;
                    assert!(giver.owned >= giver.min.max(1), "{giver:?}");
                    if let Manner::TakesItOffline = self.manners[domain.index()] {
                        giver.contexts_on = giver.contexts_on.min(giver.owned);
                    }
                }
            }
            match to {
                None => self.idle += 1,
                Some(domain) => {
                    let receiver = &mut self.demands[domain.index()];
                    receiver.owned += 1;
                    assert!(receiver.owned <= receiver.max, "{receiver:?}");
                    receiver.contexts_on = receiver.contexts_on.max(receiver.owned);
                }
            }
        }
        let decided = touched.len();
        touched.sort_unstable();
        touched.dedup();
        assert_eq!(touched.len(), decided, "more than one decision about a domain");
        assert_eq!(self.demands.iter().map(|demand| demand.owned).sum::<u32>() + self.idle, self.cores);
    }
}

#[test]
fn limits_hold_and_a_steady_load_comes_to_rest() {
    let mut moves = 0;
    for seed in 1..=500 {
        let mut random = Random(seed);
        let mut machine = Machine::random(&mut random);
        let low_permille = random.below(600);
        let spec = GovernorSpec {
            low_permille,
            high_permille: low_permille + 1 + random.below(1000 - low_permille),
            hold: 1 + random.below(4),
            ..SPEC
        };
        let mut governor = Governor::new(spec);
        let mut run = |machine: &mut Machine, periods: u32| {
            let mut last = 0;
            for period in 1..=periods {
                machine.measure();
                let decisions = governor.decide(&machine.demands, machine.idle);
                moves += decisions.len();
                machine.apply(&decisions);
                if !decisions.is_empty() {
                    last = period;
                }
            }
            last
        };
        // Twice: the load changes once in between.
        for _ in 0..2 {
            let last = run(&mut machine, 400);
            assert!(last < 200, "seed {seed} still moves cores after {last} periods: {spec:?} {machine:#?}");
            for work in &mut machine.work {
                *work = random.below(9000);
            }
        }
    }
    assert!(moves > 1000, "{moves}");
}

#[test]
fn limits_hold_under_any_load() {
    for seed in 1..=500 {
        let mut random = Random(seed);
        let (mut machine, mut governor) = (Machine::random(&mut random), Governor::new(SPEC));
        for _ in 0..300 {
            for work in &mut machine.work {
                if random.below(4) == 0 {
                    *work = random.below(9000);
                }
            }
            machine.measure();
            for demand in &mut machine.demands {
                demand.denied = u32::from(random.below(10) == 0);
                demand.running = random.below(20) > 0;
            }
            let decisions = governor.decide(&machine.demands, machine.idle);
            machine.apply(&decisions);
        }
    }
}
