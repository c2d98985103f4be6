//! Who folds: of the processes on one database, one leads.
//!
//! Leadership only saves work: every fold's transaction begins by moving the checkpoint from where it was last
//! seen, so two leaders cannot both fold an event, and one that lost its lock unawares does no harm.
//!
//! Besides the leader's lock there is one for each projection, and only who holds that folds it. The leader takes
//! them all but those whose tables are of another version than its own fold; these are left to whoever has that
//! version. So while a release is rolled out, the older processes go on with what is theirs, and the first newer
//! one folds what it has rebuilt.
//!
//! All locks are on one connection, which is also the heartbeat: it is used every `poll_every`. A process that is
//! killed loses it at once. One that is frozen loses it when PostgreSQL has heard nothing for [`SILENCE`]; one that
//! is cut off steps down by itself after as long. Either way another takes over within a further `poll_every`.

use super::checkpoint;
use super::handle::Projections;
use super::inline::FoldedInside;
use super::log::Feed;
use super::projection::Definition;
use super::{rebuild, rebuilds, runner, together, upgrade, wait};
use sqlx::{Connection, Executor, PgConnection, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{error::Elapsed, sleep, timeout};
use tokio_util::task::TaskTracker;

/// Held by the process that leads. The number means nothing.
const LEADER_LOCK: i64 = 0x7072_6f6a_6563_0002;
/// One half of the lock that is held by who folds a projection; the other is the projection's name.
pub(super) const FOLD_LOCK: i32 = 0x7072_6f66;
/// A leader that is not heard of for this long is one no more.
const SILENCE: Duration = Duration::from_secs(3);

/// The folding of a process. It ends soon after this is dropped.
#[must_use = "folding ends when this is dropped"]
pub struct Running {
    tasks: JoinSet<()>,
    /// What those have begun in their turn.
    begun: TaskTracker,
}

impl Running {
    /// Ends it, whatever is under way. When this returns, nothing that is appended from now on is folded by this process.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.begun.close();
        self.begun.wait().await;
    }
}

impl Projections {
    /// Starts to fold, or to wait until this process may.
    pub fn run(&self) -> Running {
        let (mut tasks, begun) = (JoinSet::new(), TaskTracker::new());
        tasks.spawn(lead(self.clone(), begun.clone()));
        tasks.spawn(wait::listen(self.clone()));
        tasks.spawn(upgrade::keep_up(self.clone()));
        Running { tasks, begun }
    }
}

async fn lead(projections: Projections, begun: TaskTracker) {
    loop {
        match campaign(&projections, &begun).await {
            Err(Lost::Database(error)) => tracing::debug!(%error, "could not ask to fold the read models"),
            Err(Lost::Silence(_)) => {
                tracing::warn!("the database does not answer: this process leads no more")
            }
            Ok(never) => match never {},
        }
        sleep(projections.inner.options.poll_every).await;
    }
}

/// Why a process cannot lead any longer.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Silence(#[from] Elapsed),
}

/// Tries to lead, and leads, until the connection is lost. It asks again and again instead of queueing for the
/// lock: a query that waits for hours would keep PostgreSQL from clearing away old rows.
async fn campaign(projections: &Projections, begun: &TaskTracker) -> Result<Infallible, Lost> {
    let poll_every = projections.inner.options.poll_every;
    let mut connection = projections.connect().await?;
    let silence = SILENCE.max(poll_every.saturating_mul(3));
    let limit = format!("SET idle_session_timeout = {}", silence.as_millis());
    timeout(silence, connection.execute(limit.as_str())).await??;
    let mut seat = Seat::none(projections, begun);
    loop {
        timeout(silence, seat.look(&mut connection)).await??;
        sleep(poll_every).await;
    }
}

/// What a process leads and folds; it stops when this is dropped.
struct Seat<'p> {
    projections: &'p Projections,
    leads: bool,
    feed: Arc<Feed>,
    folded: BTreeMap<&'static str, AbortHandle>,
    /// Projections that nobody folded at the last look.
    free: BTreeSet<&'static str>,
    tasks: JoinSet<()>,
    /// All of those, also when they are to end and have not ended yet.
    begun: &'p TaskTracker,
    inside: Option<FoldedInside>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if self.leads {
            tracing::info!("this process no longer leads");
        }
        self.projections.inner.leading.store(false, Ordering::Relaxed);
        self.projections.inner.folding.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// How a projection stands before this process.
struct Candidate {
    definition: Definition,
    /// Its tables are of this release's version.
    fits: bool,
    /// Somebody folds it.
    is_folded: bool,
}

