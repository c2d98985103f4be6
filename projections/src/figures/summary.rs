//! A figure as it stands beside a piece, a pre-order or a wish.

use crate::pictures::Thumb;
use crate::pictures::cover::standing_photo;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Deserialize;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

/// The name of a manufacturer, series, character, sculptor or store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EntityName {
    /// Its id.
    pub id: Uuid,
    /// Its name now.
    pub name: String,
    /// Its slug now.
    pub slug: String,
}

impl EntityName {
    /// Reads `{prefix}_id`, `{prefix}_name` and `{prefix}_slug`; `None` when the join found nothing.
    ///
    /// # Errors
    /// When a column is missing or of another type.
    pub fn read(row: &PgRow, prefix: &str) -> sqlx::Result<Option<Self>> {
        let column = |name: &str| format!("{prefix}_{name}");
        let Some(name) = row.try_get(column("name").as_str())? else { return Ok(None) };
        Ok(Some(Self {
            id: row.try_get(column("id").as_str())?,
            name,
            slug: row.try_get(column("slug").as_str())?,
        }))
    }
}

/// What is shown of a figure beside something else. Ask for it in a query with [`COLUMNS`](Self::COLUMNS)
/// and [`JOINS`](Self::JOINS), where `f` is `figures`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are the columns of `figures`")]
pub struct FigureSummary {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub figure_type: String,
    pub manufacturer: Option<EntityName>,
    /// In the order in which the figure names them.
    pub series: Vec<EntityName>,
    pub scale: Option<String>,
    /// First day of the announced period.
    pub release_date: Option<NaiveDate>,
    pub release_date_precision: Option<String>,
    pub msrp_amount: Option<Decimal>,
    pub msrp_currency: Option<String>,
    pub is_nsfw: bool,
    pub official_image_url: Option<String>,
    /// The catalogue's photo that stands for it.
    pub photo: Option<Thumb>,
}

impl FigureSummary {
    /// What to select.
    pub const COLUMNS: &'static str = concat!(
        "f.id AS figure_id_, f.slug AS figure_slug, f.name AS figure_name, \
         f.figure_type AS figure_type, f.scale AS figure_scale, f.release_date AS figure_release_date, \
         f.release_date_precision AS figure_release_date_precision, f.msrp_amount AS figure_msrp_amount, \
         f.msrp_currency AS figure_msrp_currency, f.is_nsfw AS figure_is_nsfw, \
         f.official_image_url AS figure_official_image_url, \
         fm.id AS maker_id, fm.name AS maker_name, fm.slug AS maker_slug, \
         (SELECT coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'name', s.name, 'slug', s.slug) \
                                    ORDER BY fs.position), '[]') \
          FROM figure_series AS fs JOIN series AS s ON s.id = fs.series_id \
          WHERE fs.figure_id = f.id) AS figure_series, ",
        standing_photo!("f"),
        " AS figure_photo"
    );

    /// What to join after `figures AS f`.
    pub const JOINS: &'static str = "LEFT JOIN manufacturers AS fm ON fm.id = f.manufacturer_id";

    /// Reads it from a row selected with [`COLUMNS`](Self::COLUMNS).
    ///
    /// # Errors
    /// When a column is missing or of another type.
    pub fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("figure_id_")?,
            slug: row.try_get("figure_slug")?,
            name: row.try_get("figure_name")?,
            figure_type: row.try_get("figure_type")?,
            manufacturer: EntityName::read(row, "maker")?,
            series: row.try_get::<Json<Vec<EntityName>>, _>("figure_series")?.0,
            scale: row.try_get("figure_scale")?,
            release_date: row.try_get("figure_release_date")?,
            release_date_precision: row.try_get("figure_release_date_precision")?,
            msrp_amount: row.try_get("figure_msrp_amount")?,
            msrp_currency: row.try_get("figure_msrp_currency")?,
            is_nsfw: row.try_get("figure_is_nsfw")?,
            official_image_url: row.try_get("figure_official_image_url")?,
            photo: row.try_get::<Option<Json<Thumb>>, _>("figure_photo")?.map(|photo| photo.0),
        })
    }
}
