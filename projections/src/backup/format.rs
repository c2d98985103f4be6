//! The shape of a backup. Amounts and rates are decimal strings, times RFC 3339, days `YYYY-MM-DD`. What is not
//! known is null.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the field `format` says.
pub const FORMAT: &str = "figure-ledger-backup";
/// The version that is written. It and those before it are read.
pub const VERSION: u32 = 2;

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
    /// Its pre-orders, the current one last.
    pub preorders: Vec<BackupPreorder>,
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
