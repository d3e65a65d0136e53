//! A model of each protocol that cores share, over the very source that the kernel links.
//!
//! `RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test --release -p loom-tests`
//!
//! Without `--cfg loom` this crate is empty, and has no tests that could pretend to pass.
//! `README.md` says what each model shows, and which mutant of the source which model kills.
#![cfg(loom)]

#[cfg(test)]
mod checkpoint;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod life;
#[cfg(test)]
mod lock;
#[cfg(test)]
mod mailbox;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod power;
#[cfg(test)]
mod psci;
#[cfg(test)]
mod run_queue;
#[cfg(test)]
mod start;
#[cfg(test)]
mod steps;
#[cfg(test)]
mod takeover;
#[cfg(test)]
mod trace;
#[cfg(test)]
mod transfer;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod warden;
