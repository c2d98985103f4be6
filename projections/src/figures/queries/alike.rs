//! Figures that a title may mean.

use crate::search;
use domain::text::folded;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// More than this are not compared.
const MOST: i64 = 200;

/// What tells a figure from others, as far as titles can.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Resembling {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What tells it from others of the same name.
    pub version_name: Option<String>,
    /// `1/7`, `non-scale` …
    pub scale: Option<String>,
    /// Its barcode, with 14 digits.
    pub gtin: Option<String>,
    /// Its id on MyFigureCollection.
    pub mfc_id: Option<i64>,
    /// Its maker's name.
    pub manufacturer: Option<String>,
}

/// Figures of the title itself, then those that have most of its letters; of those that are as near the ones whose title
/// and version are most like these. At most 200. What is nine tenths alike is among them.
///
/// # Errors
/// When the database does not answer.
pub async fn resembling(pool: &PgPool, title: &str, version: Option<&str>) -> sqlx::Result<Vec<Resembling>> {
    let (title, version) = (folded(title), folded(version.unwrap_or_default()));
    // A version may stand in a title or beside it.
    let whole = if title.contains(&version) { title.clone() } else { format!("{title} {version}") };
    let mut reading = search::begin(pool).await?;
    let found = sqlx::query_as(
        "SELECT f.id, f.name, f.version_name, f.scale, f.gtin, f.mfc_id, maker.name AS manufacturer \
         FROM figures AS f LEFT JOIN figure_entity_names AS maker ON maker.id = f.manufacturer_id \
         WHERE f.sort_name = $1 OR $1 <% f.search_text \
         ORDER BY f.sort_name = $1 DESC, word_similarity($1, f.search_text) DESC, \
             similarity($2, concat_ws(' ', f.sort_name, f.version_name)) DESC, f.id LIMIT $3",
    )
    .bind(title)
    .bind(whole)
    .bind(MOST)
    .fetch_all(&mut *reading)
    .await?;
    reading.commit().await?;
    Ok(found)
}
