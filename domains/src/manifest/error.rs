//! The words in which a manifest is refused, on the host and at boot.

use super::{COMPATIBLE, MAX_DOMAINS, MAX_GROUPS};
use arrayvec::ArrayString;
use core::fmt;
use dtoolkit::error::FdtParseError;

/// A fault of a manifest: where and what. Displays as in
/// `domain linux: cores-start = 9: more than cores-max = 4`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError<'a> {
    /// Where.
    pub place: Place<'a>,
    /// What is wrong there.
    pub reason: Reason<'a>,
}

/// The name of a property: no tree has longer ones.
type PropertyName = ArrayString<31>;

/// Words to choose from, shown one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words(pub &'static [&'static str]);

crate::displayed! {
    /// What a node of a manifest is about.
    #[derive(Copy)]
    pub enum Kind {
        Domain = "domain ",
        Group = "group ",
        Setting = "",
    }
}

crate::displayed! {
    /// A place in a manifest: a node, or a property of one and its value.
    #[derive(Copy)]
    pub enum Place<'a> {
        Manifest = "manifest",
        Node(kind: Kind, name: &'a str) = "{kind}{name}",
        Property(kind: Kind, node: &'a str, key: &'a str, value: Value<'a>) = "{kind}{node}: {key}{value}",
    }
}

crate::displayed! {
    /// A property's value, as far as a message shows it; sizes in bytes are shown like addresses.
    #[derive(Copy)]
    pub enum Value<'a> {
        Unknown = "",
        Text(text: &'a str) = " = \"{text}\"",
        Number(number: u64) = " = {number}",
        Address(address: u64) = " = {address:#x}",
    }
}

crate::displayed! {
    /// What is wrong.
    pub enum Reason<'a> {
        Tree(error: FdtParseError) = "not a device tree: {error}",
        NotAManifest = "compatible is not \"{COMPATIBLE}\"",
        NoDomain = "no domain",
        TooManyDomains = "more than {MAX_DOMAINS} domains",
        TooManyGroups = "more than {MAX_GROUPS} groups",
        SameGroup = "there is another group of this name",
        MemberCount(most: usize) = "a group has 2 to {most} members",
        NoSuchDomain(name: &'a str) = "there is no domain {name}",
        MemberOfTwo(name: &'a str) = "domain {name} is a member already",
        ThreeActions = "not three actions: of a primary, a standby, and one that was just promoted",
        ImpossibleAction(role: &'static str) = "cannot be done with a {role}",
        UnknownNode(name: &'a str) = "unknown node {name}",
        UnknownProperty(name: PropertyName) = "unknown property {name}",
        Repeated = "there twice",
        Missing(key: &'static str) = "{key} is missing",
        NotText = "not a string",
        NotANumber(bits: u8) = "not a {bits}-bit number",
        NotOneOf(words: Words) = "not one of{words}",
        OnlyWith(other: &'static str) = "means nothing without {other}",
        BadName = "a name is a letter and up to 30 more of a-z, 0-9 and -",
        SameName = "there is another domain of this name",
        OutOfRange(low: u64, high: u64) = "not between {low} and {high}",
        Zero = "must not be 0",
        MoreThan(key: &'static str, limit: u64) = "more than {key} = {limit}",
        NotAMultipleOf(granule: u64) = "not a multiple of {granule:#x}",
        OverlapsBoard(end: u64) = "overlaps the board's devices below {end:#x}",
        EndsBeyond(limit: u64) = "memory ends beyond {limit:#x}",
        OutsideMemory = "outside the domain's memory",
        TooLong(limit: usize) = "longer than {limit} bytes",
        NoSuchFile = "no such file",
        TooManyCores(wanted: u64, present: u64) = "the domains start with {wanted} cores, the machine has {present}",
        TooMuchMemory(wanted: u64, present: u64) =
            "the domains have {wanted:#x} bytes of memory, the machine has {present:#x} for them",
    }
}

impl fmt::Display for ManifestError<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.reason)
    }
}

impl fmt::Display for Words {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| write!(out, " \"{word}\""))
    }
}
