//! What a machine has to look like between orders, written without the kernel's code: who has which core, and what an
//! order may come to.

use std::collections::BTreeMap;

use super::orders::Given;
use crate::ctl::reply::Reply;

/// Why orders may be refused, or fail, that are not wrong in themselves: guests take CPUs off and on meanwhile.
const RACES: [&str; 7] =
    ["not-owner", "busy", "below-min", "above-max", "no-idle-core", "not-running", "no-other-core"];

/// A line of `cores`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// Its state.
    pub state: String,
    /// Whose it is.
    pub owner: Option<String>,
    /// Whether it is held off.
    pub held: bool,
    /// Contexts on it.
    pub contexts: u32,
}

/// A line of `domains`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub phase: String,
    /// Cores that it owns, that it is granted, the fewest and the most, contexts that are on, times that it began.
    pub counts: [u32; 6],
}

/// What the kernel says of its cores and domains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// By number.
    pub cores: Vec<Core>,
    /// In the order of the scenario.
    pub domains: Vec<Domain>,
}

impl View {
    /// Reads the answers of `cores` and of `domains`.
    pub fn parse<'a>(replies: impl Iterator<Item = &'a Reply>) -> Result<Self, String> {
        let mut view = Self::default();
        for reply in replies {
            if let Some(state) = reply.value("state") {
                if reply.number("core") != u32::try_from(view.cores.len()).ok() {
                    return Err(format!("`cores` leaves out core {}", view.cores.len()));
                }
                let owner = reply.value("domain").filter(|owner| *owner != "-").map(str::to_owned);
                let held = reply.value("heir") == Some("held");
                let contexts = reply.number("contexts").ok_or("`cores` does not say how many contexts there are")?;
                view.cores.push(Core { state: state.to_owned(), owner, held, contexts });
            } else if let (Some(name), Some(phase)) = (reply.value("domain"), reply.value("phase")) {
                let keys = ["cores", "granted", "min", "max", "contexts-on", "boots"];
                let counts = keys.map(|key| reply.number(key));
                if counts.contains(&None) {
                    return Err(format!("`domains` leaves out something: {}", reply.line));
                }
                let counts = counts.map(Option::unwrap_or_default);
                view.domains.push(Domain { name: name.to_owned(), phase: phase.to_owned(), counts });
            }
        }
        Ok(view)
    }

    /// The cores of a domain, or those that nobody has.
    pub fn cores_of(&self, owner: Option<&str>) -> Vec<u32> {
        let owned = (0..).zip(&self.cores).filter(|(_, core)| core.owner.as_deref() == owner);
        owned.map(|(number, _)| number).collect()
    }

    /// Whether a domain has more cores than it needs.
    pub fn can_give(&self, name: &str) -> bool {
        let domain = self.domains.iter().find(|domain| domain.name == name);
        domain.is_some_and(|domain| domain.counts[0] > domain.counts[2].max(1))
    }
}

/// How an order ended for a core: its new owner, `pool` or `off`; or why not.
pub type End = Result<String, String>;

/// What is known of the machine.
#[derive(Debug)]
pub struct Spec {
    cores: usize,
    domains: Vec<String>,
    /// Domains whose guests never take a CPU off or on by themselves.
    steady: Vec<String>,
    /// The last view that was right.
    pub view: View,
    /// How orders ended since, by core.
    ends: BTreeMap<u32, Vec<End>>,
    /// The domain that an order was about as a whole, which was done with no other beside it; its grant, if it was set.
    last: Option<(String, Option<u32>)>,
}

impl Spec {
    /// A machine with so many cores and these domains.
    pub fn new(cores: usize, domains: Vec<String>, steady: Vec<String>) -> Self {
        Self { cores, domains, steady, view: View::default(), ends: BTreeMap::new(), last: None }
    }