impl<'p> Seat<'p> {
    fn none(projections: &'p Projections, begun: &'p TaskTracker) -> Self {
        let inner = &projections.inner;
        Self {
            projections,
            leads: false,
            feed: Arc::new(Feed::new(inner.store.clone(), inner.options.batch)),
            folded: BTreeMap::new(),
            free: BTreeSet::new(),
            tasks: JoinSet::new(),
            begun,
            inside: None,
        }
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.tasks.spawn(self.begun.track_future(task))
    }

    /// Takes what there is to take, and lets go of what others must fold.
    async fn look(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if !self.leads {
            let won = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LEADER_LOCK);
            if won.fetch_one(&mut *connection).await? {
                self.begin_to_lead();
            }
        } else if let Err(error) = rebuilds::sweep(connection).await {
            tracing::warn!(%error, "what rebuilds left behind could not be looked for");
        }
        let mut free = BTreeSet::new();
        for one in candidates(self.projections, connection).await? {
            let name = one.definition.name;
            if let Some(following) = self.folded.get(name) {
                if !one.fits {
                    following.abort();
                    self.let_go(name);
                    let unlock = sqlx::query("SELECT pg_advisory_unlock($1, hashtext($2))");
                    unlock.bind(FOLD_LOCK).bind(name).execute(&mut *connection).await?;
                    tracing::info!(projection = name, "left to a process of its version");
                }
            } else if one.fits && (self.leads || !one.is_folded) {
                // What the leader leaves lying at two looks, it cannot fold.
                if !self.leads && !self.free.contains(name) {
                    free.insert(name);
                    continue;
                }
                let won = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, hashtext($2))");
                if won.bind(FOLD_LOCK).bind(name).fetch_one(&mut *connection).await? {
                    self.fold(one.definition);
                }
            }
        }
        self.free = free;
        Ok(())
    }

    fn begin_to_lead(&mut self) {
        self.leads = true;
        self.projections.inner.leading.store(true, Ordering::Relaxed);
        tracing::info!("this process leads: it folds the read models now");
        let projections = self.projections.clone();
        self.spawn(async move {
            let cleared = async {
                let mut own = projections.connect().await?;
                rebuild::clear_leftovers(&mut own).await?;
                own.close().await
            };
            if let Err(error) = cleared.await {
                tracing::warn!(%error, "tables left behind by an interrupted rebuild could not be dropped");
            }
        });
    }

    fn fold(&mut self, definition: Definition) {
        let inner = &self.projections.inner;
        if self.inside.is_none() {
            self.inside = Some(FoldedInside::begin(self.projections, &self.feed));
            self.spawn(together::follow(self.projections.clone(), self.feed.clone()));
            self.spawn(wait::tell(self.projections.clone()));
        }
        if !self.leads {
            tracing::info!(projection = definition.name, "this process folds it, as nobody else can");
        }
        inner.folding.lock().unwrap_or_else(PoisonError::into_inner).insert(definition.name);
        let following = runner::follow(self.projections.clone(), self.feed.clone(), definition);
        let following = self.spawn(following);
        self.folded.insert(definition.name, following);
    }

    fn let_go(&mut self, name: &'static str) {
        let inner = &self.projections.inner;
        self.folded.remove(name);
        inner.folding.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        inner.seats.dismiss(name);
    }
}

async fn candidates(
    projections: &Projections,
    connection: &mut PgConnection,
) -> sqlx::Result<Vec<Candidate>> {
    let versions: BTreeMap<String, u32> =
        checkpoint::all(connection).await?.into_iter().map(|row| (row.name, row.version)).collect();
    let folded = folded(connection).await?;
    let definitions = projections.inner.definitions.iter();
    let candidates = definitions.map(|definition| Candidate {
        definition: *definition,
        fits: versions.get(definition.name) == Some(&definition.version),
        is_folded: folded.contains(definition.name),
    });
    Ok(candidates.collect())
}

/// The projections that some process folds. A lock of two numbers has `objsubid` 2; the hash is signed, the
/// lock's number is not.
pub(super) async fn folded(connection: &mut PgConnection) -> sqlx::Result<BTreeSet<String>> {
    let rows = sqlx::query(
        "SELECT c.projection FROM projection_checkpoints AS c JOIN pg_locks AS l \
         ON l.objid::bigint = hashtext(c.projection)::bigint & 4294967295 \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid::bigint = $1 \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .bind(i64::from(FOLD_LOCK))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
