//! One batch in one transaction: lock, look, judge, write, commit. And, when the connection is lost at the
//! commit, finding out what became of it.
//!
//! The look is left out while the appender remembers where the head of the log is; the statement that inserts then
//! checks that it is still there, since nobody appends without moving it. Streams that the appender does not remember
//! are taken to be where those who write to them say, and the same statement checks that too.

use crate::append::{Append, AppendError, Appended, is_passing};
use crate::compound::{Compound, Ran};
use crate::judge::{Verdict, judge};
use crate::memory::Memory;
use crate::subscribe::CHANNEL;
use crate::{crash_point, stall_point};
use chrono::{DateTime, Utc};
use domain::ids::{CommandId, EventId};
use domain::stream::{Position, Recorded, StreamId, Version};
use futures::{FutureExt, TryFutureExt};
use sqlx::error::BoxDynError;
use sqlx::{Error, Executor, PgConnection, Row};
use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;
use uuid::Uuid;

macro_rules! append_lock {
    () => {
        7378413942531153927
    };
}

/// The advisory lock under which positions are given out, transaction-scoped. Whoever holds it knows that
/// nothing is appended meanwhile.
pub const APPEND_LOCK: i64 = append_lock!();

// Read committed whatever the server's default is: the look after the lock needs a snapshot of its own.
const BEGIN: &str =
    concat!("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(", append_lock!(), ")");

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

const LOOK_FOR_RECORDS: &str = "
    SELECT r.actor, r.key FROM unnest($1::uuid[], $2::text[]) AS wanted (actor, key)
    JOIN command_records r ON r.actor = wanted.actor AND r.key = wanted.key";

/// A connection that is silent for longer is taken for dead. A lock is waited for less long, and a commit whose
/// answer comes later is looked up, so a slow disk costs a look, never an outcome.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

const UNIQUE: [&str; 2] = ["events_pkey", "events_position_key"];

/// Why a fold inside the append did not happen.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct FoldFailed(pub String);

/// Folds whose writes are part of the append's own transaction.
#[async_trait::async_trait]
pub trait InlineFold: Send + Sync {
    /// Folds the events of a batch, which stand in the order of their positions and follow one another
    /// without a gap; nobody else appends before the batch is settled. It may read through the connection,
    /// which shows everything before these events, and adds what is to be written to the compound. It must
    /// not take seconds: everybody who appends waits.
    ///
    /// When a write fails or does not count as it should, the batch is written without the fold.
    ///
    /// # Errors
    /// Whatever hinders it; it is logged, and the batch is written without the fold.
    async fn fold(
        &self,
        connection: &mut PgConnection,
        events: &[Recorded],
        compound: &mut Compound,
    ) -> Result<(), FoldFailed>;

    /// What the notification of the batch tells other processes after the head, once it was folded.
    fn announces(&self) -> String {
        String::new()
    }

    /// Told once after each call of [`fold`](Self::fold) whether its writes were committed, before anybody is
    /// told of the events.
    fn settled(&self, committed: bool) {
        let _ = committed;
    }
}

/// What tells afterwards whether a batch was committed.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// This event stands at this position.
    Event(Position, EventId),
    /// This record is there.
    Record(Uuid, String, CommandId),
}

/// How far writing a batch came when it failed.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Before the commit was sent: nothing was written.
    Before(Error),
    /// At the commit: only the log knows.
    AtCommit(Error, Proof),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Before(error)
    }
}

/// How the log is believed to stand, without having looked.
struct Belief {
    head: Position,
    /// Those of the batch that nothing is remembered of.
    streams: Vec<(StreamId, Version)>,
}

