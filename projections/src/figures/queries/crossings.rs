//! Where a manga shelf and a collection meet: by the series' number on MyAnimeList.

use super::figure::{CARD, CardRow, FigureCard};
use super::filter::{push_marker, push_relation};
use crate::pictures::cover::{Cover, Thumb, standing_photo};
use crate::views::{Page, Relation, Viewer};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

/// A series of which the viewer owns figures.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OwnedSeries {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// Its number on MyAnimeList.
    pub mal_id: i64,
    /// How many figures of it the viewer owns; several pieces of one figure count once.
    pub figure_count: i64,
}

/// A figure that the viewer does not own, and which of the asked-for series it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnownedFigure {
    /// The figure.
    pub card: FigureCard,
    /// The numbers of those series, in ascending order.
    pub mal_ids: Vec<i64>,
}

/// Where the next page of figures begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossingCursor {
    name: String,
    id: Uuid,
}

/// A figure as anybody sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFigure {
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// The code of its type.
    pub figure_type: String,
    /// What stands for it, as far as that needs no account.
    pub cover: Option<Cover>,
}

#[derive(FromRow)]
struct OpenRow {
    name: String,
    slug: String,
    figure_type: String,
    is_nsfw: bool,
    official_image_url: Option<String>,
    photo: Option<Json<Thumb>>,
}

impl From<OpenRow> for OpenFigure {
    fn from(row: OpenRow) -> Self {
        let photo = row.photo.as_ref().map(|photo| &photo.0);
        Self {
            cover: Cover::for_anybody(photo, row.official_image_url.as_deref(), row.is_nsfw),
            name: row.name,
            slug: row.slug,
            figure_type: row.figure_type,
        }
    }
}

#[derive(FromRow)]
struct UnownedRow {
    #[sqlx(flatten)]
    card: CardRow,
    mal_ids: Vec<i64>,
}

fn push_shown(sql: &mut QueryBuilder<'_, Postgres>, viewer: Viewer) {
    if viewer.hides_nsfw {
        sql.push(" AND NOT f.is_nsfw");
    }
}

/// The series with these numbers of which the viewer owns figures, by name.
///
/// # Errors
/// When the database does not answer.
pub async fn owned_series(pool: &PgPool, viewer: Viewer, mal_ids: &[i64]) -> sqlx::Result<Vec<OwnedSeries>> {
    let mut sql = QueryBuilder::new(
        "SELECT s.id, s.name, s.slug, s.mal_id, count(*) AS figure_count FROM series AS s \
         JOIN figure_series AS l ON l.series_id = s.id JOIN figures AS f ON f.id = l.figure_id \
         WHERE s.mal_id = ANY (",
    );
    sql.push_bind(mal_ids).push(") AND ");
    push_relation(&mut sql, Relation::Owned, viewer);
    push_shown(&mut sql, viewer);
    sql.push(" GROUP BY s.id ORDER BY s.sort_name, s.id");
    sql.build_query_as().fetch_all(pool).await
}

/// Figures of the series with these numbers that the viewer does not own, by name.
///
/// # Errors
/// When the database does not answer.
pub async fn unowned_figures(
    pool: &PgPool,
    viewer: Viewer,
    mal_ids: &[i64],
    after: Option<&CrossingCursor>,
    limit: u32,
) -> sqlx::Result<Page<UnownedFigure, CrossingCursor>> {
    let mut sql = QueryBuilder::new(
        "WITH page AS (SELECT f.id, array_agg(DISTINCT s.mal_id ORDER BY s.mal_id) AS mal_ids FROM series AS s \
         JOIN figure_series AS l ON l.series_id = s.id JOIN figures AS f ON f.id = l.figure_id \
         WHERE s.mal_id = ANY (",
    );
    sql.push_bind(mal_ids).push(") AND NOT ");
    push_relation(&mut sql, Relation::Owned, viewer);
    push_shown(&mut sql, viewer);
    if let Some(CrossingCursor { name, id }) = after {
        sql.push(" AND (f.sort_name, f.id) > (").push_bind(name).push(", ").push_bind(id).push(")");
    }
    sql.push(" GROUP BY f.id ORDER BY f.sort_name, f.id LIMIT ");
    sql.push_bind(i64::from(limit).saturating_add(1)).push(") SELECT ").push(CARD);
    push_marker(&mut sql, viewer);
    sql.push(
        ", 0::bigint AS rank, page.mal_ids FROM page JOIN figures AS f ON f.id = page.id \
         ORDER BY f.sort_name, f.id",
    );
    let rows: Vec<UnownedRow> = sql.build_query_as().fetch_all(pool).await?;
    let cursor = |last: &UnownedRow| CrossingCursor { name: last.card.sort_name.clone(), id: last.card.id };
    let page = Page::cut(rows, limit, cursor);
    Ok(page.map(|row| UnownedFigure { card: row.card.into(), mal_ids: row.mal_ids }))
}

/// The numbers of a figure's series, in the order in which it names them.
///
/// # Errors
/// When the database does not answer.
pub async fn mal_ids_of(pool: &PgPool, figure: Uuid) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(
        "SELECT s.mal_id FROM figure_series AS l JOIN series AS s ON s.id = l.series_id \
         WHERE l.figure_id = $1 AND s.mal_id IS NOT NULL ORDER BY l.position",
    )
    .bind(figure)
    .fetch_all(pool)
    .await
}

/// How many figures there are of the series with this number, and at most `most` of them, by name; NSFW ones only
/// when they are asked for.
///
/// # Errors
/// When the database does not answer.
pub async fn by_mal_id(
    pool: &PgPool,
    mal_id: i64,
    with_nsfw: bool,
    most: i64,
) -> sqlx::Result<(i64, Vec<OpenFigure>)> {
    const OF: &str = "FROM figures AS f WHERE ($2 OR NOT f.is_nsfw) AND EXISTS (SELECT FROM figure_series AS l \
         JOIN series AS s ON s.id = l.series_id WHERE l.figure_id = f.id AND s.mal_id = $1)";
    const PHOTO: &str = standing_photo!("f");
    let listed: Vec<OpenRow> = sqlx::query_as(&format!(
        "SELECT f.name, f.slug, f.figure_type, f.is_nsfw, f.official_image_url, {PHOTO} AS photo {OF} \
         ORDER BY f.sort_name, f.id LIMIT $3"
    ))
    .bind(mal_id)
    .bind(with_nsfw)
    .bind(most)
    .fetch_all(pool)
    .await?;
    let listed: Vec<OpenFigure> = listed.into_iter().map(Into::into).collect();
    let found = i64::try_from(listed.len()).unwrap_or(i64::MAX);
    if found < most {
        return Ok((found, listed));
    }
    let count = sqlx::query_scalar(&format!("SELECT count(*) {OF}"))
        .bind(mal_id)
        .bind(with_nsfw)
        .fetch_one(pool)
        .await?;
    Ok((count, listed))
}
