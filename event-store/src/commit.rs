//! One batch in one transaction: lock, look, judge, write, commit. And, when the connection is lost at the
//! commit, finding out what became of it.

use crate::append::{Append, AppendError, Appended};
use crate::crash_point;
use crate::subscribe::CHANNEL;
use chrono::{DateTime, Utc};
use domain::ids::{CommandId, EventId};
use domain::stream::{Position, Recorded, StreamId, Version};
use futures::TryFutureExt;
use sqlx::{Error, Executor, PgConnection, Row};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use thiserror::Error;
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

const LOOK: &str = "
    SELECT
        (SELECT position FROM events ORDER BY position DESC LIMIT 1),
        (SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1),
        clock_timestamp(),
        ARRAY(
            SELECT coalesce((SELECT e.sequence FROM events e
                             WHERE e.aggregate_type = s.type AND e.aggregate_id = s.id
                             ORDER BY e.sequence DESC LIMIT 1), 0)
            FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS s (type, id, n) ORDER BY s.n
        )";

const LOOK_FOR_RECORDS: &str = "
    SELECT r.actor, r.key FROM unnest($1::uuid[], $2::text[]) AS wanted (actor, key)
    JOIN command_records r ON r.actor = wanted.actor AND r.key = wanted.key";

const INSERT_EVENTS: &str = "
    INSERT INTO events (position, sequence, recorded_at, event_id, owner_id, aggregate_type, aggregate_id,
                        event_type, event_version, payload, metadata)
    SELECT e.position, e.sequence, $1, e.event_id, e.owner_id, e.aggregate_type, e.aggregate_id,
           e.event_type, e.event_version, e.payload::json, e.metadata::json
    FROM unnest($2::bigint[], $3::bigint[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[])
        AS e (position, sequence, event_id, owner_id, aggregate_type, aggregate_id, event_type,
              event_version, payload, metadata)";

const INSERT_RECORDS: &str = "
    INSERT INTO command_records (actor, command_id, position, created_at, key, command, request_hash, answer,
                                 versions)
    SELECT r.actor, r.command_id, r.position, $1, r.key, r.command, r.request_hash, r.answer::json,
           r.versions::json
    FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bytea[], $8::text[],
                $9::text[])
        AS r (actor, command_id, position, key, command, request_hash, answer, versions)";

/// Why a fold inside the append did not happen.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct FoldFailed(pub String);

/// Folds that run in the append's own transaction, after its events are inserted and before it commits.
#[async_trait::async_trait]
pub trait InlineFold: Send + Sync {
    /// Folds the events of a batch, which stand in the order of their positions. It runs in a savepoint of
    /// its own, under the append lock: whatever it does is undone when it fails, and the append goes on. It
    /// must not take seconds: everybody who appends waits.
    ///
    /// # Errors
    /// Whatever hinders it; it is logged.
    async fn fold(&self, connection: &mut PgConnection, events: &[Recorded]) -> Result<(), FoldFailed>;

    /// Told how the transaction of a batch ended: the position committed, or nothing. Also told when the
    /// batch failed before its events were folded.
    fn settled(&self, committed: Option<Position>) {
        let _ = committed;
    }
}

/// What is decided about one append of a batch.
#[derive(Debug, PartialEq)]
enum Verdict {
    Pass,
    Conflict(Vec<(StreamId, Version)>),
    KeyTaken,
}

