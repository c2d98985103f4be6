//! Reading one person's part of the log, and the catalogue's streams that it names.

use crate::error::{StoreError, Undecodable};
use crate::rows::{COLUMNS, recorded};
use crate::store::EventStore;
use chrono::{DateTime, Utc};
use domain::ids::{PieceId, UserId};
use domain::stream::{Position, Recorded};
use futures::TryStreamExt;
use sqlx::Row;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;

/// Some of a person's events, and how many bytes of payload they take as text.
#[derive(Debug, Default)]
pub struct OwnPage {
    /// The events; one that cannot be read stands in its place as the reason why.
    pub events: Vec<Result<Recorded, Undecodable>>,
    /// What their payloads take.
    pub bytes: usize,
}

impl EventStore {
    /// How many events a person has up to a position, counted no further than `most`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_of(&self, owner: UserId, until: Position, most: i64) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM events WHERE owner_id = $1 AND position <= $2 LIMIT $3) AS e";
        let query = sqlx::query_scalar(sql).bind(owner.uuid()).bind(until.0).bind(most);
        Ok(query.fetch_one(self.pool()).await?)
    }

    /// Up to `limit` events of a person after one position and up to another, in position order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read_of(
        &self,
        owner: UserId,
        after: Position,
        until: Position,
        limit: i64,
    ) -> Result<OwnPage, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE owner_id = $1 AND position > $2 AND position <= $3 \
             ORDER BY position LIMIT $4"
        );
        let query = sqlx::query(&sql).bind(owner.uuid()).bind(after.0).bind(until.0).bind(limit);
        self.page(query).await
    }

    /// Up to `limit` events of a person before a position, the latest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn latest_of(
        &self,
        owner: UserId,
        before: Position,
        limit: i64,
    ) -> Result<OwnPage, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE owner_id = $1 AND position < $2 ORDER BY position DESC LIMIT $3"
        );
        let query = sqlx::query(&sql).bind(owner.uuid()).bind(before.0).bind(limit);
        self.page(query).await
    }

    /// The events that brought these pieces into a person's collection. It looks through all of the person's
    /// events: for pieces that no read model holds any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn additions_of(&self, owner: UserId, pieces: &[PieceId]) -> Result<OwnPage, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE owner_id = $1 AND event_type = 'collection.piece_added' \
             AND payload #>> '{{piece_added,piece_id}}' = ANY($2)"
        );
        let pieces: Vec<String> = pieces.iter().map(ToString::to_string).collect();
        self.page(sqlx::query(&sql).bind(owner.uuid()).bind(pieces)).await
    }

    /// The events of many streams of one aggregate type but for those of some event types, in no particular order,
    /// `most` at most.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_streams(
        &self,
        aggregate_type: &str,
        ids: &[String],
        without: &[&str],
        most: i64,
    ) -> Result<OwnPage, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE aggregate_type = $1 AND aggregate_id = ANY($2) \
             AND event_type <> ALL($3) LIMIT $4"
        );
        self.page(sqlx::query(&sql).bind(aggregate_type).bind(ids).bind(without).bind(most)).await
    }

    /// When the last event up to a position was recorded; none before the first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recorded_at(&self, position: Position) -> Result<Option<DateTime<Utc>>, StoreError> {
        let sql = "SELECT recorded_at FROM events WHERE position <= $1 ORDER BY position DESC LIMIT 1";
        Ok(sqlx::query_scalar(sql).bind(position.0).fetch_optional(self.pool()).await?)
    }

    async fn page(&self, query: Query<'_, Postgres, PgArguments>) -> Result<OwnPage, StoreError> {
        let mut page = OwnPage::default();
        let mut rows = query.fetch(self.pool());
        while let Some(row) = rows.try_next().await? {
            page.bytes =
                page.bytes.saturating_add(row.try_get_raw("payload")?.as_bytes().map_or(0, <[u8]>::len));
            page.events.push(recorded(&row)?);
        }
        Ok(page)
    }
}
