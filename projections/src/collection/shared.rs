//! What of a collection others see who were given an address.

use domain::ids::{CabinetId, UserId};
use sqlx::PgPool;
use uuid::Uuid;

/// How many wishes of somebody are shown.
///
/// # Errors
/// When the database does not answer.
pub async fn wish_count(pool: &PgPool, user: UserId, hide_nsfw: bool) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FROM wishlist_items AS w JOIN figures AS f ON f.id = w.figure_id \
         WHERE w.user_id = $1 AND NOT ($2 AND f.is_nsfw)",
    )
    .bind(user.uuid())
    .bind(hide_nsfw)
    .fetch_one(pool)
    .await
}

/// The ids of all wishes of somebody, those that wait behind a piece too.
///
/// # Errors
/// When the database does not answer.
pub async fn wish_ids(pool: &PgPool, user: UserId) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "SELECT id FROM wishlist_items WHERE user_id = $1 \
         UNION ALL SELECT id FROM wishes_while_owned WHERE user_id = $1",
    )
    .bind(user.uuid())
    .fetch_all(pool)
    .await
}

/// A registered location without what its pieces are worth.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct CabinetShown {
    /// Its name now.
    pub name: String,
    /// How many pieces stand there. Archived ones and those yet to be received do not count.
    pub pieces: i64,
}

/// A registered location of somebody's, as others see it; none when it is deleted, or not theirs.
///
/// # Errors
/// When the database does not answer.
pub async fn cabinet_shown(
    pool: &PgPool,
    user: UserId,
    id: CabinetId,
    hide_nsfw: bool,
) -> sqlx::Result<Option<CabinetShown>> {
    sqlx::query_as(
        "SELECT c.name, \
             (SELECT count(*) FROM owned_items AS o JOIN figures AS f ON f.id = o.figure_id \
              WHERE o.user_id = c.user_id AND o.location_key = c.name_key AND o.archived_at IS NULL \
                  AND (o.preorder_status IS NULL OR o.preorder_status = 'received') \
                  AND NOT ($3 AND f.is_nsfw)) AS pieces \
         FROM cabinets AS c WHERE c.id = $1 AND c.user_id = $2",
    )
    .bind(id.uuid())
    .bind(user.uuid())
    .bind(hide_nsfw)
    .fetch_optional(pool)
    .await
}
