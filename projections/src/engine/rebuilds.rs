//! The record of rebuilds, for every process to see: how far they are, and whether somebody called them off.
//!
//! A rebuild holds an advisory lock on a connection of its own for as long as it lives. So a record that says
//! `running` while nobody holds the lock is of a process that is gone; no clock is asked.

use super::checkpoint::stored;
use super::fold::Failure;
use super::handle::{EngineError, Projections};
use super::rebuild::{REBUILD_LOCK, Site};
use super::replay::Replayed;
use super::tables;
use chrono::{DateTime, Utc};
use domain::stream::Position;
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// How often it is tried to clear up after a rebuild that came to nothing, and how long is waited in between.
const CLEARINGS: u32 = 50;
const CLEARING_PAUSE: Duration = Duration::from_millis(100);
/// How long a process gets to notice that its rebuild was called off, before its connection is ended for it.
const NOTICE_WITHIN: Duration = Duration::from_secs(3);
/// How long somebody may hold the lock of a projection without rebuilding it: whoever clears up, or whose rebuild is
/// over. Longer than [`NOTICE_WITHIN`] and the ending after it.
const LETS_GO_WITHIN: Duration = Duration::from_secs(8);
const LETS_GO_PAUSE: Duration = Duration::from_millis(25);

/// What became of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RebuildState {
    /// It is under way; the live tables serve meanwhile.
    Running,
    /// The rebuilt tables are live.
    Done,
    /// The live tables are as they were.
    Failed,
    /// Somebody called it off; the live tables are as they were.
    Cancelled,
    /// Its process ended; the live tables are as they were.
    Interrupted,
}

impl RebuildState {
    fn from_word(word: &str) -> Self {
        match word {
            "running" => Self::Running,
            "done" => Self::Done,
            "cancelled" => Self::Cancelled,
            "interrupted" => Self::Interrupted,
            _ => Self::Failed,
        }
    }
}

/// What a rebuild is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It reads the log and folds it.
    Reading,
    /// The rows are all there; their indexes are made.
    Indexing,
    /// It folds what was recorded meanwhile.
    CatchingUp,
    /// It waits for its turn to take the live tables' place.
    Swapping,
}

impl Stage {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Indexing => "indexing",
            Self::CatchingUp => "catching_up",
            Self::Swapping => "swapping",
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "indexing" => Self::Indexing,
            "catching_up" => Self::CatchingUp,
            "swapping" => Self::Swapping,
            _ => Self::Reading,
        }
    }
}

/// The latest rebuild of a projection, whichever process is or was at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Rebuild {
    /// The projection.
    #[serde(skip)]
    pub projection: String,
    #[serde(skip)]
    pub(super) id: Uuid,
    #[serde(skip)]
    pub(super) version: u32,
    /// What became of it.
    pub state: RebuildState,
    /// What it is at, or was at when it ended.
    pub stage: Stage,
    /// Who asked for it: an account's id, the command line, or a newer release at its start.
    pub asked_by: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When its process last told how far it is; twice a second while it is well.
    pub updated_at: DateTime<Utc>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
    /// How many events it has read.
    pub events: i64,
    /// The position of the last of them; once done, the last event in the rebuilt tables.
    #[schema(value_type = i64)]
    pub position: Position,
    /// Up to where it reads before it catches up with what was recorded meanwhile.
    #[schema(value_type = i64)]
    pub head: Position,
    /// Events read per second.
    pub events_per_second: i64,
    /// About how many seconds the rest of the reading takes; null before anything was read and after it.
    pub remaining_seconds: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
    /// Who called it off: an account's id or the command line.
    pub cancelled_by: Option<String>,
}

impl Rebuild {
    /// Whether it is under way.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == RebuildState::Running
    }
}

/// Whether a rebuild has its lock still; that somebody else has it does not count. A lock of two numbers has `objsubid`
/// 2. The hash is signed, the lock's number is not.
const HELD: &str = "EXISTS (SELECT FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.granted \
     AND l.objsubid = 2 AND l.classid::bigint = $1 AND l.pid = r.backend \
     AND l.objid::bigint = hashtext(r.projection)::bigint & 4294967295 \
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
const COLUMNS: &str = "r.projection, r.rebuild_id, r.version, r.state, r.stage, r.asked_by, r.started_at, \
     r.updated_at, r.finished_at, r.events, r.position, r.head, r.events_per_second, r.error, r.cancelled_by";

