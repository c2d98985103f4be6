//! Stored files: in a folder, or on any server that speaks S3. They lie under the SHA-256 of their content, so storing
//! the same twice is storing it once, and nothing that is stored ever changes.
//!
//! A file is stored before the event that names it. `docs/pictures.md` says how that holds through crashes, and
//! [`collect`] takes away what nothing names any more.

pub mod collect;
mod place;
mod settings;

pub use self::{
    place::{Listed, StoreError},
    settings::{BlobSettings, S3Settings, SecretKey},
};

use self::place::Place;
use bytes::Bytes;
use chrono::TimeDelta;
use domain::picture::BlobKey;
use event_store::crash_point;
use futures::stream::BoxStream;
use operational::blobs::{self, Leased};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// How long a stored file waits for the event that names it. No upload takes as long.
pub const LEASE: TimeDelta = TimeDelta::days(1);
/// How often a file that is just being deleted is asked for again, and after how long.
const LEASE_TRIES: u32 = 20;
const LEASE_PAUSE: Duration = Duration::from_millis(250);

/// Why a file is not stored or not given.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is none with this key.
    #[error("no file is stored under {0}")]
    Missing(BlobKey),
    /// It is just being deleted; in a moment it can be stored.
    #[error("the file {0} is just being deleted")]
    Busy(BlobKey),
    /// Where files are stored failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A stored file, as it is read.
pub struct Opened {
    /// How many bytes all of it has.
    pub size: u64,
    /// Which of them come.
    pub range: Range<u64>,
    /// The bytes.
    pub stream: BoxStream<'static, Result<Bytes, StoreError>>,
}

/// Where files are stored. A clone is one reference count.
#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

struct Inner {
    pool: PgPool,
    place: Place,
}

impl Blobs {
    /// Nothing is looked at yet: see [`Blobs::check`].
    #[must_use]
    pub fn new(pool: &PgPool, settings: &BlobSettings) -> Self {
        Self(Arc::new(Inner { pool: pool.clone(), place: Place::new(settings.clone()) }))
    }

    /// Whether files can be stored and read, found out by doing so.
    ///
    /// # Errors
    /// [`StoreError`], with a sentence for the operator. [`StoreError::is_lasting`] says whether waiting helps.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.0.place.check().await
    }

    /// Stores a file. It stays for a day at least: until then an event has to name it. What was stored before is not
    /// stored again. When this returns it is there, whatever loses its power.
    ///
    /// # Errors
    /// [`BlobError`]; nothing has to be undone.
    pub async fn put(&self, content: Bytes, media_type: &str) -> Result<BlobKey, BlobError> {
        let (key, content) = tokio::task::spawn_blocking(move || (key_of(&content), content))
            .await
            .map_err(|_panicked| StoreError::broken("a file's digest could not be computed"))?;
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let leased = self.lease(&key, media_type, size).await?;
        if leased == Leased::Stored && self.0.place.size(&key).await? == Some(size) {
            return Ok(key);
        }
        crash_point!("blobs.after_lease");
        self.0.place.put(&key, content, media_type).await?;
        crash_point!("blobs.after_file");
        blobs::stored(&self.0.pool, &key).await?;
        Ok(key)
    }

    async fn lease(&self, key: &BlobKey, media_type: &str, size: u64) -> Result<Leased, BlobError> {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        for _ in 0..LEASE_TRIES {
            match blobs::lease(&self.0.pool, key, media_type, size, LEASE).await? {
                Leased::BeingDeleted => tokio::time::sleep(LEASE_PAUSE).await,
                leased => return Ok(leased),
            }
        }
        Err(BlobError::Busy(*key))
    }

    /// How many bytes a file has.
    ///
    /// # Errors
    /// [`BlobError::Missing`] when there is none.
    pub async fn size(&self, key: &BlobKey) -> Result<u64, BlobError> {
        self.0.place.size(key).await?.ok_or(BlobError::Missing(*key))
    }

    /// Opens a file, or part of it: a range within it, as [`Blobs::size`] says how long it is.
    ///
    /// # Errors
    /// [`BlobError::Missing`] when there is none.
    pub async fn open(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<Opened, BlobError> {
        self.0.place.open(key, range).await?.ok_or(BlobError::Missing(*key))
    }

    /// All of a file. For files that are known to be small enough.
    ///
    /// # Errors
    /// As [`Blobs::open`].
    pub async fn read(&self, key: &BlobKey) -> Result<Bytes, BlobError> {
        self.0.place.read(key).await?.ok_or(BlobError::Missing(*key))
    }
}

/// The name of some content.
#[must_use]
pub fn key_of(content: &[u8]) -> BlobKey {
    BlobKey::of_digest(Sha256::digest(content).into())
}
