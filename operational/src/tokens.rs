//! Secrets that the server makes up, shows once, and keeps as hashes only.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::RngCore;
use sha2::{Digest, Sha256};

/// How many random bytes a secret has.
const RANDOM_BYTES: usize = 32;

/// A secret of 256 random bits as text. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one that begins with `prefix`.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        let mut bytes = [0; RANDOM_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        Self(format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The secret itself, for the one time it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What is kept of a secret that somebody offers: its SHA-256. Only for secrets that cannot be guessed.
#[must_use]
pub fn hash(offered: &str) -> [u8; 32] {
    Sha256::digest(offered.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_256_random_bits_and_never_prints() {
        let (one, other) = (Token::new("fl_"), Token::new("fl_"));
        assert_ne!(one, other);
        let random = one.as_str().strip_prefix("fl_").unwrap();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(random).unwrap().len(), RANDOM_BYTES);
        assert!(!format!("{one:?}").contains(random));
        assert_eq!(one.hash(), hash(one.as_str()));
        assert_ne!(one.hash(), other.hash());
    }
}