impl Belief {
    /// Lets nothing be written unless it is so.
    fn prove(self, compound: &mut Compound) -> Result<(), BoxDynError> {
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

/// How an attempt to write a batch failed.
enum Failed {
    Broken(Broken),
    /// Somebody else has appended since; nothing was written.
    Outdated,
    /// The writes of the fold did not go through; nothing was written.
    Fold(String),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Broken(Broken::Before(error))
    }
}

/// A batch that is being written.
pub(crate) struct Batch<'a> {
    appends: Vec<&'a mut Append>,
    verdicts: Vec<Verdict>,
    head: Position,
    /// Whether the fold has been told of a batch whose end it does not know yet.
    folding: bool,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(appends: Vec<&'a mut Append>) -> Self {
        Self { appends, verdicts: Vec::new(), head: Position(0), folding: false }
    }

    /// Writes the batch: judges every append and commits those that pass. May be called again after it
    /// failed, when nothing was written.
    pub(crate) async fn write(
        &mut self,
        connection: &mut PgConnection,
        memory: &mut Memory,
        mut fold: Option<&Arc<dyn InlineFold>>,
    ) -> Result<(), Broken> {
        loop {
            match self.attempt(connection, memory, fold).await {
                Ok(()) => {
                    self.settle(fold, true);
                    return Ok(());
                }
                Err(failed) => {
                    memory.forget();
                    match failed {
                        // Whether it was committed is found out first.
                        Failed::Broken(broken @ Broken::AtCommit(..)) => return Err(broken),
                        Failed::Broken(broken) => {
                            self.settle(fold, false);
                            return Err(broken);
                        }
                        Failed::Outdated => {
                            self.settle(fold, false);
                            simple(connection, "ROLLBACK").await?;
                        }
                        Failed::Fold(error) => {
                            tracing::warn!(%error, "a fold inside the append failed; appending without it");
                            self.settle(fold, false);
                            simple(connection, "ROLLBACK").await?;
                            fold = None;
                        }
                    }
                }
            }
        }
    }

    /// Tells the fold what became of the batch, if it waits to hear.
    pub(crate) fn settle(&mut self, fold: Option<&Arc<dyn InlineFold>>, committed: bool) {
        if std::mem::take(&mut self.folding)
            && let Some(fold) = fold
        {
            fold.settled(committed);
        }
    }

    async fn attempt(
        &mut self,
        connection: &mut PgConnection,
        memory: &mut Memory,
        fold: Option<&Arc<dyn InlineFold>>,
    ) -> Result<(), Failed> {
        stall_point!("append.before_lock");
        simple(connection, BEGIN).await?;
        stall_point!("append.locked");
        let believed = self.judge(connection, memory).await?;
        self.head = memory.head();
        let believed = believed.map(|streams| Belief { head: self.head, streams });
        let passing = || self.appends.iter().zip(&self.verdicts).filter(|(_, v)| **v == Verdict::Pass);
        if passing().next().is_none() {
            simple(connection, "ROLLBACK").await?;
            return Ok(());
        }

        let recorded_at = memory.now();
        let mut events = Vec::with_capacity(passing().map(|(a, _)| a.events.len()).sum());
        for (append, verdict) in self.appends.iter_mut().zip(&self.verdicts) {
            if *verdict != Verdict::Pass {
                continue;
            }
            for mut event in append.events.drain(..) {
                self.head = Position(self.head.0 + 1);
                event.position = self.head;
                event.recorded_at = recorded_at;
                events.push(event);
            }
            append.position = self.head;
        }
        stall_point!("append.judged");
        let written = self.put(connection, &events, recorded_at, believed, fold).await;
        if written.is_ok() {
            memory.wrote(&events, recorded_at);
        }
        // Back to the appends they came from: for the answers, or for the next try.
        let mut events = events.into_iter();
        for (append, verdict) in self.appends.iter_mut().zip(&self.verdicts) {
            if *verdict == Verdict::Pass {
                append.events.extend(events.by_ref().take(append.payloads.len()));
            }
        }
        written
    }

