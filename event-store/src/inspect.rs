//! Looking at the raw log: for operators, and for events that nothing can read.

use crate::error::StoreError;
use crate::rows;
use crate::store::EventStore;
use chrono::{DateTime, Utc};
use domain::ids::{EventId, UserId};
use domain::stream::{Position, StreamId, Version};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{QueryBuilder, Row};
use uuid::Uuid;

/// Which events to show; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those after this position.
    pub after: Position,
    /// Of streams of this aggregate type.
    pub stream_type: Option<String>,
    /// Of streams with this aggregate id.
    pub stream_id: Option<String>,
    /// Of this event type, such as `collection.piece_added`.
    pub event_type: Option<String>,
    /// Caused by this user.
    pub actor: Option<UserId>,
    /// Recorded at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Recorded at this time or earlier.
    pub until: Option<DateTime<Utc>>,
}

/// An event as it is stored, whether or not this release can read it.
#[derive(Debug, Clone, Serialize)]
pub struct RawEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its id.
    pub event_id: EventId,
    /// Its aggregate type.
    pub stream_type: String,
    /// Its aggregate id.
    pub stream_id: String,
    /// Its number within the stream.
    pub version: Version,
    /// Its type.
    pub event_type: String,
    /// The version of its shape.
    pub event_version: String,
    /// The user whose data it is.
    pub owner_id: Option<UserId>,
    /// When it was recorded, UTC.
    pub recorded_at: DateTime<Utc>,
    /// The payload; a JSON string of it when what is stored is no JSON.
    pub payload: Box<RawValue>,
    /// The metadata; a JSON string of it when what is stored is no JSON.
    pub metadata: Box<RawValue>,
    /// Why this release cannot read it, when it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecodable: Option<String>,
}

/// How much the log holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogCounts {
    /// The newest position; 0 for an empty log.
    pub head: Position,
    /// Events.
    pub events: i64,
    /// Streams.
    pub streams: i64,
    /// Events of each type, the most frequent first.
    pub by_type: Vec<(String, i64)>,
    /// Streams of each aggregate type, in alphabetical order.
    pub streams_by_type: Vec<(String, i64)>,
    /// What the table and its indexes take on disk.
    pub bytes: i64,
    /// When the first one was recorded, UTC.
    pub first_recorded_at: Option<DateTime<Utc>>,
    /// When the newest one was recorded, UTC.
    pub last_recorded_at: Option<DateTime<Utc>>,
}

impl EventStore {
    /// Up to `limit` events that pass the filter, in position order, as they are stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn inspect(&self, filter: &EventFilter, limit: u32) -> Result<Vec<RawEvent>, StoreError> {
        let mut after = filter.after;
        if let Some(since) = filter.since {
            // One microsecond, the unit of the log, before it: what was recorded at that very time counts.
            let before = since - chrono::TimeDelta::microseconds(1);
            after = after.max(self.position_at(before).await?);
        }
        let mut query = QueryBuilder::new("SELECT ");
        query.push(rows::COLUMNS).push(" FROM events WHERE position > ").push_bind(after.0);
        if let Some(until) = filter.until {
            query.push(" AND position <= ").push_bind(self.position_at(until).await?.0);
        }
        for (column, wanted) in [
            ("aggregate_type", &filter.stream_type),
            ("aggregate_id", &filter.stream_id),
            ("event_type", &filter.event_type),
        ] {
            // A NUL is in no stored text, and PostgreSQL takes none as a parameter.
            if let Some(wanted) = wanted.as_deref() {
                if wanted.contains('\0') {
                    return Ok(Vec::new());
                }
                query.push(format!(" AND {column} = ")).push_bind(wanted);
            }
        }
        if let Some(actor) = filter.actor {
            query.push(" AND metadata->>'actor' = ").push_bind(actor.to_string());
        }
        query.push(" ORDER BY position LIMIT ").push_bind(i64::from(limit));
        let found = query.build().fetch_all(self.pool()).await?;
        found.iter().map(|row| raw(row).map_err(StoreError::from)).collect()
    }

    /// Up to `limit` events of a stream after a version, in their order, as they are stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn inspect_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: u32,
    ) -> Result<Vec<RawEvent>, StoreError> {
        let sql = format!(
            "SELECT {} FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 \
             ORDER BY sequence LIMIT $4",
            rows::COLUMNS
        );
        let found = sqlx::query(&sql)
            .bind(stream.aggregate_type())
            .bind(stream.aggregate_id())
            .bind(after.0)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?;
        found.iter().map(|row| raw(row).map_err(StoreError::from)).collect()
    }

    /// For how many seconds the first event after a position has been in the log; 0 when there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn waiting_after(&self, position: Position) -> Result<i64, StoreError> {
        let seconds: Option<i64> = sqlx::query_scalar(
            "SELECT greatest(extract(epoch FROM clock_timestamp() - recorded_at), 0)::bigint
             FROM events WHERE position > $1 ORDER BY position LIMIT 1",
        )
        .bind(position.0)
        .fetch_optional(self.pool())
        .await?;
        Ok(seconds.unwrap_or(0))
    }

    /// Counts the log. It reads all of it: seconds for tens of millions of events.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn counts(&self) -> Result<LogCounts, StoreError> {
        let row = sqlx::query(
            "SELECT coalesce(max(position), 0), count(*), count(*) FILTER (WHERE sequence = 1),
                    min(recorded_at), max(recorded_at), pg_total_relation_size('events')
             FROM events",
        )
        .fetch_one(self.pool())
        .await?;
        let by_type = sqlx::query_as("SELECT event_type, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC, 1")
            .fetch_all(self.pool())
            .await?;
        let streams_by_type = sqlx::query_as(
            "SELECT aggregate_type, count(*) FROM events WHERE sequence = 1 GROUP BY 1 ORDER BY 1",
        )
        .fetch_all(self.pool())
        .await?;
        Ok(LogCounts {
            head: Position(row.try_get(0)?),
            events: row.try_get(1)?,
            streams: row.try_get(2)?,
            by_type,
            streams_by_type,
            bytes: row.try_get(5)?,
            first_recorded_at: row.try_get(3)?,
            last_recorded_at: row.try_get(4)?,
        })
    }
}

fn raw(row: &PgRow) -> Result<RawEvent, sqlx::Error> {
    Ok(RawEvent {
        position: Position(row.try_get(0)?),
        event_id: EventId(row.try_get(1)?),
        stream_type: row.try_get(2)?,
        stream_id: row.try_get(3)?,
        version: Version(row.try_get(4)?),
        event_type: row.try_get(5)?,
        event_version: row.try_get(6)?,
        owner_id: row.try_get::<Option<Uuid>, _>(7)?.map(UserId),
        recorded_at: row.try_get(8)?,
        metadata: json(row, 9)?,
        payload: json(row, 10)?,
        undecodable: rows::recorded(row)?.err().map(|e| e.reason.into()),
    })
}

fn json(row: &PgRow, column: usize) -> Result<Box<RawValue>, sqlx::Error> {
    let bytes = row.try_get_raw(column)?.as_bytes().map_err(sqlx::Error::Decode)?;
    let text = String::from_utf8_lossy(bytes);
    Ok(RawValue::from_string(text.clone().into_owned())
        .or_else(|_| serde_json::value::to_raw_value(&text))
        .unwrap_or_else(|_| RawValue::NULL.to_owned()))
}
