//! The checkpoint rows: how far each projection is, and whether it may go on.

use super::fold::Failure;
use super::seats::Seated;
use chrono::{DateTime, Utc};
use domain::stream::Position;
use event_store::Compound;
use sqlx::error::BoxDynError;
use sqlx::{PgConnection, Row};
use std::collections::BTreeSet;

/// Whether a projection goes on folding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does.
    Running,
    /// A person halted it.
    Paused,
    /// It met an event that it cannot fold.
    Stopped,
}

impl State {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }

    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "running" => Self::Running,
            "paused" => Self::Paused,
            _ => Self::Stopped,
        }
    }
}

/// A checkpoint row.
#[derive(Debug, Clone)]
pub(super) struct Checkpoint {
    pub name: String,
    pub version: u32,
    pub position: Position,
    pub state: State,
    pub error: Option<String>,
    pub failed_position: Option<Position>,
    /// Another one after every change.
    pub updated_at: DateTime<Utc>,
}

impl Checkpoint {
    /// Whether nobody has touched it since it was left so.
    pub fn is_left_at(&self, version: u32, position: Position, updated_at: DateTime<Utc>) -> bool {
        let running = self.state == State::Running;
        running && (self.version, self.position, self.updated_at) == (version, position, updated_at)
    }
}

const COLUMNS: &str = "projection, version, position, state, error, failed_position, updated_at";

fn checkpoint(row: &sqlx::postgres::PgRow) -> sqlx::Result<Checkpoint> {
    Ok(Checkpoint {
        name: row.try_get(0)?,
        version: row.try_get::<i32, _>(1)?.unsigned_abs(),
        position: Position(row.try_get(2)?),
        state: State::from_word(row.try_get(3)?),
        error: row.try_get(4)?,
        failed_position: row.try_get::<Option<i64>, _>(5)?.map(Position),
        updated_at: row.try_get(6)?,
    })
}

pub(super) fn stored(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}

pub(super) async fn all(db: &mut PgConnection) -> sqlx::Result<Vec<Checkpoint>> {
    let sql = format!("SELECT {COLUMNS} FROM projection_checkpoints ORDER BY projection");
    sqlx::query(&sql).fetch_all(db).await?.iter().map(checkpoint).collect()
}

pub(super) async fn read(db: &mut PgConnection, name: &str) -> sqlx::Result<Option<Checkpoint>> {
    let sql = format!("SELECT {COLUMNS} FROM projection_checkpoints WHERE projection = $1");
    sqlx::query(&sql).bind(name).fetch_optional(db).await?.as_ref().map(checkpoint).transpose()
}

/// Reads it and keeps everybody else from moving it until the transaction ends.
pub(super) async fn lock(db: &mut PgConnection, name: &str) -> sqlx::Result<Option<Checkpoint>> {
    let sql = format!("SELECT {COLUMNS} FROM projection_checkpoints WHERE projection = $1 FOR UPDATE");
    sqlx::query(&sql).bind(name).fetch_optional(db).await?.as_ref().map(checkpoint).transpose()
}

