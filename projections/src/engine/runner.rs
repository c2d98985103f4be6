//! Folding new events into the live tables, as they come.
//!
//! One process leads and folds; the others wait for its place. Leadership only saves work: every fold's
//! transaction begins by moving the checkpoint from where it was last seen, so two leaders cannot both
//! fold an event, and one that lost its lock unawares does no harm.

use super::checkpoint::{self, Checkpoint, State};
use super::fold::{Failure, Fold};
use super::handle::{EngineError, Progress, Projections};
use super::inline::{FoldedInside, Live, Standing};
use super::log::{Batch, Entry, Feed, position};
use super::projection::Definition;
use super::{rebuild, wait};
use chrono::{DateTime, Utc};
use domain::stream::Position;
use event_store::crash_point;
use sqlx::{Connection, PgConnection, PgPool};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Held by the process that folds. The number means nothing.
const LEADER_LOCK: i64 = 0x7072_6f6a_6563_0002;
const SHORTEST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(5);
/// A leader whose connection does not answer for this long steps down.
const HEARTBEAT_PATIENCE: Duration = Duration::from_secs(3);

/// The folding of a process. It ends when this is dropped.
#[must_use = "folding ends when this is dropped"]
pub struct Running(#[allow(dead_code, reason = "kept for its drop")] JoinSet<()>);

impl Projections {
    /// Starts to fold, or to wait until this process may.
    pub fn run(&self) -> Running {
        let mut tasks = JoinSet::new();
        tasks.spawn(lead(self.clone()));
        tasks.spawn(wait::listen(self.clone()));
        Running(tasks)
    }
}

async fn lead(projections: Projections) {
    loop {
        match campaign(&projections).await {
            Ok(connection) => {
                tracing::info!("this process folds the read models now");
                let _seat = Seat::take(&projections);
                reign(&projections, connection).await;
                tracing::warn!("this process no longer folds the read models");
            }
            Err(error) => tracing::debug!(%error, "could not ask to fold the read models"),
        }
        sleep(projections.inner.options.poll_every).await;
    }
}

/// Tells that this process leads, until it is dropped.
struct Seat(Projections);

impl Seat {
    fn take(projections: &Projections) -> Self {
        projections.inner.leading.store(true, Ordering::Relaxed);
        Self(projections.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.inner.leading.store(false, Ordering::Relaxed);
    }
}

/// Waits for the leader's place. Asks again and again instead of queueing for the lock: a query that waits
/// for hours would keep PostgreSQL from clearing away old rows.
async fn campaign(projections: &Projections) -> sqlx::Result<PgConnection> {
    let mut connection = PgConnection::connect_with(&projections.inner.pool.connect_options()).await?;
    loop {
        let won: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LEADER_LOCK)
            .fetch_one(&mut connection)
            .await?;
        if won {
            return Ok(connection);
        }
        sleep(projections.inner.options.poll_every).await;
    }
}

/// Folds until the connection that holds the lock is lost.
async fn reign(projections: &Projections, mut connection: PgConnection) {
    if let Err(error) = rebuild::clear_leftovers(&mut connection).await {
        tracing::warn!(%error, "tables left behind by an interrupted rebuild could not be dropped");
    }
    let feed = Arc::new(Feed::new(projections.inner.store.clone(), projections.inner.options.batch));
    let mut tasks = JoinSet::new();
    for definition in &projections.inner.definitions {
        tasks.spawn(follow(projections.clone(), feed.clone(), *definition));
    }
    tasks.spawn(wait::tell(projections.clone()));
    let _inside = FoldedInside::begin(projections);
    loop {
        sleep(projections.inner.options.poll_every).await;
        let alive = sqlx::query("SELECT 1").execute(&mut connection);
        if !matches!(timeout(HEARTBEAT_PATIENCE, alive).await, Ok(Ok(_))) {
            return;
        }
    }
}

/// Keeps one projection going.
async fn follow(projections: Projections, feed: Arc<Feed>, definition: Definition) {
    let mut rest = SHORTEST_REST;
    loop {
        match follow_from_checkpoint(&projections, &feed, &definition).await {
            Ok(()) => rest = SHORTEST_REST,
            Err(error) => {
                tracing::warn!(projection = definition.name, %error, "folding was interrupted; trying again");
                sleep(rest).await;
                rest = rest.saturating_mul(2).min(LONGEST_REST);
            }
        }
    }
}

/// Folds until the checkpoint should be looked at again.
async fn follow_from_checkpoint(
    projections: &Projections,
    feed: &Feed,
    definition: &Definition,
) -> Result<(), EngineError> {
    let inner = &projections.inner;
    let rung = inner.bell.notified();
    let Some(found) = checkpoint::read(&mut *inner.pool.acquire().await?, definition.name).await? else {
        sleep(inner.options.poll_every).await;
        return Ok(());
    };
    projections.learn(definition.name, Progress { position: found.position, state: found.state });
    if found.version < definition.version && found.state == State::Running {
        return outgrow(projections, definition, &found).await;
    }
    if found.version != definition.version || found.state != State::Running {
        let _ = timeout(inner.options.poll_every, rung).await;
        return Ok(());
    }
    let skips = checkpoint::skips(&mut *inner.pool.acquire().await?, definition.name).await?;
    let mut head = inner.store.subscribe();
    let mut at = found.position;
    let mut updated_at = found.updated_at;
    loop {
        head.borrow_and_update();
        let Some(batch) = feed.after(at).await? else {
            return rest_at_head(projections, definition, skips, at, updated_at, &mut head).await;
        };
        match apply(&inner.pool, definition, &skips, at, &batch).await? {
            Applied::Moved(to, when) => {
                at = to;
                updated_at = when.unwrap_or(updated_at);
                projections.learn(definition.name, Progress { position: at, state: State::Running });
            }
            Applied::Elsewhere | Applied::Stopped => return Ok(()),
        }
    }
}

/// Lets the append fold it, until that is behind or the checkpoint was changed by somebody else.
async fn rest_at_head(
    projections: &Projections,
    definition: &Definition,
    skips: BTreeSet<Position>,
    at: Position,
    updated_at: DateTime<Utc>,
    head: &mut watch::Receiver<Position>,
) -> Result<(), EngineError> {
    let inner = &projections.inner;
    let mut returned = inner.inline.returned();
    inner.inline.take_in(Live::new(*definition, skips, at, updated_at));
    loop {
        let rung = inner.bell.notified();
        let changed = tokio::select! {
            changed = head.changed() => changed.is_err(),
            _ = returned.changed() => false,
            () = rung => true,
            () = sleep(inner.options.poll_every) => true,
        };
        let newest = *head.borrow_and_update();
        match inner.inline.standing(definition.name) {
            // It is being folded; the end of that wakes this up again.
            Standing::Busy => {}
            Standing::At(position, updated_at) if position >= newest => {
                if changed
                    && !checkpoint::read(&mut *inner.pool.acquire().await?, definition.name)
                        .await?
                        .is_some_and(|row| row.is_left_at(definition.version, position, updated_at))
                    && inner.inline.withdraw_unmoved(definition.name, position)
                {
                    return Ok(());
                }
            }
            Standing::At(position, _) => {
                if inner.inline.withdraw_unmoved(definition.name, position) {
                    return Ok(());
                }
            }
            Standing::Gone => return Ok(()),
        }
    }
}

/// Rebuilds a projection whose tables are of an older version; they serve until then, and stay when the new
/// fold cannot take an event.
async fn outgrow(
    projections: &Projections,
    definition: &Definition,
    found: &Checkpoint,
) -> Result<(), EngineError> {
    tracing::info!(
        projection = definition.name,
        version = definition.version,
        "rebuilding for a new version"
    );
    match projections.rebuild(&[definition.name], |_| ()).await {
        Ok(_) => Ok(()),
        Err(EngineError::Failed { failure, .. }) => {
            tracing::error!(projection = definition.name, %failure, "a projection stopped");
            let mut connection = projections.inner.pool.acquire().await?;
            checkpoint::stop(&mut connection, definition.name, found.version, found.position, &failure)
                .await?;
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// What came of a batch.
enum Applied {
    /// The events up to here are in the tables; the checkpoint was changed then, unless there were none.
    Moved(Position, Option<DateTime<Utc>>),
    /// The checkpoint was not where it should be: somebody else folds, or it was halted.
    Elsewhere,
    /// The very first event cannot be folded.
    Stopped,
}

/// Folds the events of a batch after a position, in one transaction. When one of them cannot be folded,
/// those before it are; the projection stops there when it is the first.
async fn apply(
    pool: &PgPool,
    definition: &Definition,
    skips: &BTreeSet<Position>,
    from: Position,
    batch: &Batch,
) -> Result<Applied, EngineError> {
    let mut entries = batch.after(from);
    loop {
        let Some(last) = entries.last() else { return Ok(Applied::Moved(from, None)) };
        let (done, failure) = match attempt(pool, definition, skips, from, entries).await {
            Ok(Attempt::Folded(at)) => return Ok(Applied::Moved(position(last), Some(at))),
            Ok(Attempt::Elsewhere) => return Ok(Applied::Elsewhere),
            Ok(Attempt::Failed(done, failure)) => (done, failure),
            // The rows do not fit the tables: halve the batch until the event that is to blame is alone.
            Err(error) if is_about_the_rows(&error) => (entries.len() / 2, unfit(last, &error)),
            Err(error) => return Err(error.into()),
        };
        if done == 0 {
            tracing::error!(projection = definition.name, %failure, "a projection stopped");
            checkpoint::stop(
                &mut *pool.acquire().await?,
                definition.name,
                definition.version,
                from,
                &failure,
            )
            .await?;
            return Ok(Applied::Stopped);
        }
        entries = entries.get(..done).unwrap_or_default();
    }
}

enum Attempt {
    Folded(DateTime<Utc>),
    Elsewhere,
    Failed(usize, Failure),
}

async fn attempt(
    pool: &PgPool,
    definition: &Definition,
    skips: &BTreeSet<Position>,
    from: Position,
    entries: &[Entry],
) -> sqlx::Result<Attempt> {
    let to = entries.last().map_or(from, position);
    let mut transaction = pool.begin().await?;
    let moved = checkpoint::advance(&mut transaction, definition.name, definition.version, from, to).await?;
    let Some(at) = moved else { return Ok(Attempt::Elsewhere) };
    let mut fold = Fold::on_demand(definition, skips.clone());
    let each = entries.iter().map(Result::as_ref);
    if let Err((done, failure)) = fold.run_loading(&mut transaction, each).await? {
        return Ok(Attempt::Failed(done, failure));
    }
    crash_point!("projections.before_rows");
    for table in fold.tables() {
        table.write(&mut transaction).await?;
    }
    crash_point!("projections.before_commit");
    transaction.commit().await?;
    crash_point!("projections.after_commit");
    Ok(Attempt::Folded(at))
}

/// Whether PostgreSQL refuses values or constraints, which trying again does not change.
fn is_about_the_rows(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(error, sqlx::Error::Encode(_))
        || code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

fn unfit(entry: &Entry, error: &sqlx::Error) -> Failure {
    let event_type = match entry {
        Ok(event) => event.event.event_type().to_owned(),
        Err(undecodable) => undecodable.event_type.to_string(),
    };
    Failure { position: position(entry), event_type, reason: format!("its rows do not fit: {error}") }
}
