//! Sets of cores, as people write them: `3`, `2-5,7`.

use crate::core_id::{CoreId, MAX_CORES};
use core::fmt;

#[cfg(test)]
mod tests;

const WORDS: usize = MAX_CORES / u64::BITS as usize;

/// A set of cores; by default without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreSet([u64; WORDS]);

impl CoreSet {
    /// Adds a core.
    pub fn insert(&mut self, core: CoreId) {
        let (word, bit) = place(core);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Takes a core out.
    pub fn remove(&mut self, core: CoreId) {
        let (word, bit) = place(core);
        if let Some(word) = self.0.get_mut(word) {
            *word &= !bit;
        }
    }

    /// Whether the core is in it.
    pub fn contains(&self, core: CoreId) -> bool {
        let (word, bit) = place(core);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many cores are in it.
    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether none is.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.iter().fold(0, |all, word| all | word) == 0 // no branches
    }

    /// The cores, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = CoreId> + use<> {
        let mut rest = *self;
        core::iter::from_fn(move || rest.pop())
    }

    /// Takes out the first core.
    pub fn pop(&mut self) -> Option<CoreId> {
        let (index, word) = self.0.iter_mut().enumerate().find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros() as usize;
        *word &= word.wrapping_sub(1);
        CoreId::new(index.wrapping_mul(u64::BITS as usize).wrapping_add(bit))
    }

    /// Takes out the upper half; of an odd number the larger part stays.
    pub fn split(&mut self) -> Self {
        let upper: Self = self.iter().skip(self.count().div_ceil(2)).collect();
        for (word, upper) in self.0.iter_mut().zip(upper.0) {
            *word &= !upper;
        }
        upper
    }

    /// The set that `text` names: numbers and ranges, with commas between them. `None`: it does not name cores, or a machine
    /// cannot have one that it names.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| text.parse().ok().and_then(CoreId::new);
        let mut set = Self::default();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            (first.index()..=last.index()).filter_map(CoreId::new).for_each(|core| set.insert(core));
        }
        Some(set)
    }
}

/// The word that holds a core's bit, and the bit.
const fn place(core: CoreId) -> (usize, u64) {
    (core.index() >> u64::BITS.trailing_zeros(), 1u64.wrapping_shl(core.index() as u32 % u64::BITS))
}

impl FromIterator<CoreId> for CoreSet {
    fn from_iter<I: IntoIterator<Item = CoreId>>(cores: I) -> Self {
        let mut set = Self::default();
        cores.into_iter().for_each(|core| set.insert(core));
        set
    }
}

impl fmt::Display for CoreSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, core) in self.iter().enumerate() {
            write!(out, "{}{core}", if place == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
