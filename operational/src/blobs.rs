//! `blobs`: which files are stored, for how long each may not be deleted, and which are about to be.
//!
//! A blob lies outside of the database, so that no transaction covers it. What keeps a name from pointing nowhere is
//! the order here: a lease is taken before a blob is stored, an event names it within the lease, and it is condemned,
//! looked for in every name again, and only then deleted. Decision 30 says why that is enough.

use chrono::{DateTime, TimeDelta, Utc};
use domain::picture::BlobKey;
use sqlx::postgres::types::PgInterval;
use sqlx::{PgExecutor, PgPool, Postgres, Transaction};
use std::collections::HashSet;

/// How long a blob that is about to be deleted is left alone by others, whatever became of whoever deletes it.
/// Deleting one takes less, or is given up.
pub const CONDEMNED_FOR: TimeDelta = TimeDelta::minutes(2);
/// How long a lease waits for one who is deleting that very blob.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '3s'";
/// PostgreSQL's code for a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// What [`lease`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leased {
    /// It may not be deleted until the lease ends. It has to be stored.
    Unstored,
    /// It may not be deleted until the lease ends. It was stored once.
    Stored,
    /// It is just being deleted: in a moment it can be leased.
    BeingDeleted,
}

fn interval(lasts: TimeDelta) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: lasts.num_microseconds().unwrap_or(i64::MAX) }
}

fn digests(keys: &[BlobKey]) -> Vec<String> {
    keys.iter().map(ToString::to_string).collect()
}

fn read(keys: Vec<String>) -> Vec<BlobKey> {
    keys.iter().filter_map(|key| key.parse().ok()).collect()
}

/// Keeps a blob from being deleted for a while from now. It is to be called before the blob is stored, and the event
/// that names it must be appended before the lease ends.
///
/// # Errors
/// Whatever the database reports.
pub async fn lease(
    pool: &PgPool,
    key: &BlobKey,
    media_type: &str,
    bytes: i64,
    lasts: TimeDelta,
) -> sqlx::Result<Leased> {
    let mut transaction = pool.begin().await?;
    sqlx::query(LOCK_TIMEOUT).execute(&mut *transaction).await?;
    // What was condemned long ago may be gone or not: whoever was at it was cut off.
    let stored: Result<Option<(bool,)>, sqlx::Error> = sqlx::query_as(
        "INSERT INTO blobs (key, media_type, bytes, leased_until) VALUES ($1, $2, $3, now() + $4) \
         ON CONFLICT (key) DO UPDATE SET \
             leased_until = greatest(blobs.leased_until, excluded.leased_until), unnamed_since = NULL, \
             stored_at = CASE WHEN blobs.condemned_at IS NULL THEN blobs.stored_at END, condemned_at = NULL \
         WHERE blobs.condemned_at IS NULL OR blobs.condemned_at < now() - $5 \
         RETURNING stored_at IS NOT NULL",
    )
    .bind(key.to_string())
    .bind(media_type)
    .bind(bytes)
    .bind(interval(lasts))
    .bind(interval(CONDEMNED_FOR))
    .fetch_optional(&mut *transaction)
    .await;
    let leased = match stored {
        Ok(Some((true,))) => Leased::Stored,
        Ok(Some((false,))) => Leased::Unstored,
        Ok(None) => Leased::BeingDeleted,
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
            return Ok(Leased::BeingDeleted);
        }
        Err(error) => return Err(error),
    };
    transaction.commit().await?;
    Ok(leased)
}

/// Notes that a leased blob is stored.
///
/// # Errors
/// Whatever the database reports.
pub async fn stored(db: impl PgExecutor<'_>, key: &BlobKey) -> sqlx::Result<()> {
    sqlx::query("UPDATE blobs SET stored_at = coalesce(stored_at, now()) WHERE key = $1")
        .bind(key.to_string())
        .execute(db)
        .await?;
    Ok(())
}

/// Blobs whose lease is over, by key, those after `after`: at most `most`.
///
/// # Errors
/// Whatever the database reports.
pub async fn unleased(
    db: impl PgExecutor<'_>,
    after: Option<BlobKey>,
    most: i64,
) -> sqlx::Result<Vec<BlobKey>> {
    let keys: Vec<String> = sqlx::query_scalar(
        "SELECT key FROM blobs WHERE leased_until < now() AND key > $1 ORDER BY key LIMIT $2",
    )
    .bind(after.map(|key| key.to_string()).unwrap_or_default())
    .bind(most)
    .fetch_all(db)
    .await?;
    Ok(read(keys))
}

