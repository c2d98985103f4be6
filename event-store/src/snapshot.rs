//! States of long streams, saved beside the log so that loading one stays short. A snapshot is a help and
//! never a source: one of another shape, one that does not parse and one whose event the log does not hold
//! are passed over.

use crate::error::StoreError;
use crate::stall_point;
use crate::store::EventStore;
use domain::ids::EventId;
use domain::stream::{StreamId, Version};
use domain::world::State;
use std::sync::Arc;

impl EventStore {
    /// The newest usable snapshot of a stream, not beyond a version.
    pub(crate) async fn find_snapshot(
        &self,
        stream: &StreamId,
        most: Option<Version>,
    ) -> Result<Option<(State, Version)>, StoreError> {
        let found: Option<(i64, String)> = sqlx::query_as(
            "SELECT s.last_sequence, s.payload::text FROM snapshots s
             JOIN events e ON e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id
                          AND e.sequence = s.last_sequence AND e.event_id = s.event_id
             WHERE s.aggregate_type = $1 AND s.aggregate_id = $2 AND s.shape = $3
               AND ($4::bigint IS NULL OR s.last_sequence <= $4)",
        )
        .bind(stream.aggregate_type())
        .bind(stream.aggregate_id())
        .bind(State::SHAPE)
        .bind(most.map(|v| v.0))
        .fetch_optional(self.pool())
        .await?;
        let Some((version, payload)) = found else { return Ok(None) };
        let version = Version(version);
        match from_json(stream, &payload) {
            Ok(state) if own_version(&state).is_none_or(|own| own == version) => Ok(Some((state, version))),
            Ok(_) => {
                tracing::warn!(%stream, "a snapshot is at another version than it says; ignored");
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(%stream, %error, "a snapshot cannot be read; ignored");
                Ok(None)
            }
        }
    }

    /// Saves a state in the background. Whether it works out is of no consequence; when one is being saved
    /// already, this one is left out.
    pub(crate) fn save_snapshot(&self, stream: StreamId, state: State, version: Version, last: EventId) {
        let Ok(turn) = self.inner.snapshot_turn.clone().try_acquire_owned() else { return };
        let pool = self.pool().clone();
        tokio::spawn(async move {
            let _turn = turn;
            stall_point!("snapshot.before_encode");
            let Ok(Ok(payload)) = tokio::task::spawn_blocking(move || to_json(&state)).await else { return };
            stall_point!("snapshot.before_save");
            let saved = sqlx::query(
                // Whoever erases the person meanwhile waits for this row's lock, and deletes the snapshot then.
                "WITH last AS (
                     SELECT FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3
                        AND event_id = $5 AND event_type <> $1 || '.erased'
                     FOR SHARE
                 )
                 INSERT INTO snapshots AS s
                     (aggregate_type, aggregate_id, last_sequence, shape, event_id, payload)
                 SELECT $1, $2, $3, $4, $5, $6::json FROM last
                 ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE
                 SET last_sequence = excluded.last_sequence, current_snapshot = s.current_snapshot + 1,
                     shape = excluded.shape, event_id = excluded.event_id, taken_at = now(),
                     payload = excluded.payload
                 WHERE s.last_sequence < excluded.last_sequence OR s.shape <> excluded.shape",
            )
            .bind(stream.aggregate_type())
            .bind(stream.aggregate_id())
            .bind(version.0)
            .bind(State::SHAPE)
            .bind(last.uuid())
            .bind(payload)
            .execute(&pool)
            .await;
            if let Err(error) = saved {
                tracing::debug!(%stream, %error, "a snapshot was not saved");
            }
        });
    }
}

/// The bare aggregate, as postgres-es keeps it too.
fn to_json(state: &State) -> Result<String, serde_json::Error> {
    match state {
        State::Collection(s) => serde_json::to_string(&**s),
        State::Preorder(s) => serde_json::to_string(&**s),
        State::Figure(s) => serde_json::to_string(&**s),
        State::Entity(s) => serde_json::to_string(&**s),
        State::Claim(s) => serde_json::to_string(&**s),
    }
}

fn from_json(stream: &StreamId, json: &str) -> Result<State, serde_json::Error> {
    Ok(match stream {
        StreamId::Collection(_) => State::Collection(Arc::new(serde_json::from_str(json)?)),
        StreamId::Preorder(_) => State::Preorder(Arc::new(serde_json::from_str(json)?)),
        StreamId::Figure(_) => State::Figure(Arc::new(serde_json::from_str(json)?)),
        StreamId::Entity(_) => State::Entity(Arc::new(serde_json::from_str(json)?)),
        StreamId::Claim(_) => State::Claim(Arc::new(serde_json::from_str(json)?)),
    })
}

/// The number of events that a state itself counted, where it does.
fn own_version(state: &State) -> Option<Version> {
    match state {
        State::Collection(s) => Some(s.version),
        State::Preorder(s) => Some(s.version),
        State::Figure(s) => Some(s.version),
        State::Entity(s) => Some(s.version),
        State::Claim(_) => None,
    }
}