    /// Takes all answers to an order that is over. `cancelled`: another order cancelled beside it.
    pub fn ended(&mut self, given: &Given, replies: &[Reply], cancelled: bool) -> Result<(), String> {
        let complain = |what: String| Err(format!("`{}` {what}", given.text));
        for reply in replies {
            let reason = reply.value("reason").unwrap_or_default();
            let end = match reply.says() {
                Some("refused") => {
                    let fits = match given.wrong {
                        Some(wrong) => reason == wrong,
                        None => given.may_be_refused_for(reason) || RACES.contains(&reason),
                    };
                    if !fits {
                        return complain(format!("is refused for {reason}"));
                    }
                    continue;
                }
                Some("done") => {
                    let to = reply.value("to").unwrap_or_default();
                    if !given.to.iter().any(|wanted| wanted == to) {
                        return complain(format!("leads to {to}"));
                    }
                    Ok(to.to_owned())
                }
                Some("failed") => {
                    let fits = match reason {
                        "cancelled" => cancelled,
                        "refused" | "timeout" => given.gives_up,
                        reason => RACES.contains(&reason),
                    };
                    if !fits {
                        return complain(format!("fails for {reason}"));
                    }
                    Err(reason.to_owned())
                }
                _ => continue,
            };
            let Some(core) = reply.number("core") else { return complain("ends without a core".to_owned()) };
            if !given.cores.is_empty() && !given.cores.contains(&core) {
                return complain(format!("is about core {core}"));
            }
            self.ends.entry(core).or_default().push(end);
        }
        let refused = replies.iter().any(|reply| reply.says() == Some("refused"));
        match given.wrong {
            Some(wrong) if !refused => complain(format!("is not refused for {wrong}")),
            _ => Ok(()),
        }
    }

    /// An order was done, and no other was under way.
    pub fn done_alone(&mut self, given: &Given) {
        self.last = given.domain.clone();
    }

    /// Whether the machine may look like this, with no order under way. The cores were asked one after the other, while
    /// guests took CPUs off and on.
    pub fn allows(&self, view: &View) -> Result<(), String> {
        if view.cores.len() != self.cores {
            return Err(format!("there are {} cores", view.cores.len()));
        }
        let names: Vec<&str> = view.domains.iter().map(|domain| domain.name.as_str()).collect();
        if names != self.domains {
            return Err(format!("the domains are {}", names.join(", ")));
        }
        for (number, core) in (0..).zip(&view.cores) {
            self.allows_core(number, core).map_err(|what| format!("core {number} {what}: {core:?}"))?;
        }
        view.domains.iter().try_for_each(|domain| {
            self.allows_domain(domain).map_err(|what| format!("domain {} {what}: {domain:?}", domain.name))
        })
    }

