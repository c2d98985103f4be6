//! Bringing catalogues and collections in from files.
//!
//! An import reads everything first, decides in chunks of one append each, and tells what became of every
//! line. Running one again is safe, also after it was cut off: ids derive from what the file says.

pub mod backup;
pub mod catalogue;
pub(crate) mod kind;
pub mod mfc;
mod runner;

use domain::stream::Position;
use event_store::{ExecuteError, StoreError};

/// How far an import has come, after each chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Lines or rows done.
    pub done: usize,
    /// Lines or rows in all.
    pub total: usize,
}

/// Whether an import only tells what it would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Append.
    #[default]
    Append,
    /// Decide everything and append nothing.
    DryRun,
}

/// Why an import stopped. What it did before that stays; running it again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The log took no append.
    #[error("the import stopped: {0}; run it again to go on")]
    Execute(#[from] ExecuteError),
    /// The log could not be read.
    #[error("the import stopped: {0}; run it again to go on")]
    Store(#[from] StoreError),
    /// A table could not be read.
    #[error("the import stopped: the database is not available: {0}; run it again to go on")]
    Database(#[from] sqlx::Error),
}

/// The later of two positions.
fn later(a: Option<Position>, b: Option<Position>) -> Option<Position> {
    a.max(b)
}
