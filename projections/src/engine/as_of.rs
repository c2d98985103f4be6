//! Folding a part of the log apart from the live tables, by the same folds.

use super::checkpoint;
use super::fold::Fold;
use super::handle::{EngineError, Projections};
use super::log::Entry;
use super::projection::{Projection, Rows};
use event_store::EventStore;

/// The rows of one projection, folded in memory from whatever events it is given.
pub(crate) struct Apart<P: Projection>(Fold<Rows<P>>);

impl<P: Projection> Apart<P> {
    /// Folds the next events, those on record as skipped excepted.
    ///
    /// # Errors
    /// `Failed` at the first event that cannot be folded.
    pub fn run(&mut self, entries: &[Entry]) -> Result<(), EngineError> {
        self.0.run(entries).map_err(|(_, failure)| EngineError::Failed { projection: P::NAME, failure })
    }

    /// The rows as they are by now.
    pub fn rows(&self) -> &P::Rows {
        self.0.rows()
    }
}

impl Projections {
    /// Begins with no rows at all.
    ///
    /// # Errors
    /// `Database`.
    pub(crate) async fn apart<P: Projection>(&self) -> Result<Apart<P>, EngineError> {
        let skips = checkpoint::skips(&mut *self.inner.store.pool().acquire().await?, P::NAME).await?;
        Ok(Apart(Fold::whole_of(skips)))
    }

    /// The log that the read models are folded from.
    pub(crate) fn log(&self) -> &EventStore {
        &self.inner.store
    }
}