fn rebuild(row: &PgRow) -> sqlx::Result<(Rebuild, bool)> {
    let state = RebuildState::from_word(row.try_get(3)?);
    let stage = Stage::from_word(row.try_get(4)?);
    let (position, head, rate): (i64, i64, i64) = (row.try_get(10)?, row.try_get(11)?, row.try_get(12)?);
    let reads = state == RebuildState::Running && stage == Stage::Reading && rate > 0;
    let left = head.saturating_sub(position).max(0);
    let rebuild = Rebuild {
        projection: row.try_get(0)?,
        id: row.try_get(1)?,
        version: row.try_get::<i32, _>(2)?.unsigned_abs(),
        state,
        stage,
        asked_by: row.try_get(5)?,
        started_at: row.try_get(6)?,
        updated_at: row.try_get(7)?,
        finished_at: row.try_get(8)?,
        events: row.try_get(9)?,
        position: Position(position),
        head: Position(head),
        events_per_second: rate,
        remaining_seconds: reads.then(|| left.saturating_add(rate - 1) / rate),
        error: row.try_get(13)?,
        cancelled_by: row.try_get(14)?,
    };
    Ok((rebuild, row.try_get(15)?))
}

/// The latest of each projection. `Interrupted` is told of those whose process is gone, as it is found.
pub(super) async fn all(db: &mut PgConnection) -> sqlx::Result<BTreeMap<String, Rebuild>> {
    let sql = format!("SELECT {COLUMNS}, {HELD} FROM projection_rebuilds AS r");
    let mut look = async || -> sqlx::Result<BTreeMap<String, (Rebuild, bool)>> {
        let rows = sqlx::query(&sql).bind(i64::from(REBUILD_LOCK)).fetch_all(&mut *db).await?;
        let rebuilds = rows.iter().map(rebuild).collect::<sqlx::Result<Vec<_>>>()?;
        Ok(rebuilds.into_iter().map(|one| (one.0.projection.clone(), one)).collect())
    };
    let mut found = look().await?;
    let is_lost = |(rebuild, held): &(Rebuild, bool)| rebuild.is_running() && !held;
    if found.values().any(is_lost) {
        // It may have ended between its record and its lock being looked at; then its record says so now.
        let again = look().await?;
        for (name, (rebuild, _)) in found.iter_mut().filter(|(_, one)| is_lost(one)) {
            match again.get(name) {
                Some((now, _)) if *rebuild == *now || (now.id == rebuild.id && now.is_running()) => {
                    rebuild.state = RebuildState::Interrupted;
                    rebuild.remaining_seconds = None;
                }
                Some((now, _)) => *rebuild = now.clone(),
                None => {}
            }
        }
    }
    Ok(found.into_iter().map(|(name, (rebuild, _))| (name, rebuild)).collect())
}

/// Notes that one begins, on the connection that holds its lock.
pub(super) async fn begin(
    db: &mut PgConnection,
    id: Uuid,
    name: &str,
    version: u32,
    asked_by: &str,
    head: Position,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO projection_rebuilds (projection, rebuild_id, version, asked_by, backend, head) \
         VALUES ($1, $2, $3, $4, pg_backend_pid(), $5) \
         ON CONFLICT (projection) DO UPDATE SET rebuild_id = $2, version = $3, asked_by = $4, \
         backend = pg_backend_pid(), head = $5, state = 'running', stage = 'reading', \
         started_at = clock_timestamp(), updated_at = clock_timestamp(), finished_at = NULL, events = 0, \
         position = 0, events_per_second = 0, error = NULL, cancelled_by = NULL",
    )
    .bind(name)
    .bind(id)
    .bind(stored(version))
    .bind(asked_by)
    .bind(head.0)
    .execute(db)
    .await?;
    Ok(())
}

