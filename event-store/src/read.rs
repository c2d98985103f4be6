//! Reading the log: in its global order, and by stream.

use crate::error::{StoreError, Undecodable};
use crate::rows::{COLUMNS, decode, recorded, text};
use crate::store::EventStore;
use chrono::{DateTime, Utc};
use domain::ids::EventId;
use domain::stream::{Position, Recorded, StreamId, Version};
use domain::world::State;
use futures::{Stream, TryStreamExt};
use sqlx::{PgPool, Row};
use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Streams of up to this many events are folded from the start, without looking for a snapshot.
const SHORT: i64 = 100;

/// How many events a chunk of [`EventStore::stream_all`] holds, except the last.
const CHUNK: usize = 1_000;

/// How many events one query of [`EventStore::stream_all`] reads.
const PAGE: i64 = 10_000;

/// The log from some position on, in chunks, in position order. After an error nothing follows.
pub struct EventChunks(mpsc::Receiver<Result<Vec<Result<Recorded, Undecodable>>, StoreError>>);

impl Stream for EventChunks {
    type Item = Result<Vec<Result<Recorded, Undecodable>>, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

pub(crate) async fn head(pool: &PgPool) -> Result<Position, StoreError> {
    let head: Option<i64> = sqlx::query_scalar("SELECT position FROM events ORDER BY position DESC LIMIT 1")
        .fetch_optional(pool)
        .await?;
    Ok(Position(head.unwrap_or(0)))
}

/// Reads the log page by page: a page always follows the index, and no snapshot of the database is held for
/// minutes, which would keep it from cleaning up.
async fn feed(
    pool: &PgPool,
    mut after: Position,
    to: &mpsc::Sender<Result<Vec<Result<Recorded, Undecodable>>, StoreError>>,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE position > $1 ORDER BY position LIMIT $2");
    loop {
        let mut rows = sqlx::query(&sql).bind(after.0).bind(PAGE).fetch(pool);
        let mut read = 0;
        let mut chunk = Vec::with_capacity(CHUNK);
        while let Some(row) = rows.try_next().await? {
            let event = recorded(&row)?;
            after = event.as_ref().map_or_else(|e| e.position, |e| e.position);
            chunk.push(event);
            read += 1;
            if chunk.len() == CHUNK {
                let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
                if to.send(Ok(full)).await.is_err() {
                    return Ok(());
                }
            }
        }
        if !chunk.is_empty() && to.send(Ok(chunk)).await.is_err() {
            return Ok(());
        }
        if read < PAGE {
            return Ok(());
        }
    }
}

/// How far a fold came.
struct Folded {
    state: State,
    version: Version,
    last: Option<EventId>,
    /// How many events it took.
    count: i64,
}

impl EventStore {
    /// The newest position; 0 for an empty log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn head(&self) -> Result<Position, StoreError> {
        head(self.pool()).await
    }

