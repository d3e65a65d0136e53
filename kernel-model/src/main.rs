//! The kernel's sources that move cores and let standbys take over (`kernel/src/{domain,transfer,schedule,power,operate,govern,takeover}.rs` and the guests'
//! calls in `exits/call.rs`), compiled for the host as they are, on simulated cores.
//!
//! What these files use of the machine (`arch`, `boot`, `platform`, ...) is simulated here under the same names. Every
//! access to what cores share is a [`simulation::step`], at which another core may go on: before each look at the
//! ledger, another core's data, the clock, a domain's life, a mailbox, and at each lock. Which one does is drawn from a
//! seed, as are the guests' behaviour and the orders; so a run repeats exactly. [`check`] looks on.
//!
//! A process is one world: the kernel's statics are its. `corral stress hotplug` and `corral stress failover` run as many as they need.
#![forbid(unsafe_code)]

// To these crates the kernel's files say `use smp::...`, `use domains::...`, `use spin::...`. All names in them are the
// real ones but those that a simulated core has to yield in: locks, mailboxes, `Once`, `Life` and the vGIC.
extern crate self as domains;
extern crate self as failover;
extern crate self as smp;
extern crate self as spin;

pub use lock::Once;
pub use real_domains::{
    DomainId, archive, control, guest_fdt, ledger, manifest, mmio, pl011, protocol, psci, stolen, watchdog,
};
pub use real_failover::{after, limit};
pub use real_smp::{core_id, core_set, run_queue};

mod arch;
mod boot;
mod check;
mod checkpoint;
mod console;
mod exits;
mod faults;
mod group;
mod group_faults;
mod guest;
mod health;
mod history;
mod life;
mod loader;
mod lock;
mod mailbox;
mod orders;
mod platform;
mod random;
mod service;
mod simulation;
mod teams;
mod trace;
mod vgic;
mod waiting;
mod warden;
mod world;

#[path = "../../kernel/src/domain.rs"]
#[allow(dead_code)]
mod domain;
#[path = "../../kernel/src/govern.rs"]
#[allow(dead_code)]
mod govern;
#[path = "../../kernel/src/operate.rs"]
#[allow(dead_code)]
mod operate;
#[path = "../../kernel/src/power.rs"]
#[allow(dead_code)]
mod power;
#[path = "../../kernel/src/schedule.rs"]
#[allow(dead_code)]
mod schedule;
#[path = "../../kernel/src/takeover.rs"]
#[allow(dead_code)]
mod takeover;
#[path = "../../kernel/src/transfer.rs"]
#[allow(dead_code)]
mod transfer;

use std::process::ExitCode;

const USAGE: &str = "\
usage: kernel-model world SEED CORES MOVES     one world; a line of JSON
       kernel-model failover SEED CORES FAULTS one world with groups; a line of JSON
       kernel-model fault NAME DELAY           a fault after so many turns; a line of JSON
       kernel-model faults                     their names";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let numbers = |words: &[&str]| words.iter().map(|word| word.parse().ok()).collect::<Option<Vec<u64>>>();
    match words.as_slice() {
        ["world", rest @ ..] => {
            if let Some([seed, cores, moves]) = numbers(rest).as_deref() {
                world::random(*seed, *cores as usize, *moves)
            }
        }
        ["failover", rest @ ..] => {
            if let Some([seed, cores, faults]) = numbers(rest).as_deref() {
                world::failover(*seed, *cores as usize, *faults)
            }
        }
        ["fault", name, delay] => {
            if let Some([delay]) = numbers(&[delay]).as_deref() {
                faults::run(name, *delay);
            }
        }
        ["faults"] => {
            faults::names().for_each(|name| println!("{name}"));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    // A world ends the process by itself.
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
