//! Reading the log once from its beginning, for several folds, each with its own tables to fill.

use super::checkpoint;
use super::compare::Difference;
use super::fold::{Failure, Fold};
use super::handle::EngineError;
use super::log::{Entry, position};
use super::projection::Definition;
use super::spill::Budget;
use super::tables;
use domain::stream::Position;
use event_store::EventStore;
use futures::TryStreamExt;
use sqlx::PgConnection;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};

/// How many events are read at a time while catching up.
const EVENTS_PER_READING: u32 = 5_000;
/// How many chunks are read ahead of the slowest fold.
const CHUNKS_AHEAD: usize = 8;

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
    pub(super) fn none(head: Position) -> Self {
        Self { events: 0, position: Position::default(), head, elapsed: Duration::ZERO }
    }

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

/// Where the tables are that a replay fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// In a schema beside the live ones, whose place they are to take.
    Shadow,
    /// In this connection alone: they end with it.
    Temporary,
}

/// A projection being folded from the beginning of the log up to a position.
pub(super) struct Replay {
    pub definition: Definition,
    pub until: Position,
    /// A connection of its own: folding the log takes long, and the live folds need theirs.
    pub site: PgConnection,
    ground: Ground,
    fold: Fold,
    is_laid: bool,
    called_off: watch::Receiver<bool>,
    /// How many events are folded before it is looked how much they take.
    batch: usize,
    weight: usize,
}

impl Replay {
    pub async fn prepare(
        definition: Definition,
        until: Position,
        mut site: PgConnection,
        ground: Ground,
        called_off: watch::Receiver<bool>,
        batch: u32,
    ) -> sqlx::Result<Self> {
        let batch = usize::try_from(batch).unwrap_or(usize::MAX).max(1);
        let skips = checkpoint::skips(&mut site, definition.name).await?;
        let fold = Fold::whole(&definition, skips);
        Ok(Self { definition, until, site, ground, fold, is_laid: false, called_off, batch, weight: 0 })
    }

    fn failed(&self, failure: Failure) -> EngineError {
        EngineError::Failed { projection: self.definition.name, failure }
    }

    /// Folds a chunk, as far as it is before the end.
    async fn take(&mut self, chunk: &[Entry], budget: &Budget) -> Result<(), EngineError> {
        if *self.called_off.borrow() {
            return Err(EngineError::CalledOff(self.definition.name));
        }
        let end = chunk.partition_point(|entry| position(entry) <= self.until);
        for entries in chunk.get(..end).unwrap_or_default().chunks(self.batch) {
            self.fold_next(entries).await?;
            let weight = self.fold.weight();
            if budget.weighed(self.weight, weight) {
                self.lay().await?;
                self.fold.spill_heavy(budget, &mut self.site).await?;
                let lighter = self.fold.weight();
                budget.weighed(weight, lighter);
                self.weight = lighter;
            } else {
                self.weight = weight;
            }
        }
        Ok(())
    }

    async fn fold_next(&mut self, entries: &[Entry]) -> Result<(), EngineError> {
        let folded = if self.is_laid {
            self.fold.run_loading(&mut self.site, entries.iter().map(Result::as_ref)).await?
        } else {
            self.fold.run(entries)
        };
        folded.map_err(|(_, failure)| self.failed(failure))?;
        self.fold.accept();
        Ok(())
    }

    /// Makes the tables, unless they are there.
    async fn lay(&mut self) -> sqlx::Result<()> {
        if self.is_laid {
            return Ok(());
        }
        let (create, _) = tables::statements(self.definition.ddl);
        let made = match self.ground {
            Ground::Shadow => {
                let shadow = tables::shadow_schema(self.definition.name);
                format!(
                    "DROP SCHEMA IF EXISTS {shadow} CASCADE; CREATE SCHEMA {shadow}; \
                     SET search_path TO {shadow}, public; {create}"
                )
            }
            Ground::Temporary => format!("SET search_path TO pg_temp, public; {create}"),
        };
        tables::run(&mut self.site, &made).await?;
        self.fold.begin_spilling();
        self.is_laid = true;
        Ok(())
    }

    /// Puts every row into the tables; memory holds none afterwards.
    pub async fn write_all(&mut self) -> Result<(), EngineError> {
        self.lay().await?;
        self.fold.spill(&mut self.site).await?;
        Ok(())
    }