/// Keeps everybody else from moving these until the transaction ends.
pub(super) async fn hold(db: &mut PgConnection, names: &[&'static str]) -> sqlx::Result<()> {
    let held = "SELECT 1 FROM projection_checkpoints WHERE projection = ANY($1) ORDER BY projection \
                FOR NO KEY UPDATE";
    sqlx::query(held).bind(names).execute(db).await?;
    Ok(())
}

/// Moves it on, if it still is where and what the caller believes, and tells when; `None` when it is not. It
/// comes first in a fold's transaction: who has moved it has the tables for itself until the commit.
pub(super) async fn advance(
    db: &mut PgConnection,
    name: &str,
    version: u32,
    from: Position,
    to: Position,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar(
        "UPDATE projection_checkpoints SET position = $4, updated_at = clock_timestamp() \
         WHERE projection = $1 AND version = $2 AND position = $3 AND state = 'running' RETURNING updated_at",
    )
    .bind(name)
    .bind(stored(version))
    .bind(from.0)
    .bind(to.0)
    .fetch_optional(db)
    .await
}

/// Where a projection was left by whoever folds several at once.
pub(super) struct Left {
    pub name: &'static str,
    pub version: u32,
    pub position: Position,
    pub updated_at: DateTime<Utc>,
}

impl Left {
    /// By one that has a seat.
    pub fn by(seated: &Seated) -> Self {
        Self {
            name: seated.definition.name,
            version: seated.definition.version,
            position: seated.position,
            updated_at: seated.updated_at,
        }
    }
}

/// Moves several on, all of them or, when one is not as it was left, none.
pub(super) fn advance_all(
    compound: &mut Compound,
    left: &[Left],
    to: Position,
    at: DateTime<Utc>,
) -> Result<(), BoxDynError> {
    let to = compound.bind(to.0)?;
    let at = compound.bind(at)?;
    let columns = [
        compound.bind(left.iter().map(|one| one.name).collect::<Vec<_>>())?,
        compound.bind(left.iter().map(|one| stored(one.version)).collect::<Vec<_>>())?,
        compound.bind(left.iter().map(|one| one.position.0).collect::<Vec<_>>())?,
        compound.bind(left.iter().map(|one| one.updated_at).collect::<Vec<_>>())?,
    ];
    let sql = format!(
        "UPDATE projection_checkpoints AS c SET position = {to}, updated_at = {at} \
         FROM UNNEST({}) AS l (projection, version, position, updated_at) \
         WHERE c.projection = l.projection AND c.version = l.version AND c.position = l.position \
         AND c.updated_at = l.updated_at AND c.state = 'running'",
        columns.join(", ")
    );
    compound.counted_part(&sql, i64::try_from(left.len())?);
    Ok(())
}

/// Stops it at an event; `false` when it is not where the caller believes.
pub(super) async fn stop(
    db: &mut PgConnection,
    name: &str,
    version: u32,
    at: Position,
    failure: &Failure,
) -> sqlx::Result<bool> {
    let stopped = sqlx::query(
        "UPDATE projection_checkpoints \
         SET state = 'stopped', error = $4, failed_position = $5, updated_at = clock_timestamp() \
         WHERE projection = $1 AND version = $2 AND position = $3 AND state = 'running'",
    )
    .bind(name)
    .bind(stored(version))
    .bind(at.0)
    .bind(failure.to_string())
    .bind(failure.position.0)
    .execute(db)
    .await?;
    Ok(stopped.rows_affected() == 1)
}

/// Sets it, whatever it was: the tables have just been made.
pub(super) async fn set(
    db: &mut PgConnection,
    name: &str,
    version: u32,
    position: Position,
    state: State,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO projection_checkpoints (projection, version, position, state) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (projection) DO UPDATE SET version = $2, position = $3, state = $4, error = NULL, \
         failed_position = NULL, updated_at = clock_timestamp()",
    )
    .bind(name)
    .bind(stored(version))
    .bind(position.0)
    .bind(state.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Lets it go on, or halts it; `false` when it was not in the state that it is to be brought from.
pub(super) async fn change_state(
    db: &mut PgConnection,
    name: &str,
    from: State,
    to: State,
) -> sqlx::Result<bool> {
    let changed = sqlx::query(
        "UPDATE projection_checkpoints SET state = $3, error = NULL, failed_position = NULL, \
         updated_at = clock_timestamp() WHERE projection = $1 AND state = $2",
    )
    .bind(name)
    .bind(from.as_str())
    .bind(to.as_str())
    .execute(db)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Notes what keeps one that runs from folding at the moment, or that nothing does any more. It does not count as
/// a change of the checkpoint.
pub(super) async fn note_trouble(
    db: &mut PgConnection,
    name: &str,
    version: u32,
    trouble: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE projection_checkpoints SET error = $3 \
         WHERE projection = $1 AND version = $2 AND state = 'running' AND error IS DISTINCT FROM $3",
    )
    .bind(name)
    .bind(stored(version))
    .bind(trouble)
    .execute(db)
    .await?;
    Ok(())
}

/// The events that a projection passes over.
pub(super) async fn skips(db: &mut PgConnection, name: &str) -> sqlx::Result<BTreeSet<Position>> {
    let positions: Vec<i64> =
        sqlx::query_scalar("SELECT position FROM projection_skips WHERE projection = $1")
            .bind(name)
            .fetch_all(db)
            .await?;
    Ok(positions.into_iter().map(Position).collect())
}

pub(super) async fn add_skip(
    db: &mut PgConnection,
    name: &str,
    position: Position,
    reason: &str,
    by: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO projection_skips (projection, position, reason, skipped_by) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(name)
    .bind(position.0)
    .bind(reason)
    .bind(by)
    .execute(db)
    .await?;
    Ok(())
}
