//! The counting service as a native guest. Boot arguments: `period-us` (10000); `count`, the number after which it has
//! done its work (0: never); `heartbeat-us` (a quarter of the group's deadline).

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

#[cfg(target_os = "none")]
mod guest {
    use counter::{Failure, Service};
    use rt::console::print_line;
    use rt::hypercall::{self, CORE_REQUEST_SGI, Membership, Reluctance, Request, Role, core_answer};
    use rt::interrupts::{self, PRIORITY};
    use rt::region::Region;
    use rt::timer::{self, Timer};
    use rt::{Args, Boot, println};

    const TIMER: Timer = Timer::Virtual;
    /// Heartbeats in the time in which there has to be one.
    const BEATS_IN_DEADLINE: u64 = 4;

    rt::main!(main);

    fn main(boot: &'static Boot<'static>) -> u64 {
        let Some(place) = hypercall::group() else {
            println!("count: FAILED: the domain is in no group");
            return 1;
        };
        let mut member = Member::new(boot.args, place);
        match member.enter_epoch().and_then(|()| member.run()) {
            Ok(()) => 0,
            Err(failure) => {
                println!("count: FAILED: {failure}");
                1
            }
        }
    }

    struct Member {
        place: Membership,
        service: Service<Region>,
        end: u64,
        period: u64,
        next_count: u64,
        beat_period: u64,
        next_beat: u64,
    }

    impl Member {
        fn new(args: Args<'_>, place: Membership) -> Self {
            let ticks = |key, default_us| timer::ticks_from_us(args.number(key, default_us)).max(1);
            let now = timer::now();
            interrupts::enable(TIMER.interrupt(), PRIORITY);
            interrupts::enable(CORE_REQUEST_SGI, PRIORITY);
            Self {
                service: Service::new(Region(place.region.clone()), print_line),
                end: args.number("count", 0),
                period: ticks("period-us", 10_000),
                next_count: now,
                beat_period: ticks("heartbeat-us", place.deadline_ms * 1000 / BEATS_IN_DEADLINE),
                next_beat: now,
                place,
            }
        }

        fn serves(&self) -> bool {
            matches!(self.place.role, Role::Primary | Role::Promoted)
        }

        fn is_done(&self) -> bool {
            self.end != 0 && self.service.last() >= self.end
        }

        /// Until the last number is reached.
        fn run(&mut self) -> Result<(), Failure> {
            loop {
                let now = timer::now();
                if self.serves() && now >= self.next_count {
                    if self.is_done() {
                        return Ok(());
                    }
                    self.service.count(self.place.epoch)?;
                    self.next_count = next(self.next_count, self.period, now);
                }
                if now >= self.next_beat {
                    self.next_beat = next(self.next_beat, self.beat_period, now);
                    self.learn(hypercall::heartbeat())?;
                    if !self.serves() {
                        self.service.follow()?;
                    }
                }
                self.wait()?;
            }
        }

        /// Until something is due or asked.
        fn wait(&mut self) -> Result<(), Failure> {
            TIMER.arm(if self.serves() { self.next_count.min(self.next_beat) } else { self.next_beat });
            let interrupt = interrupts::wait();
            TIMER.disarm();
            interrupts::end(interrupt);
            if interrupt == CORE_REQUEST_SGI {
                self.learn(hypercall::group())?;
                // The one context stays where it is, and there is no other.
                while let Some(request) = hypercall::core_request() {
                    if let Request::Offline(context) = request {
                        core_answer(context, Reluctance::Refused);
                    }
                }
            }
            Ok(())
        }

        fn learn(&mut self, place: Option<Membership>) -> Result<(), Failure> {
            let Some(place) = place else { return Ok(()) };
            let is_new = place.epoch != self.place.epoch;
            self.place = place;
            if is_new { self.enter_epoch() } else { Ok(()) }
        }

        fn enter_epoch(&mut self) -> Result<(), Failure> {
            let epoch = self.place.epoch;
            if !self.serves() {
                return self.service.stand_by(epoch);
            }
            self.service.resume(epoch)?;
            // First what the outside waits for, and then, without delay, word that the service is there.
            let now = timer::now();
            self.next_count = now;
            if !self.is_done() {
                self.service.count(epoch)?;
                self.next_count += self.period;
            }
            self.next_beat = now;
            Ok(())
        }
    }

    /// When something that was due is due again; what was missed is not made up for.
    fn next(due: u64, period: u64, now: u64) -> u64 {
        if due + period > now { due + period } else { now + period }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("counter is a guest of Corral: build it for aarch64-unknown-none-softfloat");
}
