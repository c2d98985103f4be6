//! Reading pictures.

use super::cover::Thumb;
use super::rows::{DocumentRow, FigurePhotoRow, PhotoRow, ScanRow};
use crate::engine::Row as _;
use chrono::{DateTime, Utc};
use domain::ids::{DocumentId, FigureId, PhotoId, PieceId, ScanId, UserId};
use domain::picture::{BlobKey, DocumentType, Picture, frames_digest};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgRow;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

fn columns(names: &[&str], of: &str) -> String {
    names.iter().map(|name| format!("{of}.{name}")).collect::<Vec<_>>().join(", ")
}

/// What a row keeps as JSON.
fn kept<T: DeserializeOwned>(value: Value) -> sqlx::Result<T> {
    serde_json::from_value(value).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// A photo of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CataloguePhoto {
    /// Its id and picture.
    pub thumb: Thumb,
    /// Its figure.
    pub figure_id: Uuid,
    /// Whether the figure is not safe for work.
    pub is_nsfw: bool,
    /// Whether it was chosen to stand for the figure.
    pub is_primary: bool,
    /// Who uploaded it.
    pub added_by: Option<Uuid>,
    /// Who added the figure.
    pub figure_by: Option<Uuid>,
    /// When it was added to the figure.
    pub created_at: DateTime<Utc>,
    /// When its picture last changed.
    pub updated_at: DateTime<Utc>,
}

impl CataloguePhoto {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let photo = FigurePhotoRow::read(row)?;
        Ok(Self {
            thumb: Thumb { id: photo.id, picture: kept(photo.picture)? },
            figure_id: photo.figure_id,
            is_nsfw: sqlx::Row::try_get(row, "figure_is_nsfw")?,
            is_primary: photo.is_primary,
            added_by: photo.added_by,
            figure_by: sqlx::Row::try_get(row, "figure_by")?,
            created_at: photo.created_at,
            updated_at: photo.updated_at,
        })
    }

    fn select() -> String {
        format!(
            "SELECT {}, f.is_nsfw AS figure_is_nsfw, f.created_by AS figure_by \
             FROM figure_photos AS p JOIN figures AS f ON f.id = p.figure_id",
            columns(FigurePhotoRow::COLUMNS, "p")
        )
    }
}

/// The photos of a figure, in their order. The id is the one it has now.
///
/// # Errors
/// When the database does not answer.
pub async fn figure_photos(pool: &PgPool, figure: FigureId) -> sqlx::Result<Vec<CataloguePhoto>> {
    let sql = format!("{} WHERE p.figure_id = $1 ORDER BY p.position, p.id", CataloguePhoto::select());
    let rows = sqlx::query(&sql).bind(figure.uuid()).fetch_all(pool).await?;
    rows.iter().map(CataloguePhoto::read).collect()
}

/// One photo of the catalogue.
///
/// # Errors
/// When the database does not answer.
pub async fn catalogue_photo(pool: &PgPool, id: PhotoId) -> sqlx::Result<Option<CataloguePhoto>> {
    let sql = format!("{} WHERE p.id = $1", CataloguePhoto::select());
    let row = sqlx::query(&sql).bind(id.uuid()).fetch_optional(pool).await?;
    row.as_ref().map(CataloguePhoto::read).transpose()
}

/// A personal photo. Whose it is stands with it: nobody else may see it unless it is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPhoto {
    /// Its id and picture.
    pub thumb: Thumb,
    /// Its piece.
    pub piece_id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// Whether its piece is of a figure that is not safe for work.
    pub is_nsfw: bool,
    /// Whether its owner shares it.
    pub shared: bool,
    /// Whether it is the pinned cover of its piece.
    pub is_cover: bool,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// What the catalogue and the piece say beside a photo or scan `p`: a piece of an unknown figure is shown to
/// nobody who hides what is not safe for work.
const OF_PIECE: &str = "coalesce(f.is_nsfw, true) AS figure_is_nsfw";
const PIECE_JOINS: &str =
    "JOIN owned_items AS o ON o.id = p.owned_item_id LEFT JOIN figures AS f ON f.id = o.figure_id";

