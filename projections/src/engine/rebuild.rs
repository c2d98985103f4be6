//! Making read models anew from the whole log, beside the live tables, which serve until the swap.

use super::checkpoint::{self, State};
use super::fold::{Failure, Fold};
use super::handle::{EngineError, Projections};
use super::log::{Entry, position};
use super::projection::Definition;
use super::tables;
use domain::stream::Position;
use event_store::{APPEND_LOCK, EventStore, crash_point};
use futures::TryStreamExt;
use futures::future::try_join_all;
use sqlx::{Connection, PgConnection, Row};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// One half of the lock that a rebuild of a projection holds; the other is the projection's name.
const REBUILD_LOCK: i32 = 0x7072_6f6a;
/// How many events are read at a time while catching up.
const EVENTS_PER_READING: u32 = 5_000;
/// How many chunks are read ahead of the slowest fold.
const CHUNKS_AHEAD: usize = 2;
/// How long readers of the live tables may make the swap wait, and everybody behind it, before it steps
/// aside and tries again.
const SWAP_LOCK_TIMEOUT: &str = "500ms";
const SWAP_PATIENCE: Duration = Duration::from_secs(600);

/// How far a rebuild or a verification is.
#[derive(Debug, Clone, Copy)]
pub struct Replayed {
    /// How many events were read.
    pub events: u64,
    /// The position of the last of them.
    pub position: Position,
    /// The position at which the reading will end, or nearly.
    pub head: Position,
    /// How long it took so far.
    pub elapsed: Duration,
}

impl Replayed {
    /// Events per second so far.
    #[must_use]
    pub fn rate(&self) -> u64 {
        let millis = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        self.events.saturating_mul(1_000) / millis
    }

    /// About how long the rest of the reading takes at that rate; none before anything was read.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let left = u64::try_from(self.head.0.saturating_sub(self.position.0)).unwrap_or_default();
        Some(Duration::from_secs(left.div_ceil(Some(self.rate()).filter(|rate| *rate > 0)?)))
    }
}

/// A projection whose rebuilt tables are live.
#[derive(Debug, Clone)]
pub struct Rebuilt {
    /// Its name.
    pub projection: &'static str,
    /// The last event in its tables at the swap.
    pub position: Position,
}

impl Projections {
    /// Rebuilds projections, all of them when none is named, with one reading of the log. The live tables
    /// serve and follow the log until the new ones take their place, each projection in one short
    /// transaction. Cancelled or failed, it leaves them as they are.
    ///
    /// # Errors
    /// `Unknown`, `Busy`, `Failed` (at an event), `InUse`, `OtherVersion` (a newer release has taken over),
    /// `Database`, `Log`. Those that were swapped before the error stay so.
    pub async fn rebuild(
        &self,
        names: &[&str],
        mut progress: impl FnMut(Replayed) + Send,
    ) -> Result<Vec<Rebuilt>, EngineError> {
        let chosen = self.chosen(names)?;
        let head = self.inner.store.head().await?;
        let mut sites = Vec::new();
        let mut folds = Vec::new();
        for definition in chosen {
            let mut connection = PgConnection::connect_with(&self.inner.pool.connect_options()).await?;
            if !claim(&mut connection, definition.name).await? {
                return Err(EngineError::Busy(definition.name));
            }
            let skips = checkpoint::skips(&mut connection, definition.name).await?;
            folds.push(Replay { definition, fold: Fold::whole(&definition, skips), until: head });
            sites.push(connection);
        }
        let noted = Noted { projections: self, names: folds.iter().map(|one| one.definition.name).collect() };
        noted.note(Replayed { events: 0, position: Position::default(), head, elapsed: Duration::ZERO });
        let mut progress = |now| {
            noted.note(now);
            progress(now);
        };
        let folds = replay(&self.inner.store, folds, &mut progress).await?;
        let mut finishing = Vec::new();
        for (replay, site) in folds.into_iter().zip(sites) {
            finishing.push(self.finish(replay, site));
        }
        try_join_all(finishing).await
    }

    /// How far the rebuilds are that this process is at, by projection, whoever asked for them.
    #[must_use]
    pub fn rebuilding(&self) -> BTreeMap<&'static str, Replayed> {
        self.inner.rebuilding.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Drops the shadow tables of rebuilds that were cut off; `false` when some stay, because their rebuild is
    /// under way or its connection is not quite gone.
    ///
    /// # Errors
    /// `Database`.
    pub async fn clear_leftovers(&self) -> Result<bool, EngineError> {
        let mut connection = PgConnection::connect_with(&self.inner.pool.connect_options()).await?;
        let cleared = clear_leftovers(&mut connection).await;
        let _ = connection.close().await;
        Ok(cleared?)
    }

