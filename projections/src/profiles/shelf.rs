//! The figures on somebody's shelves.

use super::HERE;
use crate::figures::summary::FigureSummary;
use domain::ids::UserId;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};

/// A figure that somebody has.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// The figure.
    pub figure: FigureSummary,
    /// How many pieces of it.
    pub pieces: i64,
}

impl Card {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self { figure: FigureSummary::read(row)?, pieces: row.try_get("pieces")? })
    }
}

/// The figures of which somebody has pieces here, the latest added first; `limit` of them after the first `after`, with
/// or without what is not safe for work. Counted and not keyed: when something was added is its owner's.
///
/// # Errors
/// When the database does not answer.
pub async fn shelf(
    pool: &PgPool,
    user: UserId,
    without_nsfw: bool,
    after: u32,
    limit: i64,
) -> sqlx::Result<Vec<Card>> {
    let sql = format!(
        "SELECT {}, held.pieces FROM (SELECT o.figure_id, count(*) AS pieces, max(o.created_at) AS added \
             FROM owned_items AS o WHERE o.user_id = $1 AND {HERE} GROUP BY o.figure_id) AS held \
         JOIN figures AS f ON f.id = held.figure_id {} \
         WHERE NOT ($2 AND f.is_nsfw) ORDER BY held.added DESC, f.id DESC LIMIT $3 OFFSET $4",
        FigureSummary::COLUMNS,
        FigureSummary::JOINS,
    );
    let rows = sqlx::query(&sql)
        .bind(user.uuid())
        .bind(without_nsfw)
        .bind(limit)
        .bind(i64::from(after))
        .fetch_all(pool)
        .await?;
    rows.iter().map(Card::read).collect()
}
