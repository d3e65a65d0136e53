//! A periodic real-time guest. Every `period_us` it wakes at an absolute deadline and records how
//! late it is. Boot arguments: `period_us` (1000), `ticks` (2000), `warmup` (10 ticks that do not
//! count).

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod guest {
    use domains::protocol::ReportKey;
    use metronome::Lateness;
    use rt::hypercall::report;
    use rt::timer::{self, Timer};
    use rt::{Boot, interrupts, println};

    const TIMER: Timer = Timer::Virtual;

    rt::main!(main);

    fn main(boot: &'static Boot<'static>) -> u64 {
        let period_us = boot.args.number("period_us", 1000).max(1);
        let ticks = boot.args.number("ticks", 2000);
        let warmup = boot.args.number("warmup", 10);
        let hz = timer::frequency();
        println!("metronome: period_us={period_us} ticks={ticks} warmup={warmup} counter_hz={hz}");

        interrupts::enable(TIMER.interrupt(), interrupts::PRIORITY);
        let mut metronome = Metronome { period: timer::ticks_from_us(period_us).max(1), deadline: timer::now() };
        metronome.run(warmup, period_us);
        let lateness = metronome.run(ticks, period_us);

        println!("metronome: {lateness}");
        for (below_ns, count) in lateness.histogram() {
            println!("metronome: below_ns={below_ns} count={count}");
        }
        report(ReportKey::Ticks, lateness.ticks());
        report(ReportKey::Missed, lateness.missed());
        report(ReportKey::WorstLatenessNs, lateness.max_ns());
        report(ReportKey::MeanLatenessNs, lateness.mean_ns());
        0
    }

    struct Metronome {
        /// Counter ticks from one deadline to the next.
        period: u64,
        /// The deadline that was handled last.
        deadline: u64,
    }

    impl Metronome {
        /// Handles deadlines until `ticks` have passed.
        fn run(&mut self, ticks: u64, period_us: u64) -> Lateness {
            let mut lateness = Lateness::new(period_us * 1000);
            while lateness.ticks() < ticks {
                let next = self.deadline + self.period;
                TIMER.arm(next);
                wait_for_timer();
                let passed = lateness.record(timer::ns_from_ticks(timer::now() - next));
                self.deadline += passed * self.period;
            }
            lateness
        }
    }

    fn wait_for_timer() {
        loop {
            let interrupt = interrupts::wait();
            let is_due = interrupt == TIMER.interrupt() && TIMER.is_due();
            if is_due {
                TIMER.disarm();
            }
            interrupts::end(interrupt);
            if is_due {
                return;
            }
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("metronome is a guest of Corral: build it for aarch64-unknown-none-softfloat");
}
