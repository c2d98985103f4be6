//! What ids in somebody's events are called today.

use crate::figures::summary::EntityName;
use domain::ids::UserId;
use serde::Serialize;
use sqlx::PgPool;
use std::collections::HashMap;
use uuid::Uuid;

/// A figure as the catalogue has it today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[schema(as = NamedFigure)]
pub struct FigureName {
    /// Its id: of a merged one, the id of the entry that continues it.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// Whether it is not safe for work.
    pub is_nsfw: bool,
}

#[derive(sqlx::FromRow)]
struct Asked<T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>> {
    asked: Uuid,
    #[sqlx(flatten)]
    found: T,
}

#[derive(sqlx::FromRow)]
struct StoreName {
    id: Uuid,
    name: String,
    slug: String,
}

/// Figures by the ids that events name them with. Those the catalogue's read model does not know are left out.
///
/// # Errors
/// When the database does not answer.
pub async fn figures(pool: &PgPool, ids: &[Uuid]) -> sqlx::Result<HashMap<Uuid, FigureName>> {
    let rows: Vec<Asked<FigureName>> = sqlx::query_as(
        "SELECT asked.id AS asked, f.id, f.name, f.slug, f.is_nsfw FROM UNNEST($1) AS asked (id) \
         LEFT JOIN figure_aliases AS a ON a.namespace = 'id' AND a.alias = asked.id::text \
         JOIN figures AS f ON f.id = coalesce(a.figure_id, asked.id)",
    )
    .bind(ids)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.asked, row.found)).collect())
}

/// Stores, likewise.
///
/// # Errors
/// When the database does not answer.
pub async fn stores(pool: &PgPool, ids: &[Uuid]) -> sqlx::Result<HashMap<Uuid, EntityName>> {
    let rows: Vec<Asked<StoreName>> = sqlx::query_as(
        "SELECT asked.id AS asked, s.id, s.name, s.slug FROM UNNEST($1) AS asked (id) \
         LEFT JOIN entity_aliases AS a ON a.namespace = 'id' AND a.alias = asked.id::text \
         JOIN stores AS s ON s.id = coalesce(a.entity_id, asked.id)",
    )
    .bind(ids)
    .fetch_all(pool)
    .await?;
    let name = |StoreName { id, name, slug }| EntityName { id, name, slug };
    Ok(rows.into_iter().map(|row| (row.asked, name(row.found))).collect())
}

/// The figures of a person's own pieces; those that are deleted are left out.
///
/// # Errors
/// When the database does not answer.
pub async fn pieces(pool: &PgPool, user: UserId, ids: &[Uuid]) -> sqlx::Result<HashMap<Uuid, Uuid>> {
    let rows: Vec<(Uuid, Uuid)> =
        sqlx::query_as("SELECT id, figure_id FROM owned_items WHERE id = ANY($1) AND user_id = $2")
            .bind(ids)
            .bind(user.uuid())
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().collect())
}
