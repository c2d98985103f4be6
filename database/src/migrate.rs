//! The embedded migrations and the one way to run them.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, PgConnection, PgPool};

/// Every migration of this build, in order. Subfolders of `migrations/` are not part of it.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Why migrating failed.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database has migrations that this build does not know: a newer release ran on it.
    #[error(
        "the database was migrated by a newer release (it has migration {0}, which this one does not know); \
         use that release, or restore a backup made before it ran"
    )]
    NewerDatabase(i64),
    /// A migration failed or was changed after it ran.
    #[error("migrating the database failed: {0}")]
    Failed(#[source] MigrateError),
    /// The connection for migrating could not be opened.
    #[error("migrating the database failed: {0}")]
    Connection(#[from] sqlx::Error),
}

/// Brings the database of `pool` up to this build's migrations. Safe to call from several processes at
/// once: an advisory lock lets one work and the others find nothing left to do.
///
/// # Errors
/// [`MigrationError`]; migrations that ran before the failing one stay.
pub async fn run(pool: &PgPool) -> Result<(), MigrationError> {
    let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
    let outcome = run_on(&mut connection).await;
    if outcome.is_err() {
        // sqlx keeps the lock when a migration fails, and a closed session ends only a little later. A
        // connection of its own, so that no pooled one carries the lock on when this fails too.
        let _ = sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut connection).await;
    }
    let closed = connection.close().await;
    outcome?;
    Ok(closed?)
}

pub(crate) async fn run_on(connection: &mut PgConnection) -> Result<(), MigrationError> {
    MIGRATOR.run_direct(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => MigrationError::NewerDatabase(version),
        other => MigrationError::Failed(other),
    })
}
