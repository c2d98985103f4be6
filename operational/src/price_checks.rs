//! `price_checks` and `stock_checks`: when the market was last looked at. That nothing moved is noted here alone.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

/// One look at the market of a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check<'a> {
    /// The figure.
    pub figure_id: Uuid,
    /// When it was looked at.
    pub checked_at: DateTime<Utc>,
    /// Whether a price was seen.
    pub confirmed: bool,
    /// What it came to, in a word.
    pub outcome: &'a str,
    /// The stores that said whether they have it.
    pub stores: &'a [Uuid],
}

/// Notes one look. An older one than what is on record says nothing.
///
/// # Errors
/// Whatever the database reports.
pub async fn note(pool: &PgPool, check: &Check<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "WITH stock AS ( \
             INSERT INTO stock_checks (figure_id, store_id, confirmed_at) \
             SELECT $1, store, $2 FROM unnest($5::uuid[]) AS store \
             ON CONFLICT (figure_id, store_id) DO UPDATE \
             SET confirmed_at = greatest(stock_checks.confirmed_at, excluded.confirmed_at)) \
         INSERT INTO price_checks AS known (figure_id, checked_at, confirmed_at, outcome) \
         VALUES ($1, $2, CASE WHEN $3 THEN $2 END, $4) \
         ON CONFLICT (figure_id) DO UPDATE SET checked_at = excluded.checked_at, outcome = excluded.outcome, \
             confirmed_at = coalesce(excluded.confirmed_at, known.confirmed_at) \
         WHERE known.checked_at <= excluded.checked_at",
    )
    .bind(check.figure_id)
    .bind(check.checked_at)
    .bind(check.confirmed)
    .bind(check.outcome)
    .bind(check.stores)
    .execute(pool)
    .await?;
    Ok(())
}
