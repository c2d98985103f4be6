//! What a figure looks like, in a list and whole.

use crate::pictures::Thumb;
use crate::pictures::cover::standing_photo;
use crate::views::{EntityRef, Relation, shown_amount};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

/// A figure in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FigureCard {
    /// Its id.
    pub id: Uuid,
    /// Its slug, which survives renames.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The code of its type.
    pub figure_type: String,
    /// Its maker.
    pub manufacturer: Option<EntityRef>,
    /// Its series.
    pub series: Vec<EntityRef>,
    /// Its characters.
    pub characters: Vec<EntityRef>,
    /// What tells it from others of the same name.
    pub version_name: Option<String>,
    /// `1/7`, `non-scale` …
    pub scale: Option<String>,
    /// First day of the first announced release.
    pub release_date: Option<NaiveDate>,
    /// `day`, `month` or `year`.
    pub release_date_precision: Option<String>,
    /// The list price.
    pub msrp_amount: Option<String>,
    /// Its currency.
    pub msrp_currency: Option<String>,
    /// Whether it is an adult figure.
    pub is_nsfw: bool,
    /// The maker's own picture.
    pub official_image_url: Option<String>,
    /// The catalogue's photo that stands for it.
    #[serde(skip)]
    pub photo: Option<Thumb>,
    /// What it is to the viewer.
    pub marker: Option<Relation>,
}

/// A figure with everything known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Figure {
    /// What lists show of it.
    #[serde(flatten)]
    pub card: FigureCard,
    /// Its sculptor.
    pub sculptor: Option<EntityRef>,
    /// Height in millimetres.
    pub height_mm: Option<i32>,
    /// What it is made of.
    pub materials: Option<String>,
    /// `Limited`, `DX` …
    pub edition: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Every announced release, re-runs too, oldest first.
    pub releases: Vec<Release>,
    /// The barcode as printed.
    pub jan: Option<String>,
    /// Its number on MyFigureCollection.
    pub mfc_id: Option<i64>,
    /// Where it is sold.
    pub buy_links: Vec<BuyLink>,
    /// Who added it.
    pub created_by: Option<Uuid>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// The stream's version when it last changed, for the `ETag`.
    #[serde(skip)]
    pub version: i64,
}

/// An announced release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Release {
    /// The first day of the announced period.
    pub release_date: NaiveDate,
    /// `day`, `month` or `year`.
    pub release_date_precision: String,
}

/// Where a figure is sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BuyLink {
    /// The store.
    pub store: EntityRef,
    /// The path, or the whole address, of its page there.
    pub path: String,
}
#[derive(FromRow)]
pub(super) struct CardRow {
    pub(super) id: Uuid,
    slug: String,
    name: String,
    figure_type: String,
    manufacturer: Option<Json<EntityRef>>,
    series: Json<Vec<EntityRef>>,
    characters: Json<Vec<EntityRef>>,
    version_name: Option<String>,
    scale: Option<String>,
    pub(super) release_date: Option<NaiveDate>,
    release_date_precision: Option<String>,
    msrp_amount: Option<Decimal>,
    msrp_currency: Option<String>,
    is_nsfw: bool,
    official_image_url: Option<String>,
    photo: Option<Json<Thumb>>,
    marker: Option<String>,
    pub(super) sort_name: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) rank: i64,
}

#[derive(FromRow)]
pub(super) struct FullRow {
    #[sqlx(flatten)]
    card: CardRow,
    sculptor: Option<Json<EntityRef>>,
    height_mm: Option<i32>,
    materials: Option<String>,
    edition: Option<String>,
    description: Option<String>,
    releases: Json<Vec<Release>>,
    jan: Option<String>,
    mfc_id: Option<i64>,
    buy_links: Json<Vec<BuyLink>>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    version: i64,
}

/// The columns of a card but for the marker and the rank, of figure `f`.
pub(super) const CARD: &str = concat!(
    "f.id, f.slug, f.name, f.figure_type, \
     (SELECT json_build_object('id', e.id, 'name', e.name, 'slug', e.slug) \
      FROM manufacturers AS e WHERE e.id = f.manufacturer_id) AS manufacturer, \
     (SELECT coalesce(json_agg(json_build_object('id', e.id, 'name', e.name, 'slug', e.slug) \
      ORDER BY l.position), '[]') FROM figure_series AS l JOIN series AS e ON e.id = l.series_id \
      WHERE l.figure_id = f.id) AS series, \
     (SELECT coalesce(json_agg(json_build_object('id', e.id, 'name', e.name, 'slug', e.slug) \
      ORDER BY l.position), '[]') FROM figure_characters AS l JOIN characters AS e ON e.id = l.character_id \
      WHERE l.figure_id = f.id) AS characters, \
     f.version_name, f.scale, f.release_date, f.release_date_precision, f.msrp_amount, f.msrp_currency, \
     f.is_nsfw, f.official_image_url, ",
    standing_photo!("f"),
    " AS photo, f.sort_name, f.created_at, "
);

/// What a whole figure has beside its card.
pub(super) const REST: &str = ", 0::bigint AS rank, \
     (SELECT json_build_object('id', e.id, 'name', e.name, 'slug', e.slug) \
      FROM sculptors AS e WHERE e.id = f.sculptor_id) AS sculptor, \
     f.height_mm, f.materials, f.edition, f.description, \
     (SELECT coalesce(json_agg(json_build_object('release_date', r.release_date, \
      'release_date_precision', r.release_date_precision) ORDER BY r.position), '[]') \
      FROM figure_releases AS r WHERE r.figure_id = f.id) AS releases, \
     f.jan, f.mfc_id, \
     (SELECT coalesce(json_agg(json_build_object('path', l.path, \
      'store', json_build_object('id', e.id, 'name', e.name, 'slug', e.slug)) ORDER BY l.position), '[]') \
      FROM figure_links AS l JOIN stores AS e ON e.id = l.store_id WHERE l.figure_id = f.id) AS buy_links, \
     f.created_by, f.updated_at, f.version FROM figures AS f WHERE f.id = ";

impl From<CardRow> for FigureCard {
    fn from(row: CardRow) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            figure_type: row.figure_type,
            manufacturer: row.manufacturer.map(|entity| entity.0),
            series: row.series.0,
            characters: row.characters.0,
            version_name: row.version_name,
            scale: row.scale,
            release_date: row.release_date,
            release_date_precision: row.release_date_precision,
            msrp_amount: shown_amount(row.msrp_amount, row.msrp_currency.as_deref()),
            msrp_currency: row.msrp_currency,
            is_nsfw: row.is_nsfw,
            official_image_url: row.official_image_url,
            photo: row.photo.map(|photo| photo.0),
            marker: row.marker.as_deref().and_then(Relation::from_word),
        }
    }
}

impl From<FullRow> for Figure {
    fn from(row: FullRow) -> Self {
        Self {
            created_at: row.card.created_at,
            card: row.card.into(),
            sculptor: row.sculptor.map(|entity| entity.0),
            height_mm: row.height_mm,
            materials: row.materials,
            edition: row.edition,
            description: row.description,
            releases: row.releases.0,
            jan: row.jan,
            mfc_id: row.mfc_id,
            buy_links: row.buy_links.0,
            created_by: row.created_by,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
