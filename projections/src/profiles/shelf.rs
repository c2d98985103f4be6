//! The figures on somebody's shelves.

use super::{HERE, PINNED};
use crate::figures::summary::FigureSummary;
use crate::pictures::{Cover, Eyes, Pinned};
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
    pinned: Option<Pinned>,
}

impl Card {
    /// What stands on it for others: what is pinned and shared on the latest of the pieces that has such, else what
    /// stands for the figure.
    #[must_use]
    pub fn cover(&self) -> Option<Cover> {
        Cover::of_piece(self.pinned.as_ref(), Some(&self.figure), Eyes::Other)
    }

    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            figure: FigureSummary::read(row)?,
            pieces: row.try_get("pieces")?,
            pinned: Pinned::read(row)?,
        })
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
        "SELECT {}, held.pieces, {} FROM \
             (SELECT o.figure_id, count(*) AS pieces, max(o.created_at) AS added, {PINNED} AS pinned \
             FROM owned_items AS o WHERE o.user_id = $1 AND {HERE} GROUP BY o.figure_id) AS held \
         JOIN figures AS f ON f.id = held.figure_id {} \
         WHERE NOT ($2 AND f.is_nsfw) ORDER BY held.added DESC, f.id DESC LIMIT $3 OFFSET $4",
        FigureSummary::COLUMNS,
        Pinned::latest("held.pinned", Eyes::Other, "pinned_cover"),
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