    /// Makes the indexes, which is faster once the rows are there.
    pub async fn index(&mut self) -> Result<(), EngineError> {
        let (_, index) = tables::statements(self.definition.ddl);
        for table in self.fold.tables() {
            table.drop_spill_indexes(&mut self.site).await?;
        }
        // A sort that fits into memory: the usual 64 MB are for servers that make indexes while everybody works.
        tables::run(&mut self.site, "SET maintenance_work_mem = '128MB'").await?;
        tables::run(&mut self.site, &index).await?;
        tables::run(&mut self.site, "RESET maintenance_work_mem").await?;
        Ok(())
    }

    /// Folds the next events, after a position and up to another; `true` when there were few, so that is near.
    /// What they change stays in memory.
    pub async fn catch_up(
        &mut self,
        store: &EventStore,
        at: &mut Position,
        until: Position,
    ) -> Result<bool, EngineError> {
        let mut entries = store.read_after(*at, EVENTS_PER_READING).await?;
        let is_last = u32::try_from(entries.len()).is_ok_and(|read| read < EVENTS_PER_READING);
        let end = entries.partition_point(|entry| position(entry) <= until);
        let is_last = is_last || end < entries.len();
        entries.truncate(end);
        let folded = self.fold_next(&entries).await;
        if folded.is_err() {
            // Half a batch must not be there when somebody tries again.
            self.fold.take_back();
        }
        folded?;
        *at = entries.last().map_or(*at, position);
        Ok(is_last)
    }

    /// Writes what is in memory, and keeps it there.
    pub async fn write_again(&mut self) -> sqlx::Result<()> {
        for table in self.fold.tables() {
            table.write(&mut self.site).await?;
        }
        Ok(())
    }

    /// Passes over what is on record by now.
    pub async fn look_for_skips(&mut self) -> sqlx::Result<()> {
        self.fold.skips = checkpoint::skips(&mut self.site, self.definition.name).await?;
        Ok(())
    }

    /// Compares the live tables with its own.
    pub async fn compare(&mut self, report: &mut (dyn FnMut(Difference) + Send)) -> sqlx::Result<()> {
        for table in self.fold.tables() {
            table.compare(&mut self.site, report).await?;
        }
        Ok(())
    }
}

/// Reads the log once and folds it for each of them, each on a thread of its own, so that a server goes on
/// answering meanwhile. They share the budget. One that fails does not stop the others.
///
/// # Errors
/// The outer one: the log cannot be read. The inner ones: `Failed` at the first event that one cannot fold,
/// `CalledOff`, `Database`.
pub(super) async fn replay(
    store: &EventStore,
    replays: Vec<Replay>,
    budget: Budget,
    progress: &mut (dyn FnMut(Replayed) + Send),
) -> Result<Vec<Result<Replay, EngineError>>, EngineError> {
    let begun = Instant::now();
    let head = replays.iter().map(|replay| replay.until).max().unwrap_or_default();
    let budget = Arc::new(budget);
    let mut queues = Vec::new();
    let mut threads: Vec<JoinHandle<Result<Replay, EngineError>>> = Vec::new();
    for replay in replays {
        let (queue, chunks) = mpsc::channel(CHUNKS_AHEAD);
        queues.push(queue);
        let (budget, runtime) = (budget.clone(), Handle::current());
        threads.push(spawn_blocking(move || fold_chunks(replay, chunks, &budget, &runtime)));
    }
    let mut told = Replayed::none(head);
    let mut chunks = store.stream_all(Position::default());
    while told.position < head && !queues.is_empty() {
        let Some(entries) = chunks.try_next().await? else { break };
        let Some(last) = entries.last().map(position) else { continue };
        told.events = told.events.saturating_add(u64::try_from(entries.len()).unwrap_or_default());
        told.position = last;
        told.elapsed = begun.elapsed();
        let entries = Arc::new(entries);
        let mut going_on = Vec::with_capacity(queues.len());
        for queue in queues {
            // A fold that has failed has closed its queue; its error is told below.
            if queue.send(entries.clone()).await.is_ok() {
                going_on.push(queue);
            }
        }
        queues = going_on;
        progress(told);
    }
    drop(queues);
    let mut folded = Vec::new();
    for thread in threads {
        folded.push(thread.await.unwrap_or_else(|panicked| {
            Err(EngineError::Database(sqlx::Error::Io(std::io::Error::other(panicked))))
        }));
    }
    Ok(folded)
}

fn fold_chunks(
    mut replay: Replay,
    mut chunks: mpsc::Receiver<Arc<Vec<Entry>>>,
    budget: &Budget,
    runtime: &Handle,
) -> Result<Replay, EngineError> {
    while let Some(chunk) = chunks.blocking_recv() {
        runtime.block_on(replay.take(&chunk, budget))?;
    }
    Ok(replay)
}
