//! Folds that are told of a batch while it is written, and write with it.

use crate::compound::Compound;
use domain::stream::Recorded;
use sqlx::PgConnection;
use thiserror::Error;

/// Why a fold inside the append did not happen.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct FoldFailed(pub String);

/// Folds whose writes are part of the append's own transaction.
#[async_trait::async_trait]
pub trait InlineFold: Send + Sync {
    /// Folds the events of a batch, which stand in the order of their positions and follow one another
    /// without a gap; nobody else appends before the batch is settled. It may read through the connection,
    /// which shows everything before these events, and adds what is to be written to the compound. It must
    /// not take seconds: everybody who appends waits.
    ///
    /// When a write fails or does not count as it should, the batch is written without the fold.
    ///
    /// # Errors
    /// Whatever hinders it; it is logged, and the batch is written without the fold.
    async fn fold(
        &self,
        connection: &mut PgConnection,
        events: &[Recorded],
        compound: &mut Compound,
    ) -> Result<(), FoldFailed>;

    /// What the notification of the batch tells other processes after the head, once it was folded.
    fn announces(&self) -> String {
        String::new()
    }

    /// Told once after each call of [`fold`](Self::fold) whether its writes were committed, before anybody is
    /// told of the events.
    fn settled(&self, committed: bool) {
        let _ = committed;
    }
}
