//! One serial line, many consoles. [`SWITCH`] and a tag byte say whose the bytes after it are,
//! until the next switch; a doubled [`SWITCH`] is that byte itself. The same in both directions.

use super::MAX_DOMAINS;

/// The byte that starts a switch (ASCII SOH, which consoles do not print).
pub const SWITCH: u8 = 0x01;

/// The tag byte of the kernel; the domains' follow it.
const KERNEL: u8 = b'0';

/// Whose console a byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tag {
    /// The kernel's log and monitor.
    #[default]
    Kernel,
    /// The console of the domain with this index, below [`MAX_DOMAINS`].
    Domain(u8),
}

impl Tag {
    /// The byte after [`SWITCH`].
    pub const fn byte(self) -> u8 {
        match self {
            Self::Kernel => KERNEL,
            Self::Domain(index) => KERNEL.saturating_add(1).saturating_add(index),
        }
    }

    /// The tag with this byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte.checked_sub(KERNEL)? {
            0 => Some(Self::Kernel),
            number if usize::from(number) <= MAX_DOMAINS => number.checked_sub(1).map(Self::Domain),
            _ => None,
        }
    }
}

/// Takes a framed stream apart. Starts with the kernel's bytes, so that output from before the
/// first switch is shown as the kernel's.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    current: Tag,
    switching: bool,
}

impl Splitter {
    /// A splitter at the start of a stream.
    pub const fn new() -> Self {
        Self { current: Tag::Kernel, switching: false }
    }

    /// Takes the next byte of the stream; answers whose it is unless it was framing. An unknown
    /// tag is skipped and changes nothing.
    pub fn push(&mut self, byte: u8) -> Option<(Tag, u8)> {
        if !self.switching && byte == SWITCH {
            self.switching = true;
            return None;
        }
        if core::mem::take(&mut self.switching) && byte != SWITCH {
            self.current = Tag::from_byte(byte).unwrap_or(self.current);
            return None;
        }
        Some((self.current, byte))
    }
}

/// Puts a framed stream together, with no more switches than it takes; the first write always switches.
#[derive(Clone, Debug, Default)]
pub struct Mux {
    current: Option<Tag>,
}

impl Mux {
    /// Sends `bytes` of `tag` through `emit`, framed.
    pub fn write(&mut self, tag: Tag, bytes: &[u8], mut emit: impl FnMut(u8)) {
        if self.current != Some(tag) && !bytes.is_empty() {
            self.current = Some(tag);
            emit(SWITCH);
            emit(tag.byte());
        }
        for &byte in bytes {
            if byte == SWITCH {
                emit(SWITCH);
            }
            emit(byte);
        }
    }
}