/// Notes which of some blobs nothing names, from now on until something does. Gives how many of them are new.
///
/// # Errors
/// Whatever the database reports.
pub async fn note_names(pool: &PgPool, keys: &[BlobKey], named: &HashSet<BlobKey>) -> sqlx::Result<u64> {
    let (named, unnamed): (Vec<BlobKey>, Vec<BlobKey>) = keys.iter().partition(|key| named.contains(key));
    sqlx::query("UPDATE blobs SET unnamed_since = NULL WHERE key = ANY ($1) AND unnamed_since IS NOT NULL")
        .bind(digests(&named))
        .execute(pool)
        .await?;
    let fresh = sqlx::query(
        "UPDATE blobs SET unnamed_since = now() \
         WHERE key = ANY ($1) AND unnamed_since IS NULL AND leased_until < now()",
    )
    .bind(digests(&unnamed))
    .execute(pool)
    .await?;
    Ok(fresh.rows_affected())
}

/// A blob that is about to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condemned {
    /// Which.
    pub key: BlobKey,
    /// How many bytes it has.
    pub bytes: i64,
    /// What shows that it is still this caller's.
    pub since: DateTime<Utc>,
}

/// Condemns blobs that nothing has named for so long and that nobody leases: until they are pardoned or deleted, or
/// [`CONDEMNED_FOR`] is over, nobody can lease them. At most `most`.
///
/// # Errors
/// Whatever the database reports.
pub async fn condemn(
    db: impl PgExecutor<'_>,
    unnamed_for: TimeDelta,
    most: i64,
) -> sqlx::Result<Vec<Condemned>> {
    let rows: Vec<(String, i64, DateTime<Utc>)> = sqlx::query_as(
        "UPDATE blobs SET condemned_at = now() WHERE key IN ( \
             SELECT key FROM blobs WHERE leased_until < now() AND unnamed_since <= now() - $1 \
                 AND (condemned_at IS NULL OR condemned_at < now() - $2) \
             ORDER BY key LIMIT $3 FOR UPDATE SKIP LOCKED) \
         RETURNING key, bytes, condemned_at",
    )
    .bind(interval(unnamed_for))
    .bind(interval(CONDEMNED_FOR))
    .bind(most)
    .fetch_all(db)
    .await?;
    let condemned = rows
        .into_iter()
        .filter_map(|(key, bytes, since)| key.parse().ok().map(|key| Condemned { key, bytes, since }));
    Ok(condemned.collect())
}

/// Lets condemned blobs be, as far as they are still this caller's. `named`: because something names them.
///
/// # Errors
/// Whatever the database reports.
pub async fn pardon(
    db: impl PgExecutor<'_>,
    keys: &[BlobKey],
    since: DateTime<Utc>,
    named: bool,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE blobs SET condemned_at = NULL, unnamed_since = CASE WHEN $2 THEN NULL ELSE unnamed_since END \
         WHERE key = ANY ($1) AND condemned_at = $3",
    )
    .bind(digests(keys))
    .bind(named)
    .bind(since)
    .execute(db)
    .await?;
    Ok(())
}

/// A condemned blob that nobody else can lease while this is held. Dropped, it stays condemned.
pub struct Deleting {
    transaction: Transaction<'static, Postgres>,
    key: BlobKey,
}

impl Deleting {
    /// Takes hold of a condemned blob; none when it is another's by now.
    ///
    /// # Errors
    /// Whatever the database reports.
    pub async fn begin(pool: &PgPool, condemned: &Condemned) -> sqlx::Result<Option<Self>> {
        let mut transaction = pool.begin().await?;
        let held: Option<(bool,)> = sqlx::query_as(
            "SELECT true FROM blobs WHERE key = $1 AND condemned_at = $2 AND condemned_at > now() - $3 \
             FOR UPDATE SKIP LOCKED",
        )
        .bind(condemned.key.to_string())
        .bind(condemned.since)
        .bind(interval(CONDEMNED_FOR / 2))
        .fetch_optional(&mut *transaction)
        .await?;
        Ok(held.map(|_| Self { transaction, key: condemned.key }))
    }

    /// Notes that it is gone.
    ///
    /// # Errors
    /// Whatever the database reports: it stays condemned then.
    pub async fn done(mut self) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM blobs WHERE key = $1")
            .bind(self.key.to_string())
            .execute(&mut *self.transaction)
            .await?;
        self.transaction.commit().await
    }
}

/// Every blob that was stored whose key begins with this byte, by key.
///
/// # Errors
/// Whatever the database reports.
pub async fn beginning_with(db: impl PgExecutor<'_>, first: u8) -> sqlx::Result<Vec<(BlobKey, bool)>> {
    let rows: Vec<(String, bool)> = sqlx::query_as(
        "SELECT key, stored_at IS NOT NULL AND condemned_at IS NULL FROM blobs \
         WHERE key >= $1 AND key < $2 ORDER BY key",
    )
    .bind(format!("{first:02x}"))
    .bind(format!("{first:02x}g"))
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter_map(|(key, stored)| key.parse().ok().map(|key| (key, stored))).collect())
}
