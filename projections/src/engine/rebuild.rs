//! Making read models anew from the whole log, beside the live tables, which serve until the swap.

use super::checkpoint::{self, State};
use super::handle::{EngineError, Projections};
use super::projection::Definition;
use super::rebuilds::{self, Stage};
use super::replay::{Ground, Replay, Replayed, replay};
use super::spill::Budget;
use super::tables;
use domain::stream::Position;
use event_store::{APPEND_LOCK, crash_point};
use futures::future::join_all;
use sqlx::{Connection, PgConnection, Row};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

/// One half of the lock that a rebuild of a projection holds; the other is the projection's name.
pub(super) const REBUILD_LOCK: i32 = 0x7072_6f6a;
/// How long appends may make the swap wait, before it steps aside and tries again.
const SWAP_LOCK_TIMEOUT: &str = "500ms";
/// The same of readers of the live tables: meanwhile everybody else waits behind it.
const SWAP_READERS_TIMEOUT: &str = "50ms";
/// How long a process that is frozen amid the swap may keep everybody waiting.
const SWAP_IDLE_TIMEOUT: &str = "5s";
const SWAP_PATIENCE: Duration = Duration::from_secs(600);
/// How often a rebuild tells how far it is, and looks whether it was called off.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// Who asked, where nobody says.
const SOMEBODY: &str = "this process";

/// A projection whose rebuilt tables are live.
#[derive(Debug, Clone)]
pub struct Rebuilt {
    /// Its name.
    pub projection: &'static str,
    /// The last event in its tables at the swap.
    pub position: Position,
}

/// The place where a projection is rebuilt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site {
    pub name: &'static str,
    /// The PostgreSQL process that holds the lock.
    pub backend: i32,
}

/// A rebuild that is on record and holds its locks, and has yet to be run. Dropping it calls it off.
#[must_use = "a rebuild that is not run comes to nothing"]
pub struct Rebuilding {
    projections: Projections,
    id: Uuid,
    head: Position,
    places: Vec<(Definition, Site, PgConnection)>,
}

/// What those that share a reading tell of themselves.
struct Shared {
    now: Mutex<(Replayed, BTreeMap<&'static str, Stage>)>,
    called_off: BTreeMap<&'static str, watch::Sender<bool>>,
}

impl Shared {
    fn at(&self, name: &'static str, stage: Stage) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.1.insert(name, stage);
    }

    fn over(&self, name: &'static str) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).1.remove(name);
    }
}

impl Projections {
    /// Rebuilds projections, all of them when none is named, with one reading of the log. The live tables
    /// serve and follow the log until the new ones take their place, each projection in one short
    /// transaction. One that fails or is called off leaves its live tables as they are and does not stop the
    /// others.
    ///
    /// # Errors
    /// `Unknown`, `Busy`, `Log`; and of the first that came to nothing, after the others are done: `Failed` (at
    /// an event), `CalledOff`, `InUse`, `OtherVersion` (a newer release has taken over), `Database`.
    pub async fn rebuild(
        &self,
        names: &[&str],
        progress: impl FnMut(Replayed) + Send,
    ) -> Result<Vec<Rebuilt>, EngineError> {
        self.begin_rebuild(names, SOMEBODY).await?.run(progress).await
    }

