//! From a scenario to the manifest that the kernel reads, and the kernel's own checks of it with
//! the place in the scenario file.

use domains::manifest::{COMPATIBLE, Kind, Machine, Manifest, ManifestError, Place, Reason, Value};
use vm_fdt::{Error, FdtWriter};

use crate::bundle::{Bundle, DomainFiles};
use crate::failure::{Code, Failure};
use crate::scenario::{Domain, Group, Load, Scenario, Source, Step};
use crate::units::Time;

/// Memory that the kernel keeps for itself, as the host estimates it before the kernel knows: its
/// image and tables, and what each core has.
const KERNEL_BYTES: u64 = 4 << 20;
const KERNEL_BYTES_PER_CORE: u64 = 64 << 10;

/// Writes the manifest and checks it as the kernel will.
pub fn checked(source: &Source, scenario: &Scenario, bundle: &Bundle) -> Result<Vec<u8>, Failure> {
    let blob = write(scenario, bundle).map_err(|error| match error {
        Unwritable::Manifest(error) => located(source, scenario, &error),
        Unwritable::Tree(error) => internal(&error),
    })?;
    judge(&blob, scenario, bundle).map_err(|error| located(source, scenario, &error))?;
    Ok(blob)
}

/// What the kernel will say.
fn judge<'a>(blob: &'a [u8], scenario: &Scenario, bundle: &Bundle) -> Result<(), ManifestError<'a>> {
    let cores = u64::from(scenario.machine.cores);
    let kernel = KERNEL_BYTES + KERNEL_BYTES_PER_CORE * cores;
    let machine = Machine {
        cores: scenario.machine.cores as usize,
        memory_bytes: scenario.machine.memory.0.saturating_sub(kernel),
    };
    Manifest::parse(blob)?.validate(&machine, |file| bundle.has(file))
}

/// Writes the manifest without judging it; the kernel will.
pub fn unchecked(scenario: &Scenario, bundle: &Bundle) -> Result<Vec<u8>, Failure> {
    write(scenario, bundle).map_err(|error| match error {
        Unwritable::Manifest(error) => Failure::new(Code::Usage, error.to_string()),
        Unwritable::Tree(error) => internal(&error),
    })
}

fn internal(error: &Error) -> Failure {
    Failure::new(Code::Failed, "cannot write the manifest").why(error.to_string())
}

/// Why a scenario cannot be put into a tree.
enum Unwritable<'a> {
    /// The tree's syntax has no room for it; in the kernel's words.
    Manifest(ManifestError<'a>),
    /// It is too large.
    Tree(Error),
}

impl From<Error> for Unwritable<'_> {
    fn from(error: Error) -> Self {
        Self::Tree(error)
    }
}

fn write<'a>(scenario: &'a Scenario, bundle: &Bundle) -> Result<Vec<u8>, Unwritable<'a>> {
    let mut tree = FdtWriter::new()?;
    let root = tree.begin_node("")?;
    tree.property_string("compatible", COMPATIBLE)?;
    let all = tree.begin_node("domains")?;
    for (domain, files) in scenario.domains.iter().zip(&bundle.domains) {
        write_domain(&mut tree, domain, files)?;
    }
    tree.end_node(all)?;
    if !scenario.groups.is_empty() {
        let all = tree.begin_node("groups")?;
        scenario.groups.iter().try_for_each(|group| write_group(&mut tree, group))?;
        tree.end_node(all)?;
    }
    if let Some(governor) = &scenario.governor {
        let node = tree.begin_node("governor")?;
        let numbers = [
            ("period-ms", governor.period.map(milliseconds)),
            ("high-permille", governor.high.map(Load::permille)),
            ("low-permille", governor.low.map(Load::permille)),
            ("hold", governor.hold),
        ];
        write_numbers(&mut tree, &numbers)?;
        tree.end_node(node)?;
    }
    if let Some(power) = &scenario.power {
        let node = tree.begin_node("power")?;
        let break_even = u32::try_from(power.break_even.0.as_micros()).unwrap_or(u32::MAX);
        tree.property_u32("break-even-us", break_even)?;
        tree.end_node(node)?;
    }
    tree.end_node(root)?;
    Ok(tree.finish()?)
}

