//! From rows to events.

use crate::error::Undecodable;
use chrono::{DateTime, Utc};
use domain::ids::{EventId, UserId};
use domain::stream::{Event, Position, Recorded, StreamId, Version};
use domain::upcast;
use sqlx::postgres::PgRow;
use sqlx::{Error, Row};
use uuid::Uuid;

/// What [`recorded`] reads, in its order.
pub(crate) const COLUMNS: &str = "position, event_id, aggregate_type, aggregate_id, sequence, event_type, \
     event_version, owner_id, recorded_at, metadata::text, payload::text";

/// The event of a row, or why it cannot be read. JSON goes as text straight into the types.
pub(crate) fn recorded(row: &PgRow) -> Result<Result<Recorded, Undecodable>, Error> {
    let aggregate_type: &str = row.try_get(2)?;
    let aggregate_id: &str = row.try_get(3)?;
    let event_type: &str = row.try_get(5)?;
    let position = Position(row.try_get(0)?);
    let event_id = EventId(row.try_get(1)?);
    let version = Version(row.try_get(4)?);
    let event_version: &str = row.try_get(6)?;
    let owner: Option<Uuid> = row.try_get(7)?;
    let recorded_at: DateTime<Utc> = row.try_get(8)?;
    let (metadata, payload) = (text(row, 9)?, text(row, 10)?);
    let undecodable = |reason: String| Undecodable {
        position,
        event_id,
        stream_type: aggregate_type.into(),
        stream_id: aggregate_id.into(),
        version,
        event_type: event_type.into(),
        reason: reason.into(),
    };
    let decoded = || {
        let stream = StreamId::parse(aggregate_type, aggregate_id).map_err(|e| e.to_string())?;
        let metadata = serde_json::from_str(metadata?).map_err(|e| format!("its metadata: {e}"))?;
        let event = decode(aggregate_type, event_type, event_version, payload?)?;
        Ok((stream, metadata, event))
    };
    Ok(match decoded() {
        Ok((stream, metadata, event)) => Ok(Recorded {
            position,
            event_id,
            stream,
            version,
            owner: owner.map(UserId),
            recorded_at,
            metadata,
            event,
        }),
        Err(reason) => Err(undecodable(reason)),
    })
}

/// A text as it came; PostgreSQL does not check again what it once took in, so a damaged one may be none.
pub(crate) fn text(row: &PgRow, column: usize) -> Result<Result<&str, String>, Error> {
    let bytes = row.try_get_raw(column)?.as_bytes().map_err(Error::Decode)?;
    Ok(std::str::from_utf8(bytes).map_err(|e| format!("it is not text any more: {e}")))
}

/// Reads a payload of a stream of that aggregate type.
pub(crate) fn decode(
    aggregate_type: &str,
    event_type: &str,
    event_version: &str,
    payload: &str,
) -> Result<Event, String> {
    let belongs = event_type.strip_prefix(aggregate_type).is_some_and(|rest| rest.starts_with('.'));
    if !belongs {
        return Err(format!("an event of this type does not belong into a {aggregate_type} stream"));
    }
    upcast::decode(event_type, event_version, payload).map_err(|e| e.to_string())
}