    fn allows_core(&self, number: u32, core: &Core) -> Result<(), &'static str> {
        let owned = core.owner.is_some();
        match core.state.as_str() {
            "owned" | "releasing" if owned => {}
            "idle" | "off" | "waking" if !owned => {}
            "asked" => return Err("is asked for, and no order is under way"),
            "failed" => return Err("has failed"),
            _ => return Err("is in no state that there is"),
        }
        if number == 0 && core.state == "off" {
            return Err("is off, but has to stay on");
        }
        if !core.owner.iter().all(|owner| self.domains.contains(owner)) {
            return Err("belongs to nobody that there is");
        }
        self.follows(number, core)
    }

    /// Whether only orders did what guests cannot have done.
    fn follows(&self, number: u32, now: &Core) -> Result<(), &'static str> {
        let Some(was) = usize::try_from(number).ok().and_then(|number| self.view.cores.get(number)) else {
            return Ok(());
        };
        let owner = |core: &Core| core.owner.clone().filter(|owner| self.steady.contains(owner));
        let kept = |why| if owner(was) == owner(now) { Ok(()) } else { Err(why) };
        match self.ends.get(&number).map(Vec::as_slice) {
            None if was.held != now.held => Err("was ordered on or off by nobody"),
            None => kept("changed hands without an order"),
            Some([Err(_)]) => kept("changed hands by an order that failed"),
            Some([Ok(to)]) if (to == "off") != now.held => Err("is not held off, or is, against the last order"),
            Some([Ok(to)]) if owner(now) != Some(to.clone()).filter(|to| self.steady.contains(to)) => {
                Err("does not belong to whom the last order gave it")
            }
            // Several at once: either may have been the last.
            _ => Ok(()),
        }
    }

    fn allows_domain(&self, domain: &Domain) -> Result<(), &'static str> {
        let [owned, granted, min, max, on, boots] = domain.counts;
        let was = self.view.domains.iter().find(|was| was.name == domain.name);
        if domain.phase != "running" {
            return Err("does not run");
        }
        if boots != 1 {
            return Err("began anew");
        }
        if granted < min || granted > max || owned > max {
            return Err("has what it may not have");
        }
        if on == 0 {
            return Err("has no context that is on");
        }
        if let Some((name, Some(wanted))) = &self.last
            && *name == domain.name
            && *wanted != granted
        {
            return Err("is not granted what was set");
        }
        match was {
            Some(was) if self.steady.contains(&domain.name) && was.counts[4] != on => Err("lost a context, or got one"),
            _ => Ok(()),
        }
    }

    /// Whether all numbers fit. While a CPU goes off or on they do not for a moment.
    pub fn adds_up(&self, view: &View) -> Result<(), String> {
        if let Some(core) = view.cores.iter().position(|core| matches!(core.state.as_str(), "waking" | "releasing")) {
            return Err(format!("core {core} stays on its way"));
        }
        for domain in &view.domains {
            let its = || view.cores.iter().filter(|core| core.owner.as_deref() == Some(domain.name.as_str()));
            let (cores, contexts): (usize, u32) = (its().count(), its().map(|core| core.contexts).sum());
            let [owned, .., on, _] = domain.counts;
            if u32::try_from(cores) != Ok(owned) || contexts != on {
                return Err(format!("domain {} does not own {cores} cores with {contexts} contexts", domain.name));
            }
            let unfolded = self.last.as_ref().is_some_and(|(name, grant)| *name == domain.name && grant.is_none());
            if unfolded && self.steady.contains(&domain.name) && its().any(|core| core.contexts > 1) {
                return Err(format!("domain {} stays folded", domain.name));
            }
        }
        let stray = view.cores.iter().position(|core| core.owner.is_none() && core.contexts != 0);
        stray.map_or(Ok(()), |core| Err(format!("core {core} belongs to nobody and has contexts")))
    }

    /// From now on the machine looks like this.
    pub fn accept(&mut self, view: View) {
        self.view = view;
        self.ends.clear();
        self.last = None;
    }
}

/// Every order in a kernel's log is answered, and each of its cores once. `line` by `line`; then what is [`left`].
///
/// [`left`]: Answers::left
#[derive(Debug, Default)]
pub struct Answers(BTreeMap<u16, (u32, Vec<u32>)>);

impl Answers {
    /// Takes an answer of the kernel.
    pub fn take(&mut self, reply: &Reply) -> Result<(), String> {
        let (id, line) = (reply.id, &reply.line);
        match reply.says() {
            Some("accepted") => {
                let cores = reply.number("cores").unwrap_or_default();
                if cores > 0 && self.0.insert(id, (cores, Vec::new())).is_some() {
                    return Err(format!("order {id} is accepted twice"));
                }
            }
            Some("done" | "failed") => {
                let Some((cores, over)) = self.0.get_mut(&id) else {
                    return Err(format!("order {id} is over and says `{line}`"));
                };
                let core = reply.number("core").ok_or_else(|| format!("order {id} says `{line}`"))?;
                if over.contains(&core) {
                    return Err(format!("order {id} ends twice for core {core}"));
                }
                over.push(core);
                if u32::try_from(over.len()) == Ok(*cores) {
                    self.0.remove(&id);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What was never answered.
    pub fn left(&self) -> Result<(), String> {
        match self.0.first_key_value() {
            Some((id, (cores, over))) => Err(format!("order {id} ended for {} of {cores} cores", over.len())),
            None => Ok(()),
        }
    }
}
