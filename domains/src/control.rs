//! A domain's control port: by it the kernel asks the domain to take its CPUs on-line or off-line. The requests wait here
//! until the guest takes them, by the board's second PL011, or, without a board, by hypercall.
//!
//! On the PL011 a request is one line, `online 3` or `offline 3`, and so is its answer: `ok`, `busy` or `refused` before
//! the request's own words. Requests go out only after the guest has said `ready`, so that none is lost while its driver
//! starts. What the guest is in its group is said in the same way: `primary 3` or `standby 3`, with the epoch, which needs
//! no answer. A request that was withdrawn before it went out is never seen; one of each kind and CPU waits at most.

use crate::manifest::{MAX_CONTEXTS, Role};
use crate::mmio::{Access, Level};
use crate::pl011::Pl011;
use arrayvec::ArrayString;
use core::fmt::Write;

#[cfg(test)]
mod tests;

/// The longest line to a guest, with its end.
const LONGEST: usize = 20;
/// The longest line that a guest may say.
const LINE: usize = 63;

smp::named! {
    /// What a domain is to do with one of its CPUs.
    pub enum Wish {
        /// Take it off-line.
        Offline = 1 "offline",
        /// Take it on-line.
        Online = 2 "online",
    }
}

/// One CPU, and what is to become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What the domain is to do.
    pub wish: Wish,
    /// Index of the context.
    pub context: u16,
}

smp::named! {
    /// How a guest answers.
    pub enum Answer {
        /// It was done, or was so already.
        Done = 0 "ok",
        /// Not now.
        Busy = 1 "busy",
        /// Not at all.
        Refused = 2 "refused",
    }
}

/// What a guest said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It listens from now on: what it was asked before may be lost.
    Ready,
    /// It answers.
    Answer(Answer, Request),
}

/// A line of text as it comes, byte by byte.
#[derive(Clone, Debug, Default)]
pub struct Typed<const MOST: usize> {
    text: ArrayString<MOST>,
    /// It is longer than that, or not all ASCII: to be skipped.
    is_bad: bool,
}

impl<const MOST: usize> Typed<MOST> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { text: ArrayString::new_const(), is_bad: false }
    }

    /// Takes one more byte; the line that it ends, if it ends one: `None` if that is to be skipped.
    pub fn push(&mut self, byte: u8) -> Option<Option<ArrayString<MOST>>> {
        if matches!(byte, b'\n' | b'\r') {
            let Self { text, is_bad } = core::mem::take(self);
            return Some((!is_bad).then_some(text));
        }
        self.is_bad |= !byte.is_ascii() || self.text.try_push(char::from(byte)).is_err();
        None
    }
}

/// A bit for each context.
type Contexts = u128;
const _: () = assert!(MAX_CONTEXTS <= Contexts::BITS);

fn bit(context: u16) -> Contexts {
    1u128.checked_shl(u32::from(context)).unwrap_or(0)
}

/// A control port; by default at reset, with nothing to ask.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// A whole line that goes out fits in.
    uart: Pl011<LONGEST>,
    ready: bool,
    /// What is asked, by wish.
    asked: [Contexts; Wish::ALL.len()],
    /// Contexts that were offered a core since they were last on.
    offered: Contexts,
    /// What the guest is in its group, and since which epoch, until it was told.
    role: Option<(Role, u32)>,
    /// What has come of the guest's line.
    line: Typed<LINE>,
}

impl Control {
    /// Asks for something. The newer of two that contradict each other counts.
    pub fn ask(&mut self, request: Request) {
        for (wish, asked) in Wish::ALL.into_iter().zip(&mut self.asked) {
            *asked &= !bit(request.context);
            *asked |= if wish == request.wish { bit(request.context) } else { 0 };
        }
        self.refill();
    }

    /// Asks for the first context that `is_off` and was not offered a core already, of so many. What the guest has heard of
    /// and not done is not asked again, until it says `ready`.
    pub fn offer(&mut self, contexts: usize, is_off: impl Fn(u16) -> bool) {
        let free = |context: &u16| self.offered & bit(*context) == 0 && is_off(*context);
        if let Some(context) = (0..contexts as u16).find(free) {
            self.offered |= bit(context);
            self.ask(Request { wish: Wish::Online, context });
        }
    }

    /// Contexts can be offered a core again.
    pub fn forget_offers(&mut self) {
        self.offered = 0;
    }

    /// Asks no more for anything about this context.
    pub fn withdraw(&mut self, context: u16) {
        self.offered &= !bit(context);
        self.asked.iter_mut().for_each(|asked| *asked &= !bit(context));
    }

    /// Says what it is in its group from now on.
    pub fn announce(&mut self, role: Role, epoch: u32) {
        self.role = Some((role, epoch));
        self.refill();
    }

    /// Takes the next request.
    pub fn take(&mut self) -> Option<Request> {
        let (wish, asked) = Wish::ALL.into_iter().zip(&mut self.asked).find(|(_, asked)| **asked != 0)?;
        let context = asked.trailing_zeros() as u16;
        *asked &= asked.wrapping_sub(1);
        Some(Request { wish, context })
    }

    /// What the guest reads from the PL011, or 0, and what it has said, if this ends a line that says something.
    pub fn access(&mut self, access: &Access) -> (u32, Option<Said>) {
        let (read, sent) = self.uart.access(access);
        let said = sent.and_then(|byte| self.hear(byte));
        self.ready |= said == Some(Said::Ready);
        // A read makes room, and so does switching the FIFO on or off.
        self.refill();
        (read, said)
    }

    /// The level of the PL011's interrupt.
    pub fn line(&self) -> Level {
        self.uart.line()
    }

    /// Says the next line, if the guest listens and has read the one before.
    fn refill(&mut self) {
        if !self.ready || !self.uart.is_empty() {
            return;
        }
        let mut line = ArrayString::<LONGEST>::new();
        let _ = match self.role.take() {
            Some((Role::Standby, epoch)) => writeln!(line, "standby {epoch}"),
            Some((_, epoch)) => writeln!(line, "primary {epoch}"),
            None => {
                let Some(Request { wish, context }) = self.take() else { return };
                writeln!(line, "{wish} {context}")
            }
        };
        for byte in line.bytes() {
            let _ = self.uart.receive(byte);
        }
    }

    fn hear(&mut self, byte: u8) -> Option<Said> {
        let line = self.line.push(byte)??;
        let mut words = line.split_ascii_whitespace();
        let first = words.next()?;
        let said = if first == "ready" {
            Said::Ready
        } else {
            let answer = Answer::from_name(first)?;
            let wish = Wish::from_name(words.next()?)?;
            Said::Answer(answer, Request { wish, context: words.next()?.parse().ok()? })
        };
        words.next().is_none().then_some(said)
    }
}