    /// Judges the appends. Those streams are told whose versions nobody has looked at: the insertion has yet to prove
    /// them, and the head. `None` when everything was looked at.
    async fn judge(
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

    async fn put(
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
            Ok(Ran::Miscounted) => return Err(Failed::Fold("its checkpoints were moved".to_owned())),
            // What is inserted stands there already: others were here.
            Err(Error::Database(e))
                if is_believed && e.constraint().is_some_and(|name| UNIQUE.contains(&name)) =>
            {
                return Err(Failed::Outdated);
            }
            // The database refuses something; without the fold it is seen whether it was the fold's.
            Err(e @ Error::Database(_)) if self.folding && !is_passing(&e) => {
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

    /// The newest position this batch knows of, once it is written.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    /// How many events it wrote.
    pub(crate) fn events_written(&self) -> usize {
        let passed = self.appends.iter().zip(&self.verdicts).filter(|(_, v)| **v == Verdict::Pass);
        passed.map(|(append, _)| append.events.len()).sum()
    }

    /// Whether the batch wrote events.
    pub(crate) fn wrote_events(&self) -> bool {
        self.appends.iter().zip(&self.verdicts).any(|(a, v)| *v == Verdict::Pass && !a.events.is_empty())
    }

    /// What to answer to each append, in order. To be called once, after the batch was written.
    pub(crate) fn answers(self) -> Vec<Result<Appended, AppendError>> {
        self.appends
            .into_iter()
            .zip(self.verdicts)
            .map(|(append, verdict)| match verdict {
                Verdict::Pass => {
                    Ok(Appended { events: std::mem::take(&mut append.events), position: append.position })
                }
                Verdict::Conflict(outrun) => Err(AppendError::Conflict(outrun)),
                Verdict::KeyTaken => Err(AppendError::KeyTaken),
            })
            .collect()
    }
}

/// Runs statements by the simple protocol: several in one round trip.
pub(crate) fn simple<'a>(
    connection: &'a mut PgConnection,
    sql: &'a str,
) -> impl Future<Output = Result<(), Error>> + Send + 'a {
    // `raw_sql(..).execute(..)` makes futures whose `Send` the compiler cannot see.
    answered(connection.execute(sql).map_ok(drop))
}

/// Waits for the database, but not for ever: a network can swallow what is sent without a word.
async fn answered<T>(work: impl Future<Output = Result<T, Error>> + Send) -> Result<T, Error> {
    let answer = timeout(ANSWER_WITHIN, work).await;
    answer.unwrap_or_else(|silent| Err(Error::Io(std::io::Error::new(ErrorKind::TimedOut, silent))))
}

/// The head of the log and the versions of streams, by a snapshot taken under the lock.
async fn look(
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

/// Looks up whether a batch was committed, on a fresh connection. Taking the append lock first makes sure
/// that the transaction in question has ended: it held that lock until its end.
pub(crate) async fn was_committed(connection: &mut PgConnection, proof: &Proof) -> Result<bool, Error> {
    simple(connection, BEGIN).await?;
    let found: bool = match proof {
        Proof::Event(position, event_id) => {
            let sql = "SELECT EXISTS (SELECT FROM events WHERE position = $1 AND event_id = $2)";
            let asked = sqlx::query_scalar(sql).bind(position.0).bind(event_id.uuid());
            answered(asked.fetch_one(&mut *connection)).await?
        }
        Proof::Record(actor, key, command_id) => {
            let sql = "SELECT EXISTS (SELECT FROM command_records \
                       WHERE actor = $1 AND key = $2 AND command_id = $3)";
            let asked = sqlx::query_scalar(sql).bind(actor).bind(key).bind(command_id.uuid());
            answered(asked.fetch_one(&mut *connection)).await?
        }
    };
    simple(connection, "ROLLBACK").await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_taken_is_the_one_that_is_announced() {
        assert!(BEGIN.ends_with(&format!("pg_advisory_xact_lock({APPEND_LOCK})")));
    }
}
