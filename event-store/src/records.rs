//! Command records: what was answered to a request with an idempotency key, kept in the transaction that
//! wrote its events (or, for a command that changed nothing, in one of its own). Refusals are not kept.

use crate::error::{ExecuteError, StoreError};
use crate::execute::{Executed, Idempotency};
use crate::store::EventStore;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::UserId;
use domain::stream::{Position, StreamId, Version};
use serde::de::DeserializeOwned;
use sqlx::Row;
use uuid::Uuid;

/// How long an answer is kept: until then, the same request with the same key gets it again.
pub const RECORDS_KEPT: TimeDelta = TimeDelta::hours(24);

/// The `actor` of a record: a user, or the nil UUID for the system itself.
pub(crate) fn actor_column(actor: Option<UserId>) -> Uuid {
    actor.map_or(Uuid::nil(), UserId::uuid)
}

pub(crate) fn versions_to_json(versions: &[(StreamId, Version)]) -> Result<String, serde_json::Error> {
    let rows: Vec<_> = versions.iter().map(|(s, v)| (s.aggregate_type(), s.aggregate_id(), v.0)).collect();
    serde_json::to_string(&rows)
}

fn versions_from_json(json: &str) -> Result<Vec<(StreamId, Version)>, serde_json::Error> {
    let rows: Vec<(String, String, i64)> = serde_json::from_str(json)?;
    rows.into_iter()
        .map(|(kind, id, version)| {
            StreamId::parse(&kind, &id).map(|s| (s, Version(version))).map_err(serde::de::Error::custom)
        })
        .collect()
}

impl EventStore {
    /// The answer that this key already got, if it did.
    pub(crate) async fn recorded_answer<A: DeserializeOwned>(
        &self,
        actor: Option<UserId>,
        idempotency: &Idempotency,
        command: &str,
    ) -> Result<Option<Executed<A>>, ExecuteError> {
        let row = sqlx::query(
            "SELECT request_hash, command, answer::text, versions::text, position \
             FROM command_records WHERE actor = $1 AND key = $2",
        )
        .bind(actor_column(actor))
        .bind(&idempotency.key)
        .fetch_optional(self.pool())
        .await
        .map_err(StoreError::from)?;
        let Some(row) = row else { return Ok(None) };
        let read = || {
            Ok::<_, sqlx::Error>((
                row.try_get::<&[u8], _>(0)?,
                row.try_get::<&str, _>(1)?,
                row.try_get::<&str, _>(2)?,
                row.try_get::<&str, _>(3)?,
                row.try_get::<i64, _>(4)?,
            ))
        };
        let (hash, name, answer, versions, position) = read().map_err(StoreError::from)?;
        if hash != idempotency.request_hash || name != command {
            return Err(ExecuteError::KeyReused);
        }
        Ok(Some(Executed {
            answer: serde_json::from_str(answer)?,
            position: Position(position),
            versions: versions_from_json(versions)?,
            events: Vec::new(),
            replayed: true,
        }))
    }

    /// Removes the records of commands before a time; a request repeated after that counts as new. Returns
    /// how many there were.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_records(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let gone = sqlx::query("DELETE FROM command_records WHERE created_at < $1")
            .bind(before)
            .execute(self.pool())
            .await?;
        Ok(gone.rows_affected())
    }
}
