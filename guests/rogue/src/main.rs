//! A guest that misbehaves, or checks what it is shown. Boot arguments: `act`, one of the table
//! below; `context=N` lets that context do it instead of the boot context; others are the act's
//! own. An act that checks ends with exit code 0 if all passed, else 1; an act that should not
//! have come back ends with 1 too.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

#[cfg(target_os = "none")]
mod acts {
    pub mod agent;
    pub mod arch;
    pub mod bench;
    pub mod calls;
    pub mod checkpoint;
    pub mod checks;
    pub mod clean;
    pub mod dirty;
    pub mod gic;
    pub mod group;
    pub mod manager;
    pub mod marks;
    pub mod noise;
    pub mod power;
    pub mod psci;
    pub mod registers;
    pub mod service;
    pub mod time;
    pub mod wild;
    pub mod work;
}

#[cfg(target_os = "none")]
mod guest {
    use super::acts::agent::{self, Manner};
    use super::acts::{
        bench, calls, checkpoint, checks, clean, dirty, gic, group, manager, noise, power, psci, registers, service,
        time, wild,
    };
    use rt::arch::wait_for_interrupt;
    use rt::{Args, Boot, contexts, println};

    type Act = fn(Args<'static>);

    const ACTS: &[(&str, Act)] = &[
        ("wild-read", wild::read),
        ("wild-write", wild::write),
        ("wild-fetch", wild::fetch),
        ("undefined", wild::undefined),
        ("no-syndrome", wild::no_syndrome),
        ("redistributor-beyond", wild::redistributor_beyond),
        ("console-flood", noise::console_flood),
        ("sgi-storm", noise::sgi_storm),
        ("system-off", power::off),
        ("reset-loop", power::reset_loop),
        ("dirty-state", dirty::dirty_state),
        ("inherit", dirty::inherit),
        ("unknown-smc", calls::unknown),
        ("psci-conformance", psci::conformance),
        ("gic-conformance", gic::conformance),
        ("id-registers", registers::identification),
        ("timer", time::timers),
        ("core-calls", calls::about_cores),
        ("obedient", |args| agent::run(args, Manner::Obedient)),
        ("sleeper", |args| agent::run(args, Manner::Obedient)),
        ("timers", |args| agent::run(args, Manner::Obedient)),
        ("mark-all", |args| agent::run(args, Manner::Obedient)),
        ("refuser", |args| agent::run(args, Manner::Refusing)),
        ("busy-twice", |args| agent::run(args, Manner::BusyTwice)),
        ("reset-in-answer", |args| agent::run(args, Manner::Resetting)),
        ("hang-in-answer", |args| agent::run(args, Manner::Hanging)),
        ("stop-when-given", |args| agent::run(args, Manner::Stopping)),
        ("deaf", |args| agent::run(args, Manner::Deaf)),
        ("manager", manager::manage),
        ("group-outside", group::outside),
        ("group-member", group::member),
        ("group-standby-writes", group::standby_writes),
        ("group-writer", group::writer),
        ("checkpoint", checkpoint::go_back),
        ("prove-clean", clean::prove),
        ("bench-orders", bench::order),
        ("bench-domain", bench::stand),
        ("bench-wait", bench::wait),
        ("bench-service", service::serve),
        ("bench-outside", service::outside),
    ];

    rt::main!(main);

    fn main(boot: &'static Boot<'static>) -> u64 {
        let name = boot.args.get("act").unwrap_or("none");
        println!("rogue: act={name}");
        let Some(act) = ACTS.iter().position(|&(known, _)| known == name) else {
            checks::check("the act is known", false);
            return checks::conclude();
        };
        match boot.args.number("context", 0) {
            0 => play(act as u64),
            context => {
                let answer = contexts::start(context as usize, play_and_exit, act as u64);
                if answer == rt::psci::SUCCESS {
                    loop {
                        wait_for_interrupt();
                    }
                }
                checks::check("the acting context starts", false);
            }
        }
        checks::conclude()
    }

    fn play(act: u64) {
        let (_, act) = ACTS[act as usize];
        act(rt::boot().args);
    }

    fn play_and_exit(act: u64) {
        play(act);
        rt::exit(checks::conclude())
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("rogue is a guest of Corral: build it for aarch64-unknown-none-softfloat");
}
