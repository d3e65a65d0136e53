//! Random orders for a machine that looks like this.

use super::spec::{Core, View};
use crate::power::random::Random;

/// An order, and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The line.
    pub text: String,
    /// Its verb, or `wrong`.
    pub kind: &'static str,
    /// The cores that it names, if it does.
    pub cores: Vec<u32>,
    /// Where they may be in the end.
    pub to: Vec<String>,
    /// The domain that it is about as a whole, with the grant that it is to have if one is set.
    pub domain: Option<(String, Option<u32>)>,
    /// Whether they stay if their guest does not give them.
    pub gives_up: bool,
    /// It has to be refused, for this reason.
    pub wrong: Option<&'static str>,
}

const POOL: &str = "pool";
const OFF: &str = "off";

impl Given {
    fn new(kind: &'static str, rest: &str, cores: &[u32], to: &[&str]) -> Self {
        let (text, to) = (format!("{kind} {rest}"), to.iter().copied().map(str::to_owned).collect());
        Self { text, kind, cores: cores.to_vec(), to, domain: None, gives_up: false, wrong: None }
    }

    /// Cancels what was asked for these cores.
    pub fn cancel(cores: &[u32]) -> Self {
        Self::new("cancel", &list(cores), cores, &[])
    }

    /// Whether this order may be refused for a reason that others may not.
    pub fn may_be_refused_for(&self, reason: &str) -> bool {
        match reason {
            "not-asked" => self.kind == "cancel",
            "first-core" => self.to == [OFF] && self.cores.contains(&0),
            _ => false,
        }
    }

    fn patiently(mut self, random: &mut Random) -> Self {
        match random.range(0, 9) {
            0..=2 => self.text += " within 0",
            3 | 4 => self.text += " within 50",
            5 | 6 => self.text += " within 500",
            _ => {}
        }
        self.gives_up = random.range(0, 9) < 3;
        if self.gives_up {
            self.text += " or give-up";
        }
        self
    }
}

/// Any order. One that cannot be given now, for want of a core, becomes one that is refused.
pub fn draw(random: &mut Random, view: &View) -> Given {
    let given = match random.range(0, 99) {
        0..40 => a_move(random, view),
        40..52 => some(random, view, |core| core.owner.is_some()).map(|cores| about("fold", &cores, POOL)),
        52..62 => domain(random, view)
            .map(|name| Given { domain: Some((name.clone(), None)), ..Given::new("unfold", &name, &[], &[&name]) }),
        62..70 => some(random, view, |core| core.state != OFF || !core.held)
            .map(|cores| about(OFF, &cores, OFF).patiently(random)),
        70..80 => some(random, view, |core| core.state == OFF).map(|cores| about("on", &cores, POOL)),
        80..90 => set(random, view),
        90..93 => some(random, view, |core| core.owner.is_some()).map(|cores| Given::cancel(&cores)),
        _ => None,
    };
    given.unwrap_or_else(|| wrong(random, view))
}

fn about(kind: &'static str, cores: &[u32], to: &str) -> Given {
    Given::new(kind, &list(cores), cores, &[to])
}

fn list(cores: &[u32]) -> String {
    cores.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

fn one_of<T: Clone>(random: &mut Random, list: &[T]) -> Option<T> {
    let last = u32::try_from(list.len().checked_sub(1)?).ok()?;
    list.get(usize::try_from(random.range(0, last)).ok()?).cloned()
}

fn domain(random: &mut Random, view: &View) -> Option<String> {
    one_of(random, &view.domains).map(|domain| domain.name)
}

/// One to three of these cores.
fn few(random: &mut Random, mut cores: Vec<u32>) -> Option<Vec<u32>> {
    let wanted = one_of(random, &[1, 1, 1, 2, 2, 3])?;
    let mut few = Vec::new();
    while few.len() < wanted
        && let Some(core) = one_of(random, &cores)
    {
        cores.retain(|other| *other != core);
        few.push(core);
    }
    few.sort_unstable();
    (!few.is_empty()).then_some(few)
}

fn some(random: &mut Random, view: &View, fits: impl Fn(&Core) -> bool) -> Option<Vec<u32>> {
    let cores = (0..).zip(&view.cores).filter(|(_, core)| fits(core)).map(|(number, _)| number).collect();
    few(random, cores)
}

fn a_move(random: &mut Random, view: &View) -> Option<Given> {
    // Who has more gives more; hardly ever one who cannot.
    let gives = |core: &&Core| core.owner.as_deref().is_none_or(|owner| view.can_give(owner));
    let givers: Vec<Core> = view.cores.iter().filter(gives).cloned().collect();
    let any = random.range(0, 9) == 0;
    let from = one_of(random, if any { &view.cores } else { &givers })?.owner;
    let cores = few(random, view.cores_of(from.as_deref()))?;
    let from = from.as_deref().unwrap_or(POOL);
    let mut heirs: Vec<&str> = view.domains.iter().map(|domain| domain.name.as_str()).collect();
    heirs.extend([POOL, OFF]);
    heirs.retain(|heir| *heir != from);
    let to = one_of(random, &heirs)?;
    let given = Given::new("move", &format!("{} {from} {to}", list(&cores)), &cores, &[to]);
    Some(if from == POOL { given } else { given.patiently(random) })
}

fn set(random: &mut Random, view: &View) -> Option<Given> {
    let domain = one_of(random, &view.domains)?;
    let [owned, _, min, max, ..] = domain.counts;
    let count = random.range(min.max(1), max);
    // It may own another number by then.
    let given = Given::new("set", &format!("{} {count}", domain.name), &[], &[&domain.name, POOL]);
    let given = Given { domain: Some((domain.name.clone(), Some(count))), ..given };
    Some(if count > owned { given } else { given.patiently(random) })
}

/// One that has to be refused, whatever the machine does meanwhile.
fn wrong(random: &mut Random, view: &View) -> Given {
    let beyond = view.cores.len() + 3;
    let name = domain(random, view).unwrap_or_default();
    let (min, max) = view.domains.iter().find(|domain| domain.name == name).map_or((0, 0), |domain| {
        let [_, _, min, max, ..] = domain.counts;
        (min, max)
    });
    let orders = [
        (format!("fold {beyond}"), "unknown-core"),
        (format!("on {beyond}"), "unknown-core"),
        (format!("cancel {beyond}"), "unknown-core"),
        (format!("move {beyond} pool {name}"), "unknown-core"),
        ("unfold nobody".to_owned(), "unknown-domain"),
        (format!("move 1 {name} nobody"), "unknown-domain"),
        (format!("set {name} {}", max + 1), "above-max"),
        (format!("set {name} {}", min.max(1) - 1), "below-min"),
        ("off 0".to_owned(), "first-core"),
        (format!("move 1 off {name}"), "syntax"),
        (format!("move 1 {name}"), "syntax"),
        (format!("fold 1 within {name}"), "syntax"),
    ];
    let (text, why) = one_of(random, &orders).unwrap_or_else(|| ("nonsense".to_owned(), "syntax"));
    Given { text, kind: "wrong", cores: Vec::new(), to: Vec::new(), domain: None, gives_up: false, wrong: Some(why) }
}
