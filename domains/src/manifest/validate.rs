//! Whether a manifest makes sense, by itself and on a given machine.

use super::{
    BOARD_MEMORY_BASE, Board, COMMAND_LINE_MAX, DEADLINE_MS_MAX, DomainSpec, GovernorSpec, ImageFormat, MAX_CONTEXTS,
    MEMORY_GRANULE, MEMORY_LIMIT, Machine, Manifest, ManifestError, PERIOD_MS_MAX, Place, Reason, Value,
};

/// A rule: whether it is broken, by which property, its value there, and what is wrong with that.
type Rule<'a> = (bool, &'static str, Value<'a>, Reason<'a>);

impl<'a> Manifest<'a> {
    /// Checks every domain, the governor and the power settings, and that together they fit the machine; `exists` says whether a file is
    /// in the archive. The first fault found is the answer.
    pub fn validate(&self, machine: &Machine, exists: impl Fn(&str) -> bool) -> Result<(), ManifestError<'a>> {
        let whole = |reason| Err(ManifestError { place: Place::Manifest, reason });
        if self.domains.is_empty() {
            return whole(Reason::NoDomain);
        }
        let (mut cores, mut memory) = (0u64, 0u64);
        for (index, domain) in self.domains.iter().enumerate() {
            domain.check(&exists)?;
            if self.domains.iter().take(index).any(|earlier| earlier.name == domain.name) {
                return Err(ManifestError { place: Place::Domain(domain.name), reason: Reason::SameName });
            }
            cores = cores.saturating_add(u64::from(domain.cores.start));
            memory = memory.saturating_add(domain.memory.size);
        }
        self.governor.as_ref().map_or(Ok(()), GovernorSpec::check)?;
        if self.power.is_some_and(|power| power.break_even_us == 0) {
            let place = Place::Setting("power", "break-even-us", Value::Number(0));
            return Err(ManifestError { place, reason: Reason::Zero });
        }
        if cores > machine.cores as u64 {
            return whole(Reason::TooManyCores(cores, machine.cores as u64));
        }
        if memory > machine.memory_bytes {
            return whole(Reason::TooMuchMemory(memory, machine.memory_bytes));
        }
        Ok(())
    }
}

impl<'a> DomainSpec<'a> {
    fn check(&self, exists: impl Fn(&str) -> bool) -> Result<(), ManifestError<'a>> {
        let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let begins = self.name.starts_with(|first: char| first.is_ascii_lowercase());
        if !begins || self.name.len() > 31 || !self.name.bytes().all(allowed) {
            return Err(ManifestError { place: Place::Domain(self.name), reason: Reason::BadName });
        }
        let [min, start, max, most] = [self.cores.min, self.cores.start, self.cores.max, MAX_CONTEXTS].map(u64::from);
        let contexts = Reason::OutOfRange(1, most);
        let (base, size) = (self.memory.base, self.memory.size);
        let granule = Reason::NotAMultipleOf(MEMORY_GRANULE);
        let on_devices = self.board == Board::Virt && base < BOARD_MEMORY_BASE;
        let ends_beyond = base.checked_add(size).is_none_or(|end| end > MEMORY_LIMIT);
        let load_offset = self.load_offset.unwrap_or(0);
        let offset_of_none = self.load_offset.is_some() && self.format != ImageFormat::Raw;
        let (priority, no_priority) = (u64::from(self.priority), !(1..=254).contains(&self.priority));
        let initramfs = self.initramfs.unwrap_or(self.image);
        let deadline = u64::from(self.deadline_ms);
        let no_deadline = Reason::OutOfRange(0, DEADLINE_MS_MAX.into());
        let rules = [
            (max == 0 || max > most, "cores-max", Value::Number(max), contexts),
            (start == 0, "cores-start", Value::Number(start), contexts),
            (start > max, "cores-start", Value::Number(start), Reason::MoreThan("cores-max", max)),
            (min > start, "cores-min", Value::Number(min), Reason::MoreThan("cores-start", start)),
            (self.deadline_ms > DEADLINE_MS_MAX, "cores-deadline-ms", Value::Number(deadline), no_deadline),
            (!base.is_multiple_of(MEMORY_GRANULE), "memory-base", Value::Address(base), granule),
            (!size.is_multiple_of(MEMORY_GRANULE), "memory-size", Value::Address(size), granule),
            (on_devices, "memory-base", Value::Address(base), Reason::OverlapsBoard(BOARD_MEMORY_BASE)),
            (size == 0, "memory-size", Value::Address(size), Reason::Zero),
            (ends_beyond, "memory-size", Value::Address(size), Reason::EndsBeyond(MEMORY_LIMIT)),
            (offset_of_none, "load-offset", Value::Address(load_offset), Reason::OnlyWith("format = \"raw\"")),
            (no_priority, "priority", Value::Number(priority), Reason::OutOfRange(1, 254)),
            (load_offset >= size, "load-offset", Value::Address(load_offset), Reason::OutsideMemory),
            (self.cmdline.len() > COMMAND_LINE_MAX, "cmdline", Value::Unknown, Reason::TooLong(COMMAND_LINE_MAX)),
            (!exists(self.image), "image", Value::Text(self.image), Reason::NoSuchFile),
            (!exists(initramfs), "initramfs", Value::Text(initramfs), Reason::NoSuchFile),
        ];
        obeyed(rules, |key, value| Place::Property(self.name, key, value))
    }
}

impl GovernorSpec {
    fn check<'a>(&self) -> Result<(), ManifestError<'a>> {
        let [period, high, low, hold] =
            [self.period_ms, self.high_permille, self.low_permille, self.hold].map(u64::from);
        let (longest, below_high) = (u64::from(PERIOD_MS_MAX), high.saturating_sub(1));
        let rules = [
            (!(1..=longest).contains(&period), "period-ms", Value::Number(period), Reason::OutOfRange(1, longest)),
            (!(1..=1000).contains(&high), "high-permille", Value::Number(high), Reason::OutOfRange(1, 1000)),
            (low >= high, "low-permille", Value::Number(low), Reason::OutOfRange(0, below_high)),
            (!(1..=1000).contains(&hold), "hold", Value::Number(hold), Reason::OutOfRange(1, 1000)),
        ];
        obeyed(rules, |key, value| Place::Setting("governor", key, value))
    }
}

/// The first rule that is broken is the answer.
fn obeyed<'a, const COUNT: usize>(
    rules: [Rule<'a>; COUNT],
    place: impl Fn(&'static str, Value<'a>) -> Place<'a>,
) -> Result<(), ManifestError<'a>> {
    match rules.into_iter().find(|(broken, ..)| *broken) {
        None => Ok(()),
        Some((_, key, value, reason)) => Err(ManifestError { place: place(key, value), reason }),
    }
}
