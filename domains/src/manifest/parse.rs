//! From the tree to a [`Manifest`]: what is there, and of the right type. Whether it makes sense is
//! [`Manifest::validate`]'s business.

use super::{Action, Board, COMPATIBLE, ImageFormat, Kind, Manifest, ManifestError, Place, Reason, Value, Words};
use crate::protocol::ExpectedEnd;
use crate::tree;
use arrayvec::{ArrayString, ArrayVec};
use core::ops::RangeInclusive;
use core::str::Split;
use dtoolkit::Node as _;
use dtoolkit::Property as _;
use dtoolkit::fdt::{FdtNode, FdtProperty};

/// A value, if nothing is wrong with it.
pub(super) type Checked<'a, T> = Result<T, ManifestError<'a>>;

impl<'a> Manifest<'a> {
    /// Reads a manifest from the bytes of its file.
    pub fn parse(blob: &'a [u8]) -> Checked<'a, Self> {
        let whole = |reason| ManifestError { place: Place::Manifest, reason };
        let tree = tree::open(blob).map_err(|error| whole(Reason::Tree(error)))?;
        let root = tree.root();
        if root.property("compatible").and_then(|property| property.value_as().ok()) != Some(COMPATIBLE) {
            return Err(whole(Reason::NotAManifest));
        }
        if let Some(other) = root.properties().find(|property| property.name() != "compatible") {
            return Err(whole(unknown(&other)));
        }
        let mut manifest = Self { domains: ArrayVec::new(), groups: ArrayVec::new(), governor: None, power: None };
        for node in root.children() {
            let fields = Fields { node, kind: Kind::Setting };
            let repeated = match node.name() {
                "domains" => fields.list(&mut manifest.domains, Kind::Domain, Reason::TooManyDomains)?,
                "groups" => fields.list(&mut manifest.groups, Kind::Group, Reason::TooManyGroups)?,
                "governor" => manifest.governor.replace(fields.whole()?).is_some(),
                "power" => manifest.power.replace(fields.whole()?).is_some(),
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
pub(super) struct Fields<'a> {
    pub(super) node: FdtNode<'a>,
    kind: Kind,
}

/// What is read out of a node, or out of some of its properties; see [`node`].
pub(super) trait Node<'a>: Sized {
    /// Whether it has this property.
    fn knows(key: &str) -> bool;

    /// Reads it.
    fn read(fields: Fields<'a>) -> Checked<'a, Self>;
}

/// What a property can be.
pub(super) trait Property<'a>: Sized {
    /// Its value.
    fn read(fields: Fields<'a>, key: &'static str, property: FdtProperty<'a>) -> Checked<'a, Self>;
}

/// Defines a struct and how it is read. A field is a property by this name, with a default or needed, and, if there is a
/// range, within that; or, without a name, a [`Node`] of its own.
macro_rules! node {
    ($(#[$about:meta])* pub struct $name:ident $(<$life:lifetime>)? {
        $($(#[$doc:meta])* $field:ident: $type:ty $(= $key:literal $(or $default:expr $(, $range:expr)?)?)?;)*
    }) => {
        $(#[$about])*
        pub struct $name $(<$life>)? {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl<'a> $crate::manifest::parse::Node<'a> for $name $(<$life>)? {
            fn knows(key: &str) -> bool {
                false $(|| node!(@knows key $type $(, $key)?))*
            }

            fn read(fields: $crate::manifest::parse::Fields<'a>) -> $crate::manifest::parse::Checked<'a, Self> {
                $(let $field = node!(@read fields $($key $(, $default $(, $range)?)?)?)?;)*
                Ok(Self { $($field,)* })
            }
        }
    };
    (@knows $key:ident $type:ty) => { <$type as $crate::manifest::parse::Node>::knows($key) };
    (@knows $key:ident $type:ty, $name:literal) => { $key == $name };
    (@read $fields:ident) => { $crate::manifest::parse::Node::read($fields) };
    (@read $fields:ident $key:literal) => { $fields.needed($key) };
    (@read $fields:ident $key:literal, $default:expr) => { $fields.or($key, $default) };
    (@read $fields:ident $key:literal, $default:expr, $range:expr) => { $fields.within($key, $fields.or($key, $default)?, $range) };
}
pub(super) use node;

/// A node's name.
impl<'a> Node<'a> for &'a str {
    fn knows(_: &str) -> bool {
        false
    }

    fn read(fields: Fields<'a>) -> Checked<'a, Self> {
        Ok(fields.node.name())
    }
}

macro_rules! properties {
    (|$fields:ident, $key:ident, $property:ident| $($type:ty => $read:expr;)*) => {
        $(impl<'a> Property<'a> for $type {
            fn read($fields: Fields<'a>, $key: &'static str, $property: dtoolkit::fdt::FdtProperty<'a>) -> Checked<'a, Self> {
                $read
            }
        })*
    };
}
pub(super) use properties;

properties! { |fields, key, property|
    u32 => fields.read(key, Reason::NotANumber(32), property.value_as().ok());
    u64 => fields.read(key, Reason::NotANumber(64), property.value_as().ok());
    bool => fields.within(key, u32::read(fields, key, property)?, 0..=1).map(|number| number == 1);
    &'a str => {
        let is_one = |text: &&str| !text.contains('\0');
        fields.read(key, Reason::NotText, property.value_as().ok().filter(is_one))
    };
    Split<'a, char> => {
        fields.read(key, Reason::NotText, property.value_as::<&str>().ok().map(|list| list.split('\0')))
    };
    Option<u64> => u64::read(fields, key, property).map(Some);
    Option<&'a str> => Property::read(fields, key, property).map(Some);
    Board => fields.word(key, property, Self::from_name, &Self::NAMES);
    ImageFormat => fields.word(key, property, Self::from_name, &Self::NAMES);
    Action => fields.word(key, property, Self::from_name, &Self::NAMES);
    ExpectedEnd => fields.word(key, property, Self::from_name, &Self::NAMES);
}

impl<'a> Fields<'a> {
    /// All that the node says.
    fn whole<T: Node<'a>>(self) -> Checked<'a, T> {
        if let Some(child) = self.node.children().next() {
            return Err(self.odd(Reason::UnknownNode(child.name())));
        }
        if let Some(property) = self.node.properties().find(|property| !T::knows(property.name())) {
            return Err(self.odd(unknown(&property)));
        }
        T::read(self)
    }

    pub(super) fn get<T: Property<'a>>(self, key: &'static str) -> Checked<'a, Option<T>> {
        self.find(key)?.map(|property| T::read(self, key, property)).transpose()
    }

    fn find(self, key: &'static str) -> Checked<'a, Option<FdtProperty<'a>>> {
        let mut found = self.node.properties().filter(|property| property.name() == key);
        let Some(property) = found.next() else { return Ok(None) };
        let repeated = found.next().map(|_| self.wrong(key, Value::Unknown, Reason::Repeated));
        repeated.map_or(Ok(Some(property)), Err)
    }

    pub(super) fn needed<T: Property<'a>>(self, key: &'static str) -> Checked<'a, T> {
        self.get(key)?.ok_or_else(|| self.odd(Reason::Missing(key)))
    }

    pub(super) fn or<T: Property<'a>>(self, key: &'static str, default: T) -> Checked<'a, T> {
        Ok(self.get(key)?.unwrap_or(default))
    }

    pub(super) fn within(self, key: &'static str, number: u32, range: RangeInclusive<u32>) -> Checked<'a, u32> {
        let reason = Reason::OutOfRange((*range.start()).into(), (*range.end()).into());
        range.contains(&number).then_some(number).ok_or_else(|| self.wrong(key, Value::Number(number.into()), reason))
    }

    /// What was read of the property, or `not`.
    fn read<T>(self, key: &'static str, not: Reason<'a>, read: Option<T>) -> Checked<'a, T> {
        read.ok_or_else(|| self.wrong(key, Value::Unknown, not))
    }

    /// One of `words`, which are all that `find` knows.
    fn word<T>(
        self,
        key: &'static str,
        property: FdtProperty<'a>,
        find: fn(&str) -> Option<T>,
        words: &'static [&'static str],
    ) -> Checked<'a, T> {
        let text = Property::read(self, key, property)?;
        find(text).ok_or_else(|| self.wrong(key, Value::Text(text), Reason::NotOneOf(Words(words))))
    }