/// Notes how far those of one reading are; gives the names of those that were called off.
pub(super) async fn beat(
    db: &mut PgConnection,
    id: Uuid,
    now: Replayed,
    stages: &BTreeMap<&'static str, Stage>,
) -> sqlx::Result<Vec<String>> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let names: Vec<&str> = stages.keys().copied().collect();
    sqlx::query(
        "UPDATE projection_rebuilds AS r SET events = $2, position = $3, head = $4, events_per_second = $5, \
         stage = s.stage, updated_at = clock_timestamp() FROM UNNEST($6, $7) AS s (name, stage) \
         WHERE r.projection = s.name AND r.rebuild_id = $1 AND r.state = 'running'",
    )
    .bind(id)
    .bind(number(now.events))
    .bind(now.position.0)
    .bind(now.head.0)
    .bind(number(now.rate()))
    .bind(&names)
    .bind(stages.values().map(|stage| stage.as_str()).collect::<Vec<&str>>())
    .execute(&mut *db)
    .await?;
    // One that is done was not called off: the two exclude one another.
    sqlx::query_scalar(
        "SELECT projection FROM projection_rebuilds \
         WHERE projection = ANY($1) AND (rebuild_id <> $2 OR state NOT IN ('running', 'done'))",
    )
    .bind(&names)
    .bind(id)
    .fetch_all(db)
    .await
}

/// Notes that one is done, in the transaction that swaps; `false` when it was called off: it must not be then.
pub(super) async fn done(db: &mut PgConnection, id: Uuid, name: &str, at: Position) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE projection_rebuilds SET state = 'done', stage = 'swapping', position = $3, \
         updated_at = clock_timestamp(), finished_at = clock_timestamp() \
         WHERE projection = $1 AND rebuild_id = $2 AND state = 'running'",
    )
    .bind(name)
    .bind(id)
    .bind(at.0)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes why one came to nothing.
pub(super) async fn failed(
    db: &mut PgConnection,
    id: Uuid,
    name: &str,
    error: &EngineError,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE projection_rebuilds SET state = 'failed', error = $3, updated_at = clock_timestamp(), \
         finished_at = clock_timestamp() WHERE projection = $1 AND rebuild_id = $2 AND state = 'running'",
    )
    .bind(name)
    .bind(id)
    .bind(error.to_string())
    .execute(db)
    .await?;
    Ok(())
}

/// Notes of those whose process is gone that they are over, and drops what they left.
pub(super) async fn sweep(db: &mut PgConnection) -> sqlx::Result<()> {
    for (name, rebuild) in all(db).await? {
        if rebuild.state != RebuildState::Interrupted {
            continue;
        }
        let noted = sqlx::query(
            "UPDATE projection_rebuilds SET state = 'interrupted', finished_at = clock_timestamp() \
             WHERE projection = $1 AND rebuild_id = $2 AND state = 'running'",
        )
        .bind(&name)
        .bind(rebuild.id)
        .execute(&mut *db)
        .await?;
        if noted.rows_affected() == 1 {
            tracing::warn!(projection = name, "a rebuild was cut off; the live tables are as they were");
            clear(db, &name).await?;
        }
    }
    Ok(())
}

/// Drops the shadow tables of a projection, unless somebody is filling them.
pub(super) async fn clear(db: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    if !claim(db, name).await? {
        return Ok(false);
    }
    let dropped = tables::drop_shadow(db, &tables::shadow_schema(name)).await;
    release(db, name).await?;
    dropped.map(|()| true)
}

/// Keeps others from rebuilding the same projection until it is released or the connection ends; `false` when somebody
/// is at it. One who has the lock for a moment only, to clear up or at the end of a rebuild, is waited for.
pub(super) async fn claim_patiently(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let running = format!(
        "SELECT EXISTS (SELECT FROM projection_rebuilds AS r \
         WHERE r.projection = $2 AND r.state = 'running' AND {HELD})"
    );
    let deadline = Instant::now() + LETS_GO_WITHIN;
    while !claim(connection, name).await? {
        let is_rebuilt: bool = sqlx::query_scalar(&running)
            .bind(i64::from(REBUILD_LOCK))
            .bind(name)
            .fetch_one(&mut *connection)
            .await?;
        if is_rebuilt || Instant::now() >= deadline {
            return Ok(false);
        }
        sleep(LETS_GO_PAUSE).await;
    }
    Ok(true)
}

