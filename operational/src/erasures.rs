//! `erasures`: which people are being erased, and how far it is. The account itself goes when it begins.

use domain::{ids::UserId, stream::Position};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use crate::{manga_links, users::UserError};

/// The erasing of one person, as far as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// Who is erased.
    pub user_id: UserId,
    /// Who asked for it: the person themselves, or nobody when it was done on the command line.
    pub requested_by: Option<UserId>,
    /// The correlation id of the request, which the event that ends their streams carries.
    pub correlation_id: Option<Uuid>,
    /// The position of the event that ends their streams, once it is on record.
    pub ended_at: Option<Position>,
    /// Their events from this position on are blank.
    pub blank_from: Option<Position>,
}

/// Deletes an account with all its sessions and identities, and notes that the rest of the person is to go. The
/// username and the address are free from then on.
///
/// # Errors
/// [`UserError::NotFound`]; [`UserError::LastAdmin`] when nobody would be left to run the instance, also when two
/// admins leave at once; the database's.
pub async fn begin(
    pool: &PgPool,
    id: UserId,
    requested_by: Option<UserId>,
    correlation_id: Option<Uuid>,
) -> Result<(), UserError> {
    let mut tx = pool.begin().await?;
    // As when admins demote each other: one after the other.
    let admins: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM users WHERE is_admin AND suspended_at IS NULL ORDER BY id FOR UPDATE",
    )
    .fetch_all(&mut *tx)
    .await?;
    if admins == [id.uuid()] {
        return Err(UserError::LastAdmin);
    }
    let gone: Option<(Option<Uuid>, Option<String>)> =
        sqlx::query_as("DELETE FROM users WHERE id = $1 RETURNING manga_server_id, manga_slug")
            .bind(id.uuid())
            .fetch_optional(&mut *tx)
            .await?;
    match gone {
        None => return Err(UserError::NotFound),
        Some((Some(server), Some(slug))) => manga_links::forget_if_unlinked(&mut tx, server, &slug).await?,
        Some(_) => {}
    }
    // A session names its account inside of what it holds.
    sqlx::query("DELETE FROM tower_sessions WHERE position(convert_to($1, 'UTF8') IN data) > 0")
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO erasures (user_id, requested_by, correlation_id) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(id.uuid())
    .bind(requested_by.map(|who| who.uuid()))
    .bind(correlation_id)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Those that are not finished, oldest first.
///
/// # Errors
/// Whatever the database reports.
pub async fn unfinished(db: impl PgExecutor<'_>) -> Result<Vec<Erasure>, sqlx::Error> {
    type Columns = (Uuid, Option<Uuid>, Option<Uuid>, Option<i64>, Option<i64>);
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT user_id, requested_by, correlation_id, ended_at, blank_from FROM erasures
         WHERE finished_at IS NULL ORDER BY requested_at, user_id",
    )
    .fetch_all(db)
    .await?;
    let erasure = |(user, by, correlation_id, ended, blank): Columns| Erasure {
        user_id: user.into(),
        requested_by: by.map(UserId::from),
        correlation_id,
        ended_at: ended.map(Position),
        blank_from: blank.map(Position),
    };
    Ok(rows.into_iter().map(erasure).collect())
}

/// Notes where the event stands that ends the person's streams.
///
/// # Errors
/// Whatever the database reports.
pub async fn ended(db: impl PgExecutor<'_>, id: UserId, at: Position) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE erasures SET ended_at = $2 WHERE user_id = $1")
        .bind(id.uuid())
        .bind(at.0)
        .execute(db)
        .await?;
    Ok(())
}

/// Notes that the person's events from a position on are blank.
///
/// # Errors
/// Whatever the database reports.
pub async fn blanked(db: impl PgExecutor<'_>, id: UserId, from: Position) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE erasures SET blank_from = $2 WHERE user_id = $1")
        .bind(id.uuid())
        .bind(from.0)
        .execute(db)
        .await?;
    Ok(())
}

/// Notes that nothing of the person is left.
///
/// # Errors
/// Whatever the database reports.
pub async fn finished(db: impl PgExecutor<'_>, id: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE erasures SET finished_at = coalesce(finished_at, now()) WHERE user_id = $1")
        .bind(id.uuid())
        .execute(db)
        .await?;
    Ok(())
}
