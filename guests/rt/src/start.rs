//! From the first Rust instruction of a context to the guest's own code.

use crate::arch::{device_tree_at, install_vectors, wait_for_interrupt};
use crate::{Boot, console, contexts, hypercall, interrupts, psci};
use core::panic::PanicInfo;
use spin::Once;

const EXIT_PANIC: u64 = 101;
const EXIT_NO_DEVICE_TREE: u64 = 103;
/// Where plain QEMU puts the device tree of an ELF file, which it gives no x0.
const RAM_START: u64 = 0x4000_0000;

static BOOT: Once<Boot<'static>> = Once::new();

/// Names the guest's main function, a `fn(&'static Boot<'static>) -> u64` that returns its exit
/// code.
#[macro_export]
macro_rules! main {
    ($main:path) => {
        // SAFETY: the runtime declares this one symbol with the same type, and calls it once.
        #[unsafe(no_mangle)]
        fn corral_guest_main(boot: &'static $crate::Boot<'static>) -> u64 {
            $main(boot)
        }
    };
}

unsafe extern "Rust" {
    // SAFETY: `main!` defines it with this type.
    safe fn corral_guest_main(boot: &'static Boot<'static>) -> u64;
}

/// What the guest was started with.
pub fn boot() -> &'static Boot<'static> {
    match BOOT.get() {
        Some(boot) => boot,
        None => exit(EXIT_NO_DEVICE_TREE),
    }
}

/// Ends the domain with an exit code: 0 means that it did what it was there for. Where there is
/// no Corral, that is a line on the console and SYSTEM_OFF.
pub fn exit(code: u64) -> ! {
    hypercall::exit(code);
    crate::println!("exit code={code}");
    psci::system_off();
    loop {
        wait_for_interrupt();
    }
}

pub(crate) extern "C" fn start(device_tree: u64, entry_registers: u64) -> ! {
    install_vectors();
    hypercall::discover();
    let tree = device_tree_at(if device_tree == 0 { RAM_START } else { device_tree });
    match tree.map(|tree| Boot::read(tree, entry_registers)) {
        Some(Ok(boot)) => BOOT.call_once(|| boot),
        Some(Err(error)) => {
            crate::println!("device tree: {error:?}");
            exit(EXIT_NO_DEVICE_TREE)
        }
        None => exit(EXIT_NO_DEVICE_TREE),
    };
    console::init(&boot().board);
    interrupts::init_context();
    exit(corral_guest_main(boot()))
}

pub(crate) fn secondary(job: impl FnOnce()) -> ! {
    install_vectors();
    interrupts::init_context();
    job();
    let refused = psci::cpu_off();
    crate::println!("context {}: CPU_OFF answered {refused}", contexts::current());
    exit(EXIT_PANIC)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crate::println!("panic: {info}");
    exit(EXIT_PANIC)
}