impl OwnedPhoto {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let photo = PhotoRow::read(row)?;
        Ok(Self {
            thumb: Thumb { id: photo.id, picture: kept(photo.picture)? },
            piece_id: photo.owned_item_id,
            user_id: photo.user_id,
            is_nsfw: sqlx::Row::try_get(row, "figure_is_nsfw")?,
            shared: photo.shared,
            is_cover: sqlx::Row::try_get(row, "is_cover")?,
            created_at: photo.created_at,
            updated_at: photo.updated_at,
        })
    }

    fn select() -> String {
        format!(
            "SELECT {}, {OF_PIECE}, coalesce(o.cover_photo_id = p.id, false) AS is_cover \
             FROM photos AS p {PIECE_JOINS}",
            columns(PhotoRow::COLUMNS, "p")
        )
    }
}

/// The photos of somebody's piece, in their order; none at all of other people's.
///
/// # Errors
/// When the database does not answer.
pub async fn photos(pool: &PgPool, user: UserId, piece: PieceId) -> sqlx::Result<Vec<OwnedPhoto>> {
    let sql = format!(
        "{} WHERE p.owned_item_id = $1 AND p.user_id = $2 ORDER BY p.position, p.id",
        OwnedPhoto::select()
    );
    let rows = sqlx::query(&sql).bind(piece.uuid()).bind(user.uuid()).fetch_all(pool).await?;
    rows.iter().map(OwnedPhoto::read).collect()
}

/// One personal photo, whoever asks: it is the caller's to look whose it is.
///
/// # Errors
/// When the database does not answer.
pub async fn photo(pool: &PgPool, id: PhotoId) -> sqlx::Result<Option<OwnedPhoto>> {
    let sql = format!("{} WHERE p.id = $1", OwnedPhoto::select());
    let row = sqlx::query(&sql).bind(id.uuid()).fetch_optional(pool).await?;
    row.as_ref().map(OwnedPhoto::read).transpose()
}

/// A turntable scan. Whose it is stands with it: nobody else may see it unless it is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedScan {
    /// Its id.
    pub id: Uuid,
    /// Its piece.
    pub piece_id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// Its frames, in their order.
    pub frames: Vec<Picture>,
    /// Whether its piece is of a figure that is not safe for work.
    pub is_nsfw: bool,
    /// Whether its owner shares it.
    pub shared: bool,
    /// Whether it is the pinned cover of its piece.
    pub is_cover: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl OwnedScan {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let scan = ScanRow::read(row)?;
        Ok(Self {
            id: scan.id,
            piece_id: scan.owned_item_id,
            user_id: scan.user_id,
            frames: kept(scan.frames)?,
            is_nsfw: sqlx::Row::try_get(row, "figure_is_nsfw")?,
            shared: scan.shared,
            is_cover: sqlx::Row::try_get(row, "is_cover")?,
            created_at: scan.created_at,
            updated_at: scan.updated_at,
        })
    }

    fn select() -> String {
        format!(
            "SELECT {}, {OF_PIECE}, coalesce(o.cover_scan_id = p.id, false) AS is_cover \
             FROM scans AS p {PIECE_JOINS}",
            columns(ScanRow::COLUMNS, "p")
        )
    }
}

/// The scans of somebody's piece, oldest first; none at all of other people's.
///
/// # Errors
/// When the database does not answer.
pub async fn scans(pool: &PgPool, user: UserId, piece: PieceId) -> sqlx::Result<Vec<OwnedScan>> {
    let sql = format!(
        "{} WHERE p.owned_item_id = $1 AND p.user_id = $2 ORDER BY p.created_at, p.id",
        OwnedScan::select()
    );
    let rows = sqlx::query(&sql).bind(piece.uuid()).bind(user.uuid()).fetch_all(pool).await?;
    rows.iter().map(OwnedScan::read).collect()
}

