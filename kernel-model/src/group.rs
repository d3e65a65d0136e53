//! `failover::group`, with a step before each access.

use crate::simulation::step;
use real_failover::group::Group as Real;
pub use real_failover::group::{Beat, Moment, NotBegun, State};

/// The word of one group.
#[derive(Debug)]
pub struct Group(Real);

macro_rules! stepped {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Group {
            $(
                #[allow(missing_docs)]
                pub fn $name(&self $(, $argument: $type)*) -> $result {
                    step();
                    self.0.$name($($argument),*)
                }
            )*
        }
    };
}

stepped! {
    now() -> Moment;
    begin(member: u8, renew: bool) -> Result<(), NotBegun>;
    promote(member: u8) -> Option<Moment>;
    beat(member: u8) -> (Beat, Moment);
    gone(member: u8) -> Moment;
    lose(member: u8) -> ();
    end(member: u8) -> bool;
}

impl Group {
    /// A group whose first member is the primary and has not beaten yet.
    pub fn new() -> Self {
        Self(Real::new())
    }

    /// The real one.
    pub fn real(&self) -> &Real {
        &self.0
    }

    /// Where it stands, for those who only look on.
    pub fn peek(&self) -> Moment {
        self.0.now()
    }
}
