//! Guarded loads and stores of any address that no Rust object has: device registers, memory that
//! the runtime does not use, and addresses where nothing is.

use super::Exception;
use core::arch::asm;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

static DEVICE_TREE_START: AtomicU64 = AtomicU64::new(0);
static DEVICE_TREE_END: AtomicU64 = AtomicU64::new(0);

/// Counts the device tree to what stores may not touch.
pub(super) fn protect_device_tree(range: Range<u64>) {
    DEVICE_TREE_START.store(range.start, Ordering::Relaxed);
    DEVICE_TREE_END.store(range.end, Ordering::Relaxed);
}

/// Whether none of the `size` bytes from `address` belong to the guest's image (with its stacks)
/// or its device tree.
pub fn is_outside_image(address: u64, size: u64) -> bool {
    unsafe extern "C" {
        static __image_start: u8;
        static __image_end: u8;
    }
    let image = (&raw const __image_start as u64)..(&raw const __image_end as u64);
    let tree = DEVICE_TREE_START.load(Ordering::Relaxed)..DEVICE_TREE_END.load(Ordering::Relaxed);
    [image, tree].iter().all(|used| address >= used.end || address.saturating_add(size) <= used.start)
}

/// An access size.
pub trait Width: Copy {
    /// Loads from `address`, in one access of this size.
    ///
    /// # Panics
    /// If the address lies in the guest's own image.
    fn load(address: u64) -> Result<Self, Exception>;

    /// Stores to `address`, in one access of this size.
    ///
    /// # Panics
    /// If the address lies in the guest's own image or device tree.
    fn store(self, address: u64) -> Result<(), Exception>;
}

macro_rules! width {
    ($type:ty, $load:literal, $store:literal) => {
        impl Width for $type {
            fn load(address: u64) -> Result<Self, Exception> {
                assert!(is_outside_image(address, size_of::<Self>() as u64));
                let (value, syndrome): (u64, u64);
                // SAFETY: the address is no Rust object's; a fault is recovered from.
                unsafe {
                    asm!(
                        concat!("2: ", $load),
                        ".pushsection .recover, \"a\"", ".quad 2b", ".popsection",
                        address = in(reg) address,
                        value = inout(reg) 0u64 => value,
                        inout("x9") 0u64 => syndrome,
                        options(nostack),
                    );
                }
                Exception::check(syndrome).map(|()| value as Self)
            }

            fn store(self, address: u64) -> Result<(), Exception> {
                assert!(is_outside_image(address, size_of::<Self>() as u64));
                let syndrome: u64;
                // SAFETY: the address is no Rust object's; a fault is recovered from.
                unsafe {
                    asm!(
                        concat!("2: ", $store),
                        ".pushsection .recover, \"a\"", ".quad 2b", ".popsection",
                        address = in(reg) address,
                        value = in(reg) u64::from(self),
                        inout("x9") 0u64 => syndrome,
                        options(nostack),
                    );
                }
                Exception::check(syndrome)
            }
        }
    };
}

width!(u8, "ldrb {value:w}, [{address}]", "strb {value:w}, [{address}]");
width!(u16, "ldrh {value:w}, [{address}]", "strh {value:w}, [{address}]");
width!(u32, "ldr {value:w}, [{address}]", "str {value:w}, [{address}]");
width!(u64, "ldr {value}, [{address}]", "str {value}, [{address}]");