fn write_domain<'a>(tree: &mut FdtWriter, domain: &'a Domain, files: &DomainFiles) -> Result<(), Unwritable<'a>> {
    // An empty name would be the root's.
    let node = match tree.begin_node(&domain.name) {
        Ok(node) if !domain.name.is_empty() => node,
        _ => {
            return Err(Unwritable::Manifest(ManifestError {
                place: Place::Node(Kind::Domain, &domain.name),
                reason: Reason::BadName,
            }));
        }
    };
    let format = files.format.name();
    let texts = [
        ("board", domain.board.as_deref()),
        ("image", Some(files.image.as_str())),
        ("format", Some(format)),
        ("initramfs", files.initramfs.as_deref()),
        ("cmdline", domain.cmdline.as_deref()),
        ("on-fault", domain.on_fault.as_deref()),
        ("on-reset", domain.on_reset.as_deref()),
        ("end", domain.end.as_deref()),
    ];
    for (key, text) in texts {
        let Some(text) = text else { continue };
        tree.property_string(key, text).map_err(|error| match error {
            Error::InvalidString => Unwritable::Manifest(ManifestError {
                place: Place::Property(Kind::Domain, &domain.name, key, Value::Unknown),
                reason: Reason::NotText,
            }),
            other => Unwritable::Tree(other),
        })?;
    }
    let wide = [
        ("memory-base", domain.memory_base),
        ("memory-size", Some(domain.memory.0)),
        ("load-offset", domain.load_offset),
    ];
    for (key, number) in wide {
        if let Some(number) = number {
            tree.property_u64(key, number)?;
        }
    }
    let cores = domain.cores;
    let narrow = [
        ("cores-min", cores.and_then(|cores| cores.min)),
        ("cores-start", cores.and_then(|cores| cores.start)),
        ("cores-max", cores.and_then(|cores| cores.max)),
        ("cores-deadline-ms", cores.and_then(|cores| cores.deadline).map(milliseconds)),
        ("takes-idle", domain.takes_idle.map(u32::from)),
        ("manages-cores", domain.manages_cores.map(u32::from)),
        ("priority", domain.priority),
        ("restarts-max", domain.restarts_max),
    ];
    write_numbers(tree, &narrow)?;
    Ok(tree.end_node(node)?)
}

fn write_group<'a>(tree: &mut FdtWriter, group: &'a Group) -> Result<(), Unwritable<'a>> {
    let node = match tree.begin_node(&group.name) {
        Ok(node) if !group.name.is_empty() => node,
        _ => {
            return Err(Unwritable::Manifest(ManifestError {
                place: Place::Node(Kind::Group, &group.name),
                reason: Reason::BadName,
            }));
        }
    };
    let rows = group.on.rows().into_iter().filter_map(|(key, actions)| Some((key, &actions?.0)));
    for (key, words) in std::iter::once(("members", &group.members)).chain(rows) {
        tree.property_string_list(key, words.clone()).map_err(|error| match error {
            Error::InvalidString => Unwritable::Manifest(ManifestError {
                place: Place::Property(Kind::Group, &group.name, key, Value::Unknown),
                reason: Reason::NotText,
            }),
            other => Unwritable::Tree(other),
        })?;
    }
    let restarts = group.restarts;
    let numbers = [
        ("heartbeat-ms", group.heartbeat.map(milliseconds)),
        ("start-ms", group.start.map(milliseconds)),
        ("progress-ms", group.progress.map(milliseconds)),
        ("standby-cores", group.standby_cores),
        ("checkpoint-ms", group.checkpoint.map(milliseconds)),
        ("restarts-max", restarts.and_then(|restarts| restarts.max)),
        ("restarts-within-ms", restarts.and_then(|restarts| restarts.within).map(milliseconds)),
    ];
    write_numbers(tree, &numbers)?;
    if let Some(region) = group.region {
        tree.property_u64("region-size", region.0)?;
    }
    Ok(tree.end_node(node)?)
}

/// Those that are there.
fn write_numbers(tree: &mut FdtWriter, numbers: &[(&str, Option<u32>)]) -> Result<(), Error> {
    let given = numbers.iter().filter_map(|(key, number)| Some((key, (*number)?)));
    given.into_iter().try_for_each(|(key, number)| tree.property_u32(key, number))
}

