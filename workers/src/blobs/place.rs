//! The folder or bucket itself.

use super::Opened;
use super::settings::{BlobSettings, S3Settings};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::picture::BlobKey;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, Error, GetOptions, GetRange, ObjectStore,
    ObjectStoreExt, PutOptions, PutPayload, RetryConfig,
};
use std::collections::HashSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::OnceCell;

/// Everything that is stored lies below.
const FOLDER: &str = "blobs";
/// What the check at the start writes, reads and leaves.
const CHECK: &str = "figure-ledger-check";
/// How long connecting to a server may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long one request may take; a file has 16 MiB or so.
const REQUEST_WITHIN: Duration = Duration::from_secs(60);
/// For how long, and how often, what failed is tried again.
const RETRY_FOR: Duration = Duration::from_secs(15);
const RETRIES: usize = 4;

/// Where files are stored failed.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {cause}")]
pub struct StoreError {
    place: String,
    cause: String,
    lasting: bool,
}

impl StoreError {
    /// Whether waiting does not help: the settings or rights are wrong.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        self.lasting
    }

    pub(super) fn broken(cause: &str) -> Self {
        Self { place: "the stored files".to_owned(), cause: cause.to_owned(), lasting: false }
    }
}

/// A stored file, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which; none when its name is no key.
    pub key: Option<BlobKey>,
    /// How many bytes it has.
    pub size: u64,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
}

pub(super) struct Place {
    settings: BlobSettings,
    store: OnceCell<Arc<dyn ObjectStore>>,
}

fn path_of(key: &BlobKey) -> Path {
    let name = key.to_string();
    let first = name.get(..2).unwrap_or_default();
    Path::from_iter([FOLDER, first, &name])
}

impl Place {
    pub(super) fn new(settings: BlobSettings) -> Self {
        Self { settings, store: OnceCell::new() }
    }

    fn error(&self, error: &Error) -> StoreError {
        let lasting = matches!(
            error,
            Error::NotFound { .. }
                | Error::PermissionDenied { .. }
                | Error::Unauthenticated { .. }
                | Error::UnknownConfigurationKey { .. }
                | Error::NotSupported { .. }
                | Error::InvalidPath { .. }
        );
        StoreError { lasting, ..self.failed(error) }
    }

