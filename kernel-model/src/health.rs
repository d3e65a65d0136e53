//! `failover::health`, with a step before each access.

use crate::simulation::step;
use real_failover::health::Health as Real;

/// Until when one domain has to give the next sign of life.
#[derive(Debug, Default)]
pub struct Health(Real);

macro_rules! stepped {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Health {
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
    arm(deadline: Option<u64>) -> ();
    beat(deadline: impl Fn() -> u64) -> bool;
    due() -> Option<u64>;
    expire(now: u64, put_off: impl FnOnce(bool) -> Option<(u64, bool)>) -> bool;
}
