//! The figures on somebody's shelves.

use super::HERE;
use crate::figures::summary::FigureSummary;
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use uuid::Uuid;

/// A figure that somebody has.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// The figure.
    pub figure: FigureSummary,
    /// How many pieces of it.
    pub pieces: i64,
    added: DateTime<Utc>,
}

/// Where a page of [`shelf`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardKey {
    added: DateTime<Utc>,
    figure: Uuid,
}

impl Card {
    /// Where it stands in [`shelf`].
    #[must_use]
    pub const fn key(&self) -> CardKey {
        CardKey { added: self.added, figure: self.figure.id }
    }

    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            figure: FigureSummary::read(row)?,
            pieces: row.try_get("pieces")?,
            added: row.try_get("added")?,
        })
    }
}

/// The figures of which somebody has pieces here, the latest added first; `limit` of them after `after`, with or
/// without what is not safe for work.
///
/// # Errors
/// When the database does not answer.
pub async fn shelf(
    pool: &PgPool,
    user: UserId,
    without_nsfw: bool,
    after: Option<&CardKey>,
    limit: i64,
) -> sqlx::Result<Vec<Card>> {
    let sql = format!(
        "SELECT {}, held.pieces, held.added FROM (SELECT o.figure_id, count(*) AS pieces, max(o.created_at) AS added \
             FROM owned_items AS o WHERE o.user_id = $1 AND {HERE} GROUP BY o.figure_id) AS held \
         JOIN figures AS f ON f.id = held.figure_id {} \
         WHERE NOT ($2 AND f.is_nsfw) AND ($3::timestamptz IS NULL OR (held.added, f.id) < ($3, $4)) \
         ORDER BY held.added DESC, f.id DESC LIMIT $5",
        FigureSummary::COLUMNS,
        FigureSummary::JOINS,
    );
    let rows = sqlx::query(&sql)
        .bind(user.uuid())
        .bind(without_nsfw)
        .bind(after.map(|key| key.added))
        .bind(after.map(|key| key.figure))
        .bind(limit)
        .fetch_all(pool)
        .await?;
    rows.iter().map(Card::read).collect()
}
