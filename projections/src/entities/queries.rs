//! Looking entities up.

use crate::search::{self, Words};
use crate::views::{Page, Viewer};
use chrono::{DateTime, Utc};
use domain::entity::EntityKind;
use domain::slug::slugify;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection, PgPool, Postgres, QueryBuilder};
use utoipa::ToSchema;
use uuid::Uuid;

/// A manufacturer, series, character, sculptor or store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow, ToSchema)]
pub struct Entity {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its slug. A renamed one still answers to its old slug.
    pub slug: String,
    /// The series' number on MyAnimeList; series only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mal_id: Option<i64>,
    /// How many figures name it, of those that the viewer may see listed.
    pub figure_count: i64,
    /// Who typed it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Uuid>,
    /// When it was first typed.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// The stream's version when it last changed, for the `ETag`.
    #[serde(skip)]
    pub version: i64,
    #[serde(skip)]
    sort_name: String,
    #[serde(skip)]
    rank: i64,
}

/// Where the next page of entities begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    rank: i64,
    name: String,
    id: Uuid,
}

const fn table(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Manufacturer => "manufacturers",
        EntityKind::Series => "series",
        EntityKind::Character => "characters",
        EntityKind::Sculptor => "sculptors",
        EntityKind::Store => "stores",
    }
}

/// The figures that name entity `e`.
const fn naming(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Manufacturer => "figures AS f WHERE f.manufacturer_id = e.id",
        EntityKind::Sculptor => "figures AS f WHERE f.sculptor_id = e.id",
        EntityKind::Series => {
            "figure_series AS l JOIN figures AS f ON f.id = l.figure_id WHERE l.series_id = e.id"
        }
        EntityKind::Character => {
            "figure_characters AS l JOIN figures AS f ON f.id = l.figure_id WHERE l.character_id = e.id"
        }
        EntityKind::Store => {
            "figure_links AS l JOIN figures AS f ON f.id = l.figure_id WHERE l.store_id = e.id"
        }
    }
}

/// `SELECT` up to and with `FROM`, of entities `e`; the words give the rank.
fn select(kind: EntityKind, viewer: Viewer, words: &Words) -> QueryBuilder<'static, Postgres> {
    let mal_id = if kind == EntityKind::Series { "e.mal_id" } else { "NULL::bigint AS mal_id" };
    let shown = if viewer.hides_nsfw { " AND NOT f.is_nsfw" } else { "" };
    let mut sql = QueryBuilder::new(format!(
        "SELECT e.id, e.name, e.slug, {mal_id}, e.created_by, e.created_at, e.updated_at, e.version, \
         e.sort_name, (SELECT count(DISTINCT f.id) FROM {}{shown}) AS figure_count, ",
        naming(kind)
    ));
    words.push_rank(&mut sql, "e.sort_name", "e.sort_name");
    sql.push(format_args!(" AS rank FROM {} AS e", table(kind)));
    sql
}

/// The id of the entity that an id or slug leads to now, through renaming and merging.
///
/// # Errors
/// When the database does not answer.
pub async fn find_id(pool: &PgPool, kind: EntityKind, id_or_slug: &str) -> sqlx::Result<Option<Uuid>> {
    let id: Option<Uuid> = id_or_slug.parse().ok();
    // A slug's slug is itself, so a name will do as well.
    let slug = slugify(id_or_slug).unwrap_or_default();
    let sql = format!(
        "SELECT found.id FROM ( \
         SELECT 1 AS place, id FROM {0} WHERE id = $1 \
         UNION ALL SELECT 2, id FROM {0} WHERE slug = $2 \
         UNION ALL SELECT 3, a.entity_id FROM entity_aliases AS a JOIN {0} AS e ON e.id = a.entity_id \
         WHERE (a.namespace = $3 AND a.alias = $2) OR (a.namespace = 'id' AND a.alias = $1::text)) AS found \
         ORDER BY found.place LIMIT 1",
        table(kind)
    );
    sqlx::query_scalar(&sql).bind(id).bind(slug).bind(kind.as_str()).fetch_optional(pool).await
}

/// The entity that an id or slug leads to now, through renaming and merging.
///
/// # Errors
/// When the database does not answer.
pub async fn find(
    pool: &PgPool,
    kind: EntityKind,
    id_or_slug: &str,
    viewer: Viewer,
) -> sqlx::Result<Option<Entity>> {
    let Some(id) = find_id(pool, kind, id_or_slug).await? else { return Ok(None) };
    let mut sql = select(kind, viewer, &Words::of(""));
    sql.push(" WHERE e.id = ").push_bind(id);
    sql.build_query_as().fetch_optional(pool).await
}

/// Which entities to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Words of the name.
    pub words: Option<&'a str>,
    /// Only series without a number on MyAnimeList; no other kind has one.
    pub without_mal_id: bool,
}

/// Entities of a kind: without words by name, with some the best answers first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    pool: &PgPool,
    kind: EntityKind,
    wanted: Wanted<'_>,
    viewer: Viewer,
    after: Option<&Cursor>,
    limit: u32,
) -> sqlx::Result<Page<Entity, Cursor>> {
    let mut reading = search::begin(pool).await?;
    let words =
        Words::of(wanted.words.unwrap_or_default()).looked_up(&mut reading, table(kind), "sort_name").await?;
    let mut sql = select(kind, viewer, &words);
    let none = wanted.without_mal_id && kind == EntityKind::Series;
    sql.push(if none { " WHERE e.mal_id IS NULL" } else { " WHERE true" });
    words.push_condition(&mut sql, "e.sort_name");
    if let Some(Cursor { rank, name, id }) = after {
        sql.push(" AND (");
        if !words.is_empty() {
            sql.push("-");
            words.push_rank(&mut sql, "e.sort_name", "e.sort_name");
            sql.push(", ");
        }
        sql.push("e.sort_name, e.id) > (");
        if !words.is_empty() {
            sql.push_bind(rank.saturating_neg()).push(", ");
        }
        sql.push_bind(name.clone()).push(", ").push_bind(*id).push(")");
    }
    sql.push(if words.is_empty() { " ORDER BY" } else { " ORDER BY rank DESC," });
    sql.push(" e.sort_name, e.id LIMIT ").push_bind(i64::from(limit).saturating_add(1));
    let found: Vec<Entity> = sql.build_query_as().fetch_all(&mut *reading).await?;
    reading.commit().await?;
    Ok(Page::cut(found, limit, |last| Cursor { rank: last.rank, name: last.sort_name.clone(), id: last.id }))
}

/// What a store is called; `None` when there is none, or it was merged into another.
///
/// # Errors
/// When the database does not answer.
pub async fn store_name(
    connection: &mut PgConnection,
    id: domain::ids::EntityId,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT name FROM stores WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(connection)
        .await
}
