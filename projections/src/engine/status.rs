//! What people want to know of the read models.

use super::checkpoint::{self, State};
use super::handle::{EngineError, Projections};
use domain::stream::Position;
use serde::Serialize;

/// How one projection stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// The version of its tables. They are rebuilt when this release has a newer one.
    pub version: u32,
    /// The version of this release.
    pub release_version: u32,
    /// The last event in its tables.
    #[schema(value_type = i64)]
    pub position: Position,
    /// How many positions of the log are after it. Positions can be missing, so the events may be fewer.
    pub lag: i64,
    /// `running`, `paused` or `stopped`.
    #[schema(value_type = String)]
    pub state: State,
    /// Why it stopped, with the event.
    pub error: Option<String>,
    /// The event it stopped at.
    #[schema(value_type = Option<i64>)]
    pub failed_position: Option<Position>,
}

impl Projections {
    /// How every projection stands, in the order of their names.
    ///
    /// # Errors
    /// `Database`, `Log`.
    pub async fn status(&self) -> Result<Vec<Status>, EngineError> {
        let checkpoints = checkpoint::all(&mut *self.inner.pool.acquire().await?).await?;
        // After the checkpoints, so that no lag is negative.
        let head = self.inner.store.head().await?;
        let known = checkpoints.into_iter().filter_map(|row| {
            let definition = self.definition(&row.name).ok()?;
            Some(Status {
                name: row.name,
                version: row.version,
                release_version: definition.version,
                position: row.position,
                lag: head.0.saturating_sub(row.position.0).max(0),
                state: row.state,
                error: row.error,
                failed_position: row.failed_position,
            })
        });
        Ok(known.collect())
    }
}
