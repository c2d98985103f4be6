//! What people want to know of the read models.

use super::checkpoint::{self, State};
use super::handle::{EngineError, Projections};
use super::rebuilds::{self, Rebuild};
use chrono::{DateTime, Utc};
use domain::stream::Position;
use serde::Serialize;

/// What a projection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its tables hold everything.
    Live,
    /// It folds what is new.
    CatchingUp,
    /// Some process rebuilds it; the live tables follow the log meanwhile.
    Rebuilding,
    /// A person halted it.
    Paused,
    /// It met an event that it cannot fold.
    Stopped,
}

impl Phase {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::CatchingUp => "catching up",
            Self::Rebuilding => "rebuilding",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

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
    /// For how many seconds the next event has waited to be folded; 0 when there is none.
    pub lag_seconds: i64,
    /// What it is at.
    pub phase: Phase,
    /// `running`, `paused` or `stopped`.
    #[schema(value_type = String)]
    pub state: State,
    /// Why it stopped, with the event; of a running one, what keeps it from folding at the moment.
    pub error: Option<String>,
    /// The event it stopped at.
    #[schema(value_type = Option<i64>)]
    pub failed_position: Option<Position>,
    /// Its latest rebuild, whichever process is or was at it.
    pub rebuild: Option<Rebuild>,
}

/// An event that a projection passes over for good, also when it is rebuilt or verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Skip {
    /// The projection.
    pub projection: String,
    /// The event.
    #[schema(value_type = i64)]
    pub position: Position,
    /// Why.
    pub reason: String,
    /// Who decided it: an account's id, or the command line.
    pub skipped_by: String,
    /// When, UTC.
    pub skipped_at: DateTime<Utc>,
}

impl Projections {
    /// How every projection stands, in the order of their names.
    ///
    /// # Errors
    /// `Database`, `Log`.
    pub async fn status(&self) -> Result<Vec<Status>, EngineError> {
        let mut connection = self.inner.pool.acquire().await?;
        let mut latest = rebuilds::all(&mut connection).await?;
        let checkpoints = checkpoint::all(&mut connection).await?;
        drop(connection);
        // After the checkpoints, so that no lag is negative.
        let head = self.inner.store.head().await?;
        let mut known = Vec::new();
        for row in checkpoints {
            let Ok(definition) = self.definition(&row.name) else { continue };
            let lag_seconds =
                if row.position < head { self.inner.store.waiting_after(row.position).await? } else { 0 };
            let rebuild = latest.remove(&row.name);
            let phase = match row.state {
                State::Paused => Phase::Paused,
                State::Stopped => Phase::Stopped,
                State::Running if rebuild.as_ref().is_some_and(Rebuild::is_running) => Phase::Rebuilding,
                State::Running if row.position < head => Phase::CatchingUp,
                State::Running => Phase::Live,
            };
            known.push(Status {
                phase,
                rebuild,
                name: row.name,
                version: row.version,
                release_version: definition.version,
                position: row.position,
                lag: head.0.saturating_sub(row.position.0).max(0),
                lag_seconds,
                state: row.state,
                error: row.error,
                failed_position: row.failed_position,
            });
        }
        Ok(known)
    }

    /// The events that projections pass over, oldest first.
    ///
    /// # Errors
    /// `Database`.
    pub async fn skips(&self) -> Result<Vec<Skip>, EngineError> {
        let rows: Vec<(String, i64, String, String, DateTime<Utc>)> = sqlx::query_as(
            "SELECT projection, position, reason, skipped_by, skipped_at FROM projection_skips \
             ORDER BY position, projection",
        )
        .fetch_all(&self.inner.pool)
        .await?;
        let skip = |(projection, position, reason, skipped_by, skipped_at)| Skip {
            projection,
            position: Position(position),
            reason,
            skipped_by,
            skipped_at,
        };
        Ok(rows.into_iter().map(skip).collect())
    }
}
