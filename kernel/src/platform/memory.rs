//! RAM that is free for domains.

use crate::arch::mmu;
use crate::boot::Kernel;
use crate::platform::machine::Region;
use arrayvec::ArrayVec;

/// What is left of RAM, in 2 MiB blocks.
pub struct FreeMemory(ArrayVec<Region, 8>);

impl FreeMemory {
    /// RAM without kernel image, device tree, boot archive and reserved area.
    pub fn of(kernel: &Kernel) -> Self {
        let machine = &kernel.machine;
        let image = mmu::image();
        let mut taken = [
            image.start..image.end,
            machine.tree.clone(),
            machine.archive.clone(),
            kernel.arena.area.start..machine.ram.end(),
        ];
        taken.sort_unstable_by_key(|range| range.start);
        let down = |address: u64| address & !mmu::BLOCK.wrapping_sub(1);
        let up = |address: u64| down(address.wrapping_add(mmu::BLOCK.wrapping_sub(1)));
        let mut free = ArrayVec::new();
        let mut from = up(machine.ram.start);
        for range in taken {
            let to = down(range.start);
            if to > from {
                let _ = free.try_push(Region { start: from, length: to.wrapping_sub(from) });
            }
            from = from.max(up(range.end));
        }
        Self(free)
    }

    /// All free bytes.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|region| region.length).fold(0, u64::wrapping_add)
    }

    /// Takes `length` bytes (a multiple of 2 MiB) from the smallest piece that has them.
    pub fn take(&mut self, length: u64) -> Option<Region> {
        let fitting = self.0.iter_mut().filter(|region| region.length >= length);
        let from = fitting.min_by_key(|region| region.length)?;
        let taken = Region { start: from.start, length };
        *from = Region { start: from.start.wrapping_add(length), length: from.length.wrapping_sub(length) };
        Some(taken)
    }
}
