//! Reading the log: each event is read and decoded once, whoever folds it.

use async_trait::async_trait;
use domain::stream::{Position, Recorded};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};

/// How many batches are kept for the projections that are a little behind.
const KEPT: usize = 8;

/// One place of the log: an event, or why it cannot be read.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// The aggregate type of its stream.
    pub stream_type: Cow<'static, str>,
    /// The type of the event.
    pub event_type: Cow<'static, str>,
    /// The event, or why this release cannot read it.
    pub event: Result<Recorded, String>,
}

impl From<Recorded> for Entry {
    fn from(event: Recorded) -> Self {
        Self {
            position: event.position,
            stream_type: Cow::Borrowed(event.stream.aggregate_type()),
            event_type: Cow::Borrowed(event.event.event_type()),
            event: Ok(event),
        }
    }
}

/// What the engine needs of the event store.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// The position of the last event; 0 when there is none.
    ///
    /// # Errors
    /// When the log cannot be read.
    async fn head(&self) -> Result<Position, LogError>;

    /// The events after a position, oldest first, without a gap, at most `limit` of them.
    ///
    /// # Errors
    /// When the log cannot be read; an event that cannot be decoded is an [`Entry`] of its own.
    async fn read_after(&self, after: Position, limit: usize) -> Result<Vec<Entry>, LogError>;

    /// Tells of the head whenever it has moved, also when another process moved it.
    fn subscribe(&self) -> watch::Receiver<Position>;
}

/// The log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot be read: {0}")]
pub struct LogError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// All events after one position up to another.
#[derive(Debug)]
pub(super) struct Batch {
    after: Position,
    last: Position,
    entries: Vec<Entry>,
}

impl Batch {
    /// The events after a position within it.
    pub fn after(&self, position: Position) -> &[Entry] {
        let start = self.entries.partition_point(|entry| entry.position <= position);
        self.entries.get(start..).unwrap_or_default()
    }
}

/// The recent events, shared by all projections of a process.
pub(super) struct Feed {
    log: Arc<dyn Log>,
    recent: Mutex<VecDeque<Arc<Batch>>>,
    limit: usize,
}

impl Feed {
    pub fn new(log: Arc<dyn Log>, limit: usize) -> Self {
        Self { log, recent: Mutex::default(), limit }
    }

    /// A batch that goes on from a position; `None` when nothing came after it yet.
    pub async fn after(&self, position: Position) -> Result<Option<Arc<Batch>>, LogError> {
        // Held while reading, so that those who want the same events wait for the one who reads them.
        let mut recent = self.recent.lock().await;
        let known = recent.iter().find(|batch| batch.after <= position && position < batch.last);
        if let Some(batch) = known {
            return Ok(Some(batch.clone()));
        }
        let entries = self.log.read_after(position, self.limit).await?;
        let Some(last) = entries.last().map(|entry| entry.position) else { return Ok(None) };
        let batch = Arc::new(Batch { after: position, last, entries });
        recent.push_back(batch.clone());
        if recent.len() > KEPT {
            recent.pop_front();
        }
        Ok(Some(batch))
    }
}