    /// Begins to rebuild projections, all of them when none is named: from here on they are on record as being
    /// rebuilt, for whoever looks. `asked_by` stays on record too.
    ///
    /// # Errors
    /// `Unknown`, `Busy` (and none is begun then), `Database`, `Log`.
    pub async fn begin_rebuild(&self, names: &[&str], asked_by: &str) -> Result<Rebuilding, EngineError> {
        let head = self.inner.store.head().await?;
        let mut places: Vec<(Definition, Site, PgConnection)> = Vec::new();
        for definition in self.chosen(names)? {
            if places.iter().any(|(_, site, _)| site.name == definition.name) {
                continue;
            }
            let mut connection = self.connect().await?;
            if !rebuilds::claim_patiently(&mut connection, definition.name).await? {
                for (_, site, connection) in &mut places {
                    rebuilds::release(connection, site.name).await?;
                }
                return Err(EngineError::Busy(definition.name));
            }
            let backend = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await?;
            tables::run(&mut connection, "SET idle_in_transaction_session_timeout = '60s'").await?;
            places.push((definition, Site { name: definition.name, backend }, connection));
        }
        let id = Uuid::now_v7();
        for (definition, _, connection) in &mut places {
            rebuilds::begin(connection, id, definition.name, definition.version, asked_by, head).await?;
        }
        Ok(Rebuilding { projections: self.clone(), id, head, places })
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
        let mut connection = self.connect().await?;
        let cleared = clear_leftovers(&mut connection).await;
        let _ = connection.close().await;
        Ok(cleared?)
    }
}

impl Rebuilding {
    /// Does it. As [`Projections::rebuild`].
    ///
    /// # Errors
    /// As there.
    pub async fn run(self, progress: impl FnMut(Replayed) + Send) -> Result<Vec<Rebuilt>, EngineError> {
        self.run_each(progress).await.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Does it, and tells of each what came of it. One that fails does not stop the others.
    pub async fn run_each(
        self,
        mut progress: impl FnMut(Replayed) + Send,
    ) -> Vec<(Definition, Result<Rebuilt, EngineError>)> {
        let Self { projections, id, head, places } = self;
        let begun = places.iter().map(|(definition, site, _)| (*definition, *site)).collect::<Vec<_>>();
        let names: Vec<&'static str> = begun.iter().map(|(_, site)| site.name).collect();
        let shared = Arc::new(Shared {
            now: Mutex::new((
                Replayed::none(head),
                names.iter().map(|name| (*name, Stage::Reading)).collect(),
            )),
            called_off: names.iter().map(|name| (*name, watch::Sender::new(false))).collect(),
        });
        let noted = Noted { projections: &projections, names };
        noted.note(Replayed::none(head));
        let mut telling = JoinSet::new();
        telling.spawn(tell(projections.clone(), id, shared.clone()));
        let mut progress = |now| {
            noted.note(now);
            shared.now.lock().unwrap_or_else(PoisonError::into_inner).0 = now;
            progress(now);
        };
        let folded = fold(&projections, places, head, &shared, &mut progress).await;
        let folded = match folded {
            Ok(folded) => folded,
            Err(error) => {
                let error = Arc::new(error);
                let again = |_| Err(EngineError::Together(error.clone()));
                begun.iter().map(again).collect()
            }
        };
        let finishing = begun.into_iter().zip(folded).map(async |((definition, site), folded)| {
            let outcome = match folded {
                Ok(replay) => finish_unless_called_off(&projections, id, replay, &shared).await,
                Err(error) => Err(error),
            };
            if let Err(error) = &outcome {
                projections.give_up(id, site, error).await;
            }
            shared.over(site.name);
            (definition, outcome)
        });
        join_all(finishing).await
    }
}

/// Folds the log for all of them.
async fn fold(
    projections: &Projections,
    places: Vec<(Definition, Site, PgConnection)>,
    head: Position,
    shared: &Shared,
    progress: &mut (dyn FnMut(Replayed) + Send),
) -> Result<Vec<Result<Replay, EngineError>>, EngineError> {
    let mut replays = Vec::new();
    for (definition, site, connection) in places {
        let called_off = shared.called_off.get(site.name).map(watch::Sender::subscribe);
        let called_off = called_off.unwrap_or_else(|| watch::channel(false).1);
        let batch = projections.inner.options.batch;
        let replay = Replay::prepare(definition, head, connection, Ground::Shadow, called_off, batch);
        replays.push(replay.await?);
    }
    let budget = Budget::new(projections.inner.options.replay_bytes, head.0);
    replay(&projections.inner.store, replays, budget, progress).await
}

/// Tells the database how far they are, and those that were called off that they were.
async fn tell(projections: Projections, id: Uuid, shared: Arc<Shared>) {
    loop {
        let (now, stages) = shared.now.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if stages.is_empty() {
            return;
        }
        let told = async {
            let mut connection = projections.inner.pool.acquire().await?;
            rebuilds::beat(&mut connection, id, now, &stages).await
        };
        match told.await {
            Ok(cancelled) => {
                for called_off in cancelled.iter().filter_map(|name| shared.called_off.get(name.as_str())) {
                    called_off.send_replace(true);
                }
            }
            Err(error) => tracing::debug!(%error, "how far a rebuild is could not be told"),
        }
        sleep(TELL_EVERY).await;
    }
}

async fn finish_unless_called_off(
    projections: &Projections,
    id: Uuid,
    replay: Replay,
    shared: &Shared,
) -> Result<Rebuilt, EngineError> {
    let name = replay.definition.name;
    let mut called_off = match shared.called_off.get(name) {
        Some(sender) => sender.subscribe(),
        None => return finish(projections, id, replay, shared).await,
    };
    tokio::select! {
        outcome = finish(projections, id, replay, shared) => outcome,
        Ok(_) = called_off.wait_for(|is| *is) => Err(EngineError::CalledOff(name)),
    }
}

/// Puts the rows into the shadow tables, catches up with the log and swaps.
async fn finish(
    projections: &Projections,
    id: Uuid,
    mut replay: Replay,
    shared: &Shared,
) -> Result<Rebuilt, EngineError> {
    let inner = &projections.inner;
    let name = replay.definition.name;
    shared.at(name, Stage::Indexing);
    replay.write_all().await?;
    replay.index().await?;
    // Nobody plans by what an empty table looked like.
    for table in replay.definition.tables() {
        tables::run(&mut replay.site, &format!("ANALYZE {}.{table}", tables::shadow_schema(name))).await?;
    }
    shared.at(name, Stage::CatchingUp);
    let mut at = replay.until;
    while !replay.catch_up(&inner.store, &mut at, Position(i64::MAX)).await? {
        replay.write_all().await?;
    }
    replay.write_all().await?;
    crash_point!("rebuild.before_swap");
    shared.at(name, Stage::Swapping);
    let deadline = Instant::now() + SWAP_PATIENCE;
    let mut attempt = 0_u32;
    loop {
        match swap(projections, id, &mut replay, &mut at).await {
            Ok(()) => break,
            Err(EngineError::Database(error)) if is_contention(&error) => {
                if Instant::now() > deadline {
                    return Err(EngineError::InUse(name));
                }
                attempt = attempt.saturating_add(1);
                sleep(Duration::from_millis(u64::from(attempt.min(20)) * 50)).await;
            }
            Err(error) => return Err(error),
        }
    }
    shared.over(name);
    // Whoever sees that it is done may ask for the next one at once.
    let released = rebuilds::release(&mut replay.site, name).await;
    let _ = replay.site.close().await;
    if let Err(error) = released {
        tracing::debug!(%error, "a rebuild's connection ended before it was let go of");
    }
    projections.refresh().await?;
    inner.bell.notify_waiters();
    Ok(Rebuilt { projection: name, position: at })
}

/// Folds what is left while the live fold stands still, and swaps.
async fn swap(
    projections: &Projections,
    id: Uuid,
    replay: &mut Replay,
    at: &mut Position,
) -> Result<(), EngineError> {
    // Appends stand still first: they hold this lock before they touch a checkpoint or a table.
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = '{SWAP_LOCK_TIMEOUT}'; \
         SET LOCAL idle_in_transaction_session_timeout = '{SWAP_IDLE_TIMEOUT}'; \
         SELECT pg_advisory_xact_lock({APPEND_LOCK})"
    );
    let swapped = async {
        tables::run(&mut replay.site, &begin).await?;
        swap_within(projections, id, replay, at).await?;
        tables::run(&mut replay.site, "COMMIT").await.map_err(EngineError::from)
    };
    let swapped = swapped.await;
    if swapped.is_err() {
        // When this fails too, the connection is gone, and with it the transaction.
        let _ = tables::run(&mut replay.site, "ROLLBACK").await;
    }
    swapped
}

async fn swap_within(
    projections: &Projections,
    id: Uuid,
    replay: &mut Replay,
    at: &mut Position,
) -> Result<(), EngineError> {
    let definition = replay.definition;
    let live = checkpoint::lock(&mut replay.site, definition.name).await?;
    if let Some(live) = live.as_ref().filter(|live| live.version > definition.version) {
        let (projection, stored, own) = (definition.name, live.version, definition.version);
        return Err(EngineError::OtherVersion { projection, stored, own });
    }
    // Under the lock the log ends where it ends, also where the checkpoint of the live tables says more: it is put
    // back to that. That is so when the events were restored from an older copy than everything else.
    while !replay.catch_up(&projections.inner.store, at, Position(i64::MAX)).await? {}
    replay.write_again().await?;
    // Everybody who wants to read these tables from here on queues behind this: whoever reads them for long is not
    // waited for while all others wait.
    tables::run(&mut replay.site, &format!("SET LOCAL lock_timeout = '{SWAP_READERS_TIMEOUT}'")).await?;
    tables::swap(&mut replay.site, &definition).await?;
    let paused = live.is_some_and(|live| live.state == State::Paused);
    let state = if paused { State::Paused } else { State::Running };
    crash_point!("rebuild.amid_swap");
    checkpoint::set(&mut replay.site, definition.name, definition.version, *at, state).await?;
    if !rebuilds::done(&mut replay.site, id, definition.name, *at).await? {
        return Err(EngineError::CalledOff(definition.name));
    }
    Ok(())
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
        all &= rebuilds::clear(connection, name).await?;
    }
    Ok(all)
}

/// Whether somebody else's lock was in the way: a lock timeout or a deadlock.
fn is_contention(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(code.as_ref(), "55P03" | "40P01"))
}
