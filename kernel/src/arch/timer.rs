//! The generic timer as EL2 uses it: the counter, and CNTHP for its own deadlines.

use super::sysreg::{isb, read, write};

/// Ticks of the counter since power-on.
pub fn now() -> u64 {
    isb();
    read!("cntpct_el0")
}

/// Ticks a second.
pub fn frequency() -> u64 {
    read!("cntfrq_el0")
}

/// Arms EL2's timer for `deadline` (counter ticks), or switches it off.
pub fn set_deadline(deadline: Option<u64>) {
    if let Some(at) = deadline {
        write!("cnthp_cval_el2", at);
    }
    write!("cnthp_ctl_el2", u64::from(deadline.is_some()));
}
