//! The read models of one process: what folds them and what is known of them.

use super::checkpoint::{self, State};
use super::projection::Definition;
use super::rebuilds::{self, Rebuild};
use super::replay::Replayed;
use super::seats::Seats;
use super::tables;
use domain::stream::Position;
use event_store::{BY_KEYS, EventStore, StoreError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// How long a connection may take to be opened.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);

/// How the engine behaves. The defaults suit a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many events are folded in one transaction, at most.
    pub batch: u32,
    /// How often a follower tries to lead, a leader shows that it is alive, and checkpoints that others may
    /// have changed are looked at.
    pub poll_every: Duration,
    /// About how many bytes of rows a rebuild or a verification keeps in memory, all projections together; the
    /// rest is put into the database meanwhile. Unless told, what suits the length of the log.
    pub replay_bytes: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self { batch: 1_000, poll_every: Duration::from_secs(1), replay_bytes: None }
    }
}

/// Why the engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The database did not answer, or not as it should.
    #[error("the read models cannot be reached: {0}")]
    Database(#[from] sqlx::Error),
    /// The log did not.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// There is no projection of that name.
    #[error("there is no projection {0:?}")]
    Unknown(String),
    /// A rebuild of it is under way already.
    #[error("{0} is being rebuilt already")]
    Busy(&'static str),
    /// An event cannot be folded; the live tables stay as they are.
    #[error("{projection} cannot be folded: {failure}")]
    Failed {
        /// The projection.
        projection: &'static str,
        /// The event and what is wrong with it.
        failure: super::fold::Failure,
    },
    /// The tables were made by another version of the fold.
    #[error("the tables of {projection} are at version {stored}, and this release has version {own}")]
    OtherVersion {
        /// The projection.
        projection: &'static str,
        /// The version of the tables.
        stored: u32,
        /// The version of this release.
        own: u32,
    },
    /// Only one that runs can be paused.
    #[error("{0} is not running, so it cannot be paused")]
    NotRunning(&'static str),
    /// Only a paused one can be resumed.
    #[error("{0} is not paused; one that has stopped tries again with retry")]
    NotPaused(&'static str),
    /// Only a stopped one can try its event again.
    #[error("{0} is not stopped at an event")]
    NotStopped(&'static str),
    /// There is no rebuild to call off.
    #[error("{0} is not being rebuilt")]
    NotRebuilding(&'static str),
    /// Somebody called the rebuild off; the live tables stay as they are.
    #[error("the rebuild of {0} was called off")]
    CalledOff(&'static str),
    /// The same for all that were rebuilt together.
    #[error(transparent)]
    Together(Arc<EngineError>),
    /// Only the event at which a stopped projection stands can be skipped.
    #[error("{0} is not stopped at an event, so there is none to skip")]
    NothingToSkip(&'static str),
    /// Somebody kept the tables locked for longer than anything should take.
    #[error("the tables of {0} stayed in use, so the rebuilt ones could not take their place; try again")]
    InUse(&'static str),
}

/// How far a projection is, as this process knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    pub position: Position,
    pub state: State,
}

pub(super) struct Inner {
    pub store: EventStore,
    /// For the live folds, which find rows by their keys.
    pub pool: PgPool,
    /// For whoever reads or makes whole tables. As in the pool, commits need not reach the disk at once: rows
    /// and checkpoint are lost together and folded again.
    pub connect: PgConnectOptions,
    pub definitions: Vec<Definition>,
    pub options: Options,
    pub progress: watch::Sender<BTreeMap<&'static str, Progress>>,
    /// Rung when other processes are to be told of progress.
    pub untold: Notify,
    pub leading: AtomicBool,
    /// The projections that this process folds.
    pub folding: Mutex<BTreeSet<&'static str>>,
    /// Those that are folded several at once.
    pub seats: Seats,
    /// Rung when a checkpoint was changed by hand.
    pub bell: Notify,
    /// The rebuilds of this process that are under way, whoever asked for them.
    pub rebuilding: Mutex<BTreeMap<&'static str, Replayed>>,
}

/// The read models. Cloning it is cheap.
#[derive(Clone)]
pub struct Projections {
    pub(super) inner: Arc<Inner>,
}

impl Projections {
    /// Knows the read models and makes the tables of those that have none. Nothing is folded before
    /// [`run`](Self::run).
    ///
    /// # Errors
    /// When the database does not answer or a projection's DDL is wrong.
    pub async fn open(
        pool: &PgPool,
        store: EventStore,
        definitions: Vec<Definition>,
        options: Options,
    ) -> Result<Self, EngineError> {
        tables::install(pool, &definitions).await?;
        let size = u32::try_from(definitions.len()).unwrap_or(u32::MAX).saturating_add(4);
        let connect = pool
            .connect_options()
            .as_ref()
            .clone()
            .application_name("figure-ledger projections")
            .options([("synchronous_commit", "off"), ("idle_in_transaction_session_timeout", "4s")]);
        // As wary of dead connections as the pool that is given.
        let folding = pool.options().clone().max_connections(size);
        let folding = folding.connect_lazy_with(connect.clone().options(BY_KEYS));
        let inner = Inner {
            store,
            pool: folding,
            connect,
            definitions,
            options,
            progress: watch::Sender::default(),
            untold: Notify::new(),
            leading: AtomicBool::new(false),
            folding: Mutex::default(),
            seats: Seats::default(),
            bell: Notify::new(),
            rebuilding: Mutex::default(),
        };
        let projections = Self { inner: Arc::new(inner) };
        projections.refresh().await?;
        Ok(projections)
    }

    /// A connection of its own, for what keeps one for long. A server that takes it and never answers is an error, like
    /// one that is not there.
    pub(super) async fn connect(&self) -> sqlx::Result<PgConnection> {
        let connecting = timeout(CONNECTED_WITHIN, PgConnection::connect_with(&self.inner.connect));
        connecting.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// The projections it knows, in the order of their registration.
    pub fn definitions(&self) -> &[Definition] {
        &self.inner.definitions
    }

    /// Whether this process leads: it folds all projections whose tables have its version.
    pub fn is_leading(&self) -> bool {
        self.inner.leading.load(Ordering::Relaxed)
    }

    /// Whether this process folds it.
    pub(super) fn folds(&self, name: &str) -> bool {
        self.inner.folding.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// The projection of that name.
    pub(super) fn definition(&self, name: &str) -> Result<Definition, EngineError> {
        let found = self.inner.definitions.iter().find(|definition| definition.name == name);
        found.copied().ok_or_else(|| EngineError::Unknown(name.to_owned()))
    }

    /// Those of these names; all for none.
    pub(super) fn chosen(&self, names: &[&str]) -> Result<Vec<Definition>, EngineError> {
        if names.is_empty() {
            return Ok(self.inner.definitions.clone());
        }
        names.iter().map(|name| self.definition(name)).collect()
    }

    /// Looks at the checkpoints.
    pub(super) async fn refresh(&self) -> sqlx::Result<()> {
        for checkpoint in checkpoint::all(&mut *self.inner.pool.acquire().await?).await? {
            let found = Progress { position: checkpoint.position, state: checkpoint.state };
            // What this process has folded since it looked, it knows better.
            let folds = self.folds(&checkpoint.name);
            self.learn_if(&checkpoint.name, found, |known| !folds || known.position <= found.position);
        }
        Ok(())
    }

    /// Notes how far a projection is, and tells those who wait for it.
    pub(super) fn learn(&self, name: &str, progress: Progress) {
        self.learn_if(name, progress, |_| true);
    }

    /// The same of what another process has told: words may overtake one another.
    pub(super) fn hear(&self, name: &str, progress: Progress) {
        let goes_on = progress.state == State::Running;
        self.learn_if(name, progress, |known| !goes_on || known.position <= progress.position);
    }

    fn learn_if(&self, name: &str, progress: Progress, when: impl FnOnce(Progress) -> bool) {
        let Ok(definition) = self.definition(name) else { return };
        let inner = &self.inner;
        let learnt = inner.progress.send_if_modified(|all| {
            let known = all.get(definition.name).copied();
            let is_new = known != Some(progress) && known.is_none_or(when);
            if is_new {
                all.insert(definition.name, progress);
            }
            is_new
        });
        if learnt {
            inner.untold.notify_one();
        }
    }

    /// The same for several that are at one position.
    pub(super) fn learn_all(&self, names: &[&'static str], position: Position) {
        self.learn_quietly(names, position);
        self.inner.untold.notify_one();
    }

    /// The same when other processes need not be told of it.
    pub(super) fn learn_quietly(&self, names: &[&'static str], position: Position) {
        let progress = Progress { position, state: State::Running };
        self.inner.progress.send_modify(|all| {
            for name in names {
                all.insert(name, progress);
            }
        });
    }

    /// Halts a projection that runs; it stays where it is.
    ///
    /// # Errors
    /// `Unknown`, `NotRunning`, `Database`.
    pub async fn pause(&self, name: &str) -> Result<(), EngineError> {
        self.change_state(name, State::Running, State::Paused, EngineError::NotRunning).await
    }

    /// Lets a paused projection go on.
    ///
    /// # Errors
    /// `Unknown`, `NotPaused`, `Database`.
    pub async fn resume(&self, name: &str) -> Result<(), EngineError> {
        self.change_state(name, State::Paused, State::Running, EngineError::NotPaused).await
    }

    /// Lets a stopped projection try its event again.
    ///
    /// # Errors
    /// `Unknown`, `NotStopped`, `Database`.
    pub async fn retry(&self, name: &str) -> Result<(), EngineError> {
        self.change_state(name, State::Stopped, State::Running, EngineError::NotStopped).await
    }

    /// Lets a stopped projection pass over the event that it stopped at, for good: rebuilding and verifying
    /// pass over it too. Gives the event's position. Not while it is rebuilt: what is rebuilt may have that event in it.
    ///
    /// # Errors
    /// `Unknown`, `NothingToSkip`, `Busy`, `Database`.
    pub async fn skip(&self, name: &str, reason: &str, by: &str) -> Result<Position, EngineError> {
        let definition = self.definition(name)?;
        let mut transaction = self.inner.pool.begin().await?;
        let failed = checkpoint::lock(&mut transaction, name).await?.and_then(|row| row.failed_position);
        let failed = failed.ok_or(EngineError::NothingToSkip(definition.name))?;
        if rebuilds::all(&mut transaction).await?.get(name).is_some_and(Rebuild::is_running) {
            return Err(EngineError::Busy(definition.name));
        }
        checkpoint::add_skip(&mut transaction, name, failed, reason, by).await?;
        checkpoint::change_state(&mut transaction, name, State::Stopped, State::Running).await?;
        transaction.commit().await?;
        self.changed_by_hand().await?;
        Ok(failed)
    }

    async fn change_state(
        &self,
        name: &str,
        from: State,
        to: State,
        refusal: fn(&'static str) -> EngineError,
    ) -> Result<(), EngineError> {
        let definition = self.definition(name)?;
        let mut connection = self.inner.pool.acquire().await?;
        if !checkpoint::change_state(&mut connection, name, from, to).await? {
            return Err(refusal(definition.name));
        }
        drop(connection);
        self.changed_by_hand().await
    }

    async fn changed_by_hand(&self) -> Result<(), EngineError> {
        self.refresh().await?;
        self.inner.bell.notify_waiters();
        Ok(())
    }
}
