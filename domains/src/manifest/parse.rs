//! From the tree to a [`Manifest`]: what is there, and of the right type. Whether it makes sense is
//! [`Manifest::validate`]'s business.

use super::{
    Action, BOARD_MEMORY_BASE, Board, COMPATIBLE, CoreCounts, DomainSpec, GovernorSpec, ImageFormat, Manifest,
    ManifestError, Memory, Place, PowerSpec, Reason, Value, Words,
};
use crate::protocol::ExpectedEnd;
use crate::tree;
use arrayvec::ArrayVec;
use fdt::node::FdtNode;

/// Every property that a domain may have.
const DOMAIN_KEYS: &str = "board image format load-offset initramfs cmdline memory-base memory-size \
                           cores-min cores-start cores-max cores-deadline-ms takes-idle manages-cores \
                           priority on-fault on-reset restarts-max end";
const GOVERNOR_KEYS: &str = "period-ms high-permille low-permille hold";
const POWER_KEYS: &str = "break-even-us";

/// A value, if nothing is wrong with it.
type Checked<'a, T> = Result<T, ManifestError<'a>>;

impl<'a> Manifest<'a> {
    /// Reads a manifest from the bytes of its file.
    pub fn parse(blob: &'a [u8]) -> Checked<'a, Self> {
        let whole = |reason| ManifestError { place: Place::Manifest, reason };
        let tree = tree::open(blob).map_err(|error| whole(Reason::Tree(error)))?;
        let root = tree.find_node("/").ok_or(whole(Reason::NotAManifest))?;
        if root.property("compatible").and_then(|property| text(property.value)) != Some(COMPATIBLE) {
            return Err(whole(Reason::NotAManifest));
        }
        if let Some(other) = root.properties().find(|property| property.name != "compatible") {
            return Err(whole(Reason::UnknownProperty(other.name)));
        }
        let mut manifest = Self { domains: ArrayVec::new(), governor: None, power: None };
        for node in root.children() {
            let fields = Fields { node, kind: Kind::Root };
            let repeated = match node.name {
                "domains" => {
                    if let Some(property) = node.properties().next() {
                        return Err(whole(Reason::UnknownProperty(property.name)));
                    }
                    for node in node.children() {
                        let spec = Fields { node, kind: Kind::Domain }.domain()?;
                        manifest.domains.try_push(spec).map_err(|_| whole(Reason::TooManyDomains))?;
                    }
                    false
                }
                "governor" => manifest.governor.replace(fields.governor()?).is_some(),
                "power" => manifest.power.replace(fields.power()?).is_some(),
                other => return Err(whole(Reason::UnknownNode(other))),
            };
            if repeated {
                return Err(fields.odd(Reason::Repeated));
            }
        }
        Ok(manifest)
    }
}

/// The properties of one node.
#[derive(Clone, Copy)]
struct Fields<'t, 'a> {
    node: FdtNode<'t, 'a>,
    kind: Kind,
}

/// What the node is about.
#[derive(Clone, Copy)]
enum Kind {
    Domain,
    /// The whole machine: it is a child of the root.
    Root,
}

impl<'a> Fields<'_, 'a> {
    fn domain(self) -> Checked<'a, DomainSpec<'a>> {
        self.check_keys(DOMAIN_KEYS)?;
        let start = self.number32("cores-start")?.unwrap_or(1);
        Ok(DomainSpec {
            name: self.node.name,
            board: self.word("board", &Board::NAMES, Board::from_name)?.unwrap_or(Board::Virt),
            image: self.text("image")?.ok_or(self.odd(Reason::Missing("image")))?,
            format: self.word("format", &ImageFormat::NAMES, ImageFormat::from_name)?.unwrap_or(ImageFormat::Image),
            load_offset: self.number64("load-offset")?,
            initramfs: self.text("initramfs")?,
            cmdline: self.text("cmdline")?.unwrap_or_default(),
            memory: Memory {
                base: self.number64("memory-base")?.unwrap_or(BOARD_MEMORY_BASE),
                size: self.number64("memory-size")?.ok_or(self.odd(Reason::Missing("memory-size")))?,
            },
            cores: CoreCounts {
                min: self.number32("cores-min")?.unwrap_or(1),
                start,
                max: self.number32("cores-max")?.unwrap_or(start),
            },
            deadline_ms: self.number32("cores-deadline-ms")?.unwrap_or(2000),
            takes_idle: self.flag("takes-idle")?,
            manages_cores: self.flag("manages-cores")?,
            priority: self.number32("priority")?.unwrap_or(100),
            on_fault: self.word("on-fault", &Action::NAMES, Action::from_name)?.unwrap_or(Action::Stop),
            on_reset: self.word("on-reset", &Action::NAMES, Action::from_name)?.unwrap_or(Action::Restart),
            restarts_max: self.number32("restarts-max")?.unwrap_or(3),
            end: self.word("end", &ExpectedEnd::NAMES, ExpectedEnd::from_name)?.unwrap_or(ExpectedEnd::Off),
        })
    }

