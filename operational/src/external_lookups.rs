//! `external_lookups`: the last answer of each source outside, so that it is not asked more often than needed.
//!
//! How long an answer holds is for its reader to say; an old one is better than none.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgExecutor;

/// An answer as it was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup<T> {
    /// What was answered.
    pub payload: T,
    /// When.
    pub fetched_at: DateTime<Utc>,
}

impl<T> Lookup<T> {
    /// Whether the answer still holds at `now` when it holds for `life`. One from the future does not.
    pub fn holds(&self, now: DateTime<Utc>, life: TimeDelta) -> bool {
        let age = now - self.fetched_at;
        age >= TimeDelta::zero() && age < life
    }
}

/// What `provider` last answered to `key`. An answer of another shape, kept by another release, is none.
///
/// # Errors
/// Whatever the database reports.
pub async fn get<T: DeserializeOwned>(
    db: impl PgExecutor<'_>,
    provider: &str,
    key: &str,
) -> Result<Option<Lookup<T>>, sqlx::Error> {
    let row: Option<(serde_json::Value, DateTime<Utc>)> = sqlx::query_as(
        "SELECT payload, fetched_at FROM external_lookups WHERE provider = $1 AND lookup_key = $2",
    )
    .bind(provider)
    .bind(key)
    .fetch_optional(db)
    .await?;
    Ok(row.and_then(|(payload, fetched_at)| {
        let payload = serde_json::from_value(payload).ok()?;
        Some(Lookup { payload, fetched_at })
    }))
}

/// Keeps an answer in the place of the one before it.
///
/// # Errors
/// Whatever the database reports; also when the answer has no JSON form.
pub async fn put<T: Serialize + Sync>(
    db: impl PgExecutor<'_>,
    provider: &str,
    key: &str,
    payload: &T,
    fetched_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO external_lookups (provider, lookup_key, payload, fetched_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (provider, lookup_key)
         DO UPDATE SET payload = excluded.payload, fetched_at = excluded.fetched_at",
    )
    .bind(provider)
    .bind(key)
    .bind(sqlx::types::Json(payload))
    .bind(fetched_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes what was fetched before a time and says how much that was.
///
/// # Errors
/// Whatever the database reports.
pub async fn delete_older_than(db: impl PgExecutor<'_>, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let gone =
        sqlx::query("DELETE FROM external_lookups WHERE fetched_at < $1").bind(before).execute(db).await?;
    Ok(gone.rows_affected())
}
