//! What can go wrong with the log.

use domain::ids::EventId;
use domain::refusal::Refusal;
use domain::stream::{Position, Version};
use std::sync::Arc;
use thiserror::Error;

/// An event that this release cannot read. Whoever meets one stops there; skipping it is a person's decision.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the event at position {position} ({event_type} of {stream_type}/{stream_id}) cannot be read: {reason}"
)]
pub struct Undecodable {
    /// Its place in the log.
    pub position: Position,
    /// Its id.
    pub event_id: EventId,
    /// Its aggregate type, as stored.
    pub stream_type: Box<str>,
    /// Its aggregate id, as stored.
    pub stream_id: Box<str>,
    /// Its number within the stream.
    pub version: Version,
    /// Its type, as stored.
    pub event_type: Box<str>,
    /// What is wrong with it.
    pub reason: Box<str>,
}

/// Why reading failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database did not answer, or not as it should.
    #[error("the log cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    /// A stream holds an event that this release cannot read.
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
}

/// Why a command came to nothing, or to nothing known.
#[derive(Debug, Error)]
pub enum ExecuteError {
    /// The rules say no. Nothing was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too much is queued already. Nothing was written; try again in a moment (503).
    #[error("the server is busy: too many changes are waiting; try again in a moment")]
    Busy,
    /// Others kept changing the same streams. Nothing was written; try again in a moment (503).
    #[error("others keep changing the same thing; try again in a moment")]
    Contended,
    /// The idempotency key belongs to another request (422). Nothing was written.
    #[error("this idempotency key was used for a different request")]
    KeyReused,
    /// A stream that the command needs holds an event that this release cannot read. Nothing was written.
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
    /// The database is away. Nothing was written (503).
    #[error("the database is not available: {0}")]
    Unavailable(Arc<sqlx::Error>),
    /// The connection was lost while committing and the database did not come back in time: the command
    /// may or may not have been written (503). The same request with the same idempotency key finds out.
    #[error("the database went away while the change was being written; look whether it is there")]
    OutcomeUnknown,
    /// The database refuses this very append (500). Nothing was written.
    #[error("the database refuses this change: {0}")]
    Rejected(Arc<sqlx::Error>),
    /// The answer or an event could not be turned into JSON or back (500).
    #[error("a value could not be encoded: {0}")]
    Encoding(#[from] serde_json::Error),
}

impl From<StoreError> for ExecuteError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Database(error) => Self::Unavailable(Arc::new(error)),
            StoreError::Undecodable(error) => Self::Undecodable(error),
        }
    }
}