/// As the manifest has times; one that it cannot hold is far beyond every limit there.
fn milliseconds(time: Time) -> u32 {
    u32::try_from(time.0.as_millis()).unwrap_or(u32::MAX)
}

/// A manifest's error, with its place in the scenario.
fn located(source: &Source, scenario: &Scenario, error: &ManifestError<'_>) -> Failure {
    use Step::{Index, Key};
    // Of two domains with the same name, the later one is the one too many.
    let index = |name: &str| {
        let found = scenario.domains.iter().rposition(|domain| domain.name == name);
        Index(found.unwrap_or_default())
    };
    let group_index = |name: &str| {
        let found = scenario.groups.iter().rposition(|group| group.name == name);
        Index(found.unwrap_or_default())
    };
    let path = match (&error.place, &error.reason) {
        (Place::Property(Kind::Domain, domain, key, _), _) => {
            let mut path = vec![Key("domain"), index(domain)];
            path.extend(keys(key));
            path
        }
        (Place::Node(Kind::Domain, name), Reason::BadName | Reason::SameName) => {
            vec![Key("domain"), index(name), Key("name")]
        }
        (Place::Node(Kind::Domain, name), _) => vec![Key("domain"), index(name)],
        (Place::Property(Kind::Group, group, key, _), _) => {
            let mut path = vec![Key("group"), group_index(group)];
            path.extend(group_keys(key));
            path
        }
        (Place::Node(Kind::Group, name), Reason::BadName | Reason::SameGroup) => {
            vec![Key("group"), group_index(name), Key("name")]
        }
        (Place::Node(Kind::Group, name), Reason::NoSuchDomain(_) | Reason::MemberOfTwo(_) | Reason::MemberCount(_)) => {
            vec![Key("group"), group_index(name), Key("members")]
        }
        (Place::Node(Kind::Group, name), _) => vec![Key("group"), group_index(name)],
        (Place::Node(Kind::Setting, name), _) => vec![Key(name)],
        (Place::Property(Kind::Setting, node, key, _), _) => {
            let mut path = vec![Key(node)];
            path.extend(keys(key));
            path
        }
        (Place::Manifest, Reason::TooManyCores { .. }) => vec![Key("machine"), Key("cores")],
        (Place::Manifest, Reason::TooMuchMemory { .. }) => vec![Key("machine"), Key("memory")],
        (Place::Manifest, Reason::TooManyGroups) => vec![Key("group"), Index(domains::manifest::MAX_GROUPS)],
        (Place::Manifest, Reason::TooManyDomains) => {
            vec![Key("domain"), Index(domains::protocol::MAX_DOMAINS)]
        }
        (Place::Manifest, _) => Vec::new(),
    };
    source.error(&path, error)
}

/// The scenario's keys for a manifest's property.
fn keys<'a>(property: &'a str) -> Vec<Step<'a>> {
    match property {
        "memory-size" => vec![Step::Key("memory")],
        "cores-min" => vec![Step::Key("cores"), Step::Key("min")],
        "cores-start" => vec![Step::Key("cores"), Step::Key("start")],
        "cores-max" => vec![Step::Key("cores"), Step::Key("max")],
        "cores-deadline-ms" => vec![Step::Key("cores"), Step::Key("deadline")],
        "period-ms" => vec![Step::Key("period")],
        "high-permille" => vec![Step::Key("high")],
        "low-permille" => vec![Step::Key("low")],
        "break-even-us" => vec![Step::Key("break-even")],
        // The file decides the format.
        "format" => vec![Step::Key("image")],
        other => vec![Step::Key(other)],
    }
}

/// The same for a group.
fn group_keys(property: &str) -> Vec<Step<'_>> {
    use Step::Key;
    match property {
        "region-size" => vec![Key("region")],
        "standby-cores" => vec![Key("standby-cores")],
        "restarts-max" => vec![Key("restarts"), Key("max")],
        "restarts-within-ms" => vec![Key("restarts"), Key("within")],
        other => match other.strip_prefix("on-") {
            Some(error) => vec![Key("on"), Key(error)],
            None => vec![Key(other.strip_suffix("-ms").unwrap_or(other))],
        },
    }
}

#[cfg(test)]
mod tests;
