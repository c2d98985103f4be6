//! The shape of a backup. Amounts and rates are decimal strings, times RFC 3339, days `YYYY-MM-DD`. What is not
//! known is null.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the field `format` says.
pub const FORMAT: &str = "figure-ledger-backup";
/// The version that is written. It and those before it are read.
pub const VERSION: u32 = 3;

/// A whole backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Always [`FORMAT`].
    pub format: String,
    /// The version of the format.
    pub version: u32,
    /// When it was made.
    pub exported_at: DateTime<Utc>,
    /// What its owner chose for their account; version 1 does not tell.
    #[serde(default)]
    pub settings: Option<BackupSettings>,
    /// When and how its owner is told of things; versions before 3 do not tell.
    #[serde(default)]
    pub notifications: Option<BackupNotifications>,
    /// Where its owner shows a manga shelf; versions before 3 do not tell.
    #[serde(default)]
    pub manga_link: Option<BackupMangaLink>,
    /// How many pictures and documents its owner has that are not in the file; versions before 3 do not tell.
    #[serde(default)]
    pub left_out: Option<BackupLeftOut>,
    /// The catalogue entries that the rest names.
    pub figures: Vec<BackupFigure>,
    /// Registered locations, in their order.
    pub cabinets: Vec<BackupCabinet>,
    /// Pieces, archived ones too.
    pub pieces: Vec<BackupPiece>,
    /// Wishes.
    pub wishes: Vec<BackupWish>,
}

/// What somebody chose for their account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the columns of `users`")]
pub struct BackupSettings {
    pub nsfw_visibility: String,
    pub preferred_currency: Option<String>,
    pub public_profile_show_nsfw: bool,
    pub public_profile_show_value: bool,
    pub time_zone: String,
}

/// When and how somebody is told of things. Where to is a secret, and not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupNotifications {
    /// From when on nothing is sent, in the owner's zone; together with `quiet_until`.
    pub quiet_from: Option<NaiveTime>,
    /// From when on it is sent again.
    pub quiet_until: Option<NaiveTime>,
    /// When everything of a day is sent at once.
    pub digest_at: Option<NaiveTime>,
    /// The channels that are switched on for an event, besides the app itself.
    pub routing: BTreeMap<String, BTreeSet<String>>,
}

/// Where somebody shows a manga shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupMangaLink {
    /// The server's origin.
    pub base_url: String,
    /// The page's name there.
    pub slug: String,
}

/// What is too large for the file. Who runs the instance has it in the copy of its files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub struct BackupLeftOut {
    /// Photos of pieces.
    pub photos: i64,
    /// Turntable scans.
    pub scans: i64,
    /// Documents.
    pub documents: i64,
}

/// A catalogue entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the columns of `figures`, with names for ids")]
pub struct BackupFigure {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub figure_type: String,
    pub manufacturer: Option<String>,
    pub sculptor: Option<String>,
    pub series: Vec<String>,
    pub characters: Vec<String>,
    pub scale: Option<String>,
    pub height_mm: Option<i32>,
    pub materials: Option<String>,
    pub version_name: Option<String>,
    pub edition: Option<String>,
    pub official_image_url: Option<String>,
    pub description: Option<String>,
    pub releases: Vec<BackupRelease>,
    pub msrp_amount: Option<String>,
    pub msrp_currency: Option<String>,
    pub jan: Option<String>,
    pub mfc_id: Option<i64>,
    pub is_nsfw: bool,
    pub buy_links: Vec<BackupLink>,
}

/// An announced release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupRelease {
    /// First day of the period.
    pub date: NaiveDate,
    /// `day`, `month` or `year`.
    pub precision: String,
}

/// Where a figure is sold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupLink {
    /// The store's name.
    pub store: String,
    /// The page: a path or a whole address.
    pub path: String,
}

/// A registered location.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub struct BackupCabinet {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// A piece.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the columns of `owned_items`, with names for ids")]
pub struct BackupPiece {
    pub id: Uuid,
    pub figure_id: Uuid,
    pub condition: Option<String>,
    pub price_amount: Option<String>,
    pub price_currency: Option<String>,
    pub shipping_amount: Option<String>,
    pub fees_amount: Option<String>,
    pub price_fx_rate: Option<String>,
    pub value_amount: Option<String>,
    pub value_currency: Option<String>,
    pub purchase_date: Option<NaiveDate>,
    pub store: Option<String>,
    pub location: Option<String>,
    pub notes: Option<String>,
    pub origin: String,
    pub origin_from: Option<String>,
    pub sort_order: i32,
    pub added_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub archive_reason: Option<String>,
    pub sold_amount: Option<String>,
    pub sold_currency: Option<String>,
    pub sold_on: Option<NaiveDate>,
    /// The picture that is pinned as its cover; versions before 3 do not tell.
    #[serde(default)]
    pub cover: Option<BackupCover>,
    /// Its pre-orders, the current one last.
    pub preorders: Vec<BackupPreorder>,
}

/// A pinned cover. The picture itself is not in the file, so it is told by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupCover {
    /// What it is.
    pub kind: CoverKind,
    /// How many of its kind stand before it: photos in the owner's order, scans as they were made.
    pub place: usize,
}

/// What can be pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverKind {
    /// A personal photo.
    Photo,
    /// A turntable scan.
    Scan,
}

/// One chapter of a pre-order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the columns of `preorders`, with names for ids")]
pub struct BackupPreorder {
    pub id: Uuid,
    pub status: String,
    pub release_date_original: Option<NaiveDate>,
    pub release_date_original_precision: Option<String>,
    pub release_date_current: Option<NaiveDate>,
    pub release_date_precision: Option<String>,
    pub price_amount: Option<String>,
    pub price_currency: Option<String>,
    pub price_fx_rate: Option<String>,
    pub shipping_amount: Option<String>,
    pub deposit_amount: Option<String>,
    pub deposit_refund_amount: Option<String>,
    pub balance_paid_at: Option<DateTime<Utc>>,
    pub shipped_at: Option<DateTime<Utc>>,
    pub received_at: Option<DateTime<Utc>>,
    pub cancelled_at: Option<DateTime<Utc>>,
    pub estimated_delivery_days: Option<i32>,
    pub tracking_url: Option<String>,
    pub store: Option<String>,
    pub placed_at: DateTime<Utc>,
    /// Every change of its date, oldest first.
    pub dates: Vec<BackupDate>,
}

/// A change of a release date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the columns of `preorder_date_history`")]
pub struct BackupDate {
    pub previous_date: Option<NaiveDate>,
    pub previous_precision: Option<String>,
    pub new_date: NaiveDate,
    pub new_precision: String,
    pub source: String,
    pub note: Option<String>,
    pub recorded_at: DateTime<Utc>,
}

/// A wish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the columns of `wishlist_items`")]
pub struct BackupWish {
    pub figure_id: Uuid,
    pub max_price_amount: Option<String>,
    pub max_price_currency: Option<String>,
    pub note: Option<String>,
    pub added_at: DateTime<Utc>,
}
