//! Waking all cores of a machine in a binary tree over their list, so that the longest path grows
//! with the logarithm of their number: core n wakes 2n + 1 and 2n + 2.
//!
//! When the firmware refuses a core, whoever tried wakes that core's children in its stead. So
//! each core of the list is asked for exactly once, unless a core that was asked for is lost on
//! its way; what hangs on that one is found in the ledger as still off.

#[cfg(test)]
mod tests;

/// Wakes the children of core `parent`, and those of children that are refused, which is what `ask` answers: such a core will
/// not come, and its children are the caller's to wake. The depth of the
/// recursion is that of the tree.
pub fn wake_children(parent: usize, ask: &mut impl FnMut(usize) -> bool) {
    let first = parent.saturating_mul(2).saturating_add(1);
    for child in [first, first.saturating_add(1)] {
        if ask(child) {
            wake_children(child, ask);
        }
    }
}
