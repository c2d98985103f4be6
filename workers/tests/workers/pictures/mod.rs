//! What becomes of pictures of every kind.

mod bombs;
mod hidden;
mod made;
mod memory;
mod refused;
mod stopped;
mod taken;

use bytes::Bytes;
use database::testing::{ScratchFolder, TestDb};
use domain::picture::{BlobKey, Picture};
use image::DynamicImage;
use workers::blobs::{BlobSettings, Blobs};
use workers::pictures::{Limits, Pictures, Refused};

/// What takes pictures, with a folder of its own.
pub struct Studio {
    pub pictures: Pictures,
    pub blobs: Blobs,
    _folder: ScratchFolder,
    db: TestDb,
}

impl Studio {
    pub async fn new() -> Self {
        Self::with(Limits { memory_mib: 768, at_once: 2, most_waiting: 24 }).await
    }

    pub async fn with(limits: Limits) -> Self {
        let db = TestDb::new().await;
        let folder = ScratchFolder::new();
        let blobs = Blobs::new(&db.pool, &BlobSettings::Folder(folder.path().to_owned()));
        let pictures = Pictures::new(blobs.clone(), limits);
        Self { pictures, blobs, _folder: folder, db }
    }

    pub async fn take(&self, upload: Vec<u8>) -> Picture {
        self.pictures.take(upload.into()).await.unwrap()
    }

    pub async fn refuses(&self, upload: Vec<u8>) -> Refused {
        self.pictures.take(upload.into()).await.unwrap_err()
    }

    pub async fn bytes(&self, key: &BlobKey) -> Bytes {
        self.blobs.read(key).await.unwrap()
    }

    pub async fn pixels(&self, key: &BlobKey) -> DynamicImage {
        image::load_from_memory(&self.bytes(key).await).unwrap()
    }
}

/// Keeps what was made where somebody can look at it, when they ask for that.
pub fn show(name: &str, bytes: &[u8]) {
    if let Some(folder) = std::env::var_os("PICTURES_SHOWN_IN") {
        let folder = std::path::PathBuf::from(folder);
        std::fs::write(folder.join(name), bytes).unwrap();
        let pixels = image::load_from_memory(bytes).unwrap();
        pixels.save(folder.join(format!("{name}.png"))).unwrap();
    }
}