    fn failed(&self, cause: &(dyn std::error::Error + 'static)) -> StoreError {
        // What went wrong in the end is said by the innermost cause.
        let mut text = cause.to_string();
        let mut inner = cause.source();
        while let Some(error) = inner {
            let more = error.to_string();
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            inner = error.source();
        }
        let place = match &self.settings {
            BlobSettings::Folder(folder) => format!("the folder of stored files, {}", folder.display()),
            BlobSettings::S3(s3) => {
                format!("the bucket {} at {}", s3.bucket, s3.endpoint.as_deref().unwrap_or("Amazon S3"))
            }
        };
        StoreError { place, cause: text, lasting: false }
    }

    async fn store(&self) -> Result<&Arc<dyn ObjectStore>, StoreError> {
        let open = async || match &self.settings {
            BlobSettings::Folder(folder) => self.open_folder(folder.clone()).await,
            BlobSettings::S3(settings) => bucket(settings).map_err(|error| self.error(&error)),
        };
        self.store.get_or_try_init(open).await
    }

    async fn open_folder(&self, folder: PathBuf) -> Result<Arc<dyn ObjectStore>, StoreError> {
        tokio::fs::create_dir_all(&folder).await.map_err(|error| self.failed(&error))?;
        // With fsync: the content before its name, and the folder after; a file that is there is whole.
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| self.error(&error))?;
        Ok(Arc::new(store.with_fsync(true)))
    }

    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let store = self.store().await?;
        let path = Path::from(CHECK);
        let written = store.put(&path, PutPayload::from_static(b"ready\n")).await;
        written.map_err(|error| self.error(&error))?;
        let read = async { store.get(&path).await?.bytes().await };
        let read = read.await.map_err(|error| self.error(&error))?;
        match &*read {
            b"ready\n" => Ok(()),
            _ => Err(self.failed(&std::io::Error::other("what was written reads otherwise"))),
        }
    }

    /// How many bytes a file has, if it is there.
    pub(super) async fn size(&self, key: &BlobKey) -> Result<Option<u64>, StoreError> {
        match self.store().await?.head(&path_of(key)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(&error)),
        }
    }

    pub(super) async fn put(
        &self,
        key: &BlobKey,
        content: Bytes,
        media_type: &str,
    ) -> Result<(), StoreError> {
        let mut options = PutOptions::default();
        if let BlobSettings::S3(_) = self.settings {
            options.attributes = Attributes::from_iter([(Attribute::ContentType, media_type.to_owned())]);
        }
        let put = self.store().await?.put_opts(&path_of(key), content.into(), options).await;
        put.map(|_| ()).map_err(|error| self.error(&error))
    }

    pub(super) async fn open(
        &self,
        key: &BlobKey,
        range: Option<Range<u64>>,
    ) -> Result<Option<Opened>, StoreError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let got = match self.store().await?.get_opts(&path_of(key), options).await {
            Ok(got) => got,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.error(&error)),
        };
        let (size, range) = (got.meta.size, got.range.clone());
        let stream = got.into_stream().map_err(|error| StoreError {
            place: "the stored files".to_owned(),
            cause: error.to_string(),
            lasting: false,
        });
        Ok(Some(Opened { size, range, stream: stream.boxed() }))
    }

    pub(super) async fn read(&self, key: &BlobKey) -> Result<Option<Bytes>, StoreError> {
        let store = self.store().await?;
        match async { store.get(&path_of(key)).await?.bytes().await }.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(&error)),
        }
    }

    pub(super) async fn delete(&self, key: &BlobKey) -> Result<(), StoreError> {
        match self.store().await?.delete(&path_of(key)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error(&error)),
        }
    }

    /// First bytes of keys that something is stored below: few requests where few files are.
    pub(super) async fn first_bytes(&self) -> Result<HashSet<u8>, StoreError> {
        let listed = self.store().await?.list_with_delimiter(Some(&Path::from(FOLDER))).await;
        let listed = listed.map_err(|error| self.error(&error))?;
        let folders = listed.common_prefixes.iter().filter_map(|path| path.filename());
        Ok(folders.filter_map(|name| u8::from_str_radix(name, 16).ok()).collect())
    }

    /// Every stored file whose key begins with this byte, in no order.
    pub(super) async fn list(&self, first: u8) -> Result<Vec<Listed>, StoreError> {
        let below = Path::from_iter([FOLDER, &format!("{first:02x}")]);
        let list = self.store().await?.list(Some(&below));
        let listed = list.map_ok(|meta| Listed {
            key: meta.location.filename().and_then(|name| name.parse().ok()),
            size: meta.size,
            stored_at: meta.last_modified,
        });
        listed.try_collect().await.map_err(|error| self.error(&error))
    }

    /// Deletes what writes that were cut off have left for as long as that. Buckets have no such thing: what is put
    /// there is there whole or not at all. Gives how many there were.
    pub(super) async fn sweep(&self, first: u8, older_than: Duration) -> Result<u64, StoreError> {
        let BlobSettings::Folder(folder) = &self.settings else { return Ok(0) };
        let below = folder.join(FOLDER).join(format!("{first:02x}"));
        let swept = tokio::task::spawn_blocking(move || sweep(&below, older_than)).await;
        let swept = swept.map_err(|_panicked| StoreError::broken("leftovers could not be looked for"))?;
        swept.map_err(|error| self.failed(&error))
    }
}

/// The crate that writes them ends their names in `#` and a number.
fn sweep(below: &std::path::Path, older_than: Duration) -> std::io::Result<u64> {
    let mut swept = 0_u64;
    let entries = match std::fs::read_dir(below) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let left_over = name.to_string_lossy().split_once('#').is_some_and(|(key, number)| {
            key.parse::<BlobKey>().is_ok() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        let is_old = || {
            let changed = entry.metadata().and_then(|meta| meta.modified()).ok()?;
            SystemTime::now().duration_since(changed).ok().map(|age| age >= older_than)
        };
        if left_over && is_old() == Some(true) {
            std::fs::remove_file(entry.path())?;
            swept = swept.saturating_add(1);
        }
    }
    Ok(swept)
}

fn bucket(settings: &S3Settings) -> Result<Arc<dyn ObjectStore>, Error> {
    let is_plain = settings.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_WITHIN)
        .with_timeout(REQUEST_WITHIN)
        .with_allow_http(is_plain);
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_FOR,
        backoff: BackoffConfig { max_backoff: Duration::from_secs(3), ..BackoffConfig::default() },
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        .with_access_key_id(&settings.access_key_id)
        .with_secret_access_key(&settings.secret_access_key.0)
        .with_virtual_hosted_style_request(!settings.path_style)
        .with_client_options(client)
        .with_retry(retry);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    let store = builder.build()?;
    Ok(match settings.prefix.as_str() {
        "" => Arc::new(store),
        prefix => Arc::new(PrefixStore::new(store, prefix)),
    })
}