    /// Puts the rows into shadow tables, catches up with the log and swaps.
    async fn finish(&self, replay: Replay, mut site: PgConnection) -> Result<Rebuilt, EngineError> {
        let Replay { definition, mut fold, until } = replay;
        let shadow = tables::shadow_schema(definition.name);
        let (create, index) = tables::statements(definition.ddl);
        drop_shadow(&mut site, &shadow).await?;
        let made = format!("CREATE SCHEMA {shadow}; SET search_path TO {shadow}, public; {create}");
        tables::run(&mut site, &made).await?;
        for table in fold.tables() {
            table.copy_in(&mut site).await?;
            table.settle();
        }
        tables::run(&mut site, &index).await?;
        let mut at = until;
        loop {
            let caught_up = catch_up(&self.inner.store, &definition, &mut fold, &mut at).await?;
            let mut transaction = site.begin().await?;
            for table in fold.tables() {
                table.write(&mut transaction).await?;
            }
            transaction.commit().await?;
            fold.tables().into_iter().for_each(|table| table.settle());
            if caught_up {
                break;
            }
        }
        crash_point!("rebuild.before_swap");
        let deadline = Instant::now() + SWAP_PATIENCE;
        let mut attempt = 0_u32;
        loop {
            match self.swap(&definition, &mut fold, &mut at, &mut site).await {
                Ok(()) => break,
                Err(EngineError::Database(error)) if is_contention(&error) => {
                    if Instant::now() > deadline {
                        drop_shadow(&mut site, &shadow).await?;
                        return Err(EngineError::InUse(definition.name));
                    }
                    attempt = attempt.saturating_add(1);
                    sleep(Duration::from_millis(u64::from(attempt.min(20)) * 50)).await;
                }
                Err(error) => return Err(error),
            }
        }
        self.refresh().await?;
        self.inner.bell.notify_waiters();
        let _ = site.close().await;
        Ok(Rebuilt { projection: definition.name, position: at })
    }

    /// Folds what is left while the live fold stands still, and swaps.
    async fn swap(
        &self,
        definition: &Definition,
        fold: &mut Fold,
        at: &mut Position,
        site: &mut PgConnection,
    ) -> Result<(), EngineError> {
        let mut transaction = site.begin().await?;
        // Appends stand still first: they hold this lock before they touch a checkpoint or a table.
        let still = format!(
            "SET LOCAL lock_timeout = '{SWAP_LOCK_TIMEOUT}'; SELECT pg_advisory_xact_lock({APPEND_LOCK})"
        );
        tables::run(&mut transaction, &still).await?;
        let live = checkpoint::lock(&mut transaction, definition.name).await?;
        if let Some(live) = live.as_ref().filter(|live| live.version > definition.version) {
            let (projection, stored, own) = (definition.name, live.version, definition.version);
            return Err(EngineError::OtherVersion { projection, stored, own });
        }
        let reached = live.as_ref().map_or(Position::default(), |live| live.position);
        while !catch_up(&self.inner.store, definition, fold, at).await? || *at < reached {}
        for table in fold.tables() {
            table.write(&mut transaction).await?;
        }
        tables::swap(&mut transaction, definition).await?;
        let paused = live.is_some_and(|live| live.state == State::Paused);
        let state = if paused { State::Paused } else { State::Running };
        crash_point!("rebuild.amid_swap");
        checkpoint::set(&mut transaction, definition.name, definition.version, *at, state).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Rebuilds under way: told while this lives.
struct Noted<'p> {
    projections: &'p Projections,
    names: Vec<&'static str>,
}

impl Noted<'_> {
    fn note(&self, now: Replayed) {
        let mut all = self.projections.inner.rebuilding.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(self.names.iter().map(|name| (*name, now)));
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        let mut all = self.projections.inner.rebuilding.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|name, _| !self.names.contains(name));
    }
}

/// A projection being folded from the beginning of the log up to a position.
pub(super) struct Replay {
    pub definition: Definition,
    pub fold: Fold,
    pub until: Position,
}