    /// Up to `limit` events after a position, in position order. An event that cannot be read stands in its
    /// place as the reason why.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read_after(
        &self,
        after: Position,
        limit: u32,
    ) -> Result<Vec<Result<Recorded, Undecodable>>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM events WHERE position > $1 ORDER BY position LIMIT $2");
        let mut rows = sqlx::query(&sql).bind(after.0).bind(i64::from(limit)).fetch(self.pool());
        let mut events = Vec::new();
        while let Some(row) = rows.try_next().await? {
            events.push(recorded(&row)?);
        }
        Ok(events)
    }

    /// Every event after a position up to the head, in position order, in chunks that are read and decoded
    /// beside the caller. It ends where the log ends at that time. Memory is bounded to a few chunks.
    pub fn stream_all(&self, after: Position) -> EventChunks {
        let (sender, receiver) = mpsc::channel(3);
        let pool = self.pool().clone();
        tokio::spawn(async move {
            if let Err(error) = feed(&pool, after, &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        EventChunks(receiver)
    }

    /// Every event of a stream, in order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_stream(
        &self,
        stream: &StreamId,
    ) -> Result<Vec<Result<Recorded, Undecodable>>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 ORDER BY sequence"
        );
        let mut rows =
            sqlx::query(&sql).bind(stream.aggregate_type()).bind(stream.aggregate_id()).fetch(self.pool());
        let mut events = Vec::new();
        while let Some(row) = rows.try_next().await? {
            events.push(recorded(&row)?);
        }
        Ok(events)
    }

    /// The state of a stream at a version, or now; also the version it is at, which is lower when the stream
    /// is shorter, and `Version::NONE` when it does not exist. Always from the log, never from memory.
    ///
    /// # Errors
    /// When the database does not answer or an event on the way cannot be read.
    pub async fn state_at(
        &self,
        stream: &StreamId,
        at: Option<Version>,
    ) -> Result<(State, Version), StoreError> {
        match at {
            None => self.load(stream).await,
            Some(at) => {
                let snapshot = if at.0 > SHORT { self.find_snapshot(stream, Some(at)).await? } else { None };
                let (state, version) = snapshot.unwrap_or_else(|| (State::empty(stream), Version::NONE));
                let folded = self.fold(stream, state, version, Some(at.0 - version.0)).await?;
                Ok((folded.state, folded.version))
            }
        }
    }

    /// The current versions of streams, in the order asked; `Version::NONE` for one that does not exist.
    /// All are of one moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn versions(&self, streams: &[StreamId]) -> Result<Vec<Version>, StoreError> {
        let streams: Vec<&StreamId> = streams.iter().collect();
        Ok(self.standing(&streams).await?.into_iter().map(|(version, _)| version).collect())
    }

    /// The position of the last event recorded at or before a time; 0 when there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn position_at(&self, time: DateTime<Utc>) -> Result<Position, StoreError> {
        // Times never go back along the log, so halving finds it without an index on time.
        let (mut low, mut high) = (0, self.head().await?.0);
        while low < high {
            let middle = low + (high - low + 1) / 2;
            let (position, recorded_at): (i64, DateTime<Utc>) = sqlx::query_as(
                "SELECT position, recorded_at FROM events WHERE position >= $1 ORDER BY position LIMIT 1",
            )
            .bind(middle)
            .fetch_one(self.pool())
            .await?;
            if recorded_at <= time {
                low = position;
            } else {
                high = middle - 1;
            }
        }
        Ok(Position(low))
    }

    /// Versions and last positions of streams, all of one moment.
    pub(crate) async fn standing(
        &self,
        streams: &[&StreamId],
    ) -> Result<Vec<(Version, Position)>, StoreError> {
        let types: Vec<&str> = streams.iter().map(|s| s.aggregate_type()).collect();
        let ids: Vec<String> = streams.iter().map(|s| s.aggregate_id()).collect();
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT coalesce(e.sequence, 0), coalesce(e.position, 0)
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS s (type, id, n)
             LEFT JOIN LATERAL (
                 SELECT sequence, position FROM events
                 WHERE aggregate_type = s.type AND aggregate_id = s.id ORDER BY sequence DESC LIMIT 1
             ) e ON true
             ORDER BY s.n",
        )
        .bind(types)
        .bind(ids)
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().map(|(version, position)| (Version(version), Position(position))).collect())
    }

    /// The state of a stream now, from the log: short streams by folding them, long ones from a snapshot.
    pub(crate) async fn load(&self, stream: &StreamId) -> Result<(State, Version), StoreError> {
        let short = self.fold(stream, State::empty(stream), Version::NONE, Some(SHORT)).await?;
        if short.count < SHORT {
            return Ok((short.state, short.version));
        }
        let folded = match self.find_snapshot(stream, None).await? {
            Some((state, version)) if version > short.version => {
                self.fold(stream, state, version, None).await?
            }
            _ => self.fold(stream, short.state, short.version, None).await?,
        };
        if let Some(last) = folded.last
            && folded.count >= self.inner.snapshot_every
        {
            self.save_snapshot(stream.clone(), folded.state.clone(), folded.version, last);
        }
        Ok((folded.state, folded.version))
    }

    /// A state brought up to the stream's current version.
    pub(crate) async fn catch_up(
        &self,
        stream: &StreamId,
        state: State,
        version: Version,
    ) -> Result<(State, Version), StoreError> {
        let folded = self.fold(stream, state, version, None).await?;
        Ok((folded.state, folded.version))
    }

    /// The states of many streams with one query, long ones one by one.
    pub(crate) async fn load_together(
        &self,
        mut streams: Vec<StreamId>,
    ) -> Result<Vec<(StreamId, State, Version)>, StoreError> {
        streams.sort_unstable();
        streams.dedup();
        if streams.is_empty() {
            return Ok(Vec::new());
        }
        let types: Vec<&str> = streams.iter().map(|s| s.aggregate_type()).collect();
        let ids: Vec<String> = streams.iter().map(|s| s.aggregate_id()).collect();
        let mut rows = sqlx::query(
            "SELECT s.n, e.position, e.event_id, e.sequence, e.event_type, e.event_version, e.payload
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS s (type, id, n)
             CROSS JOIN LATERAL (
                 SELECT position, event_id, sequence, event_type, event_version, payload::text
                 FROM events WHERE aggregate_type = s.type AND aggregate_id = s.id
                 ORDER BY sequence LIMIT $3
             ) e
             ORDER BY s.n, e.sequence",
        )
        .bind(types)
        .bind(&ids)
        .bind(SHORT)
        .fetch(self.pool());
        let mut found: HashMap<i64, (State, Version)> = HashMap::new();
        while let Some(row) = rows.try_next().await? {
            let n: i64 = row.try_get(0)?;
            let Some(stream) = usize::try_from(n - 1).ok().and_then(|i| streams.get(i)) else { continue };
            let (state, version) = found.entry(n).or_insert_with(|| (State::empty(stream), Version::NONE));
            *version = apply(state, stream, &row, 1)?;
        }
        drop(rows);
        let mut loaded = Vec::with_capacity(streams.len());
        for (n, stream) in (1_i64..).zip(streams) {
            let (state, version) = match found.remove(&n) {
                Some((_, version)) if version.0 >= SHORT => self.load(&stream).await?,
                Some(short) => short,
                None => (State::empty(&stream), Version::NONE),
            };
            loaded.push((stream, state, version));
        }
        Ok(loaded)
    }

    async fn fold(
        &self,
        stream: &StreamId,
        mut state: State,
        mut version: Version,
        limit: Option<i64>,
    ) -> Result<Folded, StoreError> {
        let mut rows = sqlx::query(
            "SELECT position, event_id, sequence, event_type, event_version, payload::text FROM events
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 ORDER BY sequence LIMIT $4",
        )
        .bind(stream.aggregate_type())
        .bind(stream.aggregate_id())
        .bind(version.0)
        .bind(limit.map(|l| l.max(0)))
        .fetch(self.pool());
        let (mut count, mut last) = (0, None);
        while let Some(row) = rows.try_next().await? {
            version = apply(&mut state, stream, &row, 0)?;
            last = Some(EventId(row.try_get(1)?));
            count += 1;
        }
        Ok(Folded { state, version, last, count })
    }
}

/// Applies a row of `position, event_id, sequence, event_type, event_version, payload` that begins at a column.
fn apply(
    state: &mut State,
    stream: &StreamId,
    row: &sqlx::postgres::PgRow,
    from: usize,
) -> Result<Version, StoreError> {
    let version = Version(row.try_get(from + 2)?);
    let event_type: &str = row.try_get(from + 3)?;
    let event_version: &str = row.try_get(from + 4)?;
    let decoded = text(row, from + 5)?
        .and_then(|payload| decode(stream.aggregate_type(), event_type, event_version, payload));
    match decoded {
        Ok(event) => state.apply(&event),
        Err(reason) => {
            return Err(Undecodable {
                position: Position(row.try_get(from)?),
                event_id: EventId(row.try_get(from + 1)?),
                stream_type: stream.aggregate_type().into(),
                stream_id: stream.aggregate_id().into(),
                version,
                event_type: event_type.into(),
                reason: reason.into(),
            }
            .into());
        }
    }
    Ok(version)
}
