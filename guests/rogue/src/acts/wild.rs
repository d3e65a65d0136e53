//! Accesses and jumps that a guest has no right to: each ends the domain with a fault.

use super::arch;
use super::checks::check;
use rt::arch::Width;
use rt::{Args, contexts, gic, println};

/// Where no board has anything: the 64th GiB.
const NOWHERE: u64 = 0x10_0000_0000;

fn address(args: Args<'_>) -> u64 {
    let address = args.number("address", NOWHERE);
    println!("rogue: address={address:#x}");
    address
}

fn survived<T>(result: Result<T, rt::arch::Exception>) {
    match result {
        Ok(_) => check("the access went nowhere", false),
        Err(exception) => {
            check(format_args!("the access stopped the domain, not esr={:#x}", exception.syndrome), false)
        }
    }
}

/// Loads from `address`.
pub fn read(args: Args<'_>) {
    survived(u64::load(address(args)));
}

/// Stores to `address`.
pub fn write(args: Args<'_>) {
    survived(0x2bad_c0de_u64.store(address(args)));
}

/// Jumps to `address`.
pub fn fetch(args: Args<'_>) {
    arch::jump(address(args))
}

/// Executes an undefined instruction with vectors at `address`, where no memory is: the guest's
/// own handler can't run.
pub fn undefined(args: Args<'_>) {
    arch::undefined_with_vectors(address(args))
}

/// Accesses a device register with an instruction that can't be carried out for the guest.
pub fn no_syndrome(_: Args<'_>) {
    arch::load_pair(gic::distributor());
    check("the access stopped the domain", false);
}

/// Reads the redistributor of a context that the domain does not have.
pub fn redistributor_beyond(_: Args<'_>) {
    let beyond = gic::redistributor(contexts::count());
    println!("rogue: address={beyond:#x}");
    survived(u64::load(beyond + gic::offset::REDISTRIBUTOR_TYPER));
}