    fn governor(self) -> Checked<'a, GovernorSpec> {
        self.check_keys(GOVERNOR_KEYS)?;
        Ok(GovernorSpec {
            period_ms: self.number32("period-ms")?.unwrap_or(100),
            high_permille: self.number32("high-permille")?.unwrap_or(800),
            low_permille: self.number32("low-permille")?.unwrap_or(300),
            hold: self.number32("hold")?.unwrap_or(3),
        })
    }

    fn power(self) -> Checked<'a, PowerSpec> {
        self.check_keys(POWER_KEYS)?;
        let break_even_us = self.number32("break-even-us")?.ok_or(self.odd(Reason::Missing("break-even-us")))?;
        Ok(PowerSpec { break_even_us })
    }

    fn check_keys(self, known: &str) -> Checked<'a, ()> {
        if let Some(child) = self.node.children().next() {
            return Err(self.odd(Reason::UnknownNode(child.name)));
        }
        for (index, property) in self.node.properties().enumerate() {
            if !known.split(' ').any(|key| key == property.name) {
                return Err(self.odd(Reason::UnknownProperty(property.name)));
            }
            if self.node.properties().take(index).any(|earlier| earlier.name == property.name) {
                return Err(self.wrong(property.name, Value::Unknown, Reason::Repeated));
            }
        }
        Ok(())
    }

    fn text(self, key: &'static str) -> Checked<'a, Option<&'a str>> {
        self.value(key, Reason::NotText, text)
    }

    fn number32(self, key: &'static str) -> Checked<'a, Option<u32>> {
        self.value(key, Reason::NotANumber(32), |value| value.try_into().ok().map(u32::from_be_bytes))
    }

    /// Whether the property is 1; it is 0 if it is not there.
    fn flag(self, key: &'static str) -> Checked<'a, bool> {
        match self.number32(key)?.unwrap_or(0) {
            number @ (0 | 1) => Ok(number == 1),
            number => Err(self.wrong(key, Value::Number(number.into()), Reason::OutOfRange(0, 1))),
        }
    }

    fn number64(self, key: &'static str) -> Checked<'a, Option<u64>> {
        self.value(key, Reason::NotANumber(64), |value| value.try_into().ok().map(u64::from_be_bytes))
    }

    /// One of `words`, which are all that `find` knows.
    fn word<T>(self, key: &'static str, words: &'static [&str], find: fn(&str) -> Option<T>) -> Checked<'a, Option<T>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        find(text).map(Some).ok_or(self.wrong(key, Value::Text(text), Reason::NotOneOf(Words(words))))
    }

    /// What `read` makes of the property, if it is there.
    fn value<T>(self, key: &'static str, not: Reason<'a>, read: fn(&'a [u8]) -> Option<T>) -> Checked<'a, Option<T>> {
        let Some(property) = self.node.property(key) else { return Ok(None) };
        read(property.value).map(Some).ok_or(self.wrong(key, Value::Unknown, not))
    }

    fn odd(self, reason: Reason<'a>) -> ManifestError<'a> {
        let place = match self.kind {
            Kind::Domain => Place::Domain(self.node.name),
            Kind::Root => Place::Node(self.node.name),
        };
        ManifestError { place, reason }
    }

    fn wrong(self, key: &'a str, value: Value<'a>, reason: Reason<'a>) -> ManifestError<'a> {
        let place = match self.kind {
            Kind::Domain => Place::Property(self.node.name, key, value),
            Kind::Root => Place::Setting(self.node.name, key, value),
        };
        ManifestError { place, reason }
    }
}

/// One string, with its final zero and no other.
fn text(value: &[u8]) -> Option<&str> {
    core::str::from_utf8(value.strip_suffix(&[0])?).ok().filter(|text| !text.contains('\0'))
}