/// Reads the log once and folds it for each of them, each on a thread of its own, so that a server goes on
/// answering meanwhile.
///
/// # Errors
/// `Failed` for the first event that one of them cannot fold; `Log`.
pub(super) async fn replay(
    store: &EventStore,
    replays: Vec<Replay>,
    progress: &mut (dyn FnMut(Replayed) + Send),
) -> Result<Vec<Replay>, EngineError> {
    let begun = Instant::now();
    let head = replays.iter().map(|replay| replay.until).max().unwrap_or_default();
    let mut queues = Vec::new();
    let mut threads = Vec::new();
    for replay in replays {
        let (queue, chunks) = mpsc::channel(CHUNKS_AHEAD);
        queues.push(queue);
        threads.push(tokio::task::spawn_blocking(move || fold_chunks(replay, chunks)));
    }
    let mut told = Replayed { events: 0, position: Position::default(), head, elapsed: Duration::ZERO };
    let mut chunks = store.stream_all(Position::default());
    'reading: while told.position < head {
        let Some(entries) = chunks.try_next().await? else { break };
        let Some(last) = entries.last().map(position) else { continue };
        told.events = told.events.saturating_add(u64::try_from(entries.len()).unwrap_or_default());
        told.position = last;
        told.elapsed = begun.elapsed();
        let entries = Arc::new(entries);
        for queue in &queues {
            // A fold that has failed has closed its queue; its error is told below.
            if queue.send(entries.clone()).await.is_err() {
                break 'reading;
            }
        }
        progress(told);
    }
    drop(queues);
    let mut folded = Vec::new();
    for thread in threads {
        match thread.await {
            Ok(outcome) => folded.push(outcome?),
            Err(panicked) => {
                return Err(EngineError::Database(sqlx::Error::Io(std::io::Error::other(panicked))));
            }
        }
    }
    Ok(folded)
}

fn fold_chunks(
    mut replay: Replay,
    mut chunks: mpsc::Receiver<Arc<Vec<Entry>>>,
) -> Result<Replay, EngineError> {
    while let Some(chunk) = chunks.blocking_recv() {
        let end = chunk.partition_point(|entry| position(entry) <= replay.until);
        let entries = chunk.get(..end).unwrap_or_default();
        replay.fold.run(entries).map_err(|(_, failure)| failed(&replay.definition, failure))?;
    }
    Ok(replay)
}

fn failed(definition: &Definition, failure: Failure) -> EngineError {
    EngineError::Failed { projection: definition.name, failure }
}

/// Folds the next events in memory; `true` when there were few, so the head is near.
async fn catch_up(
    store: &EventStore,
    definition: &Definition,
    fold: &mut Fold,
    at: &mut Position,
) -> Result<bool, EngineError> {
    let entries = store.read_after(*at, EVENTS_PER_READING).await?;
    fold.run(&entries).map_err(|(_, failure)| failed(definition, failure))?;
    *at = entries.last().map_or(*at, position);
    Ok(u32::try_from(entries.len()).is_ok_and(|read| read < EVENTS_PER_READING))
}

/// Keeps others from rebuilding the same projection for as long as the connection lives.
async fn claim(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1, hashtext($2))")
        .bind(REBUILD_LOCK)
        .bind(name)
        .fetch_one(connection)
        .await
}

async fn drop_shadow(connection: &mut PgConnection, shadow: &str) -> sqlx::Result<()> {
    tables::run(connection, &format!("DROP SCHEMA IF EXISTS {shadow} CASCADE")).await
}

/// Drops the shadow tables of rebuilds whose process is gone.
pub(super) async fn clear_leftovers(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let mut all = true;
    let prefix = tables::shadow_schema("");
    let schemas = sqlx::query("SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, $1)")
        .bind(&prefix)
        .fetch_all(&mut *connection)
        .await?;
    for schema in schemas {
        let schema: String = schema.try_get(0)?;
        let Some(name) = schema.strip_prefix(&prefix) else { continue };
        if claim(connection, name).await? {
            drop_shadow(connection, &schema).await?;
            sqlx::query("SELECT pg_advisory_unlock($1, hashtext($2))")
                .bind(REBUILD_LOCK)
                .bind(name)
                .execute(&mut *connection)
                .await?;
        } else {
            all = false;
        }
    }
    Ok(all)
}

/// Whether somebody else's lock was in the way: a lock timeout or a deadlock.
fn is_contention(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(code.as_ref(), "55P03" | "40P01"))
}