/// One scan, whoever asks: it is the caller's to look whose it is.
///
/// # Errors
/// When the database does not answer.
pub async fn scan(pool: &PgPool, id: ScanId) -> sqlx::Result<Option<OwnedScan>> {
    let sql = format!("{} WHERE p.id = $1", OwnedScan::select());
    let row = sqlx::query(&sql).bind(id.uuid()).fetch_optional(pool).await?;
    row.as_ref().map(OwnedScan::read).transpose()
}

/// What tells the frames of some scans from any others; of those that are no more nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn frames_of(pool: &PgPool, scans: &[ScanId]) -> sqlx::Result<HashMap<ScanId, BlobKey>> {
    let ids: Vec<Uuid> = scans.iter().map(|scan| scan.uuid()).collect();
    let rows: Vec<(Uuid, Value)> =
        sqlx::query_as("SELECT id, frames FROM scans WHERE id = ANY ($1)").bind(ids).fetch_all(pool).await?;
    let digest = |(id, frames)| Ok((ScanId(id), frames_digest(&kept::<Vec<Picture>>(frames)?)));
    rows.into_iter().map(digest).collect()
}

/// A document of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its id.
    pub id: Uuid,
    /// Its piece.
    pub piece_id: Uuid,
    /// Where it lies.
    pub blob: BlobKey,
    /// What it is.
    pub media_type: DocumentType,
    /// How many bytes it has.
    pub bytes: i32,
    /// What its owner calls it.
    pub name: String,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

impl Document {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let row = DocumentRow::read(row)?;
        let wrong = |what: &str| sqlx::Error::Decode(format!("{what} of a document is not one").into());
        Ok(Self {
            id: row.id,
            piece_id: row.owned_item_id,
            blob: row.storage_key.parse().map_err(|_no| wrong("the key"))?,
            media_type: row.media_type.parse().map_err(|()| wrong("the media type"))?,
            bytes: row.bytes,
            name: row.name,
            created_at: row.created_at,
        })
    }
}

/// The documents of somebody's piece, oldest first; none at all of other people's.
///
/// # Errors
/// When the database does not answer.
pub async fn documents(pool: &PgPool, user: UserId, piece: PieceId) -> sqlx::Result<Vec<Document>> {
    let sql = format!(
        "SELECT {} FROM documents AS d WHERE d.owned_item_id = $1 AND d.user_id = $2 ORDER BY d.position, d.id",
        columns(DocumentRow::COLUMNS, "d")
    );
    let rows = sqlx::query(&sql).bind(piece.uuid()).bind(user.uuid()).fetch_all(pool).await?;
    rows.iter().map(Document::read).collect()
}

/// One document of a person's own; none for other people's.
///
/// # Errors
/// When the database does not answer.
pub async fn document(pool: &PgPool, user: UserId, id: DocumentId) -> sqlx::Result<Option<Document>> {
    let sql = format!(
        "SELECT {} FROM documents AS d WHERE d.id = $1 AND d.user_id = $2",
        columns(DocumentRow::COLUMNS, "d")
    );
    let row = sqlx::query(&sql).bind(id.uuid()).bind(user.uuid()).fetch_optional(pool).await?;
    row.as_ref().map(Document::read).transpose()
}

/// Which of these stored files a photo, scan or document names, as far as this read model has heard: ask it to
/// wait for a position first.
///
/// # Errors
/// When the database does not answer.
pub async fn named(pool: &PgPool, keys: &[BlobKey]) -> sqlx::Result<HashSet<BlobKey>> {
    let wanted: Vec<String> = keys.iter().map(ToString::to_string).collect();
    // The same bytes may be a photo here and a document there: each table is asked for all.
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT named.key FROM (SELECT unnest(blob_keys) AS key FROM figure_photos WHERE blob_keys && $1 \
             UNION SELECT unnest(blob_keys) FROM photos WHERE blob_keys && $1 \
             UNION SELECT unnest(blob_keys) FROM scans WHERE blob_keys && $1 \
             UNION SELECT storage_key FROM documents WHERE storage_key = ANY($1)) AS named \
         WHERE named.key = ANY($1)",
    )
    .bind(&wanted)
    .fetch_all(pool)
    .await?;
    Ok(found.iter().filter_map(|key| key.parse().ok()).collect())
}
