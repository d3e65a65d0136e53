//! Enumerations that programs read by number, out of a trace or a register, and people by name.

/// Defines a public enumeration whose values have a code and a name; and each a text, or none.
#[macro_export]
macro_rules! named {
    ($(#[$about:meta])* pub enum $name:ident {
        $($(#[$doc:meta])* $value:ident = $code:literal $word:literal $($text:literal)?,)*
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $value = $code,)*
        }

        impl $name {
            /// Every value, in the order of the codes.
            pub const ALL: [Self; [$($code,)*].len()] = [$(Self::$value,)*];

            /// The words for them, in the same order.
            pub const NAMES: [&'static str; Self::ALL.len()] = [$($word,)*];

            /// The word for it in manifests, log lines and reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)*
                }
            }

            /// The one with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|value| value.name() == name)
            }

            /// The one with this code in hypercalls and trace records.
            pub const fn from_code(code: u64) -> Option<Self> {
                match code {
                    $($code => Some(Self::$value),)*
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                out.write_str(self.name())
            }
        }

        $crate::named!(@texts $name $($value $($text)?,)*);
    };
    (@texts $name:ident $($value:ident,)*) => {};
    (@texts $name:ident $($value:ident $text:literal,)*) => {
        impl $name {
            /// What it means, for people.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$value => $text,)* }
            }
        }
    };
}
