//! How many there are.

use super::HERE;
use domain::ids::UserId;
use sqlx::{FromRow, PgPool};
use std::collections::HashMap;
use uuid::Uuid;

/// What a profile counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
pub struct Counts {
    /// Pieces that are here.
    pub pieces: i64,
    /// Different figures among them.
    pub figures: i64,
    /// Different makers among them.
    pub manufacturers: i64,
    /// Different series among them.
    pub series: i64,
    /// Live pre-orders.
    pub preorders: i64,
    /// Wishes.
    pub wishes: i64,
}

/// Counts somebody's things, with or without what is not safe for work.
///
/// # Errors
/// When the database does not answer.
pub async fn counts(pool: &PgPool, user: UserId, without_nsfw: bool) -> sqlx::Result<Counts> {
    let sql = format!(
        "WITH here AS MATERIALIZED (SELECT f.id, f.manufacturer_id, count(*) AS n FROM owned_items AS o \
             JOIN figures AS f ON f.id = o.figure_id \
             WHERE o.user_id = $1 AND {HERE} AND NOT ($2 AND f.is_nsfw) GROUP BY f.id) \
         SELECT (SELECT coalesce(sum(n), 0)::bigint FROM here) AS pieces, (SELECT count(*) FROM here) AS figures, \
             (SELECT count(DISTINCT manufacturer_id) FROM here) AS manufacturers, \
             (SELECT count(DISTINCT s.series_id) FROM here JOIN figure_series AS s ON s.figure_id = here.id) AS series, \
             (SELECT count(*) FROM preorders AS p JOIN owned_items AS o ON o.id = p.owned_item_id \
              JOIN figures AS f ON f.id = p.figure_id WHERE p.user_id = $1 AND o.archived_at IS NULL \
                  AND p.status NOT IN ('received', 'cancelled') AND NOT ($2 AND f.is_nsfw)) AS preorders, \
             (SELECT count(*) FROM wishlist_items AS w JOIN figures AS f ON f.id = w.figure_id \
              WHERE w.user_id = $1 AND NOT ($2 AND f.is_nsfw)) AS wishes"
    );
    sqlx::query_as(&sql).bind(user.uuid()).bind(without_nsfw).fetch_one(pool).await
}

/// How many pieces each of some people has here; of those with `true`, without what is not safe for work. Whoever
/// has none is left out.
///
/// # Errors
/// When the database does not answer.
pub async fn pieces_of(pool: &PgPool, people: &[(UserId, bool)]) -> sqlx::Result<HashMap<Uuid, i64>> {
    let (ids, without): (Vec<Uuid>, Vec<bool>) =
        people.iter().map(|(user, without_nsfw)| (user.uuid(), *without_nsfw)).unzip();
    let sql = format!(
        "SELECT o.user_id, count(*) FROM UNNEST($1::uuid[], $2::bool[]) AS person (id, without_nsfw) \
         JOIN owned_items AS o ON o.user_id = person.id JOIN figures AS f ON f.id = o.figure_id \
         WHERE {HERE} AND NOT (person.without_nsfw AND f.is_nsfw) GROUP BY o.user_id"
    );
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(&sql).bind(ids).bind(without).fetch_all(pool).await?;
    Ok(rows.into_iter().collect())
}
