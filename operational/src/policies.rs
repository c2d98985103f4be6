//! `policy_checkpoints` and `policy_parked`: how far each policy has reacted, and what it set aside.

use chrono::{DateTime, TimeDelta, Utc};
use domain::stream::Position;
use sqlx::{PgConnection, PgExecutor, PgPool};
use std::collections::HashSet;

/// How soon an event that was set aside is tried again, at first; then twice as long each time.
const FIRST_REST: TimeDelta = TimeDelta::seconds(1);
/// The longest time between two tries.
const LONGEST_REST: TimeDelta = TimeDelta::hours(1);

/// Where a policy stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Checkpoint {
    /// Its name.
    pub name: String,
    /// Every event up to here was reacted to, or is set aside.
    #[sqlx(try_from = "i64")]
    pub position: PositionColumn,
    /// Where it began.
    #[sqlx(try_from = "i64")]
    pub begun_at: PositionColumn,
    /// When it last moved.
    pub updated_at: DateTime<Utc>,
}

/// A position as a column holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionColumn(pub Position);

impl From<i64> for PositionColumn {
    fn from(position: i64) -> Self {
        Self(Position(position))
    }
}

/// An event that a policy could not react to, or that waits behind one of the same stream.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Parked {
    /// Whose.
    pub policy: String,
    /// Where the event is.
    #[sqlx(try_from = "i64")]
    pub position: PositionColumn,
    /// Its stream.
    pub aggregate_type: String,
    /// Its stream.
    pub aggregate_id: String,
    /// Its type.
    pub event_type: String,
    /// Why.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried again.
    pub next_try_at: DateTime<Utc>,
}

/// Where an event is, to set it aside.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the fields are those of `Parked`")]
pub struct Place<'e> {
    pub position: Position,
    pub aggregate_type: &'e str,
    pub aggregate_id: &'e str,
    pub event_type: &'e str,
}

/// Lets a policy begin at a position, unless it has begun before.
///
/// # Errors
/// Whatever the database reports.
pub async fn begin(db: impl PgExecutor<'_>, name: &str, at: Position) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO policy_checkpoints (name, position, begun_at) VALUES ($1, $2, $2) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(name)
    .bind(at.0)
    .execute(db)
    .await?;
    Ok(())
}

