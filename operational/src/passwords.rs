//! Passwords: what one may be, how it is kept (Argon2id), how it is checked.

use std::{fmt, sync::Arc};

use argon2::{Algorithm, Argon2, Params, Version};
use password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use serde::Deserialize;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

/// Fewest characters a new password may have.
pub const MIN_CHARS: usize = 8;
/// Most characters a new password may have.
pub const MAX_CHARS: usize = 200;
/// Characters past which a typed password is certainly wrong; longer ones are cut before hashing.
const ATTEMPT_CHARS: usize = MAX_CHARS + 1;

/// A password somebody chose: between [`MIN_CHARS`] and [`MAX_CHARS`] characters. Never printed.
///
/// The text is brought to NFKC first, so one password typed on two keyboards is one password.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Password(Secret);

/// A password somebody typed to sign in: anything at all. Never printed.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct TypedPassword(Secret);

#[derive(Clone)]
struct Secret(String);

/// A new password was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password has between {MIN_CHARS} and {MAX_CHARS} characters")]
pub struct PasswordRefused;

impl Password {
    /// Takes a chosen password, or refuses its length.
    ///
    /// # Errors
    /// [`PasswordRefused`] when it is shorter than [`MIN_CHARS`] or longer than [`MAX_CHARS`].
    pub fn parse(text: &str) -> Result<Self, PasswordRefused> {
        let text: String = text.nfkc().take(ATTEMPT_CHARS).collect();
        match text.chars().count() {
            MIN_CHARS..=MAX_CHARS => Ok(Self(Secret(text))),
            _ => Err(PasswordRefused),
        }
    }
}

impl TypedPassword {
    /// Takes whatever was typed.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Secret(text.nfkc().take(ATTEMPT_CHARS).collect()))
    }
}

impl TryFrom<String> for Password {
    type Error = PasswordRefused;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<String> for TypedPassword {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl fmt::Debug for TypedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedPassword(…)")
    }
}

/// How much work one hash takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// 19 MiB and two passes: the one for people's passwords.
    Full,
    /// As little as the algorithm allows, so that a test run is not spent on hashing.
    Least,
}

/// Hashing failed for a reason that is not the password's.
#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    /// The Argon2 implementation refused its parameters or a stored hash could not be read.
    #[error("password hash: {0}")]
    Hash(String),
    /// The hashing task was cancelled or died.
    #[error("the hashing task did not finish")]
    Stopped,
}

impl From<password_hash::Error> for HashingError {
    fn from(error: password_hash::Error) -> Self {
        Self::Hash(error.to_string())
    }
}

/// Hashes and checks passwords away from the async workers, a few at a time.
///
/// Cloning is cheap and clones share the bound, so a storm of sign-ins can take neither all the memory
/// nor all the cores.
#[derive(Debug, Clone)]
pub struct Passwords(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    argon2: Argon2<'static>,
    permits: Arc<Semaphore>,
    decoy: String,
}

impl Passwords {
    /// Makes a hasher of this cost that runs at most `at_once` hashes together (at least one).
    ///
    /// # Errors
    /// [`HashingError`] when the algorithm refuses the parameters.
    pub fn new(cost: Cost, at_once: usize) -> Result<Self, HashingError> {
        let params = match cost {
            Cost::Full => Params::default(),
            Cost::Least => Params::new(Params::MIN_M_COST, 1, 1, None)
                .map_err(|error| HashingError::Hash(error.to_string()))?,
        };
        let decoy = decoy(&params)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(Self(Arc::new(Inner { argon2, permits: Arc::new(Semaphore::new(at_once.max(1))), decoy })))
    }

    /// The PHC string to keep for a password, with a fresh random salt.
    ///
    /// # Errors
    /// [`HashingError`] when hashing itself fails.
    pub async fn hash(&self, password: &Password) -> Result<String, HashingError> {
        let secret = password.0.clone();
        self.run(move |inner| hash(&inner.argon2, &secret.0)).await
    }

