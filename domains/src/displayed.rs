//! Enumerations that are shown to people.

/// Defines an enumeration out of variants and their texts, in which the values appear by their names.
#[macro_export]
macro_rules! displayed {
    ($(#[$about:meta])* pub enum $name:ident $(<$life:lifetime>)? {
        $($variant:ident $(($($value:ident: $type:ty),*))? = $text:literal,)*
    }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name $(<$life>)? {
            $(#[doc = concat!("Displayed as `", $text, "`.")] $variant $(($($type),*))?,)*
        }

        impl $(<$life>)? core::fmt::Display for $name $(<$life>)? {
            fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self {
                    $(Self::$variant $(($($value),*))? => write!(out, $text),)*
                }
            }
        }
    };
}
