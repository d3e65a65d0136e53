//! Whether a manifest makes sense, by itself and on a given machine.

use super::parse::Checked;
use super::{
    BOARD_MEMORY_BASE, Board, COMMAND_LINE_MAX, DomainSpec, ImageFormat, Kind, MAX_CONTEXTS, MEMORY_GRANULE,
    MEMORY_LIMIT, Machine, Manifest, ManifestError, Place, Reason, Value,
};

impl<'a> Manifest<'a> {
    /// Checks every domain, the governor and the power settings, and that together they fit the machine; `exists` says whether a file is
    /// in the archive. The first fault found is the answer.
    pub fn validate(&self, machine: &Machine, exists: impl Fn(&str) -> bool) -> Checked<'a, ()> {
        let whole = |reason| Err(ManifestError { place: Place::Manifest, reason });
        if self.domains.is_empty() {
            return whole(Reason::NoDomain);
        }
        let (mut cores, mut memory) = (0u64, 0u64);
        for (index, domain) in self.domains.iter().enumerate() {
            domain.check(&exists)?;
            if self.domains.iter().take(index).any(|earlier| earlier.name == domain.name) {
                return Err(ManifestError { place: Place::Node(Kind::Domain, domain.name), reason: Reason::SameName });
            }
            cores = cores.saturating_add(u64::from(domain.cores.start));
            memory = memory.saturating_add(domain.memory.size);
        }
        self.check_groups()?;
        for group in &self.groups {
            // A standby starts with the cores that it has as one; a checkpoint is as large as what it is of.
            let members = || self.domains.iter().filter(|domain| group.members.contains(&domain.name));
            let spared = members().skip(1).map(|domain| domain.cores.start.saturating_sub(group.standby_cores));
            cores = cores.saturating_sub(spared.map(u64::from).sum());
            let copies = if group.checkpoint_ms == 0 {
                0
            } else {
                members().map(|domain| checkpoint_bytes(domain.memory.size)).sum()
            };
            memory = memory.saturating_add(copies).saturating_add(group.region_size);
        }
        let (low, high) = self.governor.map_or((0, 1), |spec| (spec.low_permille, spec.high_permille));
        let below = Reason::OutOfRange(0, high.saturating_sub(1).into());
        check(Kind::Setting, "governor", [(low >= high, "low-permille", Value::Number(low.into()), below)])?;
        let is_free = self.power.is_some_and(|power| power.break_even_us == 0);
        check(Kind::Setting, "power", [(is_free, "break-even-us", Value::Number(0), Reason::Zero)])?;
        if cores > machine.cores as u64 {
            return whole(Reason::TooManyCores(cores, machine.cores as u64));
        }
        if memory > machine.memory_bytes {
            return whole(Reason::TooMuchMemory(memory, machine.memory_bytes));
        }
        Ok(())
    }
}

/// Whether a domain or a group may be called so.
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= 31 && name.bytes().all(allowed)
}

/// Whether a rule is broken, by which property, its value there, and what is wrong with that.
type Rule<'a> = (bool, &'static str, Value<'a>, Reason<'a>);

/// Checks a node's rules.
pub(super) fn check<'a, const N: usize>(kind: Kind, node: &'a str, rules: [Rule<'a>; N]) -> Checked<'a, ()> {
    let broken = rules.into_iter().find(|(broken, ..)| *broken);
    broken.map_or(Ok(()), |(_, key, value, reason)| {
        Err(ManifestError { place: Place::Property(kind, node, key, value), reason })
    })
}

/// What checkpoints of a domain with so much memory take: as much again, tables that map pages, contexts and devices.
pub fn checkpoint_bytes(size: u64) -> u64 {
    size.saturating_add((size / 256).saturating_add(1 << 20).next_multiple_of(MEMORY_GRANULE))
}

impl<'a> DomainSpec<'a> {
    fn check(&self, exists: impl Fn(&str) -> bool) -> Checked<'a, ()> {
        if !is_name(self.name) {
            return Err(ManifestError { place: Place::Node(Kind::Domain, self.name), reason: Reason::BadName });
        }
        let [min, start, max] = [self.cores.min, self.cores.start, self.cores.max].map(u64::from);
        let (base, size) = (self.memory.base, self.memory.size);
        let granule = || Reason::NotAMultipleOf(MEMORY_GRANULE);
        let on_devices = self.board == Board::Virt && base < BOARD_MEMORY_BASE;
        let ends_beyond = base.checked_add(size).is_none_or(|end| end > MEMORY_LIMIT);
        let load_offset = self.load_offset.unwrap_or(0);
        let offset_of_none = self.load_offset.is_some() && self.format != ImageFormat::Raw;
        let initramfs = self.initramfs.unwrap_or(self.image);
        let rules = [
            (start == 0, "cores-start", Value::Number(start), Reason::OutOfRange(1, MAX_CONTEXTS.into())),
            (start > max, "cores-start", Value::Number(start), Reason::MoreThan("cores-max", max)),
            (min > start, "cores-min", Value::Number(min), Reason::MoreThan("cores-start", start)),
            (!base.is_multiple_of(MEMORY_GRANULE), "memory-base", Value::Address(base), granule()),
            (!size.is_multiple_of(MEMORY_GRANULE), "memory-size", Value::Address(size), granule()),
            (on_devices, "memory-base", Value::Address(base), Reason::OverlapsBoard(BOARD_MEMORY_BASE)),
            (size == 0, "memory-size", Value::Address(size), Reason::Zero),
            (ends_beyond, "memory-size", Value::Address(size), Reason::EndsBeyond(MEMORY_LIMIT)),
            (offset_of_none, "load-offset", Value::Address(load_offset), Reason::OnlyWith("format = \"raw\"")),
            (load_offset >= size, "load-offset", Value::Address(load_offset), Reason::OutsideMemory),
            (self.cmdline.len() > COMMAND_LINE_MAX, "cmdline", Value::Unknown, Reason::TooLong(COMMAND_LINE_MAX)),
            (!exists(self.image), "image", Value::Text(self.image), Reason::NoSuchFile),
            (!exists(initramfs), "initramfs", Value::Text(initramfs), Reason::NoSuchFile),
        ];
        check(Kind::Domain, self.name, rules)
    }
}
