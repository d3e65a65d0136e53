//! Whole failovers on simulated cores, with the group's word, health and restart limit (`failover`), lives, ledger,
//! quotas, transfers and the replicated log as the kernel and its guests have them. Each core, each guard and the
//! operator is a shuttle thread; all that they share goes through `smp::sync`, so that another may go on at each access.
//! Who does is drawn from a seed, as are the group, the faults and the orders: a world repeats exactly.
//!
//! [`world`] and its parts do what the kernel does, step by step as in `kernel/src/{takeover,domain,transfer}.rs`;
//! [`specification`] looks on from outside, and knows nothing of that.
//!
//!     RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=target/shuttle cargo run --release -p failover-model -- faults 10000 1
#![forbid(unsafe_code)]
#![cfg_attr(shuttle, allow(clippy::unwrap_used, clippy::panic))]

#[cfg(shuttle)]
mod cores;
#[cfg(shuttle)]
mod guest;
#[cfg(shuttle)]
mod random;
#[cfg(shuttle)]
mod run;
#[cfg(shuttle)]
mod specification;
#[cfg(shuttle)]
mod takeover;
#[cfg(shuttle)]
mod world;

#[cfg(shuttle)]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(shuttle))]
fn main() -> std::process::ExitCode {
    eprintln!("build it with RUSTFLAGS=\"--cfg shuttle\"");
    std::process::ExitCode::from(2)
}