/// How far a policy is; `None` before it has begun.
///
/// # Errors
/// Whatever the database reports.
pub async fn position(db: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Option<Position>> {
    let position: Option<i64> = sqlx::query_scalar("SELECT position FROM policy_checkpoints WHERE name = $1")
        .bind(name)
        .fetch_optional(db)
        .await?;
    Ok(position.map(Position))
}

/// Keeps every other process from going on with this policy until the transaction ends; `None` when another is at it.
///
/// # Errors
/// Whatever the database reports.
pub async fn hold(transaction: &mut PgConnection, name: &str) -> sqlx::Result<Option<Position>> {
    // What is lost with the last moments before a crash is done again, effects and checkpoint together; to wait for
    // the disk after every event that concerns nobody would slow the appends down.
    // And a process that is cut off without a word, or frozen, must not hold it for ever.
    sqlx::query(
        "SELECT set_config('synchronous_commit', 'off', true), \
                set_config('idle_in_transaction_session_timeout', '10s', true)",
    )
    .execute(&mut *transaction)
    .await?;
    let position: Option<i64> =
        sqlx::query_scalar("SELECT position FROM policy_checkpoints WHERE name = $1 FOR UPDATE SKIP LOCKED")
            .bind(name)
            .fetch_optional(transaction)
            .await?;
    Ok(position.map(Position))
}

/// Notes how far it is. The checkpoint is held.
///
/// # Errors
/// Whatever the database reports.
pub async fn advance(transaction: &mut PgConnection, name: &str, to: Position) -> sqlx::Result<()> {
    sqlx::query("UPDATE policy_checkpoints SET position = $2, updated_at = now() WHERE name = $1")
        .bind(name)
        .bind(to.0)
        .execute(transaction)
        .await?;
    Ok(())
}

/// Of these streams, by type and id, those of which a policy has set something aside.
///
/// # Errors
/// Whatever the database reports.
pub async fn blocked(
    transaction: &mut PgConnection,
    policy: &str,
    streams: &[(&str, &str)],
) -> sqlx::Result<HashSet<(String, String)>> {
    let (types, ids): (Vec<&str>, Vec<&str>) = streams.iter().copied().unzip();
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT aggregate_type, aggregate_id FROM policy_parked
         WHERE policy = $1 AND (aggregate_type, aggregate_id) IN (SELECT * FROM unnest($2::text[], $3::text[]))",
    )
    .bind(policy)
    .bind(types)
    .bind(ids)
    .fetch_all(transaction)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Sets an event aside, or notes that another try failed.
///
/// # Errors
/// Whatever the database reports.
pub async fn park(
    transaction: &mut PgConnection,
    policy: &str,
    place: Place<'_>,
    reason: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let attempts: Option<i32> =
        sqlx::query_scalar("SELECT attempts FROM policy_parked WHERE policy = $1 AND position = $2")
            .bind(policy)
            .bind(place.position.0)
            .fetch_optional(&mut *transaction)
            .await?;
    let doublings = u32::try_from(attempts.unwrap_or_default()).unwrap_or_default().min(12);
    let rest = (FIRST_REST * (1_i32 << doublings)).min(LONGEST_REST);
    sqlx::query(
        "INSERT INTO policy_parked \
             (policy, position, aggregate_type, aggregate_id, event_type, reason, attempts, next_try_at) \
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7) \
         ON CONFLICT (policy, position) DO UPDATE SET reason = excluded.reason, \
             attempts = policy_parked.attempts + 1, next_try_at = excluded.next_try_at",
    )
    .bind(policy)
    .bind(place.position.0)
    .bind(place.aggregate_type)
    .bind(place.aggregate_id)
    .bind(place.event_type)
    .bind(reason)
    .bind(now + rest)
    .execute(transaction)
    .await?;
    Ok(())
}

/// The first event of each stream that is set aside, if it is to be tried again by `now`; at most `most`.
///
/// # Errors
/// Whatever the database reports.
pub async fn due(
    db: impl PgExecutor<'_>,
    policy: &str,
    now: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<Parked>> {
    sqlx::query_as(
        "SELECT * FROM (SELECT DISTINCT ON (aggregate_type, aggregate_id) policy, position, aggregate_type, \
             aggregate_id, event_type, reason, attempts, next_try_at \
         FROM policy_parked WHERE policy = $1 ORDER BY aggregate_type, aggregate_id, position) AS first \
         WHERE next_try_at <= $2 ORDER BY position LIMIT $3",
    )
    .bind(policy)
    .bind(now)
    .bind(most)
    .fetch_all(db)
    .await
}

/// Takes an event back that was set aside: it was reacted to. The next of its stream is due at once.
///
/// # Errors
/// Whatever the database reports.
pub async fn unpark(transaction: &mut PgConnection, parked: &Parked) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM policy_parked WHERE policy = $1 AND position = $2")
        .bind(&parked.policy)
        .bind(parked.position.0.0)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "UPDATE policy_parked SET next_try_at = now() \
         WHERE policy = $1 AND aggregate_type = $2 AND aggregate_id = $3",
    )
    .bind(&parked.policy)
    .bind(&parked.aggregate_type)
    .bind(&parked.aggregate_id)
    .execute(transaction)
    .await?;
    Ok(())
}

/// Has everything that a policy set aside tried again at once; how many events that is.
///
/// # Errors
/// Whatever the database reports.
pub async fn retry(pool: &PgPool, policy: &str) -> sqlx::Result<u64> {
    let due = sqlx::query("UPDATE policy_parked SET next_try_at = now() WHERE policy = $1")
        .bind(policy)
        .execute(pool)
        .await?;
    Ok(due.rows_affected())
}

/// Every policy that has begun, by name.
///
/// # Errors
/// Whatever the database reports.
pub async fn all(pool: &PgPool) -> sqlx::Result<Vec<Checkpoint>> {
    sqlx::query_as("SELECT name, position, begun_at, updated_at FROM policy_checkpoints ORDER BY name")
        .fetch_all(pool)
        .await
}

/// What is set aside, oldest first, at most `most`.
///
/// # Errors
/// Whatever the database reports.
pub async fn parked(pool: &PgPool, most: i64) -> sqlx::Result<Vec<Parked>> {
    sqlx::query_as(
        "SELECT policy, position, aggregate_type, aggregate_id, event_type, reason, attempts, next_try_at \
         FROM policy_parked ORDER BY position, policy LIMIT $1",
    )
    .bind(most)
    .fetch_all(pool)
    .await
}
