//! A domain's control port: by it the kernel asks the domain to take its CPUs on-line or off-line. The requests wait here
//! until the guest takes them, by the board's second PL011, or, without a board, by hypercall.
//!
//! On the PL011 a request is one line, `online 3` or `offline 3`, and so is its answer: `ok`, `busy` or `refused` before
//! the request's own words. Requests go out only after the guest has said `ready`, so that none is lost while its driver
//! starts. A request that was withdrawn before it went out is never seen; one of each kind and CPU waits at most.

use crate::manifest::MAX_CONTEXTS;
use crate::mmio::{Access, AccessKind, Level};
use crate::pl011::Pl011;
use arrayvec::{ArrayString, ArrayVec};
use core::fmt::Write;

#[cfg(test)]
mod tests;

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

/// A bit for each context.
type Contexts = u128;
const _: () = assert!(MAX_CONTEXTS <= Contexts::BITS);

fn bit(context: u16) -> Contexts {
    1u128.checked_shl(u32::from(context)).unwrap_or(0)
}

/// A control port.
#[derive(Debug)]
pub struct Control {
    uart: Pl011,
    ready: bool,
    offline: Contexts,
    online: Contexts,
    /// Contexts that were offered a core since they were last on.
    offered: Contexts,
    /// The rest of the line that goes out, last byte first.
    out: ArrayVec<u8, 16>,
    /// What has come of the guest's line; `None`: too long, to be skipped.
    line: Option<ArrayString<LINE>>,
}

impl Control {
    /// A port at reset, with nothing to ask.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self {
            uart: Pl011::new(),
            ready: false,
            offline: 0,
            online: 0,
            offered: 0,
            out: ArrayVec::new_const(),
            line: Some(ArrayString::new_const()),
        }
    }

    /// Asks for something. The newer of two that contradict each other counts.
    pub fn ask(&mut self, request: Request) {
        let bit = bit(request.context);
        self.offline &= !bit;
        self.online &= !bit;
        match request.wish {
            Wish::Offline => self.offline |= bit,
            Wish::Online => self.online |= bit,
        }
        self.refill();
    }

    /// Asks for the first context that `is_off` and was not offered a core already, of so many. What the guest has heard of
    /// and not done is not asked again, until it says `ready`.
    pub fn offer(&mut self, contexts: usize, is_off: impl Fn(u16) -> bool) {
        let mut left = !self.offered;
        while left != 0 {
            let context = left.trailing_zeros() as u16;
            if usize::from(context) >= contexts {
                return;
            }
            if is_off(context) {
                self.offered |= bit(context);
                return self.ask(Request { wish: Wish::Online, context });
            }
            left &= left.wrapping_sub(1);
        }
    }

    /// Contexts can be offered a core again.
    pub fn forget_offers(&mut self) {
        self.offered = 0;
    }

    /// Asks no more for anything about this context.
    pub fn withdraw(&mut self, context: u16) {
        self.offered &= !bit(context);
        self.offline &= !bit(context);
        self.online &= !bit(context);
    }

    /// Takes the next request.
    pub fn take(&mut self) -> Option<Request> {
        for (wish, set) in [(Wish::Offline, &mut self.offline), (Wish::Online, &mut self.online)] {
            if *set != 0 {
                let context = set.trailing_zeros() as u16;
                *set &= set.wrapping_sub(1);
                return Some(Request { wish, context });
            }
        }
        None
    }

    /// What the guest reads from the PL011, if it reads, and what it has said, if this ends a line that says something.
    pub fn access(&mut self, access: &Access) -> (Option<u32>, Option<Said>) {
        let (read, sent) = match access.kind {
            AccessKind::Read => (Some(self.uart.read(access.offset)), None),
            AccessKind::Write(value) => (None, self.uart.write(access.offset, value as u32)),
        };
        let said = sent.and_then(|byte| self.hear(byte));
        self.ready |= said == Some(Said::Ready);
        // A read makes room, and so does switching the FIFO on.
        self.refill();
        (read, said)
    }

    /// The level of the PL011's interrupt.
    pub fn line(&self) -> Level {
        self.uart.line()
    }

    fn refill(&mut self) {
        while self.ready {
            if self.out.is_empty() {
                let Some(Request { wish, context }) = self.take() else { return };
                let mut text = ArrayString::<16>::new();
                let _ = writeln!(text, "{wish} {context}");
                self.out.extend(text.bytes().rev());
            }
            while let Some(byte) = self.out.last() {
                if self.uart.receive(*byte).is_err() {
                    return;
                }
                self.out.pop();
            }
        }
    }

    fn hear(&mut self, byte: u8) -> Option<Said> {
        if !matches!(byte, b'\n' | b'\r') {
            let fits = |line: &mut ArrayString<LINE>| line.try_push(char::from(byte)).is_ok();
            self.line =
                self.line.take().filter(|_| byte.is_ascii()).and_then(|mut line| fits(&mut line).then_some(line));
            return None;
        }
        let line = self.line.replace(ArrayString::new())?;
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
