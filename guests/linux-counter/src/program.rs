//! When the service does what.

use counter::{Failure, Service};

use crate::device::Device;
use crate::linux::{self, Disk, Words, print_line};

const NS_PER_US: u64 = 1000;
/// How often a standby reads the log.
const FOLLOW_PERIOD_NS: u64 = 100_000_000;

/// What the program was told to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    serves: bool,
    epoch: u32,
}

/// Answers the exit code.
pub fn main(words: Words) -> u64 {
    let path = words.get(1).unwrap_or(c"/dev/pmem0");
    let device = match Disk::open(path).and_then(Device::new) {
        Ok(device) => device,
        Err(error) => {
            print_line(format_args!("count: FAILED: {path:?}: {error:?}"));
            return 1;
        }
    };
    let mut program = Program {
        service: Service::new(device, print_line),
        place: None,
        end: number(words, "count", 0),
        period_ns: number(words, "period-us", 10_000).max(1) * NS_PER_US,
        next_ns: linux::now_ns(),
        input: Input { bytes: [0; 64], used: 0 },
    };
    match program.run() {
        Ok(()) => 0,
        Err(failure) => {
            print_line(format_args!("count: FAILED: {failure}"));
            1
        }
    }
}

/// The value of `key=value` on the command line.
fn number(words: Words, key: &str, default: u64) -> u64 {
    let all = (2..).map_while(|index| words.get(index)).filter_map(|word| word.to_str().ok());
    let values = all.filter_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    values.last().map_or(default, |value| match value.parse() {
        Ok(value) => value,
        Err(_) => {
            print_line(format_args!("count: FAILED: {key}={value} is not a number"));
            linux::exit(1)
        }
    })
}

struct Program {
    service: Service<Device>,
    /// `None` until it is told.
    place: Option<Place>,
    end: u64,
    period_ns: u64,
    /// When there is something to do next.
    next_ns: u64,
    input: Input,
}

impl Program {
    /// Until the last number is reached.
    fn run(&mut self) -> Result<(), Failure> {
        loop {
            let now = linux::now_ns();
            if now >= self.next_ns {
                match self.place {
                    Some(Place { serves: true, .. }) if self.end != 0 && self.service.last() >= self.end => {
                        return Ok(());
                    }
                    Some(Place { serves: true, epoch }) => {
                        self.service.count(epoch)?;
                        self.go_on(self.period_ns, now);
                    }
                    _ => {
                        self.service.follow()?;
                        self.go_on(FOLLOW_PERIOD_NS, now);
                    }
                }
            }
            if linux::wait_for_input(self.next_ns.saturating_sub(linux::now_ns())) {
                self.listen()?;
            }
        }
    }

    /// What was missed is not made up for.
    fn go_on(&mut self, period_ns: u64, now: u64) {
        let next = self.next_ns + period_ns;
        self.next_ns = if next > now { next } else { now + period_ns };
    }

    fn listen(&mut self) -> Result<(), Failure> {
        self.input.read();
        while let Some(place) = self.input.place() {
            // Lines about the same change may come twice, and late.
            if self.place.is_some_and(|known| known.epoch >= place.epoch) {
                continue;
            }
            self.place = Some(place);
            if place.serves {
                self.service.resume(place.epoch)?;
            } else {
                self.service.stand_by(place.epoch)?;
            }
            self.next_ns = linux::now_ns();
        }
        Ok(())
    }
}

/// Lines that come in pieces.
struct Input {
    bytes: [u8; 64],
    used: usize,
}

impl Input {
    fn read(&mut self) {
        if self.used == self.bytes.len() {
            // No line is so long.
            self.used = 0;
        }
        let count = linux::read_input(&mut self.bytes[self.used..]);
        if count == 0 {
            // Nobody is there to tell anything any more.
            linux::exit(1);
        }
        self.used += count;
    }

    /// What the next whole line says that says something.
    fn place(&mut self) -> Option<Place> {
        loop {
            let end = self.bytes[..self.used].iter().position(|&byte| byte == b'\n')?;
            let place = parse(&self.bytes[..end]);
            self.bytes.copy_within(end + 1..self.used, 0);
            self.used -= end + 1;
            if place.is_some() {
                return place;
            }
        }
    }
}

fn parse(line: &[u8]) -> Option<Place> {
    let (role, epoch) = str::from_utf8(line).ok()?.trim_ascii().split_once(' ')?;
    let serves = match role {
        "primary" => true,
        "standby" => false,
        _ => return None,
    };
    Some(Place { serves, epoch: epoch.parse().ok()? })
}
