//! From the tree to a [`Manifest`]: what is there, and of the right type. Whether it makes sense is
//! [`Manifest::validate`]'s business.

use super::{
    Action, BOARD_MEMORY_BASE, Board, COMPATIBLE, CoreCounts, DomainSpec, ImageFormat, Manifest, ManifestError, Memory,
    Place, Reason, Value, Words,
};
use crate::protocol::{EndKind, ExpectedEnd};
use crate::tree;
use arrayvec::ArrayVec;
use fdt::node::FdtNode;

/// Every property that a domain may have.
const KEYS: &str = "board image format load-offset initramfs cmdline memory-base memory-size \
                    cores-min cores-start cores-max priority on-fault on-reset restarts-max end";

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
        let mut domains = ArrayVec::new();
        for node in root.children() {
            if node.name != "domains" {
                return Err(whole(Reason::UnknownNode(node.name)));
            }
            if let Some(property) = node.properties().next() {
                return Err(whole(Reason::UnknownProperty(property.name)));
            }
            for node in node.children() {
                let spec = Fields { node }.domain()?;
                domains.try_push(spec).map_err(|_| whole(Reason::TooManyDomains))?;
            }
        }
        Ok(Self { domains })
    }
}

/// The properties of one domain's node.
#[derive(Clone, Copy)]
struct Fields<'t, 'a> {
    node: FdtNode<'t, 'a>,
}

impl<'a> Fields<'_, 'a> {
    fn domain(self) -> Checked<'a, DomainSpec<'a>> {
        self.check_keys()?;
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
            priority: self.number32("priority")?.unwrap_or(100),
            on_fault: self.word("on-fault", &Action::NAMES, Action::from_name)?.unwrap_or(Action::Stop),
            on_reset: self.word("on-reset", &Action::NAMES, Action::from_name)?.unwrap_or(Action::Restart),
            restarts_max: self.number32("restarts-max")?.unwrap_or(3),
            end: self
                .word("end", &ExpectedEnd::NAMES, ExpectedEnd::from_name)?
                .unwrap_or(ExpectedEnd::Kind(EndKind::Off)),
        })
    }

    fn check_keys(self) -> Checked<'a, ()> {
        if let Some(child) = self.node.children().next() {
            return Err(self.odd(Reason::UnknownNode(child.name)));
        }
        for (index, property) in self.node.properties().enumerate() {
            if !KEYS.split(' ').any(|key| key == property.name) {
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
        ManifestError { place: Place::Domain(self.node.name), reason }
    }

    fn wrong(self, key: &'a str, value: Value<'a>, reason: Reason<'a>) -> ManifestError<'a> {
        ManifestError { place: Place::Property(self.node.name, key, value), reason }
    }
}

/// One string, with its final zero and no other.
fn text(value: &[u8]) -> Option<&str> {
    core::str::from_utf8(value.strip_suffix(&[0])?).ok().filter(|text| !text.contains('\0'))
}
