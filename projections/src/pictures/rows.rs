//! The tables of pictures. Their DDL tells what each column means.

use crate::engine::{row, row_set};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

row! {
    /// A photo of the catalogue.
    pub struct FigurePhotoRow in "figure_photos", key(id: Uuid), index(figure_id) {
        figure_id: Uuid,
        storage_key: String,
        picture: Value,
        blob_keys: Vec<String>,
        is_primary: bool,
        position: i32,
        added_by: Option<Uuid>,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

row! {
    /// A personal photo.
    pub struct PhotoRow in "photos", key(id: Uuid), index(owned_item_id), owner(user_id) {
        owned_item_id: Uuid,
        user_id: Uuid,
        storage_key: String,
        picture: Value,
        blob_keys: Vec<String>,
        position: i32,
        shared: bool,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

row! {
    /// A turntable scan.
    pub struct ScanRow in "scans", key(id: Uuid), index(owned_item_id), owner(user_id) {
        owned_item_id: Uuid,
        user_id: Uuid,
        storage_keys: Vec<String>,
        frames: Value,
        blob_keys: Vec<String>,
        shared: bool,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

row! {
    /// A document.
    pub struct DocumentRow in "documents", key(id: Uuid), index(owned_item_id), owner(user_id) {
        owned_item_id: Uuid,
        user_id: Uuid,
        storage_key: String,
        media_type: String,
        bytes: i32,
        name: String,
        position: i32,
        created_at: DateTime<Utc>,
    }
}

row_set! {
    /// The tables of photos, scans and documents.
    pub struct PictureRows {
        /// Photos of the catalogue.
        pub figure_photos: FigurePhotoRow,
        /// Personal photos.
        pub photos: PhotoRow,
        /// Turntable scans.
        pub scans: ScanRow,
        /// Documents.
        pub documents: DocumentRow,
    }
}
