//! `web_push_subscriptions`: the browsers that people let be told.

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use sqlx::{PgExecutor, PgPool};
use std::fmt;
use uuid::Uuid;

/// How many browsers one person may have. Further ones take the place of the oldest.
pub const MOST: i64 = 20;

/// A browser that somebody subscribed.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Subscription {
    /// Its id.
    pub id: Uuid,
    /// Where its push service takes messages. Whoever knows it can send there, so only its origin is shown.
    pub endpoint: String,
    /// The browser's public key, base64url.
    pub p256dh: String,
    /// The secret that it shares with this server, base64url.
    pub auth: String,
    /// What its owner calls it.
    pub label: Option<String>,
    /// When it was subscribed.
    pub created_at: DateTime<Utc>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What makes a subscription.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the fields are those of `Subscription`")]
pub struct NewSubscription<'a> {
    pub endpoint: &'a str,
    pub p256dh: &'a str,
    pub auth: &'a str,
    pub label: Option<&'a str>,
}

/// The browsers of somebody, the oldest first.
///
/// # Errors
/// Whatever the database reports.
pub async fn of_user(pool: &PgPool, user_id: UserId) -> sqlx::Result<Vec<Subscription>> {
    sqlx::query_as(
        "SELECT id, endpoint, p256dh, auth, label, created_at FROM web_push_subscriptions \
         WHERE user_id = $1 ORDER BY created_at, id",
    )
    .bind(user_id.uuid())
    .fetch_all(pool)
    .await
}

/// One browser; `None` when it is not subscribed any more.
///
/// # Errors
/// Whatever the database reports.
pub async fn find(db: impl PgExecutor<'_>, user_id: UserId, id: Uuid) -> sqlx::Result<Option<Subscription>> {
    sqlx::query_as(
        "SELECT id, endpoint, p256dh, auth, label, created_at FROM web_push_subscriptions \
         WHERE id = $1 AND user_id = $2",
    )
    .bind(id)
    .bind(user_id.uuid())
    .fetch_optional(db)
    .await
}

/// Subscribes a browser. The same one again keeps its id and gets new keys; one that another person used in it
/// before is theirs no longer.
///
/// # Errors
/// Whatever the database reports.
pub async fn add(pool: &PgPool, user_id: UserId, new: NewSubscription<'_>) -> sqlx::Result<Subscription> {
    let mut transaction = pool.begin().await?;
    let added = sqlx::query_as(
        "INSERT INTO web_push_subscriptions AS w (id, user_id, endpoint, p256dh, auth, label) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (endpoint) DO UPDATE SET \
             id = CASE WHEN w.user_id = excluded.user_id THEN w.id ELSE excluded.id END, \
             created_at = CASE WHEN w.user_id = excluded.user_id THEN w.created_at ELSE excluded.created_at END, \
             user_id = excluded.user_id, p256dh = excluded.p256dh, auth = excluded.auth, label = excluded.label \
         RETURNING id, endpoint, p256dh, auth, label, created_at",
    )
    .bind(Uuid::now_v7())
    .bind(user_id.uuid())
    .bind(new.endpoint)
    .bind(new.p256dh)
    .bind(new.auth)
    .bind(new.label)
    .fetch_one(&mut *transaction)
    .await?;
    sqlx::query(
        "DELETE FROM web_push_subscriptions WHERE user_id = $1 AND id NOT IN \
         (SELECT id FROM web_push_subscriptions WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2)",
    )
    .bind(user_id.uuid())
    .bind(MOST)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(added)
}

/// Ends a subscription of somebody's; whether there was one.
///
/// # Errors
/// Whatever the database reports.
pub async fn remove(db: impl PgExecutor<'_>, user_id: UserId, id: Uuid) -> sqlx::Result<bool> {
    let removed = sqlx::query("DELETE FROM web_push_subscriptions WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user_id.uuid())
        .execute(db)
        .await?;
    Ok(removed.rows_affected() > 0)
}

/// Ends all subscriptions: they were made for another key pair. How many there were.
///
/// # Errors
/// Whatever the database reports.
pub async fn remove_all(db: impl PgExecutor<'_>) -> sqlx::Result<u64> {
    Ok(sqlx::query("DELETE FROM web_push_subscriptions").execute(db).await?.rows_affected())
}