    /// Fills a list with what its nodes say; false, for it may be there twice.
    fn list<T: Node<'a>, const MOST: usize>(
        self,
        list: &mut ArrayVec<T, MOST>,
        kind: Kind,
        too_many: Reason<'a>,
    ) -> Checked<'a, bool> {
        let whole = |reason| Err(ManifestError { place: Place::Manifest, reason });
        if let Some(property) = self.node.properties().next() {
            return whole(unknown(&property));
        }
        for node in self.node.children() {
            if list.try_push(Fields { node, kind }.whole()?).is_err() {
                return whole(too_many);
            }
        }
        Ok(false)
    }

    pub(super) fn odd(self, reason: Reason<'a>) -> ManifestError<'a> {
        ManifestError { place: Place::Node(self.kind, self.node.name()), reason }
    }

    pub(super) fn wrong(self, key: &'static str, value: Value<'a>, reason: Reason<'a>) -> ManifestError<'a> {
        ManifestError { place: Place::Property(self.kind, self.node.name(), key, value), reason }
    }
}

/// The reason to refuse a property that nobody knows; a tree's names are never too long for it.
fn unknown<'a>(property: &FdtProperty<'_>) -> Reason<'a> {
    Reason::UnknownProperty(ArrayString::from(property.name()).unwrap_or_default())
}
