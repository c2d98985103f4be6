//! What is kept of them, and for how long.

use super::OVERTAKEN;
use chrono::{DateTime, Utc};
use domain::ids::ScanId;
use domain::picture::BlobKey;
use sqlx::{FromRow, PgExecutor, PgPool};
use std::collections::HashSet;
use uuid::Uuid;

/// What one is of, to be compared with what its scan has now.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Standing {
    /// Its id.
    pub id: Uuid,
    /// Of which scan.
    pub scan_id: Uuid,
    /// Of which frames, as [`super::Render::frames`] says.
    pub frames: Option<String>,
}

/// All there are, by id, those after `after`: of one scan or of every one, at most `most`.
///
/// # Errors
/// Whatever the database reports.
pub async fn standing(
    db: impl PgExecutor<'_>,
    scan: Option<ScanId>,
    after: Option<Uuid>,
    most: i64,
) -> sqlx::Result<Vec<Standing>> {
    sqlx::query_as(
        "SELECT id, scan_id, frames FROM renders WHERE ($1::uuid IS NULL OR scan_id = $1) \
             AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
    )
    .bind(scan.map(ScanId::uuid))
    .bind(after)
    .bind(most)
    .fetch_all(db)
    .await
}

/// Lets go of what was made of frames that were replaced since. What was still to be made is dead, for its owner to be
/// told; whoever is at it has no lease any more.
///
/// # Errors
/// Whatever the database reports.
pub async fn overtake(pool: &PgPool, ids: &[Uuid]) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query(
        "UPDATE renders SET state = 'dead', lease = NULL, leased_until = NULL, finished_at = now(), outcome = $2 \
         WHERE id = ANY ($1) AND state IN ('queued', 'running')",
    )
    .bind(ids)
    .bind(OVERTAKEN)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("DELETE FROM renders WHERE id = ANY ($1) AND outcome IS DISTINCT FROM $2")
        .bind(ids)
        .bind(OVERTAKEN)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Lets go of everything that was made of a scan that is no more.
///
/// # Errors
/// Whatever the database reports.
pub async fn drop_scan(db: impl PgExecutor<'_>, scan: ScanId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM renders WHERE scan_id = $1").bind(scan.uuid()).execute(db).await?;
    Ok(())
}

/// Lets go of some, whatever became of them.
///
/// # Errors
/// Whatever the database reports.
pub async fn remove(db: impl PgExecutor<'_>, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM renders WHERE id = ANY ($1)").bind(ids).execute(db).await?;
    Ok(())
}

/// Deletes dead ones that ended before.
///
/// # Errors
/// Whatever the database reports.
pub async fn forget(db: impl PgExecutor<'_>, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let gone = sqlx::query("DELETE FROM renders WHERE state = 'dead' AND finished_at < $1")
        .bind(before)
        .execute(db)
        .await?;
    Ok(gone.rows_affected())
}

/// Which of these files are results.
///
/// # Errors
/// Whatever the database reports.
pub async fn named_blobs(db: impl PgExecutor<'_>, keys: &[BlobKey]) -> sqlx::Result<HashSet<BlobKey>> {
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let named: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT blob_key FROM renders WHERE blob_key = ANY ($1)")
            .bind(keys)
            .fetch_all(db)
            .await?;
    Ok(named.iter().filter_map(|key| key.parse().ok()).collect())
}
