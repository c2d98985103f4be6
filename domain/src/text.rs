//! Text that people typed, bounded and free of control characters.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// Why a text was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("the text is empty")]
    Empty,
    /// More characters than allowed.
    #[error("the text has more than {0} characters")]
    TooLong(usize),
    /// A NUL or another control character.
    #[error("the text contains a control character")]
    ControlCharacter,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $lines:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name<const MAX: usize>(Arc<str>);

        impl<const MAX: usize> $name<MAX> {
            /// Trims and checks.
            ///
            /// # Errors
            /// `Empty`, `TooLong` or `ControlCharacter`.
            pub fn new(text: &str) -> Result<Self, TextError> {
                let text = text.trim();
                if text.is_empty() {
                    return Err(TextError::Empty);
                }
                if text.chars().any(|c| c.is_control() && !($lines && matches!(c, '\n' | '\r' | '\t'))) {
                    return Err(TextError::ControlCharacter);
                }
                if text.chars().count() > MAX {
                    return Err(TextError::TooLong(MAX));
                }
                Ok(Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<const MAX: usize> TryFrom<String> for $name<MAX> {
            type Error = TextError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(&text)
            }
        }

        impl<const MAX: usize> From<$name<MAX>> for String {
            fn from(text: $name<MAX>) -> Self {
                text.0.as_ref().to_owned()
            }
        }

        impl<const MAX: usize> std::str::FromStr for $name<MAX> {
            type Err = TextError;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Self::new(s)
            }
        }

        impl<const MAX: usize> std::fmt::Display for $name<MAX> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// One line of at most `MAX` characters.
    Line, false
}
text! {
    /// Several lines, at most `MAX` characters in all.
    Prose, true
}

/// The name of a figure or of an entity.
pub type Name = Line<300>;
/// A note on a piece, a wish or a slip.
pub type Note = Prose<5000>;
/// A place in somebody's home.
pub type Location = Line<120>;

/// How two texts are compared when case, width and spacing do not matter: NFKC, lower case, single spaces.
pub fn folded(text: &str) -> String {
    let lower: String = text.nfkc().collect::<String>().to_lowercase();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An absolute `http` or `https` address of at most 2,000 characters, without user or password.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpUrl(Arc<str>);

/// Why an address was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the address must be an absolute http or https URL of at most 2,000 characters, without a password")]
pub struct UrlError;

impl HttpUrl {
    /// Checks an address; it is kept as typed.
    ///
    /// # Errors
    /// `UrlError`.
    pub fn new(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        let url = url::Url::parse(text).map_err(|_| UrlError)?;
        let good = text.len() <= 2000
            && matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if good { Ok(Self(text.into())) } else { Err(UrlError) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HttpUrl {
    type Error = UrlError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<HttpUrl> for String {
    fn from(url: HttpUrl) -> Self {
        url.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_trimmed_and_bounded() {
        assert_eq!(Line::<5>::new("  abc ").unwrap().as_str(), "abc");
        assert_eq!(Line::<5>::new("abcdef"), Err(TextError::TooLong(5)));
        assert_eq!(Line::<5>::new(" \t "), Err(TextError::Empty));
        assert_eq!(Line::<5>::new("a\0b"), Err(TextError::ControlCharacter));
        assert_eq!(Line::<5>::new("a\nb"), Err(TextError::ControlCharacter));
        assert!(Prose::<5>::new("a\nb").is_ok());
    }

    #[test]
    fn only_plain_web_addresses_pass() {
        assert!(HttpUrl::new("https://example.com/a.png").is_ok());
        for bad in ["javascript:alert(1)", "ftp://x/", "https://u:p@x/", "/relative", "https://a b/"] {
            assert_eq!(HttpUrl::new(bad), Err(UrlError), "{bad}");
        }
    }
}
