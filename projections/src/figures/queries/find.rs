//! Looking up one figure.

use super::figure::{CARD, Figure, FullRow, REST};
use super::filter::push_marker;
use crate::views::Viewer;
use domain::gtin::Gtin;
use sqlx::{PgPool, QueryBuilder};
use uuid::Uuid;

/// What a figure is asked for by.
enum Key<'k> {
    IdOrSlug(&'k str),
    Jan(&'k Gtin),
    MfcId(i64),
}

/// The figure that an id or slug leads to now, through merging.
///
/// # Errors
/// When the database does not answer.
pub async fn find(pool: &PgPool, id_or_slug: &str, viewer: Viewer) -> sqlx::Result<Option<Figure>> {
    find_by(pool, Key::IdOrSlug(id_or_slug), viewer).await
}

/// The figure with a barcode, however it is written (UPC-A or EAN-13).
///
/// # Errors
/// When the database does not answer.
pub async fn find_by_jan(pool: &PgPool, jan: &Gtin, viewer: Viewer) -> sqlx::Result<Option<Figure>> {
    find_by(pool, Key::Jan(jan), viewer).await
}

/// The figure with a MyFigureCollection id.
///
/// # Errors
/// When the database does not answer.
pub async fn find_by_mfc_id(pool: &PgPool, mfc_id: i64, viewer: Viewer) -> sqlx::Result<Option<Figure>> {
    find_by(pool, Key::MfcId(mfc_id), viewer).await
}

async fn find_by(pool: &PgPool, key: Key<'_>, viewer: Viewer) -> sqlx::Result<Option<Figure>> {
    let mut asked = None;
    loop {
        let id = match key {
            Key::IdOrSlug(name) => find_id(pool, name).await?,
            Key::Jan(jan) => find_id_by_code(pool, "gtin", jan.normalised()).await?,
            Key::MfcId(mfc_id) => find_id_by_code(pool, "mfc", mfc_id.to_string()).await?,
        };
        let Some(id) = id else { return Ok(None) };
        let figure = by_id(pool, id, viewer).await?;
        // A merge between the two questions leaves no figure of that id; asked again, its alias leads on.
        if figure.is_some() || asked.replace(id) == Some(id) {
            return Ok(figure);
        }
    }
}

/// The id of the figure that an id or slug leads to now, through merging.
///
/// # Errors
/// When the database does not answer.
pub async fn find_id(pool: &PgPool, id_or_slug: &str) -> sqlx::Result<Option<Uuid>> {
    let id: Option<Uuid> = id_or_slug.parse().ok();
    sqlx::query_scalar(
        "SELECT found.id FROM ( \
         SELECT 1 AS place, id FROM figures WHERE id = $1 \
         UNION ALL SELECT 2, id FROM figures WHERE slug = $2 \
         UNION ALL SELECT 3, figure_id FROM figure_aliases \
         WHERE (namespace = 'slug' AND alias = $2) OR (namespace = 'id' AND alias = $1::text)) AS found \
         ORDER BY found.place LIMIT 1",
    )
    .bind(id)
    .bind(id_or_slug)
    .fetch_optional(pool)
    .await
}
async fn find_id_by_code(pool: &PgPool, namespace: &str, code: String) -> sqlx::Result<Option<Uuid>> {
    let column = if namespace == "gtin" { "gtin = $1" } else { "mfc_id = $1::bigint" };
    let sql = format!(
        "SELECT found.id FROM (SELECT 1 AS place, id FROM figures WHERE {column} \
         UNION ALL SELECT 2, figure_id FROM figure_aliases WHERE namespace = $2 AND alias = $1) AS found \
         ORDER BY found.place, found.id LIMIT 1"
    );
    sqlx::query_scalar(&sql).bind(code).bind(namespace).fetch_optional(pool).await
}

async fn by_id(pool: &PgPool, id: Uuid, viewer: Viewer) -> sqlx::Result<Option<Figure>> {
    let mut sql = QueryBuilder::new("SELECT ");
    sql.push(CARD);
    push_marker(&mut sql, viewer);
    sql.push(REST).push_bind(id);
    let row: Option<FullRow> = sql.build_query_as().fetch_optional(pool).await?;
    Ok(row.map(Figure::from))
}