/// Judges the appends of a batch in order: each sees what the ones before it write.
fn judge<'a>(
    appends: impl Iterator<Item = &'a Append>,
    mut versions: HashMap<&'a StreamId, Version>,
    mut taken: HashSet<(Uuid, String)>,
) -> Vec<Verdict> {
    appends
        .map(|append| {
            let key = append.record.as_ref().map(|r| (r.actor, r.key.clone()));
            if key.as_ref().is_some_and(|k| taken.contains(k)) {
                return Verdict::KeyTaken;
            }
            let outrun: Vec<_> = append
                .expected
                .iter()
                .filter_map(|(stream, expected)| {
                    let actual = versions.get(stream).copied().unwrap_or(Version::NONE);
                    (actual != *expected).then(|| (stream.clone(), actual))
                })
                .collect();
            if !outrun.is_empty() {
                return Verdict::Conflict(outrun);
            }
            for event in &append.events {
                if let Some((stream, version)) = versions.get_key_value(&event.stream) {
                    let (stream, version) = (*stream, version.next());
                    versions.insert(stream, version);
                }
            }
            taken.extend(key);
            Verdict::Pass
        })
        .collect()
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

struct Looked {
    head: Position,
    recorded_at: DateTime<Utc>,
}

/// A batch that is being written.
pub(crate) struct Batch<'a> {
    appends: Vec<&'a mut Append>,
    verdicts: Vec<Verdict>,
    head: Position,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(appends: Vec<&'a mut Append>) -> Self {
        Self { appends, verdicts: Vec::new(), head: Position(0) }
    }

    /// Writes the batch: judges every append and commits those that pass. May be called again after it
    /// failed, when nothing was written.
    pub(crate) async fn write(
        &mut self,
        connection: &mut PgConnection,
        fold: Option<&Arc<dyn InlineFold>>,
    ) -> Result<(), Broken> {
        simple(connection, BEGIN).await?;
        let looked = self.look(connection).await?;
        self.head = looked.head;
        let passing = || self.appends.iter().zip(&self.verdicts).filter(|(_, v)| **v == Verdict::Pass);
        if passing().next().is_none() {
            simple(connection, "ROLLBACK").await?;
            return Ok(());
        }

        let mut events = Vec::with_capacity(passing().map(|(a, _)| a.events.len()).sum());
        for (append, verdict) in self.appends.iter_mut().zip(&self.verdicts) {
            if *verdict != Verdict::Pass {
                continue;
            }
            for mut event in append.events.drain(..) {
                self.head = Position(self.head.0 + 1);
                event.position = self.head;
                event.recorded_at = looked.recorded_at;
                events.push(event);
            }
            append.position = self.head;
        }
        let written = self.put(connection, &events, &looked, fold).await;
        if let Some(fold) = fold
            && !events.is_empty()
            && !matches!(written, Err(Broken::AtCommit(..)))
        {
            fold.settled(written.is_ok().then_some(self.head));
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

    /// The head of the log and the judgement, by a snapshot taken under the lock.
    async fn look(&mut self, connection: &mut PgConnection) -> Result<Looked, Error> {
        let mut streams: Vec<&StreamId> =
            self.appends.iter().flat_map(|a| a.expected.iter().map(|(s, _)| s)).collect();
        streams.sort_unstable();
        streams.dedup();
        let types: Vec<&str> = streams.iter().map(|s| s.aggregate_type()).collect();
        let ids: Vec<String> = streams.iter().map(|s| s.aggregate_id()).collect();
        let row = sqlx::query(LOOK).bind(types).bind(ids).fetch_one(&mut *connection).await?;
        let head: Option<i64> = row.try_get(0)?;
        let last: Option<DateTime<Utc>> = row.try_get(1)?;
        let clock: DateTime<Utc> = row.try_get(2)?;
        let versions: Vec<i64> = row.try_get(3)?;
        let versions = streams.into_iter().zip(versions.into_iter().map(Version)).collect();

        let (actors, keys): (Vec<Uuid>, Vec<&str>) =
            self.appends.iter().filter_map(|a| a.record.as_ref()).map(|r| (r.actor, r.key.as_str())).unzip();
        let taken: HashSet<(Uuid, String)> = if keys.is_empty() {
            HashSet::new()
        } else {
            sqlx::query_as(LOOK_FOR_RECORDS)
                .bind(actors)
                .bind(keys)
                .fetch_all(connection)
                .await?
                .into_iter()
                .collect()
        };
        self.verdicts = judge(self.appends.iter().map(|a| &**a), versions, taken);
        Ok(Looked {
            head: Position(head.unwrap_or(0)),
            // One clock for all processes, and never back.
            recorded_at: last.map_or(clock, |last| last.max(clock)),
        })
    }

    async fn put(
        &self,
        connection: &mut PgConnection,
        events: &[Recorded],
        looked: &Looked,
        fold: Option<&Arc<dyn InlineFold>>,
    ) -> Result<(), Broken> {
        let passing: Vec<&Append> = self
            .appends
            .iter()
            .zip(&self.verdicts)
            .filter(|(_, verdict)| **verdict == Verdict::Pass)
            .map(|(append, _)| &**append)
            .collect();
        if !events.is_empty() {
            insert_events(connection, events, &passing, looked.recorded_at).await?;
        }
        insert_records(connection, &passing, looked.recorded_at).await?;
        if let Some(fold) = fold
            && !events.is_empty()
        {
            fold_inside(connection, events, fold.as_ref()).await?;
        }
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
        crash_point!("append.before_commit");
        let commit = match events.last() {
            Some(last) => format!("NOTIFY {CHANNEL}, '{}'; COMMIT", last.position),
            None => "COMMIT".to_owned(),
        };
        // Whatever error comes now, even one from the server, it may come after the commit took place.
        simple(connection, &commit).await.map_err(|e| Broken::AtCommit(e, proof))?;
        Ok(())
    }

    /// The newest position this batch knows of, once it is written.
    pub(crate) fn head(&self) -> Position {
        self.head
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
    connection.execute(sql).map_ok(drop)
}

async fn insert_events(
    connection: &mut PgConnection,
    events: &[Recorded],
    passing: &[&Append],
    recorded_at: DateTime<Utc>,
) -> Result<(), Error> {
    let metadata: Vec<&str> =
        passing.iter().flat_map(|a| std::iter::repeat_n(a.metadata.as_str(), a.payloads.len())).collect();
    let payloads: Vec<&str> = passing.iter().flat_map(|a| a.payloads.iter().map(String::as_str)).collect();
    sqlx::query(INSERT_EVENTS)
        .bind(recorded_at)
        .bind(events.iter().map(|e| e.position.0).collect::<Vec<_>>())
        .bind(events.iter().map(|e| e.version.0).collect::<Vec<_>>())
        .bind(events.iter().map(|e| e.event_id.uuid()).collect::<Vec<_>>())
        .bind(events.iter().map(|e| e.owner.map(|o| o.uuid())).collect::<Vec<_>>())
        .bind(events.iter().map(|e| e.stream.aggregate_type()).collect::<Vec<_>>())
        .bind(events.iter().map(|e| e.stream.aggregate_id()).collect::<Vec<_>>())
        .bind(events.iter().map(|e| e.event.event_type()).collect::<Vec<_>>())
        .bind(events.iter().map(|e| e.event.event_version()).collect::<Vec<_>>())
        .bind(payloads)
        .bind(metadata)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_records(
    connection: &mut PgConnection,
    passing: &[&Append],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let kept: Vec<_> = passing.iter().filter_map(|a| a.record.as_ref().map(|r| (*a, r))).collect();
    if kept.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT_RECORDS)
        .bind(now)
        .bind(kept.iter().map(|(_, r)| r.actor).collect::<Vec<_>>())
        .bind(kept.iter().map(|(a, _)| a.command_id.uuid()).collect::<Vec<_>>())
        .bind(kept.iter().map(|(a, _)| a.position.0).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, r)| r.key.as_str()).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, r)| r.command).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, r)| r.request_hash.as_slice()).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, r)| r.answer.as_str()).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, r)| r.versions.as_str()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn fold_inside(
    connection: &mut PgConnection,
    events: &[Recorded],
    fold: &dyn InlineFold,
) -> Result<(), Error> {
    simple(connection, "SAVEPOINT fold").await?;
    let folded = match fold.fold(connection, events).await {
        // Refused when the fold swallowed an error of the database: then it is undone as well.
        Ok(()) => simple(connection, "RELEASE SAVEPOINT fold").await.map_err(|e| FoldFailed(e.to_string())),
        Err(error) => Err(error),
    };
    if let Err(error) = folded {
        tracing::warn!(%error, "a fold inside the append failed; the append goes on without it");
        simple(connection, "ROLLBACK TO SAVEPOINT fold; RELEASE SAVEPOINT fold").await?;
    }
    Ok(())
}

