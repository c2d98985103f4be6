//! Reading the log: each event is read and decoded once, whoever folds it.

use domain::stream::{Position, Recorded};
use event_store::{EventStore, StoreError, Undecodable};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How many batches are kept for the projections that are a little behind.
const KEPT: usize = 8;

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

/// The recent events, shared by all projections of a process.
pub(super) struct Feed {
    store: EventStore,
    recent: Mutex<VecDeque<Arc<Batch>>>,
    limit: u32,
}

impl Feed {
    pub fn new(store: EventStore, limit: u32) -> Self {
        Self { store, recent: Mutex::default(), limit }
    }

    /// A batch that goes on from a position; `None` when nothing came after it yet.
    pub async fn after(&self, after: Position) -> Result<Option<Arc<Batch>>, StoreError> {
        // Held while reading, so that those who want the same events wait for the one who reads them.
        let mut recent = self.recent.lock().await;
        let known = recent.iter().find(|batch| batch.after <= after && after < batch.last);
        if let Some(batch) = known {
            return Ok(Some(batch.clone()));
        }
        let entries = self.store.read_after(after, self.limit).await?;
        let Some(last) = entries.last().map(position) else { return Ok(None) };
        let batch = Arc::new(Batch { after, last, entries });
        // What cannot be read is read again by whoever tries again: somebody may have mended it.
        if batch.entries.iter().all(Result::is_ok) {
            recent.push_back(batch.clone());
            if recent.len() > KEPT {
                recent.pop_front();
            }
        }
        Ok(Some(batch))
    }
}