/// Lets others rebuild it. To be awaited: a connection that is merely closed has its locks until the server notices.
pub(super) async fn release(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_advisory_unlock($1, hashtext($2))")
        .bind(REBUILD_LOCK)
        .bind(name)
        .execute(connection)
        .await?;
    Ok(())
}

/// The same as [`claim_patiently`], waiting for nobody.
async fn claim(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1, hashtext($2))")
        .bind(REBUILD_LOCK)
        .bind(name)
        .fetch_one(connection)
        .await
}

impl Projections {
    /// The latest rebuild of each projection, whichever process is or was at it.
    ///
    /// # Errors
    /// `Database`.
    pub async fn rebuilds(&self) -> Result<BTreeMap<String, Rebuild>, EngineError> {
        Ok(all(&mut *self.inner.pool.acquire().await?).await?)
    }

    /// Calls off the rebuild of a projection, whichever process is at it. Once this has succeeded the live tables
    /// stay as they are; what was made beside them is dropped within seconds, in the background.
    ///
    /// # Errors
    /// `Unknown`, `NotRebuilding`, `Database`.
    pub async fn cancel_rebuild(&self, name: &str, by: &str) -> Result<(), EngineError> {
        let definition = self.definition(name)?;
        let mut connection = self.inner.pool.acquire().await?;
        let running = all(&mut connection).await?.remove(name).filter(Rebuild::is_running);
        let running = running.ok_or(EngineError::NotRebuilding(definition.name))?;
        let backend: Option<i32> = sqlx::query_scalar(
            "UPDATE projection_rebuilds SET state = 'cancelled', cancelled_by = $3, \
             finished_at = clock_timestamp() \
             WHERE projection = $1 AND rebuild_id = $2 AND state = 'running' RETURNING backend",
        )
        .bind(name)
        .bind(running.id)
        .bind(by)
        .fetch_optional(&mut *connection)
        .await?;
        let backend = backend.ok_or(EngineError::NotRebuilding(definition.name))?;
        drop(connection);
        tracing::info!(projection = name, by, "a rebuild was called off");
        let projections = self.clone();
        tokio::spawn(async move {
            // Its own process notices and clears up, unless it is frozen or stuck.
            sleep(NOTICE_WITHIN).await;
            projections.clear_up(definition.name, backend).await;
        });
        Ok(())
    }

    /// Ends the connection of a rebuild that came to nothing, if it still has its lock, and drops its tables.
    pub(super) async fn clear_up(&self, name: &'static str, backend: i32) {
        let tried = async {
            let mut connection = self.connect().await?;
            for _ in 0..CLEARINGS {
                if clear(&mut connection, name).await? {
                    break;
                }
                let terminated = sqlx::query(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted \
                     AND objsubid = 2 AND classid::bigint = $1 AND pid = $3 \
                     AND objid::bigint = hashtext($2)::bigint & 4294967295",
                )
                .bind(i64::from(REBUILD_LOCK))
                .bind(name)
                .bind(backend)
                .fetch_all(&mut connection)
                .await?;
                // Somebody else has begun another one, which makes its own tables.
                if terminated.is_empty() {
                    break;
                }
                sleep(CLEARING_PAUSE).await;
            }
            connection.close().await
        };
        if let Err(error) = tried.await {
            tracing::warn!(%error, "the tables of a rebuild that came to nothing stay until the next start");
        }
    }

    /// Notes what became of a rebuild that came to nothing, and clears up after it.
    pub(super) async fn give_up(&self, id: Uuid, site: Site, error: &EngineError) {
        let noted = async {
            let mut connection = self.inner.pool.acquire().await?;
            failed(&mut connection, id, site.name, error).await
        };
        if let Err(error) = noted.await {
            tracing::debug!(%error, "it could not be noted that a rebuild failed");
        }
        self.clear_up(site.name, site.backend).await;
    }
}

/// The event at which a rebuild failed.
pub(super) fn failure_of(error: &EngineError) -> Option<&Failure> {
    match error {
        EngineError::Failed { failure, .. } => Some(failure),
        _ => None,
    }
}
