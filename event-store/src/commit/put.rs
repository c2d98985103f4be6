//! Putting what passed into the log: one statement with events, records and what the fold writes, and the commit.

use super::connection::{ANSWER_WITHIN, answered, simple};
use super::inline_fold::{FoldFailed, InlineFold};
use super::outcome::{Broken, Proof};
use super::standing::Belief;
use super::{Batch, Failed};
use crate::append::{Append, is_about_locks, is_passing};
use crate::compound::{Compound, Ran};
use crate::crash_point;
use crate::judge::Verdict;
use crate::subscribe::CHANNEL;
use chrono::{DateTime, Utc};
use domain::stream::Recorded;
use futures::FutureExt;
use sqlx::error::BoxDynError;
use sqlx::{Error, PgConnection};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::time::timeout;

const UNIQUE: [&str; 2] = ["events_pkey", "events_position_key"];

impl Batch<'_> {
    pub(super) async fn put(
        &mut self,
        connection: &mut PgConnection,
        events: &[Recorded],
        recorded_at: DateTime<Utc>,
        believed: Option<Belief>,
        fold: Option<&Arc<dyn InlineFold>>,
    ) -> Result<(), Failed> {
        let mut compound = Compound::default();
        if let Some(fold) = fold
            && !events.is_empty()
        {
            self.folding = true;
            // Whatever a fold does, the appending goes on.
            let folding = AssertUnwindSafe(fold.fold(connection, events, &mut compound)).catch_unwind();
            let folded = match timeout(ANSWER_WITHIN, folding).await {
                Ok(Ok(folded)) => folded,
                Ok(Err(_panic)) => Err(FoldFailed("it panicked".to_owned())),
                Err(silent) => Err(FoldFailed(silent.to_string())),
            };
            folded.map_err(|error| Failed::Fold(error.to_string()))?;
        }
        let passing: Vec<&Append> = self
            .appends
            .iter()
            .zip(&self.verdicts)
            .filter(|(_, verdict)| **verdict == Verdict::Pass)
            .map(|(append, _)| &**append)
            .collect();
        if !events.is_empty() {
            insert_events(&mut compound, events, &passing, recorded_at).map_err(Error::Encode)?;
        }
        insert_records(&mut compound, &passing, recorded_at).map_err(Error::Encode)?;
        let proof = match events.first() {
            Some(first) => Proof::Event(first.position, first.event_id),
            None => match passing.iter().find_map(|a| a.record.as_ref().map(|r| (a, r))) {
                Some((append, r)) => Proof::Record(r.actor, r.key.clone(), append.command_id),
                // Nothing to write and nothing to keep: losing the commit loses nothing.
                None => {
                    simple(connection, "ROLLBACK").await?;
                    return Ok(());
                }
            },
        };
        let is_believed = believed.is_some();
        if let Some(belief) = believed {
            belief.prove(&mut compound).map_err(Error::Encode)?;
        }
        match answered(compound.run(connection)).await {
            Ok(Ran::Done) => {}
            Ok(Ran::Otherwise) => return Err(Failed::Outdated),
            Ok(Ran::Miscounted) => return Err(Failed::Moved),
            // What is inserted stands there already: others were here.
            Err(Error::Database(e))
                if is_believed && e.constraint().is_some_and(|name| UNIQUE.contains(&name)) =>
            {
                return Err(Failed::Outdated);
            }
            // The database refuses something, or somebody has a lock: without the fold it is seen whether it was the
            // fold's. Nobody who locks a read model keeps anybody from appending.
            Err(e @ Error::Database(_)) if self.folding && (!is_passing(&e) || is_about_locks(&e)) => {
                return Err(Failed::Fold(e.to_string()));
            }
            Err(e) => return Err(e.into()),
        }
        crash_point!("append.before_commit");
        let commit = match events.last() {
            Some(last) => {
                let folded = if self.folding { fold.map(|fold| fold.announces()) } else { None };
                let told = format!("{} {}", last.position, folded.unwrap_or_default()).replace('\'', "''");
                format!("NOTIFY {CHANNEL}, '{}'; COMMIT", told.trim_end())
            }
            None => "COMMIT".to_owned(),
        };
        // Whatever error comes now, even one from the server, it may come after the commit took place.
        let committed = simple(connection, &commit).await;
        committed.map_err(|e| Failed::Broken(Broken::AtCommit(e, proof)))
    }
}

