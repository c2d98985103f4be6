//! `tower_sessions`: housekeeping of the table that the session layer reads and writes.

use sqlx::PgExecutor;

/// Schema and name of the table, as the session store wants them.
pub const TABLE: (&str, &str) = ("public", "tower_sessions");

/// Deletes the sessions whose time is over and says how many there were.
///
/// # Errors
/// Whatever the database reports.
pub async fn delete_expired(db: impl PgExecutor<'_>) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query("DELETE FROM tower_sessions WHERE expiry_date < now()").execute(db).await?.rows_affected())
}
