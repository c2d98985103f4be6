//! Reading the log: each event is read and decoded once, whoever folds it.

use domain::stream::{Position, Recorded};
use event_store::{EventStore, StoreError, Undecodable};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many events are kept for the projections that are a little behind.
const KEPT: usize = 4_000;

/// One place of the log: an event, or why this release cannot read it.
pub(crate) type Entry = Result<Recorded, Undecodable>;

pub(crate) fn position(entry: &Entry) -> Position {
    entry.as_ref().map_or_else(|undecodable| undecodable.position, |event| event.position)
}

/// All events after one position up to another.
#[derive(Debug)]
pub(super) struct Batch {
    after: Position,
    last: Position,
    entries: Vec<Entry>,
}

impl Batch {
    /// The events after a position within it.
    pub fn after(&self, after: Position) -> &[Entry] {
        let start = self.entries.partition_point(|entry| position(entry) <= after);
        self.entries.get(start..).unwrap_or_default()
    }
}

/// All events after one position up to another, in several batches.
pub(super) struct Run {
    after: Position,
    batches: Vec<Arc<Batch>>,
}

impl Run {
    /// The events, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.batches.iter().flat_map(|batch| batch.after(self.after))
    }
}

/// The recent events, shared by all projections of a process.
pub(super) struct Feed {
    store: EventStore,
    recent: Mutex<Recent>,
    reading: tokio::sync::Mutex<()>,
    limit: u32,
}

/// Batches in the order of their events, but not always without gaps.
#[derive(Default)]
struct Recent {
    batches: VecDeque<Arc<Batch>>,
    events: usize,
}

impl Recent {
    fn after(&self, after: Position) -> Option<&Arc<Batch>> {
        // Who asks is mostly close to the head.
        self.batches.iter().rev().find(|batch| batch.after <= after && after < batch.last)
    }

    fn keep(&mut self, batch: Arc<Batch>) {
        self.events += batch.entries.len();
        self.batches.push_back(batch);
        while self.events > KEPT
            && let Some(oldest) = self.batches.pop_front()
        {
            self.events -= oldest.entries.len();
        }
    }
}

impl Feed {
    pub fn new(store: EventStore, limit: u32) -> Self {
        Self { store, recent: Mutex::default(), reading: tokio::sync::Mutex::default(), limit }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what this process has just appended, so that nobody has to read it. The events follow one
    /// another without a gap.
    pub fn offer(&self, events: Vec<Recorded>) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        let (after, last) = (Position(first.position.0 - 1), last.position);
        let entries = events.into_iter().map(Ok).collect();
        self.recent().keep(Arc::new(Batch { after, last, entries }));
    }

    /// A batch that goes on from a position; `None` when nothing came after it yet.
    pub async fn after(&self, after: Position) -> Result<Option<Arc<Batch>>, StoreError> {
        if let Some(batch) = self.recent().after(after) {
            return Ok(Some(batch.clone()));
        }
        // Held while reading, so that those who want the same events wait for the one who reads them.
        let _reading = self.reading.lock().await;
        if let Some(batch) = self.recent().after(after) {
            return Ok(Some(batch.clone()));
        }
        let entries = self.store.read_after(after, self.limit).await?;
        let Some(last) = entries.last().map(position) else { return Ok(None) };
        let batch = Arc::new(Batch { after, last, entries });
        // What cannot be read is read again by whoever tries again: somebody may have mended it.
        if batch.entries.iter().all(Result::is_ok) {
            self.recent().keep(batch.clone());
        }
        Ok(Some(batch))
    }

    /// The same, with those that go on from there and are known; about as many events as a batch may have.
    pub async fn run_after(&self, after: Position) -> Result<Option<Run>, StoreError> {
        let Some(first) = self.after(after).await? else { return Ok(None) };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut events = first.entries.len();
        let mut last = first.last;
        let mut batches = vec![first];
        let recent = self.recent();
        while events < limit
            && let Some(next) = recent.batches.iter().rev().find(|batch| batch.after == last)
        {
            events += next.entries.len();
            last = next.last;
            batches.push(next.clone());
        }
        drop(recent);
        Ok(Some(Run { after, batches }))
    }
}