fn insert_events(
    to: &mut Compound,
    events: &[Recorded],
    passing: &[&Append],
    recorded_at: DateTime<Utc>,
) -> Result<(), BoxDynError> {
    let metadata: Vec<&str> =
        passing.iter().flat_map(|a| std::iter::repeat_n(a.metadata.as_str(), a.payloads.len())).collect();
    let payloads: Vec<&str> = passing.iter().flat_map(|a| a.payloads.iter().map(String::as_str)).collect();
    let at = to.bind(recorded_at)?;
    let columns = [
        to.bind(events.iter().map(|e| e.position.0).collect::<Vec<_>>())?,
        to.bind(events.iter().map(|e| e.version.0).collect::<Vec<_>>())?,
        to.bind(events.iter().map(|e| e.event_id.uuid()).collect::<Vec<_>>())?,
        to.bind(events.iter().map(|e| e.owner.map(|o| o.uuid())).collect::<Vec<_>>())?,
        to.bind(events.iter().map(|e| e.stream.aggregate_type()).collect::<Vec<_>>())?,
        to.bind(events.iter().map(|e| e.stream.aggregate_id()).collect::<Vec<_>>())?,
        to.bind(events.iter().map(|e| e.event.event_type()).collect::<Vec<_>>())?,
        to.bind(events.iter().map(|e| e.event.event_version()).collect::<Vec<_>>())?,
        to.bind(payloads)?,
        to.bind(metadata)?,
    ];
    to.part(format!(
        "INSERT INTO events (position, sequence, recorded_at, event_id, owner_id, aggregate_type, \
         aggregate_id, event_type, event_version, payload, metadata) \
         SELECT e.position, e.sequence, {at}, e.event_id, e.owner_id, e.aggregate_type, e.aggregate_id, \
         e.event_type, e.event_version, e.payload::json, e.metadata::json \
         FROM unnest({}) AS e (position, sequence, event_id, owner_id, aggregate_type, aggregate_id, \
         event_type, event_version, payload, metadata)",
        columns.join(", ")
    ));
    Ok(())
}

fn insert_records(to: &mut Compound, passing: &[&Append], now: DateTime<Utc>) -> Result<(), BoxDynError> {
    let kept: Vec<_> = passing.iter().filter_map(|a| a.record.as_ref().map(|r| (*a, r))).collect();
    if kept.is_empty() {
        return Ok(());
    }
    let at = to.bind(now)?;
    let columns = [
        to.bind(kept.iter().map(|(_, r)| r.actor).collect::<Vec<_>>())?,
        to.bind(kept.iter().map(|(a, _)| a.command_id.uuid()).collect::<Vec<_>>())?,
        to.bind(kept.iter().map(|(a, _)| a.position.0).collect::<Vec<_>>())?,
        to.bind(kept.iter().map(|(_, r)| r.key.as_str()).collect::<Vec<_>>())?,
        to.bind(kept.iter().map(|(_, r)| r.command).collect::<Vec<_>>())?,
        to.bind(kept.iter().map(|(_, r)| r.request_hash.as_slice()).collect::<Vec<_>>())?,
        to.bind(kept.iter().map(|(_, r)| r.answer.as_str()).collect::<Vec<_>>())?,
        to.bind(kept.iter().map(|(_, r)| r.versions.as_str()).collect::<Vec<_>>())?,
    ];
    to.part(format!(
        "INSERT INTO command_records (actor, command_id, position, created_at, key, command, request_hash, \
         answer, versions) \
         SELECT r.actor, r.command_id, r.position, {at}, r.key, r.command, r.request_hash, r.answer::json, \
         r.versions::json \
         FROM unnest({}) AS r (actor, command_id, position, key, command, request_hash, answer, versions)",
        columns.join(", ")
    ));
    Ok(())
}