/// Looks up whether a batch was committed, on a fresh connection. Taking the append lock first makes sure
/// that the transaction in question has ended: it held that lock until its end.
pub(crate) async fn was_committed(connection: &mut PgConnection, proof: &Proof) -> Result<bool, Error> {
    simple(connection, BEGIN).await?;
    let found: bool = match proof {
        Proof::Event(position, event_id) => {
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM events WHERE position = $1 AND event_id = $2)")
                .bind(position.0)
                .bind(event_id.uuid())
                .fetch_one(&mut *connection)
                .await?
        }
        Proof::Record(actor, key, command_id) => sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM command_records WHERE actor = $1 AND key = $2 AND command_id = $3)",
        )
        .bind(actor)
        .bind(key)
        .bind(command_id.uuid())
        .fetch_one(&mut *connection)
        .await?,
    };
    simple(connection, "ROLLBACK").await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::append::tests::{append, stream};

    fn judged(appends: &[Append], versions: &[(&StreamId, i64)]) -> Vec<Verdict> {
        let versions = versions.iter().map(|(s, v)| (*s, Version(*v))).collect();
        judge(appends.iter(), versions, HashSet::from([(Uuid::nil(), "used".to_owned())]))
    }

    #[test]
    fn the_lock_taken_is_the_one_that_is_announced() {
        assert!(BEGIN.ends_with(&format!("pg_advisory_xact_lock({APPEND_LOCK})")));
    }

    #[test]
    fn a_later_append_of_a_batch_sees_what_an_earlier_one_writes() {
        let s = stream(1);
        let appends = [append(&[(&s, 3, 2)], None), append(&[(&s, 3, 1)], None), append(&[(&s, 5, 1)], None)];
        assert_eq!(
            judged(&appends, &[(&s, 3)]),
            [Verdict::Pass, Verdict::Conflict(vec![(s.clone(), Version(5))]), Verdict::Pass]
        );
    }

    #[test]
    fn a_stream_that_was_only_read_is_checked_too() {
        let (read, written) = (stream(1), stream(2));
        let appends = [append(&[(&read, 1, 0), (&written, 0, 1)], None)];
        assert_eq!(
            judged(&appends, &[(&read, 2), (&written, 0)]),
            [Verdict::Conflict(vec![(read.clone(), Version(2))])]
        );
    }

    #[test]
    fn an_append_that_fails_leaves_nothing_behind_for_those_after_it() {
        let (a, b) = (stream(1), stream(2));
        let appends = [append(&[(&a, 9, 1), (&b, 0, 1)], Some("k")), append(&[(&b, 0, 1)], Some("k"))];
        let verdicts = judged(&appends, &[(&a, 1), (&b, 0)]);
        assert!(matches!(verdicts[..], [Verdict::Conflict(_), Verdict::Pass]));
    }

    #[test]
    fn of_two_appends_with_one_key_the_second_loses() {
        let (a, b) = (stream(1), stream(2));
        let appends = [
            append(&[(&a, 0, 1)], Some("k")),
            append(&[(&b, 0, 1)], Some("k")),
            append(&[(&b, 0, 1)], Some("used")),
        ];
        assert_eq!(
            judged(&appends, &[(&a, 0), (&b, 0)]),
            [Verdict::Pass, Verdict::KeyTaken, Verdict::KeyTaken]
        );
    }
}
