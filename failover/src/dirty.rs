//! The pages that were written since a checkpoint: one bit each.

#[cfg(all(test, not(loom)))]
mod tests;

/// A set of pages by their number, in memory that its owner gives.
#[derive(Debug)]
pub struct DirtySet<'a>(&'a mut [u64]);

const BITS: usize = u64::BITS as usize;

/// Words that a set needs for so many pages.
pub const fn words(pages: usize) -> usize {
    pages.div_ceil(BITS)
}

impl<'a> DirtySet<'a> {
    /// An empty set, of pages for which there are bits in `words`.
    pub fn new(words: &'a mut [u64]) -> Self {
        words.fill(0);
        Self(words)
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Adds a page. False: it is in the set, or beyond its end.
    pub fn insert(&mut self, page: usize) -> bool {
        let Some(word) = self.0.get_mut(page / BITS) else { return false };
        let bit = 1u64.wrapping_shl(page as u32);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// How many pages are in it.
    pub fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Its pages in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let pages = |(index, word): (usize, &u64)| {
            smp::bits(*word).map(move |bit| index.wrapping_mul(BITS).wrapping_add(bit as usize))
        };
        self.0.iter().enumerate().flat_map(pages)
    }
}
