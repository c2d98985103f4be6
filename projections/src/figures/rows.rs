//! The tables of the catalogue.

use crate::engine::{row, row_set};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

row! {
    /// A figure.
    pub struct FigureRow in "figures", key(id: Uuid), index(manufacturer_id, sculptor_id) {
        slug: String,
        name: String,
        figure_type: String,
        manufacturer_id: Option<Uuid>,
        sculptor_id: Option<Uuid>,
        scale: Option<String>,
        height_mm: Option<i32>,
        materials: Option<String>,
        version_name: Option<String>,
        edition: Option<String>,
        official_image_url: Option<String>,
        description: Option<String>,
        release_date: Option<NaiveDate>,
        release_date_precision: Option<String>,
        msrp_amount: Option<Decimal>,
        msrp_currency: Option<String>,
        jan: Option<String>,
        gtin: Option<String>,
        mfc_id: Option<i64>,
        is_nsfw: bool,
        created_by: Option<Uuid>,
        sort_name: String,
        search_text: String,
        version: i64,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}
row! {
    /// A series of a figure.
    pub struct FigureSeriesRow in "figure_series",
        key(figure_id: Uuid, series_id: Uuid), index(figure_id, series_id) { position: i32 }
}
row! {
    /// A character of a figure.
    pub struct FigureCharacterRow in "figure_characters",
        key(figure_id: Uuid, character_id: Uuid), index(figure_id, character_id) { position: i32 }
}
row! {
    /// An announced release.
    pub struct ReleaseRow in "figure_releases", key(figure_id: Uuid, position: i32), index(figure_id) {
        release_date: NaiveDate,
        release_date_precision: String,
    }
}
row! {
    /// Where a figure is sold.
    pub struct LinkRow in "figure_links",
        key(figure_id: Uuid, position: i32), index(figure_id, store_id) { store_id: Uuid, path: String }
}
row! {
    /// Where an id, slug or code of a merged figure leads now.
    pub struct AliasRow in "figure_aliases",
        key(namespace: String, alias: String), index(figure_id) { figure_id: Uuid }
}
row! {
    /// What an entity is called.
    pub struct EntityNameRow in "figure_entity_names", key(id: Uuid), index(merged_into) {
        kind: String,
        name: String,
        merged_into: Option<Uuid>,
    }
}

row_set! {
    /// The tables of the catalogue.
    pub struct Rows {
        pub(super) figures: FigureRow,
        pub(super) series: FigureSeriesRow,
        pub(super) characters: FigureCharacterRow,
        pub(super) releases: ReleaseRow,
        pub(super) links: LinkRow,
        pub(crate) aliases: AliasRow,
        pub(super) names: EntityNameRow,
    }
}
