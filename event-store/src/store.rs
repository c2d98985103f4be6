//! Opening a store, its options and its parts.

use crate::append::{Appender, Queue};
use crate::cache::StateCache;
use crate::commit::InlineFold;
use crate::error::StoreError;
use crate::turns::Turns;
use crate::{read, subscribe};
use domain::money::rates::Rates;
use domain::stream::Position;
use sqlx::PgPool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

/// How a store behaves. The defaults suit a server of one process.
#[derive(Clone)]
pub struct Options {
    /// How many appends may wait in this process.
    pub queue_length: usize,
    /// How many bytes of events may wait in this process. A larger single append waits until it is alone.
    pub queue_bytes: usize,
    /// How long a caller waits for room in the queue, or for its turn, before it is told `Busy`.
    pub queue_wait: Duration,
    /// How many events one transaction takes, unless a single append has more.
    pub batch_events: usize,
    /// How many bytes of events one transaction takes, unless a single append has more.
    pub batch_bytes: usize,
    /// How long an append is tried again while the database is away.
    pub give_up_after: Duration,
    /// About how many bytes of states are kept in memory.
    pub cache_bytes: u64,
    /// After how many events of a stream its state is saved beside the log.
    pub snapshot_every: i64,
    /// How often the head is asked for, in case a notification of another process got lost.
    pub poll_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_length: 1_024,
            queue_bytes: 64 << 20,
            queue_wait: Duration::from_secs(5),
            batch_events: 2_000,
            batch_bytes: 4 << 20,
            give_up_after: Duration::from_secs(15),
            cache_bytes: 64 << 20,
            snapshot_every: 500,
            poll_every: Duration::from_secs(2),
        }
    }
}

/// The log. Cloning it is cheap, and all clones share one appender and one cache; open one per process.
#[derive(Clone)]
pub struct EventStore {
    pub(crate) inner: Arc<Inner>,
}

/// What folds inside the append's transaction, if anything does.
#[derive(Clone, Default)]
pub(crate) struct FoldInside(Arc<RwLock<Option<Arc<dyn InlineFold>>>>);

impl FoldInside {
    pub(crate) fn get(&self) -> Option<Arc<dyn InlineFold>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, fold: Option<Arc<dyn InlineFold>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = fold;
    }
}

pub(crate) struct Inner {
    pub(crate) pool: PgPool,
    fold_inside: FoldInside,
    rates: RwLock<Option<watch::Receiver<Rates>>>,
    pub(crate) snapshot_every: i64,
    pub(crate) queue_wait: Duration,
    pub(crate) queue: Queue,
    pub(crate) cache: StateCache,
    pub(crate) turns: Turns,
    pub(crate) head: watch::Sender<Position>,
    /// One snapshot is saved at a time, so that they never crowd out the commands they are to help.
    pub(crate) snapshot_turn: Arc<Semaphore>,
    listening: Vec<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The appender ends by itself once its queue is empty and closed.
        for task in &self.listening {
            task.abort();
        }
    }
}

impl EventStore {
    /// Opens the log of a migrated database and starts the appender. Reads go through `pool`; the appender
    /// and the listener have one connection each beside it, made with the same options.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open(pool: PgPool, options: Options) -> Result<Self, StoreError> {
        let (head, _) = watch::channel(read::head(&pool).await?);
        let connect = pool.connect_options().as_ref().clone();
        let fold_inside = FoldInside::default();
        let queue = Appender::start(connect.clone(), &options, fold_inside.clone(), head.clone());
        let listening = vec![
            tokio::spawn(subscribe::listen(connect, pool.clone(), head.clone())).abort_handle(),
            tokio::spawn(subscribe::poll(pool.clone(), options.poll_every, head.clone())).abort_handle(),
        ];
        let inner = Inner {
            pool,
            fold_inside,
            rates: RwLock::new(None),
            snapshot_every: options.snapshot_every.max(1),
            queue_wait: options.queue_wait,
            queue,
            cache: StateCache::new(options.cache_bytes),
            turns: Turns::new(),
            head,
            snapshot_turn: Arc::new(Semaphore::new(1)),
            listening,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// From the next batch on, this folds inside the append's transaction, or nothing does.
    pub fn fold_inside(&self, fold: Option<Arc<dyn InlineFold>>) {
        self.inner.fold_inside.set(fold);
    }

    /// From now on commands are decided with the rates that `rates` holds at that moment; before, with none.
    pub fn decide_with(&self, rates: watch::Receiver<Rates>) {
        *self.inner.rates.write().unwrap_or_else(PoisonError::into_inner) = Some(rates);
    }

    /// The rates that a command is decided with now.
    pub fn rates(&self) -> Rates {
        let rates = self.inner.rates.read().unwrap_or_else(PoisonError::into_inner);
        rates.as_ref().map(|rates| rates.borrow().clone()).unwrap_or_default()
    }

    /// How many commands wait to be written by this process, and how many may.
    pub fn queued(&self) -> (usize, usize) {
        self.inner.queue.depth()
    }

    /// The pool that reads go through.
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }
}

impl std::fmt::Debug for EventStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStore").field("head", &*self.inner.head.borrow()).finish_non_exhaustive()
    }
}
