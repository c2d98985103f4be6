//! Stored files: the same promises in a folder and on a server that speaks S3 and was made by others.

mod collecting;
mod crashes;
mod places;
mod storing;

use bytes::Bytes;
use chrono::TimeDelta;
use database::testing::{ScratchFolder, TestDb};
use domain::picture::BlobKey;
use places::{Kind, Server};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use workers::blobs::collect::{CollectError, Collected, Names, NamesError};
use workers::blobs::{BlobSettings, Blobs};

/// A place for files with a database of its own.
pub struct Store {
    pub blobs: Blobs,
    pub db: TestDb,
    pub settings: BlobSettings,
    /// The folder, where it is one.
    pub files: Option<PathBuf>,
    _folder: ScratchFolder,
}

impl Store {
    /// One of a kind; none where its server is not installed.
    pub async fn new(kind: Kind) -> Option<Self> {
        let (db, folder) = (TestDb::new().await, ScratchFolder::new());
        let (settings, files) = match kind {
            Kind::Folder => {
                let files = folder.path().join("files");
                (BlobSettings::Folder(files.clone()), Some(files))
            }
            Kind::S3 => (BlobSettings::S3(Server::get().await?.settings(&db.name)), None),
        };
        let blobs = Blobs::new(&db.pool, &settings);
        Some(Self { blobs, db, settings, files, _folder: folder })
    }

    pub async fn put(&self, content: &str) -> BlobKey {
        self.blobs.put(Bytes::copy_from_slice(content.as_bytes()), "text/plain").await.unwrap()
    }

    /// Where a file lies in the folder.
    pub fn place(&self, key: &BlobKey) -> Option<PathBuf> {
        let name = key.to_string();
        self.files.as_ref().map(|files| files.join("blobs").join(&name[..2]).join(name))
    }

    pub async fn is_there(&self, key: &BlobKey) -> bool {
        self.blobs.read(key).await.is_ok()
    }

    /// As if a day had passed since they were stored, and another since nothing names them.
    pub async fn let_days_pass(&self) {
        let later = "UPDATE blobs SET leased_until = leased_until - interval '2 days', \
                     unnamed_since = unnamed_since - interval '2 days'";
        sqlx::query(later).execute(&self.db.pool).await.unwrap();
    }

    pub async fn collect(&self, names: &Named) -> Collected {
        self.try_collect(names).await.unwrap()
    }

    pub async fn try_collect(&self, names: &Named) -> Result<Collected, CollectError> {
        let day = TimeDelta::days(1);
        self.blobs.collect(names, day, &CancellationToken::new()).await.map_err(|(error, _)| error)
    }

    pub async fn rows(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM blobs").fetch_one(&self.db.pool).await.unwrap()
    }
}

/// What is named, in place of the read models.
#[derive(Clone, Default)]
pub struct Named {
    pub keys: Arc<Mutex<HashSet<BlobKey>>>,
    pub behind: bool,
}

impl Named {
    pub fn by(keys: &[BlobKey]) -> Self {
        let named = Self::default();
        keys.iter().for_each(|key| named.name(*key));
        named
    }

    pub fn name(&self, key: BlobKey) {
        self.keys.lock().unwrap().insert(key);
    }
}

impl Names for Named {
    async fn named(&self, keys: &[BlobKey]) -> Result<HashSet<BlobKey>, NamesError> {
        if self.behind {
            return Err(NamesError::Behind(vec!["pictures".to_owned()]));
        }
        let named = self.keys.lock().unwrap();
        Ok(keys.iter().filter(|key| named.contains(key)).copied().collect())
    }
}
