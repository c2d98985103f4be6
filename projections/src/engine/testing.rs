//! Folding without a database, for the tests of folds.

use super::projection::{FoldError, Projection, RowSet};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{CommandId, EventId, UserId};
use domain::stream::{Event, Metadata, Position, Recorded, StreamId, Version};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A projection's rows, all in memory, and the log they were folded from.
pub(crate) struct Folded<P: Projection> {
    pub(crate) rows: P::Rows,
    position: i64,
    versions: BTreeMap<StreamId, Version>,
}

impl<P: Projection> Folded<P> {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let mut rows = P::Rows::default();
        rows.tables().into_iter().for_each(|table| table.make_whole());
        Self { rows, position: 0, versions: BTreeMap::new() }
    }

    /// Records the event as the next one of its stream and folds it. Each event is a second after the one
    /// before it; the first is at [`Self::begun`].
    pub(crate) fn try_fold(
        &mut self,
        stream: StreamId,
        owner: Option<UserId>,
        event: Event,
    ) -> Result<Recorded, FoldError> {
        let recorded_at = Self::begun() + TimeDelta::seconds(self.position);
        self.position += 1;
        let version = self.versions.entry(stream.clone()).or_default();
        *version = version.next();
        let recorded = Recorded {
            position: Position(self.position),
            event_id: EventId(Uuid::from_u128(u128::from(self.position.unsigned_abs()))),
            stream,
            version: *version,
            owner,
            recorded_at,
            metadata: Metadata {
                actor: owner,
                command_id: CommandId(Uuid::nil()),
                correlation_id: None,
                causation_id: None,
            },
            event,
        };
        P::fold(&mut self.rows, &recorded)?;
        Ok(recorded)
    }

    /// As [`try_fold`](Self::try_fold), for events that must be accepted.
    pub(crate) fn fold(&mut self, stream: StreamId, owner: Option<UserId>, event: Event) -> Recorded {
        match self.try_fold(stream, owner, event) {
            Ok(recorded) => recorded,
            Err(error) => panic!("the event was not folded: {error}"),
        }
    }

    /// When the first event is recorded: 2026-01-01 12:00 UTC.
    pub(crate) fn begun() -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_268_800, 0).unwrap_or_default()
    }
}
