//! What every type needs whose JSON is its text: `#[serde(try_from = "String", into = "String")]` asks for these two.

/// The type must implement [`std::str::FromStr`]; the expression gives back what that reads.
macro_rules! text_form {
    ($name:ident, |$value:ident| $text:expr) => {
        impl TryFrom<String> for $name {
            type Error = <Self as std::str::FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from($value: $name) -> Self {
                $text
            }
        }
    };
}

pub(crate) use text_form;
