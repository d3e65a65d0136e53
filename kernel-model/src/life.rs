//! `domains::life`, with a step before each access.

use crate::protocol::EndKind;
use crate::simulation::step;
pub use real_domains::life::{Left, Phase};
use real_domains::life::{Life as Real, Moment, NotRunning};

/// The life of one domain.
#[derive(Debug)]
pub struct Life(Real);

macro_rules! stepped {
    ($($name:ident($($argument:ident: $type:ty)?) -> $result:ty;)*) => {
        impl Life {
            $(
                #[allow(missing_docs)]
                pub fn $name(&self $(, $argument: $type)?) -> $result {
                    step();
                    self.0.$name($($argument)?)
                }
            )*
        }
    };
}

stepped! {
    now() -> Moment;
    loaded() -> bool;
    join() -> Result<(), NotRunning>;
    enter() -> Phase;
    stop(kind: EndKind) -> bool;
    leave() -> Left;
    restart() -> ();
    resume() -> ();
    end(kind: EndKind) -> ();
}

impl Life {
    /// A domain that is to be loaded for the first time.
    pub fn new() -> Self {
        Self(Real::new())
    }

    /// Where it stands, for those who only look on.
    pub fn peek(&self) -> Moment {
        self.0.now()
    }
}
