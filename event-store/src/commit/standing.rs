//! How the log stands: as a look under the lock tells, or as it is believed to and proved by what is inserted.

use super::connection::answered;
use crate::compound::Compound;
use crate::memory::Memory;
use chrono::{DateTime, Utc};
use domain::stream::{Position, StreamId, Version};
use sqlx::error::BoxDynError;
use sqlx::{Error, PgConnection, Row};
use std::sync::LazyLock;

const HEAD: &str = "SELECT position FROM events ORDER BY position DESC LIMIT 1";
/// Of the stream `s`.
const VERSION: &str = "SELECT e.sequence FROM events e WHERE e.aggregate_type = s.type AND e.aggregate_id = s.id \
     ORDER BY e.sequence DESC LIMIT 1";
static LOOK: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT ({HEAD}), (SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1), clock_timestamp(), \
             ARRAY(SELECT coalesce(({VERSION}), 0) \
                   FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS s (type, id, n) ORDER BY s.n)"
    )
});

/// The head of the log and the versions of streams, by a snapshot taken under the lock.
pub(super) async fn look(
    connection: &mut PgConnection,
    streams: &[&StreamId],
    memory: &mut Memory,
) -> Result<Vec<Version>, Error> {
    let types: Vec<&str> = streams.iter().map(|s| s.aggregate_type()).collect();
    let ids: Vec<String> = streams.iter().map(|s| s.aggregate_id()).collect();
    let row = answered(sqlx::query(&LOOK).bind(types).bind(ids).fetch_one(&mut *connection)).await?;
    let head: Option<i64> = row.try_get(0)?;
    let last: Option<DateTime<Utc>> = row.try_get(1)?;
    let versions: Vec<i64> = row.try_get(3)?;
    let versions: Vec<Version> = versions.into_iter().map(Version).collect();
    memory.looked(Position(head.unwrap_or(0)), last, row.try_get(2)?, streams.iter().copied().zip(&versions));
    Ok(versions)
}

/// How the log is believed to stand, without having looked.
pub(super) struct Belief {
    pub(super) head: Position,
    /// Those of the batch that nothing is remembered of.
    pub(super) streams: Vec<(StreamId, Version)>,
}

impl Belief {
    /// Lets nothing be written unless it is so.
    pub(super) fn prove(self, compound: &mut Compound) -> Result<(), BoxDynError> {
        let head = compound.bind(self.head.0)?;
        let mut premise = format!("coalesce(({HEAD}), 0) = {head}");
        if !self.streams.is_empty() {
            let types: Vec<&str> = self.streams.iter().map(|(s, _)| s.aggregate_type()).collect();
            let ids: Vec<String> = self.streams.iter().map(|(s, _)| s.aggregate_id()).collect();
            let versions: Vec<i64> = self.streams.iter().map(|(_, version)| version.0).collect();
            let (types, ids) = (compound.bind(types)?, compound.bind(ids)?);
            let versions = compound.bind(versions)?;
            premise.push_str(&format!(
                " AND NOT EXISTS (SELECT FROM unnest({types}, {ids}, {versions}) AS s (type, id, version) \
                 WHERE coalesce(({VERSION}), 0) <> s.version)"
            ));
        }
        compound.premise(premise);
        Ok(())
    }
}
