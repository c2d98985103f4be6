//! Judging the appends of a batch: by what is remembered of their streams, or by a look.

use super::Batch;
use super::connection::answered;
use super::standing::look;
use crate::judge::{Verdict, judge};
use crate::memory::Memory;
use domain::stream::{StreamId, Version};
use sqlx::{Error, PgConnection};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

const LOOK_FOR_RECORDS: &str = "
    SELECT r.actor, r.key FROM unnest($1::uuid[], $2::text[]) AS wanted (actor, key)
    JOIN command_records r ON r.actor = wanted.actor AND r.key = wanted.key";

impl Batch<'_> {
    /// Judges the appends. Those streams are told whose versions nobody has looked at: the insertion has yet to prove
    /// them, and the head. `None` when everything was looked at.
    pub(super) async fn judge(
        &mut self,
        connection: &mut PgConnection,
        memory: &mut Memory,
    ) -> Result<Option<Vec<(StreamId, Version)>>, Error> {
        let taken = self.look_for_records(connection).await?;
        let mut expected: Vec<(&StreamId, Version)> =
            self.appends.iter().flat_map(|a| a.expected.iter().map(|(s, v)| (s, *v))).collect();
        // Where several of a batch write to one stream, the first to come saw the oldest.
        expected.sort_unstable();
        expected.dedup_by_key(|(stream, _)| *stream);
        let streams: Vec<&StreamId> = expected.iter().map(|(stream, _)| *stream).collect();
        if let Some(remembered) = memory.versions(&streams) {
            let mut unseen = Vec::new();
            let mut versions = HashMap::with_capacity(streams.len());
            for ((stream, expected), remembered) in expected.iter().copied().zip(remembered) {
                if remembered.is_none() {
                    unseen.push((stream.clone(), expected));
                }
                versions.insert(stream, remembered.unwrap_or(expected));
            }
            let verdicts = judge(self.appends.iter().map(|a| &**a), versions, taken.clone());
            // Only what is inserted proves what was believed, and only for those that pass.
            let conflict = verdicts.iter().any(|verdict| matches!(verdict, Verdict::Conflict(_)));
            let writes = self.appends.iter().zip(&verdicts);
            if !conflict && writes.into_iter().any(|(a, v)| *v == Verdict::Pass && !a.events.is_empty()) {
                self.verdicts = verdicts;
                return Ok(Some(unseen));
            }
        }
        let versions = look(connection, &streams, memory).await?;
        let versions = streams.into_iter().zip(versions).collect();
        self.verdicts = judge(self.appends.iter().map(|a| &**a), versions, taken);
        Ok(None)
    }

    async fn look_for_records(
        &self,
        connection: &mut PgConnection,
    ) -> Result<HashSet<(Uuid, String)>, Error> {
        let (actors, keys): (Vec<Uuid>, Vec<&str>) =
            self.appends.iter().filter_map(|a| a.record.as_ref()).map(|r| (r.actor, r.key.as_str())).unzip();
        if keys.is_empty() {
            return Ok(HashSet::new());
        }
        let looked = sqlx::query_as(LOOK_FOR_RECORDS).bind(actors).bind(keys).fetch_all(connection);
        let taken = answered(looked).await?;
        Ok(taken.into_iter().collect())
    }
}