    /// Whether what was typed is the password behind `stored`.
    ///
    /// With no stored hash (nobody has that name, or they sign in elsewhere) the answer is no, after the
    /// same amount of work, so that the time taken does not tell which names exist.
    ///
    /// # Errors
    /// [`HashingError`] when the stored string is not a hash this crate can read.
    pub async fn verify(&self, typed: &TypedPassword, stored: Option<&str>) -> Result<bool, HashingError> {
        let secret = typed.0.clone();
        let stored = stored.map(str::to_owned);
        self.run(move |inner| {
            let known = stored.is_some();
            let phc = stored.unwrap_or_else(|| inner.decoy.clone());
            let parsed = PasswordHash::new(&phc)?;
            match inner.argon2.verify_password(secret.0.as_bytes(), &parsed) {
                Ok(()) => Ok(known),
                Err(password_hash::Error::Password) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, HashingError> + Send + 'static,
    ) -> Result<T, HashingError> {
        let permit =
            Arc::clone(&self.0.permits).acquire_owned().await.map_err(|_closed| HashingError::Stopped)?;
        let inner = Arc::clone(&self.0);
        // The permit goes with the work: a caller that hangs up does not free a place still in use.
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&inner)
        })
        .await
        .map_err(|_join| HashingError::Stopped)?
    }
}

/// What nobody's password hashes to, under these parameters. Nothing is hashed for it: that would take 19 MiB at every
/// start.
fn decoy(params: &Params) -> Result<String, password_hash::Error> {
    let salt = SaltString::generate(&mut password_hash::rand_core::OsRng);
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: params.try_into()?,
        salt: Some(salt.as_salt()),
        hash: Some(password_hash::Output::new(&[0; Params::DEFAULT_OUTPUT_LEN])?),
    };
    Ok(hash.to_string())
}

fn hash(argon2: &Argon2<'_>, text: &str) -> Result<String, HashingError> {
    let salt = SaltString::generate(&mut password_hash::rand_core::OsRng);
    Ok(argon2.hash_password(text.as_bytes(), &salt)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords() -> Passwords {
        Passwords::new(Cost::Least, 2).unwrap()
    }

    #[tokio::test]
    async fn nobody_has_the_password_that_is_compared_with_where_nobody_is() {
        for cost in [Cost::Least, Cost::Full] {
            let passwords = Passwords::new(cost, 1).unwrap();
            let decoy = passwords.0.decoy.clone();
            let real = passwords.hash(&Password::parse("correct horse").unwrap()).await.unwrap();
            let how = |phc: &str| phc.rsplitn(3, '$').last().unwrap().to_owned();
            assert_eq!(how(&decoy), how(&real), "the same work");
            assert_eq!(decoy.len(), real.len());
            assert!(!passwords.verify(&TypedPassword::new(""), None).await.unwrap());
            assert!(!passwords.verify(&TypedPassword::new(""), Some(&decoy)).await.unwrap());
        }
    }

    #[test]
    fn a_password_never_prints() {
        let shown = format!(
            "{:?} {:?}",
            Password::parse("correct horse").unwrap(),
            TypedPassword::new("correct horse")
        );
        assert!(!shown.contains("horse"), "{shown}");
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(Password::parse("1234567").err(), Some(PasswordRefused));
        assert!(Password::parse("12345678").is_ok());
        assert!(Password::parse(&"あ".repeat(200)).is_ok());
        assert_eq!(Password::parse(&"あ".repeat(201)).err(), Some(PasswordRefused));
    }

    #[test]
    fn the_full_cost_is_argon2id_with_19_mib() {
        let passwords = Passwords::new(Cost::Full, 1).unwrap();
        assert!(passwords.0.decoy.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", passwords.0.decoy);
    }

    #[tokio::test]
    async fn a_hash_accepts_its_password_and_no_other() {
        let passwords = passwords();
        let stored = passwords.hash(&Password::parse("correct horse").unwrap()).await.unwrap();
        assert!(passwords.verify(&TypedPassword::new("correct horse"), Some(&stored)).await.unwrap());
        assert!(!passwords.verify(&TypedPassword::new("correct house"), Some(&stored)).await.unwrap());
    }

    #[tokio::test]
    async fn the_same_text_in_another_normal_form_is_the_same_password() {
        let passwords = passwords();
        let stored = passwords.hash(&Password::parse("caf\u{e9} noir").unwrap()).await.unwrap();
        assert!(passwords.verify(&TypedPassword::new("cafe\u{301} noir"), Some(&stored)).await.unwrap());
    }

    #[tokio::test]
    async fn a_longer_attempt_than_any_password_is_not_the_password_it_begins_with() {
        let passwords = passwords();
        let longest = "x".repeat(MAX_CHARS);
        let stored = passwords.hash(&Password::parse(&longest).unwrap()).await.unwrap();
        assert!(!passwords.verify(&TypedPassword::new(&"x".repeat(4_000)), Some(&stored)).await.unwrap());
        assert!(passwords.verify(&TypedPassword::new(&longest), Some(&stored)).await.unwrap());
    }
}
