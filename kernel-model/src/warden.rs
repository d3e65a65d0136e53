//! `failover::warden`, with a step before each access.

use crate::core_id::CoreId;
use crate::simulation::step;
use real_failover::warden::Wardens as Real;

/// Who looks after groups of which a core has failed.
#[derive(Debug, Default)]
pub struct Wardens(Real);

macro_rules! stepped {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Wardens {
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
    now() -> (CoreId, u32);
    of(core: CoreId) -> u32;
    diminish(group: u32, core: CoreId, is_on: impl FnOnce() -> bool, tell: impl FnOnce(CoreId)) -> ();
    leave(core: CoreId, tell: impl FnOnce(CoreId)) -> ();
}
